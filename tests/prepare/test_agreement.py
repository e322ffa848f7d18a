"""Two labellers' agreement, against what the definitions give."""

import numpy as np
import pandas as pd
import pytest

from slowfast_ext.prepare.agreement import agreement, cohens_kappa
from slowfast_ext.prepare.bouts import COLUMNS, bouts_of


def bouts(*rows):
    spans = pd.DataFrame([(v, "", a, s, e) for v, a, s, e in rows], columns=COLUMNS)
    return bouts_of(spans.astype({"start": float, "end": float}))


def kappa_of_labels(first, second):
    """Weighted disagreement over its expectation, as scikit-learn's cohen_kappa_score has it."""
    confusion = np.zeros((2, 2))
    np.add.at(confusion, (first.astype(int), second.astype(int)), 1)
    expected = np.outer(confusion.sum(axis=1), confusion.sum(axis=0)) / confusion.sum()
    disagrees = 1 - np.eye(2)
    return 1 - (disagrees * confusion).sum() / (disagrees * expected).sum()


def test_kappa_by_hand():
    """Agreed on 35 of 50, by chance on (25 * 30 + 25 * 20) / 50 = 25: (0.7 - 0.5) / 0.5."""
    assert cohens_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)
    assert cohens_kappa(np.array([[0, 10], [10, 0]])) == pytest.approx(-1)
    assert np.isnan(cohens_kappa(np.array([[9, 0], [0, 0]])))
    assert np.isnan(cohens_kappa(np.zeros((2, 2))))


def test_agreement_by_hand():
    """Of 10 s: run 0 to 4 against 2 to 6, sit alike, wave by the second alone."""
    first = bouts(("a", "run", 0, 4), ("a", "sit", 5, 10))
    second = bouts(("a", "run", 2, 6), ("a", "sit", 5, 10), ("a", "wave", 0, 5))
    names = ["jump", "run", "sit", "wave"]
    table = agreement(first, second, {"a": 10.0}, names, 1.0, bouts()).set_index("activity")
    assert table["iou"].to_numpy() == pytest.approx([np.nan, 2 / 6, 1, 0], nan_ok=True)
    # Run: both 2 s, one alone 2 + 2, neither 4: 0.6 against 0.16 + 0.36 by chance.
    kappas = [np.nan, (0.6 - 0.52) / 0.48, 1, 0]
    assert table["kappa"].to_numpy() == pytest.approx(kappas, nan_ok=True)
    assert table.loc["run", ["first", "second", "both"]].tolist() == [4, 4, 2]


@pytest.mark.parametrize("step", [1.0, 0.5, 0.3])
def test_kappa_on_a_grid_of_several_videos(step):
    random, rows, seconds = np.random.default_rng(0), ([], []), {"a": 20.0, "b": 33.3}
    for video, own in ((v, r) for v in seconds for r in rows for _ in range(6)):
        start = random.uniform(0, seconds[video] - 3)
        own.append((video, "run", start, start + random.uniform(1, 3)))
    labels = [[], []]
    for video, length in seconds.items():
        moments = np.arange(step / 2, length, step)
        for own, found in zip(rows, labels, strict=True):
            spans = [(s, e) for v, _, s, e in own if v == video]
            found += [any(s <= moment < e for s, e in spans) for moment in moments]
    table = agreement(bouts(*rows[0]), bouts(*rows[1]), seconds, ["run"], step, bouts())
    assert table["kappa"][0] == pytest.approx(kappa_of_labels(*map(np.array, labels)))


def test_what_either_does_not_know_is_left_out():
    """The first 5 s of run count alone, and all of sit."""
    first = bouts(("a", "run", 0, 4), ("a", "sit", 5, 10))
    second = bouts(("a", "run", 2, 10), ("a", "sit", 5, 10))
    unknown = bouts(("a", "run", 5, 10), ("b", "sit", 0, 9))
    table = agreement(first, second, {"a": 10.0}, ["run", "sit"], 1.0, unknown)
    assert table[["first", "second", "both", "iou"]].to_numpy().tolist() == [
        [4, 3, 2, 0.4],
        [5, 5, 5, 1],
    ]
    # Of five moments both say it at two, neither at none.
    by_chance = (4 * 3 + 1 * 2) / 25
    assert table["kappa"].tolist() == pytest.approx([(2 / 5 - by_chance) / (1 - by_chance), 1])
