"""`predictions.csv`: the scores of each video, as an evaluation leaves them."""

import csv
import math

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import open_atomically
from slowfast_ext.utils.text import parse_number, read_rows, shortened


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
    rows = read_rows(path)
    class_names = _class_names(path, rows[0][1] if rows else [""])
    scores, first_lines = [], {}
    for line, row in rows[1:]:
        where = f"{path}:{line}"
        scores.append(_row_scores(where, row, class_names))
        if row[0] in first_lines:
            raise SlowFastExtError(
                f"{where}: video '{shortened(row[0])}' stands in line {first_lines[row[0]]} already"
            )
        first_lines[row[0]] = line
    scores = np.array(scores, dtype=np.float64).reshape(-1, len(class_names))
    return list(first_lines), class_names, scores


def _class_names(path, header):
    """The class names in the header row of a predictions file; raises SlowFastExtError."""
    if header[0] != "id" or len(header) < 2:
        raise SlowFastExtError(
            f"{path}:1: the header must be 'id' and the class names, separated by commas; it "
            f"begins with '{shortened(header[0])}'"
        )
    names = header[1:]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SlowFastExtError(f"{path}:1: class '{shortened(twice)}' has more than one column")
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
    score = parse_number(text)
    if score is None or math.isnan(score):
        raise SlowFastExtError(
            f"{where}: the score '{shortened(text)}' for class '{shortened(class_name)}' is no "
            "number"
        )
    return score
