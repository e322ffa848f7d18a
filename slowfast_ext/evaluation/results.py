"""The files an evaluation leaves: `results.json`, `predictions.csv` and a table to read."""

import contextlib
import csv
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone

import numpy as np

import slowfast_ext
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import is_local, open_atomically, pathmgr

NO_POSITIVES = "no positives: no AP"

# --------------------------------------------------------------------------------------
# results.json
# --------------------------------------------------------------------------------------


def results_object(
    task, metrics, class_names, protocol, counts, row, config, versions, class_ids=None
):
    """
    What `results.json` holds: fractions, not percent, and nothing strict JSON lacks.

    Args:
        task (str): what was evaluated.
        metrics (MultilabelMetrics): of A activities.
        class_names (list[str]): A names.
        protocol (str or dict): how the scores were made and judged.
        counts (dict): of videos, views, ...
        row (str): ACTIVITY.TABLE_ROW.
        config (CfgNode or dict): the whole configuration.
        versions (dict): `installed_versions()`.
        class_ids (list[int]): A ids; None: their places from 0.

    Returns:
        dict: of dict, list, str, int, float, bool and None only; NaN is None. Its `date` is
            the time of this call: UTC, ISO 8601, to the second.

    Raises:
        SlowFastExtError: the number of names differs from that of the activities.
    """
    _check_names(metrics, class_names)
    ids = range(len(class_names)) if class_ids is None else class_ids
    columns = (ids, class_names, metrics.average_precision, metrics.positives)
    per_class = [
        {"id": class_id, "name": name, "ap": precision, "positives": positives}
        for class_id, name, precision, positives in zip(*columns, strict=True)
    ]
    return _plain(
        {
            "task": task,
            "mAP": metrics.mean,
            "weighted_mAP": metrics.weighted,
            "per_class": per_class,
            "counts": counts,
            "protocol": protocol,
            "row": row,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "config": config,
            "versions": versions,
        }
    )


def write_results(path, results):
    """Writes `results` (of `results_object`) to `path` as strict JSON."""
    text = json.dumps(_plain(results), indent=2, allow_nan=False, ensure_ascii=False)
    with open_atomically(path) as stream:
        stream.write(text + "\n")


def installed_versions():
    """
    The versions a result depends on.

    Returns:
        dict: of `python`, `torch`, `numpy`, `slowfast_ext` and `pyslowfast`; the last is
            `main` over GitHub's. None for what is not installed.
    """
    return {
        "python": platform.python_version(),
        "torch": _distribution_version("torch"),
        "numpy": _distribution_version("numpy"),
        # A checkout may run without being installed.
        "slowfast_ext": _distribution_version("slowfast-ext")
        or getattr(slowfast_ext, "__version__", None),
        "pyslowfast": _pyslowfast_version(),
    }


def _distribution_version(name):
    """The version of an installed distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pyslowfast_version():
    """`main`, the version of PyPI's package, or None where there is no PySlowFast."""
    try:
        spec = importlib.util.find_spec("slowfast")
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    # A clone of main on PYTHONPATH has no version of its own and may hide an installed
    # 1.0, so the files decide: 1.0 has models/model_builder.py in this one's place.
    folders = spec.submodule_search_locations or []
    if any(os.path.isfile(os.path.join(folder, "models", "build.py")) for folder in folders):
        return "main"
    return _distribution_version("pyslowfast")


def _plain(value):
    """`value` in the types of strict JSON: configs, tuples and numpy's types turned plain."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    return str(value)


# --------------------------------------------------------------------------------------
# predictions.csv
# --------------------------------------------------------------------------------------


def write_predictions(path, video_ids, class_names, scores):
    """
    Writes one line a video: its id and its score for each class.

    The scores are written such that reading them gives the same floats: rounding would
    make ties, and ties change the average precision.

    Args:
        path (str): the CSV file.
        video_ids (list[str]): V.
        class_names (list[str]): A.
        scores (ndarray): [V, A], float32 or float64.

    Raises:
        SlowFastExtError: the numbers of ids, names and scores do not fit.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(video_ids), len(class_names)):
        raise SlowFastExtError(
            f"{path}: scores of shape {list(scores.shape)} do not fit {len(video_ids)} videos "
            f"and {len(class_names)} classes"
        )
    with open_atomically(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", *class_names])
        for video_id, row in zip(video_ids, scores.tolist(), strict=True):
            writer.writerow([video_id, *row])


def read_predictions(path):
    """
    Reads what `write_predictions` wrote.

    Returns:
        tuple: ids (list of V str), class names (list of A str), scores ([V, A] float64).

    Raises:
        SlowFastExtError: the file is missing or malformed; the message names file:line.
    """
    video_ids, scores, first_lines = [], [], {}
    with _csv_rows(path) as reader:
        class_names = _class_names(path, next(reader, None))
        for row in reader:
            if not row:
                continue
            where = f"{path}:{reader.line_num}"
            scores.append(_row_scores(where, row, class_names))
            if row[0] in first_lines:
                raise SlowFastExtError(
                    f"{where}: video '{row[0]}' stands in line {first_lines[row[0]]} already"
                )
            first_lines[row[0]] = reader.line_num
            video_ids.append(row[0])
    return video_ids, class_names, np.array(scores, dtype=np.float64).reshape(-1, len(class_names))


@contextlib.contextmanager
def _csv_rows(path):
    """A csv reader of `path`; its failures as SlowFastExtError."""
    reader = None
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front.
        with (
            open(path, newline="", encoding="utf-8-sig")
            if is_local(path)
            else pathmgr.open(path, "r")
        ) as stream:
            reader = csv.reader(stream)
            yield reader
    except (FileNotFoundError, IsADirectoryError) as error:
        raise SlowFastExtError(f"there is no predictions file {path}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        line = reader.line_num + 1 if reader else 1
        raise SlowFastExtError(f"{path}:{line}: not a CSV file in UTF-8 ({error})") from error


def _class_names(path, header):
    """The class names in the header row of a predictions file; raises SlowFastExtError."""
    if not header or header[0] != "id" or len(header) < 2:
        raise SlowFastExtError(
            f"{path}:1: the header must be 'id' and the class names, separated by commas"
        )
    names = header[1:]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SlowFastExtError(f"{path}:1: class '{twice}' has more than one column")
    return names


def _row_scores(where, row, class_names):
    """The scores (list of A floats) in one row of a predictions file; raises SlowFastExtError."""
    video_id, *texts = row
    if not video_id:
        raise SlowFastExtError(f"{where}: the video's id is empty")
    if len(texts) != len(class_names):
        raise SlowFastExtError(
            f"{where}: {len(texts)} scores, but the header names {len(class_names)} classes"
        )
    return [_score(where, name, text) for name, text in zip(class_names, texts, strict=True)]


def _score(where, class_name, text):
    """One score of a predictions file as a float; raises SlowFastExtError."""
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise SlowFastExtError(f"{where}: the score '{text}' for class '{class_name}' is no number")
    return score


# --------------------------------------------------------------------------------------
# The table for people
# --------------------------------------------------------------------------------------


def per_class_table(metrics, class_names):
    """
    An aligned text table: classes by falling AP, those without positives last, the means.

    Args:
        metrics (MultilabelMetrics): of A activities.
        class_names (list[str]): A.

    Returns:
        str: lines without a final newline; fractions with four decimals.

    Raises:
        SlowFastExtError: the number of names differs from that of the activities.
    """
    _check_names(metrics, class_names)
    precisions = metrics.average_precision
    # nan sorts last, and a stable sort keeps equal classes in the order of their ids.
    order = np.argsort(-precisions, kind="stable")
    rows = [
        (class_names[i], _fraction(precisions[i], NO_POSITIVES), str(metrics.positives[i]))
        for i in order
    ]
    scored = int((metrics.positives > 0).sum())
    means = [
        ("mAP", _fraction(metrics.mean, "none"), ""),
        ("weighted mAP", _fraction(metrics.weighted, "none"), ""),
    ]
    lines = _aligned([("class", "AP", "positives"), *rows, *means])
    if scored < len(class_names):
        lines.append(
            f"mAP is over the {scored} of {len(class_names)} classes that have positives; "
            "Charades_v1_classify.m would give NaN"
        )
    return "\n".join(lines)


def _check_names(metrics, class_names):
    """Raises SlowFastExtError where there is not one name per activity."""
    if len(class_names) != len(metrics.positives):
        raise SlowFastExtError(
            f"{len(class_names)} class names for scores of {len(metrics.positives)} activities"
        )


def _fraction(value, otherwise):
    """`value` with four decimals, `otherwise` where it is nan."""
    return otherwise if math.isnan(value) else f"{value:.4f}"


def _aligned(rows):
    """Rows of three texts as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{name:<{widths[0]}}  {middle:>{widths[1]}}  {last:>{widths[2]}}".rstrip()
        for name, middle, last in rows
    ]
