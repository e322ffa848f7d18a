"""What a test of videos as wholes measures and writes."""

import os
import pickle

import numpy as np
import torch

from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.predictions import write_predictions
from slowfast_ext.evaluation.results import per_class_table
from slowfast_ext.utils.paths import open_atomically

TASK = "multi_label_classification"


def measure(cfg, dataset, scores):
    """
    Args:
        scores (dict[int, ndarray]): a video's index -> float64, [A].

    Returns:
        MultilabelMetrics: over all videos; those without scores, which could not be read, come
            last, as in Charades' own script.
    """
    kept, matrix = _matrix(scores)
    ranked = np.full(dataset.labels.shape, -np.inf)
    ranked[kept] = matrix
    return multilabel_metrics(ranked, dataset.labels > 0)


def _matrix(scores):
    kept = sorted(scores)
    return kept, np.stack([scores[index] for index in kept])


def describe(cfg, dataset, scores, metrics):
    """What results.json holds that is this task's own: protocol, counts and further figures."""
    counts = {
        "videos": len(scores),
        "videos_without_activity": int(metrics.num_unlabelled),
    }
    if dataset.num_videos_with_objects is not None:
        counts["videos_with_objects"] = dataset.num_videos_with_objects
    protocol = {"average_precision": "Charades_v1_classify"}
    if len(scores) < len(dataset.labels):
        protocol["videos_without_scores"] = "ranked last"
    return protocol, counts, {}


def class_ids(dataset):
    """The ids that results.json gives the classes."""
    return list(range(len(dataset.class_names)))


def table(dataset, metrics, results):
    """The result for people."""
    return per_class_table(metrics, dataset.class_names)


def write(cfg, dataset, scores, metrics):
    """Writes predictions.csv and, with TEST.SAVE_RESULTS_PATH, upstream's file."""
    kept, matrix = _matrix(scores)
    ids = dataset.video_ids
    path = os.path.join(cfg.OUTPUT_DIR, "predictions.csv")
    write_predictions(path, [ids[index] for index in kept], dataset.class_names, matrix)
    if cfg.TEST.SAVE_RESULTS_PATH:
        # Upstream's form: predictions and labels, pickled.
        labels = torch.from_numpy(dataset.labels[kept])
        with open_atomically(os.path.join(cfg.OUTPUT_DIR, cfg.TEST.SAVE_RESULTS_PATH), "wb") as f:
            pickle.dump([torch.from_numpy(matrix), labels], f)
