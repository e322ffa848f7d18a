"""Charades' official evaluation: its ground truth, its submission form, its scores."""

import math
import os
from collections import Counter

import numpy as np

from slowfast_ext.datasets.charades_annotations import NUM_CLASSES, read_split
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.predictions import read_predictions
from slowfast_ext.utils.paths import open_atomically
from slowfast_ext.utils.text import parse_number, read_text, refuse_bad_rows, shortened

CODES = tuple(f"c{index:03d}" for index in range(NUM_CLASSES))


def read_ground_truth(path):
    """
    Reads Charades_v1_test.csv -> V ids in the file's order, and labels, bool [V, 157]; repeated
    actions of a video collapse, times are ignored. Raises SlowFastExtError.
    """
    videos = read_split(path)
    labels = np.zeros((len(videos), NUM_CLASSES), bool)
    for row, video in zip(labels, videos, strict=True):
        row[list(video.labels)] = True
    return [video.id for video in videos], labels


def read_scores(path, class_names=CODES):
    """
    Reads the official submission form (`id s1 ... s157`, separated by blanks or tabs) or a
    `predictions.csv` of this project, whose columns are told by the 157 names or by c000, c001,
    ...; the file's first line tells which.

    Returns ids and scores, float64 [rows, 157]. Raises SlowFastExtError: bad rows, no rows, an id
    twice, or another number of scores than 157.
    """
    text = read_text(path)
    # No row of a submission has a comma, every header of a CSV file has one.
    if "," not in text.lstrip().partition("\n")[0]:
        return _parse_submission(path, text)
    video_ids, columns, scores = read_predictions(path)
    places = _places_of_classes(path, columns, class_names)
    if not video_ids:
        raise SlowFastExtError(f"{path}: no rows after the header; one line a video is needed")
    # Other data sets of this project name a video by its path.
    names = [os.path.splitext(os.path.basename(name.rstrip("/")))[0] for name in video_ids]
    name, count = Counter(names).most_common(1)[0]
    if count != 1:
        raise SlowFastExtError(
            f"{path}: {count} rows of video '{shortened(name)}', and one is needed"
        )
    return names, scores[:, places]


def _places_of_classes(path, columns, class_names):
    """Which column holds each class; raises SlowFastExtError where their names do not tell."""
    for names in (class_names, CODES):
        if set(columns) == set(names):
            return [columns.index(name) for name in names]
    if len(columns) != NUM_CLASSES:
        raise SlowFastExtError(
            f"{path}:1: {len(columns)} classes, where Charades has {NUM_CLASSES}"
        )
    unknown = next(name for name in columns if name not in class_names)
    raise SlowFastExtError(
        f"{path}:1: no class is named '{shortened(unknown)}', so it is not known which column "
        "is which class: name the file of their names by --classes"
    )


def _parse_submission(path, text):
    first_line, scores, bad_rows = {}, [], []
    for line, row in enumerate(text.split("\n"), start=1):
        video_id, *fields = row.split() or [None]
        if video_id is None:
            continue
        numbers = [parse_number(field) for field in fields]
        problem = _problem_of(video_id, fields, numbers, first_line)
        if problem:
            bad_rows.append(f"{path}:{line}: {problem}")
            continue
        first_line[video_id] = line
        scores.append(numbers)
    refuse_bad_rows(path, bad_rows)
    if not scores:
        raise SlowFastExtError(f"{path}: no scores; one line a video: id s1 ... s{NUM_CLASSES}")
    return list(first_line), np.array(scores)


def _problem_of(video_id, fields, numbers, first_line):
    """What is wrong with a row `id s1 ... s157`, or None."""
    name = shortened(video_id)
    if video_id in first_line:
        return f"{name} stands on line {first_line[video_id]} already"
    if len(fields) != NUM_CLASSES:
        return f"{len(fields)} scores for {name}, where Charades has {NUM_CLASSES} classes"
    for text, number in zip(fields, numbers, strict=True):
        if number is None or not math.isfinite(number):
            return f"the score '{shortened(text)}' of {name} is not a finite number"
    return None


def align(ground_truth_ids, video_ids, scores, path):
    """
    Scores in the ground truth's order, float64 [V, 157], and the ids that have none; `path` is that
    of the scores, for messages. Raises SlowFastExtError for scores of videos that the ground truth
    does not have, or that are not finite.
    """
    place = {video_id: index for index, video_id in enumerate(ground_truth_ids)}
    unknown = [video_id for video_id in video_ids if video_id not in place]
    if unknown:
        raise SlowFastExtError(
            f"{path}: the ground truth has no video {shortened(', '.join(unknown))} "
            f"({len(unknown)} unknown in all): are these predictions for another list?"
        )
    infinite = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(infinite):
        raise SlowFastExtError(f"{path}: a score of {video_ids[infinite[0]]} is not finite")
    # A video without scores gets -inf, as in the official script.
    aligned = np.full((len(ground_truth_ids), NUM_CLASSES), -np.inf)
    aligned[[place[video_id] for video_id in video_ids]] = scores
    scored = set(video_ids)
    return aligned, [video_id for video_id in ground_truth_ids if video_id not in scored]


def write_submission(path, video_ids, scores):
    """Writes the official form; reading it gives the same floats, since rounding makes ties."""
    with open_atomically(path) as stream:
        for video_id, row in zip(video_ids, scores.tolist(), strict=True):
            stream.write(" ".join([video_id, *map(repr, row)]) + "\n")
