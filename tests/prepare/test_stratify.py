"""The split of multi-label examples."""

import itertools

import numpy as np
import pytest

from slowfast_ext.prepare.stratify import stratified_split


def missing(labels, side):
    wanted = labels.sum(axis=0) >= 2
    return sum(int((wanted & ~labels[side == value].any(axis=0)).sum()) for value in (0, 1))


def test_no_label_is_missing_where_it_can_be_helped():
    """Against all splits there are."""
    random = np.random.default_rng(0)
    for seed in range(40):
        number, classes = random.integers(3, 9), random.integers(1, 8)
        labels = random.random((number, classes)) < random.uniform(0.1, 0.6)
        every = itertools.product((False, True), repeat=int(number))
        fewest = min(missing(labels, np.array(s)) for s in every if 0 < sum(s) < number)
        side = stratified_split(labels, 0.3, seed)
        assert 0 < side.sum() < number
        assert missing(labels, side) == fewest


def test_split_is_stratified_and_seeded():
    random = np.random.default_rng(1)
    labels = random.random((600, 8)) < np.linspace(0.01, 0.3, 8)
    side = stratified_split(labels, 0.25, 5)
    assert abs(side.mean() - 0.25) < 0.01
    shares = labels[side].sum(axis=0) / labels.sum(axis=0)
    by_chance = random.random(600) < 0.25
    assert abs(shares - 0.25).max() < 0.1
    assert (
        abs(shares - 0.25).mean()
        < abs(labels[by_chance].sum(axis=0) / labels.sum(axis=0) - 0.25).mean()
    )
    assert (side == stratified_split(labels, 0.25, 5)).all()
    assert (side != stratified_split(labels, 0.25, 6)).any()


@pytest.mark.parametrize("share", [0.2, 0.8])
@pytest.mark.parametrize("number", [2, 5, 10])
def test_no_side_is_empty_where_each_label_has_one_example(number, share):
    side = stratified_split(np.eye(number, dtype=bool), share, 0)
    assert side.any() and not side.all()
