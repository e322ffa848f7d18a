"""The strongest pairs of labels."""

import itertools

import numpy as np
import pytest

from slowfast_ext.prepare.lists_report import strongest_pairs


def test_pairs():
    """Against the phi coefficient by its definition."""
    random = np.random.default_rng(3)
    labels = random.random((40, 4)) < 0.4
    labels[:, 1] |= labels[:, 0]
    labels[:, 2] &= ~labels[:, 0]
    together, apart = strongest_pairs(np.c_[labels, np.ones(40, bool)], list("abcde"), 3)
    expected = {}
    for i, j in itertools.combinations(range(4), 2):
        both = (labels[:, i] & labels[:, j]).sum()
        ni, nj, n = labels[:, i].sum(), labels[:, j].sum(), 40
        root = np.sqrt(float(ni) * nj * (n - ni) * (n - nj))
        expected["abcd"[i] + "abcd"[j]] = (n * both - ni * nj) / root
    for pair in together + apart:
        assert pair["correlation"] == pytest.approx(expected["".join(pair["labels"])], abs=1e-3)
    assert together[0]["labels"] == ["a", "b"] and apart[0]["labels"] == ["a", "c"]
    assert apart[0]["videos"] == 0
    positive = sorted((value for value in expected.values() if value > 0), reverse=True)
    negative = sorted(value for value in expected.values() if value < 0)
    assert [pair["correlation"] for pair in together] == pytest.approx(positive[:3], abs=1e-3)
    assert [pair["correlation"] for pair in apart] == pytest.approx(negative[:3], abs=1e-3)
    assert strongest_pairs(np.ones((3, 2), bool), ["a", "b"], 3) == ([], [])


def test_a_pair_is_counted_among_the_videos_that_know_both():
    labels = np.random.default_rng(5).integers(-1, 2, (60, 3))
    for pair in sum(strongest_pairs(labels, list("abc"), 9), []):
        columns = labels[:, ["abc".index(name) for name in pair["labels"]]]
        columns = columns[(columns >= 0).all(1)]
        assert pair["correlation"] == pytest.approx(np.corrcoef(columns.T)[0, 1], abs=1e-3)
        assert pair["videos"] == columns.all(1).sum()
        by_chance = columns[:, 0].mean() * columns[:, 1].sum()
        assert pair["expected"] == pytest.approx(by_chance, abs=0.01)
