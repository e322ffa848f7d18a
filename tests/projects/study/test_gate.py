"""The gate: a rule that changes from video to video, and none."""

import numpy as np

from projects.study.gate import gated, learn_gate
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.rate_weights import learn_weights, weighted

SHARES = np.array([0.5, 0.5])


def _draw(num_videos, random):
    """In each video one of the two rates, seen by its confidence, tells; the other says 0.5."""
    labels = random.random((num_videos, 3)) < 0.4
    tells = random.integers(0, 2, num_videos)
    logits = random.normal(0, 0.3, (2, num_videos, 3)) - 0.5
    logits[tells, np.arange(num_videos)] += np.where(labels, 4.0, 0.0)
    return 1 / (1 + np.exp(-logits)), labels


def test_a_rule_that_changes_from_video_to_video_is_found():
    random = np.random.default_rng(0)
    training, labels = _draw(400, random)
    test, test_labels = _draw(2000, random)
    gate = learn_gate(training, labels, SHARES)
    by_gate = gated(test, gate)
    by_activity = weighted(test, learn_weights(training, labels, SHARES))

    def loss(scores):
        return -np.where(test_labels, np.log(scores), np.log(1 - scores)).mean()

    assert loss(by_gate) < loss(by_activity) - 0.05
    mean = multilabel_metrics(by_gate, test_labels).mean
    assert mean >= multilabel_metrics(by_activity, test_labels).mean


def test_strong_regularisation_gives_the_plain_mean():
    training, labels = _draw(100, np.random.default_rng(1))
    scores = gated(training, learn_gate(training, labels, SHARES, strength=1e4))
    np.testing.assert_allclose(scores, training.mean(0), atol=1e-2)


def test_predictions_of_zero_and_one_have_a_gate():
    predictions = np.zeros((2, 4, 1))
    predictions[0, :2] = 1
    labels = np.array([[1], [1], [0], [0]])
    scores = gated(predictions, learn_gate(predictions, labels, SHARES))
    assert np.isfinite(scores).all() and (scores[:2] > scores[2:]).all()
