"""
AVA's average precision at a box overlap (IoU) of 0.5, by the two protocols in use.

- `official`: ActivityNet's script (since 2019). Of each keyframe only the 50 highest-scored rows
  count; detections on keyframes that the ground truth file does not name are ignored.
- `pyslowfast`: PySlowFast's. All rows count; detections on a keyframe without ground truth are
  false positives. Unlike upstream, detections of a keyframe are sorted by their scores here, so
  that the result does not depend on the order of the boxes.

Equal scores have no order of their own in the official script: a heap and numpy's unstable sort
give them one. Both are done here alike, so that the result is the same on the same machine; on
another it may differ, as that of the script does, unless scores are written at full precision.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from slowfast_ext.datasets.ava_annotations import BOX
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.ava_rows import Rows, keyframe_counts, numbered_columns

PROTOCOLS = ("official", "pyslowfast")
MIN_OVERLAP = 0.5


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
            detections: read, used and dropped by reason; of the ground truth also its boxes.
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
    found, truth, excluded = numbered_columns(detections, ground_truth, excluded, sorted(class_ids))
    named = np.zeros_like(excluded)
    named[truth["keyframe"]] = True
    truth_rows, found_rows = Rows(truth), Rows(found)
    for rows, columns in ((truth_rows, truth), (found_rows, found)):
        rows.drop_unknown_classes("class_not_in_label_map")
        rows.drop("keyframe_excluded", excluded[columns["keyframe"]])
    if protocol == "official":
        found_rows.drop("keyframe_not_in_ground_truth", ~named[found["keyframe"]])
        found_rows.keep_highest("not_among_the_50_highest_of_the_keyframe")
        truth_rows.order_as_official()
    else:
        found_rows.order_by_score()
    found_rows.drop("box_empty", (found["x2"] <= found["x1"]) | (found["y2"] <= found["y1"]))
    truth, found = truth_rows.take(), found_rows.take()
    positives = np.bincount(truth["class"], minlength=len(class_ids))
    precisions = _average_precisions(found, _true_positives(truth, found), positives)
    # A box with several actions has as many rows.
    boxes = pd.DataFrame(truth)[["keyframe", *BOX]].drop_duplicates()
    counts = {
        "keyframes": keyframe_counts(named, excluded, truth["keyframe"], found["keyframe"]),
        "classes": {"evaluated": len(positives), "with_ground_truth": int((positives > 0).sum())},
        "ground_truth": {"boxes": len(boxes), **truth_rows.counts()},
        "detections": found_rows.counts(),
    }
    return AvaMetrics(precisions, positives, *_means(precisions, positives), counts)


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
    # Every pair at once: a loop over a million detections took most of the official script's time.
    overlap = _overlaps({name: found[name][detection] for name in BOX}, truth, box)
    starts = np.flatnonzero(np.diff(detection, prepend=-1))
    best = np.repeat(np.maximum.reduceat(overlap, starts), np.diff([*starts, len(detection)]))
    chosen = np.flatnonzero((overlap == best) & (best >= MIN_OVERLAP))
    chosen = chosen[np.unique(detection[chosen], return_index=True)[1]]
    # The detections of a keyframe come by falling score.
    first = np.unique(box[chosen], return_index=True)[1]
    hits[detection[chosen[first]]] = True
    return hits


def _pairs(truth, found):
    """Places of detections, rising, and of ground truth of their keyframe and class."""
    num_classes = 1 + max(truth["class"].max(initial=0), found["class"].max(initial=0))
    group, detected = (rows["keyframe"] * num_classes + rows["class"] for rows in (truth, found))
    num_groups = 1 + max(group.max(initial=0), detected.max(initial=0))
    sizes = np.bincount(group, minlength=num_groups)
    # Stable: of equal overlaps the first one in the file is taken.
    starts, by_group = np.cumsum(sizes) - sizes, np.argsort(group, kind="stable")
    detection = np.repeat(np.arange(len(detected)), sizes[detected])
    # For each pair, how many of the same detection stand before it.
    places = np.arange(len(detection))
    is_first = np.diff(detection, prepend=-1) != 0
    within = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return detection, by_group[starts[detected[detection]] + within]


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
    """[A] areas under the precision that no higher recall exceeds; nan without ground truth."""
    # Small integers are sorted by their digits, which is far faster.
    classes = found["class"].astype(np.min_scalar_type(len(positives)))
    bounds = np.cumsum(np.bincount(classes, minlength=len(positives)))[:-1]
    precisions = np.full(len(positives), np.nan)
    for place, rows in enumerate(np.split(np.argsort(classes, kind="stable"), bounds)):
        if positives[place]:
            # Not a stable sort, nor of the negative scores: so the official script orders ties.
            rows = rows[np.argsort(found["score"][rows])[::-1]]
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
