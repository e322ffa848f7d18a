"""Volleyball's metrics against loops."""

import numpy as np
import pytest

from slowfast_ext.evaluation.multilabel import average_precision
from slowfast_ext.evaluation.volleyball import (
    clip_metrics,
    group_metrics,
    person_metrics,
    volleyball_table,
)


@pytest.fixture
def persons():
    random = np.random.default_rng(0)
    clips = np.repeat(np.arange(6), [3, 1, 4, 2, 5, 3])
    truth = random.integers(4, size=len(clips))
    truth[truth == 2] = 1
    scores = random.random((len(clips), 5))
    scores /= scores.sum(1, keepdims=True)
    scores[4] = -np.inf
    return truth, clips, scores


def test_accuracy_per_person_counts_who_is_not_scored_as_wrong(persons):
    truth, _, scores = persons
    metrics = person_metrics(*persons)
    right = [t == s.argmax() for t, s in zip(truth, scores, strict=True) if np.isfinite(s).all()]
    assert metrics.accuracy == sum(right) / len(truth)
    assert metrics.num_unscored == 1
    assert metrics.confusion.sum() == len(truth) - 1
    for true in range(5):
        for predicted in range(5):
            number = sum(
                t == true and s.argmax() == predicted and np.isfinite(s).all()
                for t, s in zip(truth, scores, strict=True)
            )
            assert metrics.confusion[true, predicted] == number


def test_classes_that_do_not_occur_are_in_no_mean(persons):
    metrics = person_metrics(*persons)
    assert np.isnan(metrics.class_accuracy[[2, 4]]).all()
    means = [metrics.confusion[c, c] / metrics.confusion[c].sum() for c in (0, 1, 3)]
    assert metrics.mean_class_accuracy == pytest.approx(np.mean(means))


def test_clips_are_scored_by_their_persons(persons):
    truth, clips, scores = persons
    metrics = person_metrics(*persons)
    right, of_clips, labels = 0, np.zeros((6, 5)), np.zeros((6, 5), bool)
    for clip in range(6):
        own = clips == clip
        said = {s.argmax() for s in scores[own] if np.isfinite(s).all()}
        for action in range(5):
            labels[clip, action] = action in truth[own]
            of_clips[clip, action] = scores[own, action].max()
            right += (action in said) == labels[clip, action]
    assert metrics.clip_accuracy == pytest.approx(right / 30)
    for action in (0, 1, 3):
        wanted = average_precision(of_clips[:, action], labels[:, action])
        assert metrics.average_precision[action] == pytest.approx(wanted)


def test_groups():
    truth = np.array([0, 1, 1, 2])
    scores = np.array([[0.9, 0.1, 0], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [-np.inf] * 3])
    metrics = group_metrics(truth, scores)
    assert metrics.accuracy == 0.5
    np.testing.assert_array_equal(metrics.confusion, [[1, 0, 0], [1, 1, 0], [0, 0, 0]])
    assert metrics.clip_accuracy is None
    table = volleyball_table(metrics, ["l_set", "l_pass", "r_set"])
    assert [line.split() for line in table.split("\n")] == [
        ["truth", "accuracy", "l_set", "l_pass", "r_set"],
        ["l_set", "1.0000", "1", "0", "0"],
        ["l_pass", "0.5000", "1", "1", "0"],
        ["r_set", "NaN", "0", "0", "0"],
        ["mean", "per", "class", "0.7500"],
    ]


def test_clips_are_decided_at_one_half():
    labels = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 1]], bool)
    scores = np.array([[0.5, 0.4, 0.2], [0.9, 0.1, 0.6], [-np.inf] * 3])
    metrics = clip_metrics(labels, scores)
    # Right: two of the first clip, two of the second, none of the one without scores.
    assert metrics.clip_accuracy == metrics.accuracy == pytest.approx(4 / 9)
    assert metrics.confusion is None and metrics.num_unscored == 1
    lines = volleyball_table(metrics, ["a", "b", "c"]).split("\n")
    assert lines[0].split() == ["AP"] and lines[1].split() == ["a", "0.5833"]
