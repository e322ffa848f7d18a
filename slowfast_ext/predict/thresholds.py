"""
What is fitted to an activity's scores and kept in OUTPUT_DIR: a threshold, in thresholds.csv, and a
temperature with a shift, in temperatures.csv.
"""

import math
import os

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.tables import read_table, write_rows

# Where none is fitted: of a probability.
DEFAULT = 0.5
_HEADER = ["activity", "threshold", "f1"]
_TEMPERATURES_HEADER = ["activity", "temperature", "shift"]


def best_threshold(scores, labels):
    """
    The threshold of the highest F1; it lies midway between two neighbouring scores.

    Args:
        scores (float array): [W].
        labels (bool array): [W].

    Returns:
        (float, float): the threshold and its F1; DEFAULT and nan where there are no positives.
    """
    if not labels.any():
        return DEFAULT, math.nan
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    hits = np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + labels.sum())
    # Equal scores fall on one side of any threshold.
    next_lower = np.append(ordered[1:], 0.0)
    possible = np.flatnonzero(np.append(ordered[:-1] > ordered[1:], True))
    best = possible[np.argmax(f1[possible])]
    return float((ordered[best] + next_lower[best]) / 2), float(f1[best])


def fit_thresholds(scores, labels):
    """
    Scores and labels, W x A -> thresholds and F1, [A] each. Labels are above 0 where an activity
    happens and below 0 where that is unknown: such windows are left out.
    """
    columns = zip(scores.T, labels.T, strict=True)
    fitted = [best_threshold(of[known >= 0], known[known >= 0] > 0) for of, known in columns]
    return tuple(np.array(fitted).T)


def thresholds_path(cfg):
    """Where a run's thresholds lie."""
    return os.path.join(cfg.OUTPUT_DIR, "thresholds.csv")


def write_thresholds(path, class_names, thresholds, f1):
    """Writes a row per activity; F1 is empty where it had no positives."""
    rows = zip(class_names, thresholds, f1, strict=True)
    # Thresholds in full: the scores of a rare activity may lie closer than any rounding.
    rows = [
        [n, repr(float(t)), "" if math.isnan(value) else f"{value:.4f}"] for n, t, value in rows
    ]
    write_rows(path, [_HEADER, *rows])


def read_thresholds(path, class_names):
    """
    The thresholds of the activities, DEFAULT for all where there is no such file.

    Returns:
        float array: [A].

    Raises:
        SlowFastExtError: bad rows, all of them, or other activities than `class_names`.
    """
    column = "threshold", DEFAULT, "a number", np.isfinite
    return _read(path, class_names, _HEADER, column)[0]


def temperatures_path(cfg):
    """Where a run's temperatures lie."""
    return os.path.join(cfg.OUTPUT_DIR, "temperatures.csv")


def write_temperatures(path, class_names, temperatures, shifts):
    """Writes a row per activity."""
    rows = zip(class_names, temperatures.tolist(), shifts.tolist(), strict=True)
    write_rows(path, [_TEMPERATURES_HEADER, *([name, repr(t), repr(b)] for name, t, b in rows)])


def read_temperatures(path, class_names):
    """
    The activities' temperatures and shifts; 1 and 0, which change nothing, where there is no such
    file, and no shift where it has none.

    Returns:
        (float array, float array): [A] each.

    Raises SlowFastExtError as `read_thresholds`.
    """

    def is_temperature(values):
        return np.isfinite(values) & (values > 0)

    temperature = "temperature", 1.0, "above 0", is_temperature
    shift = "shift", 0.0, "a number", np.isfinite
    return _read(path, class_names, _TEMPERATURES_HEADER, temperature, shift)


def _read(path, class_names, header, *columns):
    """
    The numbers of a file's columns, [A] each in the order of the activities. A column is its name,
    what counts where there is no file, or no such column behind the second, and the rule, in words
    and as a function.
    """
    found = {name: np.full(len(class_names), default) for name, default, *_ in columns}
    if not pathmgr.exists(path):
        return tuple(found.values())
    table = read_table(path, is_number=lambda column: column in found)
    if table.header[:2] != header[:2]:
        raise SlowFastExtError(f"{path}: its first line must be {','.join(header)}")
    columns = [column for column in columns if column[0] in table.header]
    table.require([header[0], *(name for name, *_ in columns)], ",".join(header))
    for name, _, rule, is_right in columns:
        table.tell(~is_right(table.rows[name]), f"the {name} must be {rule}")
    remedy = f"or fit the {header[1]}s again, by predict --fit-{header[1]}s"
    rows = table.rows_of(class_names, "is not in classes.txt", remedy)
    return tuple((found | {name: rows[name].to_numpy() for name, *_ in columns}).values())
