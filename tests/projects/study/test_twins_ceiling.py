"""The ceiling of an observer that cannot tell twins apart, against what the generator says."""

import numpy as np
import pandas as pd
import pytest

from projects.study import twins_ceiling
from projects.study.results import SPEED_OF
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings


def test_twins_of_one_ball_look_alike_and_nothing_else_does():
    of_look = {}
    for activity in SyntheticSettings(twins=True).activities:
        of_look.setdefault(twins_ceiling.look(*activity), []).append(activity)
    assert sorted(map(len, of_look.values())) == [1] * 4 + [2] * 4
    for twins in of_look.values():
        assert len({ball for _, ball in twins}) == 1


def test_what_stands_looks_like_a_fast_twin():
    settings = SyntheticSettings(twins=True)
    labels, seen = twins_ceiling.draw(settings, 300)
    still = [("fast", "blue"), ("fast", "violet")]
    # Activities 8 to 11 are the fast ones: 8 and 10 with blue balls, 9 and 11 with violet ones.
    twins = np.stack([labels[[8, 10]].sum(axis=1), labels[[9, 11]].sum(axis=1)], 1)
    assert (seen[still].to_numpy() >= twins).all() and (seen[still].to_numpy() > twins).any()
    hops = seen[("hops", "green")].to_numpy()
    np.testing.assert_array_equal(hops, labels[4])


def test_probabilities_are_frequencies_among_what_looks_the_same():
    labels = pd.Series([True, False, True, True, False, False])
    seen = pd.DataFrame({"a": [1, 1, 1, 2, 1, 3]})
    known = np.array([True, True, True, True, False, False])
    found = twins_ceiling.probabilities(labels, seen, known)
    # Two of the three that show one; none shows three, so that all known ones count.
    np.testing.assert_allclose(found, [2 / 3, 3 / 4])


@pytest.mark.parametrize("correlated", [True, False])
def test_pairs_tell_twins_apart_where_there_are_pairs(correlated):
    settings = SyntheticSettings(twins=True, correlated=correlated)
    drawn = twins_ceiling.draw(settings, 6000)
    alone, whole = (twins_ceiling.observe(settings, *drawn, each) for each in (False, True))
    normal = SPEED_OF == "normal"
    np.testing.assert_allclose(alone[normal], 1)
    # A whole video that was never seen before says nothing.
    np.testing.assert_allclose(whole[normal], 1, atol=0.05)
    gain = (whole - alone)[~normal].mean()
    assert gain > 0.15 if correlated else gain < 0.05
