"""
What is measured on Volleyball: persons' actions, actions per clip, group activities.

Accuracy per person is what work on this data set compares, and what the paper's Table 6 gives for
persons. Accuracy per clip is of the multi-label decision which actions occur at all.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from slowfast_ext.evaluation.multilabel import MultilabelMetrics, multilabel_metrics


@dataclass(frozen=True, eq=False)
class VolleyballMetrics(MultilabelMetrics):
    """
    Fractions, not percent. Average precision is over clips, also where persons are scored.

    Attributes:
        accuracy (float): of persons, of groups, or `clip_accuracy` where clips alone are scored.
        clip_accuracy (float | None): right decisions of all moments x actions; None for groups.
        confusion (ndarray | None): [A, A] int64, rows are the truth; None for clips.
        num_unscored (int): persons or moments without scores; they count as wrong.
    """

    accuracy: float
    clip_accuracy: float | None = None
    confusion: np.ndarray | None = None
    num_unscored: int = 0

    @property
    def class_accuracy(self):
        """[A] float64: what part of each class is recognised; nan where there is none."""
        # What is not scored is in no column, and counts in no row.
        totals = self.confusion.sum(1)
        right = self.confusion.diagonal()
        return np.divide(right, totals, out=np.full(len(totals), np.nan), where=totals > 0)

    @property
    def mean_class_accuracy(self):
        """The mean of `class_accuracy` over the classes that occur."""
        return float(np.nanmean(self.class_accuracy))


def group_metrics(truth, scores):
    """
    VolleyballMetrics of moments: truth, int [V], and scores, [V, A], a row of -inf where there are
    none.
    """
    labels = np.eye(scores.shape[1], dtype=bool)[truth]
    return VolleyballMetrics(
        **vars(multilabel_metrics(scores, labels)), **_single_label(truth, scores)
    )


def person_metrics(truth, clips, scores):
    """
    VolleyballMetrics of persons: their actions, int [P], their clips' places in 0..V-1, int [P],
    and scores, [P, A], a row of -inf for who was not scored.

    A clip's score for an action is the largest of its persons', and the action is decided to occur
    where it is some person's first.
    """
    shape = clips.max() + 1, scores.shape[1]
    labels, decided = np.zeros(shape, bool), np.zeros(shape, bool)
    labels[clips, truth] = True
    clip_scores = np.full(shape, -np.inf)
    # Unbuffered: a clip stands there once for each person.
    np.maximum.at(clip_scores, clips, scores)
    scored = _is_scored(scores)
    decided[clips[scored], scores[scored].argmax(1)] = True
    return VolleyballMetrics(
        **vars(multilabel_metrics(clip_scores, labels)),
        **_single_label(truth, scores),
        clip_accuracy=float((decided == labels).mean()),
    )


def clip_metrics(labels, scores):
    """
    VolleyballMetrics of labels, bool [V, A], and probabilities, [V, A], a row of -inf where there
    are none; an action is decided to occur from 0.5 on.
    """
    scored = _is_scored(scores)
    accuracy = float(((scores >= 0.5) == labels)[scored].sum() / labels.size)
    return VolleyballMetrics(
        **vars(multilabel_metrics(scores, labels)),
        accuracy=accuracy,
        clip_accuracy=accuracy,
        num_unscored=int((~scored).sum()),
    )


def _is_scored(scores):
    return np.isfinite(scores).all(1)


def _single_label(truth, scores):
    """accuracy, confusion and num_unscored of the best-scored classes."""
    num_classes, scored = scores.shape[1], _is_scored(scores)
    cells = truth[scored] * num_classes + scores[scored].argmax(1)
    confusion = np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)
    return {
        "accuracy": float(confusion.trace() / len(truth)),
        "confusion": confusion,
        "num_unscored": int((~scored).sum()),
    }


def volleyball_table(metrics, class_names):
    """
    The result for people, without a final newline: each class's accuracy and the confusion table,
    or each class's AP; `metrics` are of A classes.
    """
    if metrics.confusion is None:
        table = pd.DataFrame({"AP": metrics.average_precision}, class_names)
        return table.to_string(float_format="%.4f")
    table = pd.DataFrame(metrics.confusion, class_names, class_names)
    table.columns.name = "truth"
    table.insert(0, "accuracy", metrics.class_accuracy)
    mean = f"mean per class {metrics.mean_class_accuracy:.4f}"
    return f"{table.to_string(float_format='%.4f')}\n{mean}"
