"""The views of a test among the cached ones."""

import numpy as np

from projects.study.rates import by_rate, views_of
from projects.study.rows import RATES_2_4_8


def test_views_are_found_by_their_place(small_maps):
    wanted = [(8, 0.0), (8, 0.5), (8, 1.0)]
    assert [small_maps.places[view] for view in views_of((8, 3, 1), small_maps.places)] == wanted


def test_the_mean_over_each_rates_views(small_maps):
    predictions = np.random.default_rng(2).random((3, len(small_maps.places), 5))
    means = by_rate(predictions, small_maps.places, RATES_2_4_8)
    assert means.shape == (3, 3, 5)
    # Of rate 8 no other group has views.
    at_rate_8 = [place[0] == 8 for place in small_maps.places]
    np.testing.assert_allclose(means[1], predictions[:, at_rate_8].mean(1))
