"""A threshold per activity: fitted to the training set, kept in OUTPUT_DIR/thresholds.csv."""

import math
import os

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.tables import read_table, write_rows

# Where none is fitted: of a probability.
DEFAULT = 0.5
_HEADER = ["activity", "threshold", "f1"]


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
    if not pathmgr.exists(path):
        return np.full(len(class_names), DEFAULT)
    table = read_table(path, is_number=lambda name: name == "threshold")
    if table.header[:2] != _HEADER[:2]:
        raise SlowFastExtError(f"{path}: its first line must be {','.join(_HEADER)}")
    table.require(_HEADER[:2], ",".join(_HEADER))
    table.tell(~np.isfinite(table.rows["threshold"]), "the threshold must be a number")
    remedy = "or fit the thresholds again, by predict --fit-thresholds"
    rows = table.rows_of(class_names, "is not in classes.txt", remedy)
    return rows["threshold"].to_numpy()
