"""What a test of persons on AVA's keyframes measures and writes."""

import logging
import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slowfast_ext.datasets.ava import refuse_actions_below_1
from slowfast_ext.datasets.ava_annotations import BOX, read_exclusions, read_ground_truth
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.ava import MIN_OVERLAP, AvaMetrics, ava_metrics
from slowfast_ext.evaluation.evaluators import results_text
from slowfast_ext.utils.paths import open_atomically, pathmgr

logger = logging.getLogger(__name__)
TASK = "action_detection"


@dataclass(frozen=True, eq=False)
class DetectionMetrics(AvaMetrics):
    """
    By the official protocol, with what was measured.

    Attributes:
        measured (tuple): ground truth, detections, class ids and exclusions, as `ava_metrics`
            takes them.
        exclusion_file (str | None): where the exclusions stand.
    """

    measured: tuple
    exclusion_file: str | None


def measure(cfg, dataset, scores):
    """
    Args:
        scores (dict[int, tuple[ndarray, ndarray]]): a keyframe's index -> its persons, [P],
            and their float64 scores, P x A.

    Returns:
        DetectionMetrics: by AVA.GROUNDTRUTH_FILE, of the seconds that the data set tests.

    Raises:
        SlowFastExtError: files that cannot be read, or scores that are not finite.
    """
    options = cfg.AVA
    truth = read_ground_truth(os.path.join(options.ANNOTATION_DIR, options.GROUNDTRUTH_FILE))
    refuse_actions_below_1(truth)
    truth = truth[dataset.tests_second(truth["second"])]
    path = _exclusion_file(options)
    excluded = path and read_exclusions(path)
    measured = truth, _detections(dataset, scores), dataset.label_map, excluded
    return DetectionMetrics(**vars(ava_metrics(*measured)), measured=measured, exclusion_file=path)


def _exclusion_file(options):
    """The path that AVA.EXCLUSION_FILE names, or None where it is empty or there is no file."""
    if not options.EXCLUSION_FILE:
        return None
    path = os.path.join(options.ANNOTATION_DIR, options.EXCLUSION_FILE)
    if pathmgr.exists(path):
        return path
    # Not refused: upstream's default names AVA's own file, which other sets do not have.
    logger.warning(f"no keyframe is excluded: AVA.EXCLUSION_FILE {path} does not exist")
    return None


def _detections(dataset, scores):
    """
    One row for each person and class: video, second, x1, y1, x2, y2, action, score. Raises
    SlowFastExtError where a score is not finite.
    """
    actions = np.array(list(dataset.label_map))
    tables = []
    for index in sorted(scores):
        persons, of_persons = scores[index]
        keyframe = dataset.keyframes[index]
        if not np.isfinite(of_persons).all():
            raise SlowFastExtError(
                f"the network's scores on {dataset.video_ids[index]} are not finite: check "
                "the checkpoint's weights, and TEST.PRECISION"
            )
        rows = pd.DataFrame(keyframe.boxes[persons].repeat(len(actions), 0), columns=BOX)
        rows.insert(0, "second", keyframe.second)
        rows.insert(0, "video", keyframe.video)
        rows["action"] = np.tile(actions, len(persons))
        rows["score"] = of_persons[:, actions - 1].reshape(-1)
        tables.append(rows)
    return pd.concat(tables, ignore_index=True).astype({"video": "category"})


def describe(cfg, dataset, scores, metrics):
    """What results.json holds that is this task's own: protocol, counts and further figures."""
    boxes = sum(len(dataset.keyframes[index].boxes) for index in scores)
    tested = sum(len(persons) for persons, _ in scores.values())
    protocol = {
        "average_precision": "official",
        "min_overlap": MIN_OVERLAP,
        "crop": cfg.AVA.TEST_CROP,
        "exclusion_file": metrics.exclusion_file,
        "mAP_by_pyslowfast": ava_metrics(*metrics.measured, protocol="pyslowfast").mean,
    }
    counts = {"boxes": boxes, "boxes_outside_the_crop": boxes - tested, **metrics.counts}
    return protocol, counts, {}


def class_ids(dataset):
    """The ids that results.json gives the classes: the label map's."""
    return list(dataset.label_map)


def table(dataset, metrics, results):
    """The result for people, by both protocols."""
    by_pyslowfast = results["protocol"]["mAP_by_pyslowfast"]
    mean = "none" if by_pyslowfast is None else f"{by_pyslowfast:.6f}"
    return f"{results_text(results)}\nmAP {mean} by PySlowFast's protocol"


def write(cfg, dataset, scores, metrics):
    """Writes predictions.csv, in the form of AVA's detections."""
    _, detections, *_ = metrics.measured
    with open_atomically(os.path.join(cfg.OUTPUT_DIR, "predictions.csv")) as stream:
        detections.to_csv(stream, header=False, index=False)
