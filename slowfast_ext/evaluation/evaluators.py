"""What a test measures, shows and writes: an evaluator for each kind of data set."""

import logging
import os
import pickle
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from fvcore.common.registry import Registry

from slowfast_ext.datasets.ava import refuse_actions_below_1
from slowfast_ext.datasets.ava_annotations import BOX, read_exclusions, read_ground_truth
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.ava import MIN_OVERLAP, AvaMetrics, ava_metrics
from slowfast_ext.evaluation.ava_hints import ava_hints
from slowfast_ext.evaluation.calibration import calibration
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.predictions import write_predictions
from slowfast_ext.evaluation.results import by_falling_precision, mean_figures, per_class_table
from slowfast_ext.evaluation.volleyball import (
    clip_metrics,
    group_metrics,
    person_metrics,
    volleyball_table,
)
from slowfast_ext.utils.paths import open_atomically, pathmgr
from slowfast_ext.utils.text import nearest

logger = logging.getLogger(__name__)

EVALUATOR_REGISTRY = Registry("EVALUATOR")
EVALUATOR_REGISTRY.__doc__ = """
Registry of evaluators, called with `evaluator(cfg, dataset)`; a data set's class names its own
(`evaluator`).
"""


def build_evaluator(cfg, dataset):
    """
    The evaluator that the data set names; raises SlowFastExtError where there is none, or what it
    measures by cannot be read.
    """
    name = dataset.evaluator
    if name not in EVALUATOR_REGISTRY:
        known = [registered for registered, _ in EVALUATOR_REGISTRY]
        raise SlowFastExtError(
            f"{type(dataset).__name__}.evaluator is {name!r}: EVALUATOR_REGISTRY has "
            f"{', '.join(known)}{nearest(str(name), known)}"
        )
    return EVALUATOR_REGISTRY.get(name)(cfg, dataset)


class Evaluator:
    """
    Measures the scores of a data set's items, and writes them.

    One of your own derives from it, or from one of those below. A number that its `figures` has
    stands in results.json, by sampling rate too, in the log of a training, TensorBoard and the
    report.

    Attributes:
        task (str): of the class: results.json's `task`.
    """

    task = ""

    def __init__(self, cfg, dataset):
        self.cfg, self.dataset = cfg, dataset

    @property
    def class_ids(self):
        """The ids that results.json gives the classes."""
        return list(range(len(self.dataset.class_names)))

    @property
    def outputs(self):
        """Which of the network's outputs each class is."""
        return list(range(len(self.dataset.class_names)))

    def measure(self, scores):
        """
        Args:
            scores (dict): an item's index -> its scores, float64, [A], or where the data set
                gives boxes those of its persons, [P], and their scores, P x A. Items that could
                not be read are not in it.

        Returns:
            What has the attributes of MultilabelMetrics.
        """
        raise NotImplementedError

    def figures(self, metrics):
        """{name: what results.json holds of the metrics}, but for those of each class."""
        return mean_figures(metrics)

    def describe(self, scores, metrics):
        """The `protocol` and the `counts` of results.json that are this data set's own."""
        return {}, {"videos": len(scores)}

    def calibration(self, scores):
        """results.json's `calibration`; None where a class does not measure it."""

    def table(self, metrics, results):
        """The result for people, from the metrics and what results.json holds."""
        return per_class_table(results)

    def write(self, scores, metrics):
        """Writes OUTPUT_DIR/predictions.csv."""
        raise NotImplementedError

    def _write_predictions(self, ids, matrix):
        path = os.path.join(self.cfg.OUTPUT_DIR, "predictions.csv")
        write_predictions(path, ids, self.dataset.class_names, matrix)


# --- Videos as wholes ------------------------------------------------------------------


@EVALUATOR_REGISTRY.register()
class ClipsEvaluator(Evaluator):
    """Average precision over videos as wholes, as Charades' own script computes it."""

    task = "multi_label_classification"

    def measure(self, scores):
        """Videos without scores, which could not be read, come last, as in Charades' script."""
        ranked = np.full(self.dataset.labels.shape, -np.inf)
        for index, video_scores in scores.items():
            ranked[index] = video_scores
        return multilabel_metrics(ranked, self.dataset.labels)

    def describe(self, scores, metrics):
        counts = {"videos": len(scores), "videos_without_activity": metrics.num_unlabelled}
        if self.dataset.num_videos_with_objects is not None:
            counts["videos_with_objects"] = self.dataset.num_videos_with_objects
        protocol = {"average_precision": "Charades_v1_classify"}
        if metrics.unknown.any():
            names = self.dataset.class_names
            counts["unknown_labels"] = dict(zip(names, metrics.unknown, strict=True))
            protocol["unknown_labels"] = "left out of their class"
        if len(scores) < len(self.dataset.labels):
            protocol["videos_without_scores"] = "ranked last"
        return protocol, counts

    def calibration(self, scores):
        kept = sorted(scores)
        return calibration(np.stack([scores[i] for i in kept]), self.dataset.labels[kept])

    def write(self, scores, metrics):
        """Writes predictions.csv and, with TEST.SAVE_RESULTS_PATH, upstream's file."""
        kept = sorted(scores)  # In the order of the list, however many processes scored it.
        ids, matrix = self.dataset.video_ids, np.stack([scores[index] for index in kept])
        self._write_predictions([ids[index] for index in kept], matrix)
        if self.cfg.TEST.SAVE_RESULTS_PATH:
            # Upstream's form: predictions and labels, pickled; of ours some may be unknown, -1.
            labels = torch.from_numpy(self.dataset.labels[kept])
            path = os.path.join(self.cfg.OUTPUT_DIR, self.cfg.TEST.SAVE_RESULTS_PATH)
            with open_atomically(path, "wb") as stream:
                pickle.dump([torch.from_numpy(matrix), labels], stream)


# --- Persons on AVA's keyframes --------------------------------------------------------


@dataclass(frozen=True, eq=False)
class DetectionMetrics(AvaMetrics):
    """
    By the official protocol, with what was measured.

    Attributes:
        detections (DataFrame): a row for each person and class: video, second, x1, y1, x2, y2,
            action, score.
    """

    detections: pd.DataFrame


@EVALUATOR_REGISTRY.register()
class AvaEvaluator(Evaluator):
    """
    Average precision of persons' boxes, by AVA.GROUNDTRUTH_FILE and both protocols in use.

    Raises:
        SlowFastExtError: files that cannot be read, or their bad rows.
    """

    task = "action_detection"

    def __init__(self, cfg, dataset):
        super().__init__(cfg, dataset)
        options = cfg.AVA
        truth = read_ground_truth(os.path.join(options.ANNOTATION_DIR, options.GROUNDTRUTH_FILE))
        refuse_actions_below_1(truth)
        self.truth = truth[dataset.tests_second(truth["second"])]
        self.exclusion_file = None
        path = os.path.join(options.ANNOTATION_DIR, options.EXCLUSION_FILE)
        if options.EXCLUSION_FILE and pathmgr.exists(path):
            self.exclusion_file = path
        self.excluded = self.exclusion_file and read_exclusions(path)

    @property
    def class_ids(self):
        """The label map's."""
        return list(self.dataset.label_map)

    @property
    def outputs(self):
        """AVA's ids count from 1."""
        return [i - 1 for i in self.dataset.label_map]

    def measure(self, scores):
        """Measures the seconds that the data set tests; SlowFastExtError on scores like nan."""
        actions, tables = np.array(self.class_ids), []
        for index in sorted(scores):
            persons, person_scores = scores[index]
            keyframe = self.dataset.keyframes[index]
            if not np.isfinite(person_scores).all():
                raise SlowFastExtError(
                    f"the network's scores on {self.dataset.video_ids[index]} are not finite: "
                    "check the checkpoint's weights, and TEST.PRECISION"
                )
            rows = pd.DataFrame(keyframe.boxes[persons].repeat(len(actions), 0), columns=BOX)
            rows.insert(0, "second", keyframe.second)
            rows.insert(0, "video", keyframe.video)
            rows["action"] = np.tile(actions, len(persons))
            # Column a of the scores is the action id a + 1.
            rows["score"] = person_scores[:, actions - 1].reshape(-1)
            tables.append(rows)
        detections = pd.concat(tables, ignore_index=True).astype({"video": "category"})
        return DetectionMetrics(**vars(self._metrics(detections)), detections=detections)

    def _metrics(self, detections, protocol="official"):
        return ava_metrics(self.truth, detections, self.dataset.label_map, self.excluded, protocol)

    def describe(self, scores, metrics):
        options = self.cfg.AVA
        if options.EXCLUSION_FILE and not self.exclusion_file:
            # Not refused: upstream's default names AVA's own file, which other sets do not have.
            path = os.path.join(options.ANNOTATION_DIR, options.EXCLUSION_FILE)
            logger.warning(f"no keyframe is excluded: AVA.EXCLUSION_FILE {path} does not exist")
        boxes = sum(len(self.dataset.keyframes[index].boxes) for index in scores)
        tested = sum(len(persons) for persons, _ in scores.values())
        protocol = {
            "average_precision": "official",
            "min_overlap": MIN_OVERLAP,
            "crop": options.TEST_CROP,
            "exclusion_file": self.exclusion_file,
            "mAP_by_pyslowfast": self._metrics(metrics.detections, "pyslowfast").mean,
        }
        counts = {"boxes": boxes, "boxes_outside_the_crop": boxes - tested, **metrics.counts}
        return protocol, counts

    def table(self, metrics, results):
        """By both protocols."""
        by_pyslowfast = results["protocol"]["mAP_by_pyslowfast"]
        mean = "none" if by_pyslowfast is None else f"{by_pyslowfast:.6f}"
        hints = ava_hints(self.truth, metrics.detections, self.dataset.label_map, metrics)
        lines = [f"mAP {mean} by PySlowFast's protocol", *(f"note: {hint}" for hint in hints)]
        return "\n".join([ava_table(results), *lines])

    def write(self, scores, metrics):
        """Writes predictions.csv, in the form of AVA's detections."""
        with open_atomically(os.path.join(self.cfg.OUTPUT_DIR, "predictions.csv")) as stream:
            metrics.detections.to_csv(stream, header=False, index=False)


def ava_table(results):
    """results.json's object for people: classes by falling AP, mAP, counts and protocol."""
    classes = by_falling_precision(results)
    width = max(len("class"), *(len(c["name"]) for c in classes))
    lines = [f" id  {'class':<{width}}      AP  positives"]
    for c in classes:
        precision = "  none" if c["ap"] is None else f"{c['ap']:.4f}"
        lines.append(f"{c['id']:>3}  {c['name']:<{width}}  {precision}  {c['positives']:>9}")
    counts, protocol = results["counts"], results["protocol"]
    mean = "none" if results["mAP"] is None else f"{results['mAP']:.6f}"
    return "\n".join(
        [
            *lines,
            f"mAP {mean} over the {counts['classes']['with_ground_truth']} of "
            f"{counts['classes']['evaluated']} classes that have ground truth, at an IoU of "
            f"{protocol['min_overlap']}; protocol {protocol['average_precision']}",
            _counted("keyframes", counts["keyframes"]),
            _rows_counted("ground truth", counts["ground_truth"]),
            _rows_counted("detections", counts["detections"]),
        ]
    )


def _counted(what, counts):
    return f"{what}: " + ", ".join(f"{n} {key.replace('_', ' ')}" for key, n in counts.items())


def _rows_counted(what, counts):
    """The line of a file: rows used of those read, then those dropped, with the reasons."""
    dropped = {reason: n for reason, n in counts["dropped"].items() if n}
    text = f"{what}: {counts['used']} of {counts['read']} rows used"
    text += f", on {counts['boxes']} boxes" if "boxes" in counts else ""
    return _counted(f"{text}; dropped", dropped) if dropped else text


# --- Volleyball ------------------------------------------------------------------------

_ACCURACY_IS = {
    "persons": "per person (the paper's Table 6, persons)",
    "clip": "per moment and action, multi-label",
    "group": "per moment (the paper's Table 6, group)",
}


@EVALUATOR_REGISTRY.register()
class VolleyballEvaluator(Evaluator):
    """Accuracy and average precision of VOLLEYBALL.TASK: persons, clip or group."""

    task = "volleyball"

    def measure(self, scores):
        """Over all moments and persons: those without scores count as wrong."""
        labels, task = self.dataset.labels, self.dataset.task
        if task == "persons":
            counts = [len(listed.moment.actions) for listed in self.dataset.listed]
            starts, matrix = np.cumsum([0, *counts]), np.full(labels.shape, -np.inf)
            for index, (persons, person_scores) in scores.items():
                matrix[starts[index] + persons] = person_scores
            clips = np.repeat(np.arange(len(counts)), counts)
            return person_metrics(labels.argmax(1), clips, matrix)
        matrix = self._by_moment(scores)
        if task == "clip":
            return clip_metrics(labels > 0, matrix)
        return group_metrics(labels.argmax(1), matrix)

    def _by_moment(self, scores):
        """V x A, -inf where there are none; of groups a moment's scores are 1 x A."""
        matrix = np.full(self.dataset.labels.shape, -np.inf)
        for index, found in scores.items():
            matrix[index] = found[1][0] if isinstance(found, tuple) else found
        return matrix

    def figures(self, metrics):
        """With accuracies and, where each has one class, the confusion table."""
        found = {**super().figures(metrics), "accuracy": metrics.accuracy}
        if metrics.clip_accuracy is not None:
            found["clip_accuracy"] = metrics.clip_accuracy
        if metrics.confusion is not None:
            names = self.dataset.class_names
            found["mean_class_accuracy"] = metrics.mean_class_accuracy
            found["class_accuracy"] = dict(zip(names, metrics.class_accuracy, strict=True))
            found["confusion"] = dict(zip(names, metrics.confusion, strict=True))
        return found

    def describe(self, scores, metrics):
        protocol = {
            "task": self.dataset.task,
            "with_persons": self.cfg.DETECTION.ENABLE,
            "accuracy": _ACCURACY_IS[self.dataset.task],
            "average_precision": "over moments",
        }
        counts = {
            "videos": len(scores),
            "persons": sum(len(listed.moment.actions) for listed in self.dataset.listed),
            "without_scores": metrics.num_unscored,
        }
        return protocol, counts

    def table(self, metrics, results):
        """With the confusion table, where each person or moment has one class."""
        task = self.dataset.task
        lines = [
            volleyball_table(metrics, self.dataset.class_names),
            f"accuracy {metrics.accuracy:.4f} {_ACCURACY_IS[task]}",
        ]
        if task == "persons":
            lines.append(f"accuracy {metrics.clip_accuracy:.4f} {_ACCURACY_IS['clip']}")
        lines.append(f"mAP {metrics.mean:.4f} over moments")
        return "\n".join(lines)

    def write(self, scores, metrics):
        """A line for each moment, of TASK persons for each person in it."""
        ids = self.dataset.video_ids
        if self.dataset.task == "persons":
            rows = [
                (f"{ids[index]}/{person}", person_scores)
                for index in sorted(scores)
                for person, person_scores in zip(*scores[index], strict=True)
            ]
        else:
            matrix = self._by_moment(scores)
            rows = [(ids[index], matrix[index]) for index in sorted(scores)]
        names, matrix = zip(*rows, strict=True)
        self._write_predictions(list(names), np.stack(matrix))
