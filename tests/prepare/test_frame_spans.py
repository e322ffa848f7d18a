"""Runs of frames: what follows without a gap is joined, label by label, in any order."""

import itertools

import numpy as np

from slowfast_ext.prepare.frame_spans import Held, runs_of


def test_runs_are_those_of_the_frames_that_hold_a_label():
    """Against a drawing of all frames, of helds that overlap, touch and leave gaps."""
    helds = [Held("", 20, 25, ("x",)), Held("", 0, 5, ("x", "y")), Held("", 5, 9, ("x",))]
    helds += [Held("", 3, 4, ("x",)), Held("", 11, 12, ("y",)), Held("", 22, 30, ("y", "x"))]
    for order in itertools.permutations(helds):
        for label in "xy":
            drawn = np.zeros(40, bool)
            for held in helds:
                drawn[held.first : held.until] |= label in held.labels
            edges = np.flatnonzero(np.diff(np.concatenate([[0], drawn, [0]]).astype(int)))
            found = [(r.first, r.until) for r in runs_of(order) if r.labels == (label,)]
            assert sorted(found) == [tuple(pair) for pair in edges.reshape(-1, 2).tolist()]
