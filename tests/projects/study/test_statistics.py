"""Intervals and rank correlation against examples computed by hand."""

import math

import numpy as np
import pytest

from projects.study.statistics import off_diagonal, rank_correlation
from slowfast_ext.evaluation.intervals import interval


def test_interval_of_three_values():
    # Mean 2, standard deviation 1, t of 2 degrees of freedom 4.3027: half = 4.3027 / sqrt(3).
    mean, low, high = interval([1, 2, 3])
    assert mean == pytest.approx(2)
    assert (low, high) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-4)


def test_interval_of_five_values():
    # Deviations -0.02, 0, 0.01, 0.01, 0 from 0.05: variance 6e-4 / 4, t of 4 degrees 2.7764.
    _, low, high = interval([0.03, 0.05, 0.06, 0.06, 0.05])
    half = 2.7764 * math.sqrt(1.5e-4 / 5)
    assert (low, high) == pytest.approx((0.05 - half, 0.05 + half))


def test_one_value_has_no_interval():
    assert interval([0.4]) == (0.4, None, None)


def test_interval_covers_as_often_as_it_says():
    random = np.random.default_rng(0)
    for size in (2, 5, 12):
        intervals = [interval(random.normal(3, 2, size)) for _ in range(4000)]
        covered = np.mean([low <= 3 <= high for _, low, high in intervals])
        assert covered == pytest.approx(0.95, abs=0.012)


def test_more_values_than_the_table_has():
    _, low, high = interval(np.arange(40.0))
    assert high - low == pytest.approx(2 * 2.0423 * np.std(np.arange(40.0), ddof=1) / 40**0.5)


@pytest.mark.parametrize(
    "first, second, wanted",
    [
        ([1, 2, 3, 4], [10, 20, 30, 1000], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        # d = 1, 1, 0, 0: 1 - 6 · 2 / (4 · 15).
        ([1, 2, 3, 4], [2, 1, 3, 4], 0.8),
        # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: covariance 4.5 of 4.5 and 5.
        ([1, 2, 2, 3], [1, 2, 3, 4], 4.5 / math.sqrt(4.5 * 5)),
    ],
)
def test_rank_correlation(first, second, wanted):
    assert rank_correlation(first, second) == pytest.approx(wanted)


def test_rank_correlation_of_a_constant_is_none():
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_off_diagonal():
    assert off_diagonal(np.arange(9).reshape(3, 3)).tolist() == [1, 2, 3, 5, 6, 7]
