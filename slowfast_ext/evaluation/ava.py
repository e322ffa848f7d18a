"""
AVA's average precision at a box overlap (IoU) of 0.5, by the two protocols in use.

- `official`: ActivityNet's script (since 2019). Of each keyframe only the 50 highest-scored rows
  count; detections on keyframes that the ground truth file does not name are ignored.
- `pyslowfast`: PySlowFast's. All rows count; detections on a keyframe without ground truth are
  false positives. Unlike upstream, detections of a keyframe are sorted by their scores here, so
  that the result does not depend on the order of the boxes.

The official script leaves the order of equal scores to a heap and an unstable sort, so that its
result varies with the machine. Here, of a keyframe's equal scores the file's first takes the
ground truth, of equal overlaps the file's first is taken, and the ranking of all detections has
the file's last first, as a stable sort in that script would.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from slowfast_ext.datasets.ava_annotations import BOX, NO_ACTION
from slowfast_ext.errors import SlowFastExtError

PROTOCOLS = ("official", "pyslowfast")
MIN_OVERLAP = 0.5
MAX_ROWS_PER_KEYFRAME = 50


@dataclass(frozen=True, eq=False)
class AvaMetrics:
    """
    How well A classes were detected; fractions, not percent.

    Attributes:
        average_precision (ndarray): [A] float64, nan where a class has no ground truth.
        positives (ndarray): [A] int64, ground truth rows of the class.
        mean (float): mAP over the classes that have ground truth, nan where none has.
        weighted (float): average precision weighted by positives, nan where none has any.
        counts (dict): of keyframes and classes, and of the rows of the ground truth and of the
            detections: read, used and dropped by reason.
    """

    average_precision: np.ndarray
    positives: np.ndarray
    mean: float
    weighted: float
    counts: dict


def ava_metrics(ground_truth, detections, class_ids, excluded=None, protocol="official"):
    """
    Average precision of each class, their mean, and what was counted.

    Args:
        ground_truth (DataFrame): of `read_ground_truth`.
        detections (DataFrame): of `read_detections`.
        class_ids (iterable[int]): A ids that are evaluated, rising; others are dropped.
        excluded (DataFrame or None): of `read_exclusions`: keyframes that are dropped.
        protocol (str): of PROTOCOLS.

    Returns:
        AvaMetrics: its arrays in the order of `class_ids`.

    Raises:
        SlowFastExtError: an unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise SlowFastExtError(f"unknown protocol {protocol!r}; known: {', '.join(PROTOCOLS)}")
    found, truth, excluded = _columns(detections, ground_truth, excluded, sorted(class_ids))
    truth_rows, found_rows = (_Rows(columns["class"] != _NO_BOX) for columns in (truth, found))
    for rows, columns in ((truth_rows, truth), (found_rows, found)):
        rows.drop("class_not_in_label_map", columns["class"] == _UNKNOWN)
        rows.drop("keyframe_excluded", excluded[columns["keyframe"]])
    named = np.zeros_like(excluded)
    named[truth["keyframe"]] = True
    if protocol == "official":
        found_rows.drop("keyframe_not_in_ground_truth", ~named[found["keyframe"]])
        found_rows.drop(
            "not_among_the_50_highest_of_the_keyframe", ~_highest(found, found_rows.used)
        )
    found_rows.drop("box_empty", (found["x2"] <= found["x1"]) | (found["y2"] <= found["y1"]))
    truth, found = truth_rows.take(truth), found_rows.take(found)
    positives = np.bincount(truth["class"], minlength=len(class_ids))
    precisions = _average_precisions(found, _true_positives(truth, found), positives)
    counts = {
        "keyframes": _keyframe_counts(named, excluded, truth["keyframe"], found["keyframe"]),
        "classes": {"evaluated": len(positives), "with_ground_truth": int((positives > 0).sum())},
        "ground_truth": truth_rows.counts(),
        "detections": found_rows.counts(),
    }
    return AvaMetrics(precisions, positives, *_means(precisions, positives), counts)


# --------------------------------------------------------------------------------------
# Which rows count
# --------------------------------------------------------------------------------------

_NO_BOX, _UNKNOWN = -1, -2


class _Rows:
    """Which rows of a file count, and how many do not for each reason."""

    def __init__(self, boxes):
        self.used = boxes
        self._read, self._dropped = int(boxes.sum()), {}

    def drop(self, reason, wrong):
        self._dropped[reason] = int((self.used & wrong).sum())
        self.used = self.used & ~wrong

    def take(self, columns):
        return {name: column[self.used] for name, column in columns.items()}

    def counts(self):
        return {"read": self._read, "used": int(self.used.sum()), "dropped": self._dropped}


def _columns(detections, ground_truth, excluded, class_ids):
    """
    The detections' and the ground truth's columns with `class` (place in `class_ids`, _UNKNOWN
    or _NO_BOX) and `keyframe` (a number from 0), rows by keyframe; and which keyframes are
    excluded (bool [keyframes]).
    """
    frames = [detections, ground_truth, *([] if excluded is None else [excluded])]
    videos = pd.Index([])
    for frame in frames:
        videos = videos.union(frame["video"].cat.categories, sort=False)
    classes = [_places(frame["action"].to_numpy(), class_ids) for frame in frames[:2]]
    keys = [_keyframe_keys(frame, videos) for frame in frames]
    # Numbers go by the first detection of an evaluated class, as in the official script: equal
    # scores are ordered by it.
    keys.insert(0, keys[0][classes[0] >= 0])
    numbers, distinct = pd.factorize(np.concatenate(keys))
    _, *numbers = np.split(numbers, np.cumsum([len(key) for key in keys])[:-1])
    is_excluded = np.zeros(len(distinct), bool)
    is_excluded[numbers[2] if excluded is not None else []] = True
    columns = []
    for frame, place, keyframe in zip(frames[:2], classes, numbers[:2], strict=True):
        order = np.argsort(keyframe, kind="stable")
        names = [name for name in (*BOX, "score") if name in frame]
        values = {name: frame[name].to_numpy()[order] for name in names}
        columns.append({**values, "class": place[order], "keyframe": keyframe[order]})
    return *columns, is_excluded


def _places(action, class_ids):
    """int [rows]: the place of each action in `class_ids`, _UNKNOWN or _NO_BOX."""
    places = np.minimum(np.searchsorted(class_ids, action), len(class_ids) - 1)
    places = np.where(np.take(class_ids, places) == action, places, _UNKNOWN)
    return np.where(action == NO_ACTION, _NO_BOX, places)


def _keyframe_keys(frame, videos):
    """int64 [rows]: one number for each video and second."""
    places = videos.get_indexer(frame["video"].cat.categories)
    return (places[frame["video"].cat.codes] << 32) + frame["second"].to_numpy()


def _highest(found, used):
    """
    bool [rows]: the rows that the official script keeps of each keyframe, 50 at most.

    It reads the rows in order into a heap of 50, where a row of the lowest score in a full heap
    does not enter, and of equal lowest scores the lowest (class, y1, x1, y2, x2) leaves first.
    """
    kept = used.copy()
    rows = _crowded(np.flatnonzero(used), found["keyframe"])
    keyframe, score = found["keyframe"][rows], found["score"][rows]
    lowest = _fiftieth_scores(keyframe, score)[keyframe]
    high = score >= lowest
    entered = score > lowest
    entered[high] |= _place_within(keyframe[high]) < MAX_ROWS_PER_KEYFRAME
    kept[rows[~entered]] = False
    ties = _crowded(rows[entered], found["keyframe"])
    leaving = [found[name][ties] for name in ("x2", "y2", "x1", "y1", "class", "score")]
    ties = ties[np.lexsort([*(-column for column in leaving), found["keyframe"][ties]])]
    kept[ties[_place_within(found["keyframe"][ties]) >= MAX_ROWS_PER_KEYFRAME]] = False
    return kept


def _crowded(rows, keyframe):
    """Those of `rows` that share their keyframe with 50 others of them or more."""
    counts = np.bincount(keyframe[rows], minlength=1)
    return rows[counts[keyframe[rows]] > MAX_ROWS_PER_KEYFRAME]


def _fiftieth_scores(keyframe, score):
    """The 50th highest score of each keyframe; rows by keyframe, which have more than 50."""
    sizes = np.bincount(keyframe, minlength=1)
    starts, fiftieth = np.cumsum(sizes) - sizes, np.full(len(sizes), -np.inf)
    for size in np.unique(sizes[sizes > 0]):
        alike = np.flatnonzero(sizes == size)
        scores = score[starts[alike][:, None] + np.arange(size)]
        place = size - MAX_ROWS_PER_KEYFRAME
        fiftieth[alike] = np.partition(scores, place, axis=1)[:, place]
    return fiftieth


def _place_within(ordered):
    """For each element of an ordered array, how many equal ones stand before it."""
    places = np.arange(len(ordered))
    is_first = np.diff(ordered, prepend=-1) != 0
    return places - np.maximum.accumulate(np.where(is_first, places, 0))


def _keyframe_counts(named, excluded, truth, found):
    """Keyframes of the ground truth file: evaluated, of these without either, and excluded."""
    with_truth, with_detections = np.zeros_like(named), np.zeros_like(named)
    with_truth[truth], with_detections[found] = True, True
    evaluated = named & ~excluded
    return {
        "evaluated": int(evaluated.sum()),
        "without_actions": int((evaluated & ~with_truth).sum()),
        "without_detections": int((evaluated & ~with_detections).sum()),
        "excluded": int((named & excluded).sum()),
        "with_detections_only": int((with_detections & ~named).sum()),
    }


# --------------------------------------------------------------------------------------
# Average precision
# --------------------------------------------------------------------------------------


def _true_positives(truth, found):
    """
    bool [detections]: which are true positives.

    A detection takes the ground truth of its keyframe and class that it overlaps most, if by
    MIN_OVERLAP or more; the first in descending score has it, others have no second choice.
    """
    hits = np.zeros(len(found["score"]), bool)
    detection, box = _pairs(truth, found)
    if not len(detection):
        return hits
    overlap = _overlaps({name: found[name][detection] for name in BOX}, truth, box)
    starts = np.flatnonzero(np.diff(detection, prepend=-1))
    best = np.repeat(np.maximum.reduceat(overlap, starts), np.diff([*starts, len(detection)]))
    chosen = np.flatnonzero((overlap == best) & (best >= MIN_OVERLAP))
    chosen = chosen[np.unique(detection[chosen], return_index=True)[1]]
    detection, box = detection[chosen], box[chosen]
    by_score = np.argsort(-found["score"][detection], kind="stable")
    first = np.unique(box[by_score], return_index=True)[1]
    hits[detection[by_score[first]]] = True
    return hits


def _pairs(truth, found):
    """Places of detections, rising, and of ground truth of their keyframe and class."""
    num_classes = 1 + max(truth["class"].max(initial=0), found["class"].max(initial=0))
    group, detected = (rows["keyframe"] * num_classes + rows["class"] for rows in (truth, found))
    num_groups = 1 + max(group.max(initial=0), detected.max(initial=0))
    sizes = np.bincount(group, minlength=num_groups)
    starts, by_group = np.cumsum(sizes) - sizes, np.argsort(group, kind="stable")
    detection = np.repeat(np.arange(len(detected)), sizes[detected])
    return detection, by_group[starts[detected[detection]] + _place_within(detection)]


def _overlaps(boxes, truth, rows):
    """IoU of boxes with ground truth, pair by pair, in the official script's arithmetic."""
    x1, y1, x2, y2 = (boxes[name] for name in BOX)
    true_x1, true_y1, true_x2, true_y2 = (truth[name][rows] for name in BOX)
    heights = np.maximum(0.0, np.minimum(y2, true_y2) - np.maximum(y1, true_y1))
    widths = np.maximum(0.0, np.minimum(x2, true_x2) - np.maximum(x1, true_x1))
    area, true_area = (y2 - y1) * (x2 - x1), (true_y2 - true_y1) * (true_x2 - true_x1)
    shared = heights * widths
    return shared / (area + true_area - shared)


def _average_precisions(found, hits, positives):
    """
    [A] areas under the precision that no higher recall exceeds; nan without ground truth.
    """
    # Small integers are sorted by their digits, which is far faster.
    classes = found["class"].astype(np.min_scalar_type(len(positives)))
    bounds = np.cumsum(np.bincount(classes, minlength=len(positives)))[:-1]
    precisions = np.full(len(positives), np.nan)
    for place, rows in enumerate(np.split(np.argsort(classes, kind="stable"), bounds)):
        if positives[place]:
            rows = rows[::-1][np.argsort(-found["score"][rows[::-1]], kind="stable")]
            ranks = np.flatnonzero(hits[rows]) + 1
            precision = np.arange(1, len(ranks) + 1) / ranks
            precisions[place] = np.maximum.accumulate(precision[::-1]).sum() / positives[place]
    return precisions


def _means(precisions, positives):
    """mAP and AP weighted by positives, of the classes that have ground truth; nan of none."""
    scored = positives > 0
    if not scored.any():
        return float("nan"), float("nan")
    weighted = np.average(precisions[scored], weights=positives[scored])
    return float(precisions[scored].mean()), float(weighted)
