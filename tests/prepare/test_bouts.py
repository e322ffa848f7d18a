"""Bouts and when they coincide, against counts of whole seconds."""

import itertools

import numpy as np
import pandas as pd
import pytest

from slowfast_ext.prepare.bouts import COLUMNS, bouts_of, coinciding_bouts, overlap_seconds

NAMES = ["eat", "run", "sit"]


def spans_of(*rows):
    return pd.DataFrame(rows, columns=COLUMNS).astype({"start": float, "end": float})


def random_spans(seed, length=60, number=40):
    """Spans of whole seconds, of two videos and two subjects."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        start, end = np.sort(random.choice(length, 2, replace=False))
        key = [random.choice(names) for names in (["a.mp4", "b.mp4"], ["", "cat"], NAMES)]
        rows.append([*key, start, min(end, start + random.integers(1, 9))])
    return spans_of(*rows)


def going_on(spans, length=60):
    """{(video, subject, activity): the whole seconds in which it goes on}."""
    found = {}
    for video, subject, activity, start, end in spans[COLUMNS].itertuples(index=False):
        found.setdefault((video, subject, activity), set()).update(range(int(start), int(end)))
    return found


def test_spans_that_overlap_or_touch_are_one_bout():
    spans = spans_of(
        ("a", "", "run", 4, 6),
        ("a", "", "run", 0, 1),
        ("a", "", "run", 1, 2),
        ("a", "", "run", 5, 5.5),
        ("a", "", "run", 3, 3),
        ("a", "", "sit", 1, 5),
        ("a", "cat", "run", 0, 9),
        ("b", "", "run", 6, 7),
    )
    assert bouts_of(spans).to_numpy().tolist() == [
        ["a", "", "run", 0, 2],
        ["a", "", "run", 3, 3],
        ["a", "", "run", 4, 6],
        ["a", "", "sit", 1, 5],
        ["a", "cat", "run", 0, 9],
        ["b", "", "run", 6, 7],
    ]
    assert bouts_of(spans.iloc[:0]).to_numpy().tolist() == []


@pytest.mark.parametrize("seed", range(3))
def test_bouts_last_as_long_as_something_goes_on(seed):
    spans = random_spans(seed)
    bouts = bouts_of(spans)
    assert going_on(bouts) == going_on(spans)
    for _, group in bouts.groupby(COLUMNS[:3]):
        assert (group["start"].to_numpy()[1:] > group["end"].to_numpy()[:-1]).all()


@pytest.mark.parametrize("seed", range(3))
def test_overlap_counts_the_seconds_of_both(seed):
    bouts = bouts_of(random_spans(seed))
    found = going_on(bouts)
    expected = np.zeros((3, 3))
    for video, subject in itertools.product(("a.mp4", "b.mp4"), ("", "cat")):
        for i, j in np.ndindex(3, 3):
            one, two = (found.get((video, subject, NAMES[n]), set()) for n in (i, j))
            expected[i, j] += len(one & two)
    assert np.array_equal(overlap_seconds(bouts, NAMES), expected)
    assert expected[0, 1] > 0


@pytest.mark.parametrize("seed", range(3))
def test_coinciding_bouts_are_counted_one_by_one(seed):
    bouts = bouts_of(random_spans(seed))
    expected = np.zeros((3, 3), int)
    for one in bouts.itertuples():
        same = bouts[(bouts["video"] == one.video) & (bouts["subject"] == one.subject)]
        for place, name in enumerate(NAMES):
            shared = [
                set(range(int(one.start), int(one.end))) & set(range(int(two.start), int(two.end)))
                for two in same[same["activity"] == name].itertuples()
            ]
            expected[NAMES.index(one.activity), place] += any(shared)
    assert np.array_equal(coinciding_bouts(bouts, NAMES), expected)


def test_a_moment_coincides_with_what_goes_on_then():
    bouts = bouts_of(
        spans_of(
            ("a", "", "eat", 2, 2),
            ("a", "", "eat", 7, 7),
            ("a", "", "run", 1, 2),
            # It touches the run, for no time.
            ("a", "", "sit", 2, 3),
        )
    )
    found = coinciding_bouts(bouts, NAMES)
    assert found.tolist() == [[2, 1, 1], [1, 1, 0], [1, 0, 1]]
    assert overlap_seconds(bouts, NAMES).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
