"""From the scores of windows to spans of time."""

from typing import NamedTuple

import numpy as np


class ActivitySpan(NamedTuple):
    """An activity's id, when it starts and ends in seconds, and its score."""

    activity: int
    start: float
    end: float
    score: float


def spans_of(scores, windows, thresholds):
    """
    Neighbouring windows in which an activity reaches its threshold make one span.

    Args:
        scores (float array): W x A.
        windows (float array): W x 2, start and end of each window, one after the other.
        thresholds (float array): [A].

    Returns:
        list[ActivitySpan]: by start, then activity; a span's score is the mean of its windows'.
    """
    active = np.pad(scores >= thresholds, ((1, 1), (0, 0))).astype(np.int8)
    changes = np.diff(active, axis=0)
    found = []
    for activity in range(scores.shape[1]):
        first = np.flatnonzero(changes[:, activity] == 1)
        last = np.flatnonzero(changes[:, activity] == -1) - 1
        for i, j in zip(first, last, strict=True):
            mean = float(scores[i : j + 1, activity].mean())
            found.append(ActivitySpan(activity, float(windows[i, 0]), float(windows[j, 1]), mean))
    return sorted(found, key=lambda span: (span.start, span.activity))
