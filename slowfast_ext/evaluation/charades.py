"""Charades' official evaluation: its ground truth, its submission form, its scores."""

import math
import os
from collections import Counter

import numpy as np

from slowfast_ext.datasets.charades_annotations import read_split
from slowfast_ext.datasets.list_rows import read_text
from slowfast_ext.datasets.lists import summary_of_bad_rows
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.predictions import read_predictions
from slowfast_ext.paths import open_atomically

NUM_CLASSES = 157


def read_ground_truth(path):
    """
    Reads Charades_v1_test.csv; repeated actions of a video collapse, times are ignored.

    Returns:
        (list[str], ndarray): V ids in the file's order, and labels, bool [V, 157].

    Raises:
        SlowFastExtError: not readable, or bad rows, all of which it names.
    """
    videos = read_split(path, NUM_CLASSES)
    labels = np.zeros((len(videos), NUM_CLASSES), bool)
    for row, video in zip(labels, videos, strict=True):
        row[list(video.labels)] = True
    return [video.id for video in videos], labels


def read_scores(path):
    """
    Reads the official submission form (`id s1 ... s157`, separated by blanks or tabs) or a
    `predictions.csv` of this project; the file's first line tells which.

    Returns:
        (list[str], ndarray): ids, and scores, float64 [rows, 157].

    Raises:
        SlowFastExtError: bad rows, an id twice, or another number of scores than 157.
    """
    text = read_text(path)
    if not text.startswith("id,"):
        return _parse_submission(path, text)
    video_ids, class_names, scores = read_predictions(path)
    if len(class_names) != NUM_CLASSES:
        raise SlowFastExtError(
            f"{path}:1: {len(class_names)} classes, where Charades has {NUM_CLASSES}"
        )
    # Other data sets of this project name a video by its path.
    names = [os.path.splitext(os.path.basename(name.rstrip("/")))[0] for name in video_ids]
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count != 1:
        raise SlowFastExtError(f"{path}: {count} rows of video '{name}', and one is needed")
    return names, scores


def _parse_submission(path, text):
    first_line, scores, bad_rows = {}, [], []
    for line, row in enumerate(text.split("\n"), start=1):
        fields = row.split()
        if not fields:
            continue
        problem = _problem_of(fields, first_line)
        if problem:
            bad_rows.append(f"{path}:{line}: {problem}")
            continue
        first_line[fields[0]] = line
        scores.append([float(field) for field in fields[1:]])
    if bad_rows:
        raise SlowFastExtError(summary_of_bad_rows(path, bad_rows))
    if not scores:
        raise SlowFastExtError(f"{path}: no scores; one line a video: id s1 ... s{NUM_CLASSES}")
    return list(first_line), np.array(scores)


def _problem_of(fields, first_line):
    """What is wrong with a row `id s1 ... s157`, or None."""
    video_id, *texts = fields
    if video_id in first_line:
        return f"{video_id} stands on line {first_line[video_id]} already"
    if len(texts) != NUM_CLASSES:
        return f"{len(texts)} scores for {video_id}, where Charades has {NUM_CLASSES} classes"
    bad = next((text for text in texts if not _is_finite(text)), None)
    return bad and f"the score '{bad}' of {video_id} is not a finite number"


def _is_finite(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def align(ground_truth_ids, video_ids, scores, path):
    """
    Scores in the ground truth's order; a video without any gets -inf, as in the official script.

    Args:
        path (str): of the scores, for messages.

    Returns:
        (ndarray, list[str]): float64 [V, 157], and the ids that have no scores.

    Raises:
        SlowFastExtError: scores of videos that the ground truth does not have, or not finite.
    """
    place = {video_id: index for index, video_id in enumerate(ground_truth_ids)}
    unknown = [video_id for video_id in video_ids if video_id not in place]
    if unknown:
        raise SlowFastExtError(
            f"{path}: the ground truth has no video {', '.join(unknown[:5])} "
            f"({len(unknown)} unknown in all): are these predictions for another list?"
        )
    infinite = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if len(infinite):
        raise SlowFastExtError(f"{path}: a score of {video_ids[infinite[0]]} is not finite")
    aligned = np.full((len(ground_truth_ids), NUM_CLASSES), -np.inf)
    aligned[[place[video_id] for video_id in video_ids]] = scores
    scored = set(video_ids)
    return aligned, [video_id for video_id in ground_truth_ids if video_id not in scored]


def write_submission(path, video_ids, scores):
    """Writes the official form; reading it gives the same floats, since rounding makes ties."""
    with open_atomically(path) as stream:
        for video_id, row in zip(video_ids, scores.tolist(), strict=True):
            stream.write(" ".join([video_id, *map(repr, row)]) + "\n")
