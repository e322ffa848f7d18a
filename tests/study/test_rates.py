"""Weights over the rates: the plain mean, and a best rate that was planted."""

import numpy as np
import pytest

from slowfast_ext.engine.test import combine_views
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.study.rates import by_rate, learn_weights, views_of, weighted
from slowfast_ext.study.rows import RATES_2_4_8

SHARES = np.array([0.4, 0.3, 0.3])


@pytest.fixture
def planted():
    """
    Activity 0 shows at rate 4 alone, 1 at rate 8, 2 at rate 2, 3 at all: predictions of 400
    videos and of 2,000 others, each V x R x A, and their labels.
    """
    random = np.random.default_rng(0)
    informative = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], bool)

    def draw(num_videos):
        labels = random.random((num_videos, 4)) < 0.3
        signal = np.where(informative, 3.0 * labels[:, None], 0) - np.where(informative, 1.8, 0.85)
        noisy = signal + random.normal(0, 1, signal.shape)
        return 1 / (1 + np.exp(-noisy)), labels

    return draw(400), draw(2000)


def test_a_planted_best_rate_is_found(planted):
    (training, labels), (test, test_labels) = planted
    weights = learn_weights(training, labels, SHARES)
    np.testing.assert_allclose(weights.sum(1), 1)
    assert weights[:3].argmax(1).tolist() == [0, 1, 2]
    assert (weights[:3].max(1) > 0.8).all()
    assert (weights[3] > 0.1).all()
    learned = multilabel_metrics(weighted(test, weights), test_labels).mean
    plain = multilabel_metrics(weighted(test, np.tile(SHARES, (4, 1))), test_labels).mean
    assert learned > plain + 0.05


def test_strong_regularisation_gives_the_plain_mean(planted):
    weights = learn_weights(*planted[0], SHARES, strength=1e4)
    np.testing.assert_allclose(weights, np.tile(SHARES, (4, 1)), atol=1e-3)


def test_the_weights_are_a_minimum(planted):
    training, labels = planted[0]
    weights = learn_weights(training, labels, SHARES, strength=0.1)

    def objective(w):
        p = weighted(training, w)
        loss = -np.where(labels, np.log(p), np.log(1 - p)).mean(0).sum()
        return loss + 0.1 * (w * np.log(w / SHARES)).sum()

    random = np.random.default_rng(1)
    for _ in range(50):
        other = weights * np.exp(random.normal(0, 0.05, weights.shape))
        assert objective(weights) < objective(other / other.sum(1, keepdims=True))


def test_shares_give_the_mean_over_all_views(small_maps):
    random = np.random.default_rng(2)
    predictions = random.random((3, len(small_maps.places), 5))
    means, shares = by_rate(predictions, small_maps.places, RATES_2_4_8)
    views = [view for group in RATES_2_4_8 for view in views_of(group, small_maps.places)]
    assert len(views) == 10
    wanted = combine_views(predictions[:, views].swapaxes(0, 1), "mean")
    np.testing.assert_allclose(weighted(means, np.tile(shares, (5, 1))), wanted)


def test_views_are_found_by_their_place(small_maps):
    wanted = [(8, 0.0), (8, 0.5), (8, 1.0)]
    assert [small_maps.places[view] for view in views_of((8, 3, 1), small_maps.places)] == wanted
