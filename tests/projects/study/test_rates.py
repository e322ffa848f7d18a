"""The views of a test among the cached ones."""

import numpy as np

from projects.study.rates import PLACES, by_rate, views_of
from projects.study.rows import RATES_2_4_8


def test_views_are_found_by_their_place():
    wanted = [(8, 0.0), (8, 0.5), (8, 1.0)]
    assert [PLACES[view] for view in views_of((8, 3, 1))] == wanted


def test_the_mean_over_each_rates_views():
    predictions = np.random.default_rng(2).random((3, len(PLACES), 5))
    means = by_rate(predictions, RATES_2_4_8)
    assert means.shape == (3, 3, 5)
    # Of rate 8 no other group has views.
    at_rate_8 = [place[0] == 8 for place in PLACES]
    np.testing.assert_allclose(means[1], predictions[:, at_rate_8].mean(1))
