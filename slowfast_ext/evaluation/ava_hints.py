"""What makes AVA's mAP of custom data 0 or needlessly low, in sentences."""

import numpy as np

from slowfast_ext.datasets.ava_annotations import BOX, LARGEST_FRACTION, NO_ACTION

MAX_IDS_SHOWN = 10


def ava_hints(ground_truth, detections, label_map, metrics):
    """
    Sentences that name what in the files keeps detections from counting.

    Takes the DataFrames of `read_ground_truth` and `read_detections`, the dict of `read_label_map`
    and their AvaMetrics.
    """
    boxes = ground_truth[ground_truth["action"] != NO_ACTION]
    hints = []
    for what, rows in (("ground truth", boxes), ("detections", detections)):
        hints += _rows(what, rows, label_map)
    if detections.empty:
        why = "were all person boxes scored below AVA.DETECTION_SCORE_THRESH?"
        return [*hints, f"the file of detections has none: {why}"]
    hints += _keyframes(ground_truth, detections, metrics.counts["keyframes"])
    return [*hints, *_scores(detections), *_overlaps(metrics)]


def _rows(what, rows, label_map):
    unknown = rows["action"][~rows["action"].isin(list(label_map))]
    if len(unknown):
        ids = np.unique(unknown)
        shown = ", ".join(map(str, ids[:MAX_IDS_SHOWN]))
        shown += ", ..." if len(ids) > MAX_IDS_SHOWN else ""
        yield (
            f"{what}: {len(unknown)} of {len(rows)} rows are not evaluated, since the label map "
            f"does not have their class ids ({shown})"
            + ("; AVA's ids count from 1" if 0 in ids else "")
        )
    corners = np.abs(rows[BOX].to_numpy()).max(axis=1, initial=0)
    wrong = int((corners > LARGEST_FRACTION).sum())
    if wrong:
        yield (
            f"{what}: {wrong} of {len(rows)} boxes have corners up to {corners.max():g}, as if in "
            "pixels: corners must be fractions, so divide by the frame's width and height"
        )


def _keyframes(ground_truth, detections, counts):
    meeting = counts["evaluated"] - counts["without_detections"]
    if meeting == 0:
        # How the two files' names of keyframes differ, if they do.
        difference, videos, seconds = "", [], []
        for rows in (ground_truth, detections):
            videos.append(rows["video"].unique().tolist())
            seconds.append(f"{rows['second'].min()} to {rows['second'].max()}")
        if not set(videos[0]) & set(videos[1]):
            difference = f": their videos differ ({videos[0][0]!r} there, {videos[1][0]!r} here)"
        elif seconds[0] != seconds[1]:
            difference = f": seconds go from {seconds[0]} there and from {seconds[1]} here"
        yield f"no keyframe of the ground truth has detections that are used{difference}"
    elif counts["without_detections"] > meeting:
        yield (
            f"{counts['without_detections']} of {counts['evaluated']} keyframes have no used "
            "detections: persons whose boxes are scored below AVA.DETECTION_SCORE_THRESH are not "
            "detected"
        )


def _scores(detections):
    lowest, highest = detections["score"].min(), detections["score"].max()
    if lowest == highest and len(detections) > 1:
        yield f"detections: all scores are {lowest:g}, so that their order is arbitrary"


def _overlaps(metrics):
    counts = metrics.counts["detections"]
    empty = counts["dropped"]["box_empty"]
    if empty > counts["used"]:
        yield (
            f"detections: {empty} boxes are empty (x2 <= x1 or y2 <= y1): a box is x1,y1,x2,y2, "
            "not x,y,width,height"
        )
    if metrics.mean == 0 and counts["used"]:
        yield "no detection overlaps ground truth of its keyframe and class by an IoU of 0.5"
