"""
Average precision of multi-label scores, as Charades' own script computes it.

`Charades_v1_classify.m` differs from what scikit-learn gives in two ways: ties keep the
order in which the videos are given (they are not grouped), and a video without any
activity is moved behind all others instead of being scored as a negative.

Where it is not known whether a video has an activity, the video is left out of that activity's
ranking, as Open Images and federated annotations such as LVIS' have it.
"""

from dataclasses import dataclass

import numpy as np

from slowfast_ext.errors import SlowFastExtError


@dataclass(frozen=True, eq=False)
class MultilabelMetrics:
    """
    How well A activities were recognised; fractions, not percent.

    Attributes:
        average_precision (ndarray): [A] float64, nan where an activity has no positives.
        positives (ndarray): [A] int64, videos that have the activity.
        mean (float): mAP over the activities that have positives, nan where none has.
        weighted (float): average precision weighted by positives, nan where none has any.
        num_unlabelled (int): videos known to have no activity.
        unknown (ndarray): [A] int64, videos of which it is not known whether they have it.
    """

    average_precision: np.ndarray
    positives: np.ndarray
    mean: float
    weighted: float
    num_unlabelled: int
    unknown: np.ndarray


def average_precision(scores, positives):
    """
    Average precision of one activity, without interpolation, nan where there are no positives.

    Scores, [V], are higher where it is more likely, ties keep the given order; positives are bool,
    [V]. Raises SlowFastExtError: a score is NaN, or the lengths differ.
    """
    scores, labels = _checked(np.reshape(scores, (-1, 1)), np.reshape(positives, (-1, 1)))
    return float(_average_precisions(scores, labels > 0, labels >= 0)[0])


def multilabel_metrics(scores, labels):
    """
    MultilabelMetrics of scores, [V, A], a video that was not scored as a row of -inf, and labels,
    [V, A]: bool, or numbers above 0 where a video has the activity and below 0 where that is
    unknown. Raises SlowFastExtError: a score is NaN, or the shapes differ.
    """
    scores, labels = _checked(scores, labels)
    labels, known = labels > 0, labels >= 0
    # Of a video of which something is unknown nobody can say that it has no activity.
    unlabelled = ~labels.any(axis=1) & known.all(axis=1)
    # The rows stay, at -inf, rather than being dropped: they then tie with labelled
    # videos that were not scored, and the official script counts those ties.
    scores = np.where(unlabelled[:, None], -np.inf, scores)
    per_class = _average_precisions(scores, labels, known)
    positives = labels.sum(axis=0)
    scored, mean, weighted = positives > 0, float("nan"), float("nan")
    if scored.any():
        found, weights = per_class[scored], positives[scored]
        mean, weighted = float(found.mean()), float((found * weights).sum() / weights.sum())
    unknown = (~known).sum(axis=0)
    return MultilabelMetrics(per_class, positives, mean, weighted, int(unlabelled.sum()), unknown)


def frequency_groups(average_precision, counts):
    """
    Classes in thirds by how often they occur in training: head, middle and tail.

    Args:
        average_precision (float array): [A], nan where a class has none.
        counts (sequence[int]): [A], occurrences in training; equal ones keep the classes' order.

    Returns:
        list[dict]: `group`, `classes` (their places), `most` and `least` occurrences, `mAP` over
            those that have an AP, nan where none has.
    """
    counts, found = np.asarray(counts), []
    thirds = np.array_split(np.argsort(-counts, kind="stable"), 3)
    for name, places in zip(("head", "middle", "tail"), thirds, strict=True):
        if len(places):
            values = average_precision[places]
            values = values[~np.isnan(values)]
            mean = float(values.mean()) if len(values) else float("nan")
            most, least = int(counts[places[0]]), int(counts[places[-1]])
            row = {"group": name, "classes": places.tolist(), "most": most, "least": least}
            found.append({**row, "mAP": mean})
    return found


def _checked(scores, labels):
    """The scores as float64 and the labels, both [V, A]; raises SlowFastExtError."""
    scores = np.asarray(scores, dtype=np.float64)
    labels = np.asarray(labels)
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise SlowFastExtError(
            f"scores of shape {list(scores.shape)} do not fit labels of shape "
            f"{list(labels.shape)}: both must be videos x activities"
        )
    missing = np.isnan(scores)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise SlowFastExtError(
            f"{int(missing.sum())} of {scores.size} scores are NaN, the first in row {row} "
            f"(from 0), activity {column}: such scores cannot be ranked; if they come from "
            "training, it has diverged (lower SOLVER.BASE_LR)"
        )
    return scores, labels


def _average_precisions(scores, labels, known):
    """
    [A] average precisions of [V, A] scores, labels and whether these are known; nan where there
    are no positives.
    """
    # One activity per row keeps each sort within contiguous memory.
    # Stable, and of the negative scores: ties keep the order of the videos, as in the script.
    order = np.argsort(np.ascontiguousarray(-scores.T), axis=1, kind="stable")
    ranked, counted = (
        np.take_along_axis(np.ascontiguousarray(of.T), order, axis=1) for of in (labels, known)
    )
    # Before the first that counts there is nothing to divide by, and no positive.
    precision = np.cumsum(ranked, axis=1) / np.cumsum(counted, axis=1).clip(min=1)
    positives = ranked.sum(axis=1)
    total = np.where(ranked, precision, 0.0).sum(axis=1)
    return np.divide(total, positives, out=np.full(len(total), np.nan), where=positives > 0)
