"""What a test on Volleyball measures and writes: VOLLEYBALL.TASK persons, clip or group."""

import os

import numpy as np

from slowfast_ext.evaluation.predictions import write_predictions
from slowfast_ext.evaluation.volleyball import (
    clip_metrics,
    group_metrics,
    person_metrics,
    volleyball_table,
)

TASK = "volleyball"
_ACCURACY_IS = {
    "persons": "per person (the paper's Table 6, persons)",
    "clip": "per moment and action, multi-label",
    "group": "per moment (the paper's Table 6, group)",
}


def measure(cfg, dataset, scores):
    """
    Args:
        scores (dict[int, ...]): a moment's index -> float64, [A], or with DETECTION.ENABLE its
            persons, [P], and their scores, P x A, or for groups the moment's, 1 x A.

    Returns:
        VolleyballMetrics: over all moments and persons; those without scores count as wrong.
    """
    labels = dataset.labels
    if dataset.task == "persons":
        clips, matrix = _by_person(dataset, scores)
        return person_metrics(labels.argmax(1), clips, matrix)
    matrix = _by_moment(dataset, scores)
    if dataset.task == "clip":
        return clip_metrics(labels > 0, matrix)
    return group_metrics(labels.argmax(1), matrix)


def _by_moment(dataset, scores):
    """V x A; -inf where there are none."""
    matrix = np.full(dataset.labels.shape, -np.inf)
    for index, found in scores.items():
        matrix[index] = found[1][0] if isinstance(found, tuple) else found
    return matrix


def _by_person(dataset, scores):
    """[P], each person's moment; P x A, -inf where there are none."""
    counts = [len(listed.moment.actions) for listed in dataset.listed]
    starts = np.cumsum([0, *counts])
    matrix = np.full(dataset.labels.shape, -np.inf)
    for index, (persons, of_persons) in scores.items():
        matrix[starts[index] + persons] = of_persons
    return np.repeat(np.arange(len(counts)), counts), matrix


def describe(cfg, dataset, scores, metrics):
    """What results.json holds that is this task's own: protocol, counts and further figures."""
    protocol = {
        "task": dataset.task,
        "with_persons": cfg.DETECTION.ENABLE,
        "accuracy": _ACCURACY_IS[dataset.task],
        "average_precision": "over moments",
    }
    counts = {
        "videos": len(scores),
        "persons": sum(len(listed.moment.actions) for listed in dataset.listed),
        "without_scores": metrics.num_unscored,
    }
    return protocol, counts, _figures(dataset, metrics)


def _figures(dataset, metrics):
    """What results.json holds of metrics beside the average precision."""
    found = {"accuracy": metrics.accuracy}
    if metrics.clip_accuracy is not None:
        found["clip_accuracy"] = metrics.clip_accuracy
    if metrics.confusion is not None:
        names = dataset.class_names
        found["mean_class_accuracy"] = metrics.mean_class_accuracy
        found["class_accuracy"] = dict(zip(names, metrics.class_accuracy, strict=True))
        found["confusion"] = dict(zip(names, metrics.confusion, strict=True))
    return found


def class_ids(dataset):
    """The ids that results.json gives the classes."""
    return list(range(len(dataset.class_names)))


def table(dataset, metrics, results):
    """The result for people."""
    lines = [
        volleyball_table(metrics, dataset.class_names),
        f"accuracy {metrics.accuracy:.4f} {_ACCURACY_IS[dataset.task]}",
    ]
    if dataset.task == "persons":
        lines.append(f"accuracy {metrics.clip_accuracy:.4f} per moment and action, multi-label")
    lines.append(f"mAP {metrics.mean:.4f} over moments")
    return "\n".join(lines)


def write(cfg, dataset, scores, metrics):
    """Writes predictions.csv: a line for each moment, of TASK persons for each person in it."""
    ids = dataset.video_ids
    if dataset.task == "persons":
        rows = [
            (f"{ids[index]}/{person}", of_person)
            for index in sorted(scores)
            for person, of_person in zip(*scores[index], strict=True)
        ]
    else:
        matrix = _by_moment(dataset, scores)
        rows = [(ids[index], matrix[index]) for index in sorted(scores)]
    names, matrix = zip(*rows, strict=True)
    path = os.path.join(cfg.OUTPUT_DIR, "predictions.csv")
    write_predictions(path, list(names), dataset.class_names, np.stack(matrix))
