"""Spans of time from the scores of windows, by hand."""

import numpy as np
import pytest

from slowfast_ext.predict.predictor import ActivitySpan, spans_of

# Windows of 2 s, the last one of 1 s.
WINDOWS = np.array([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0], [6.0, 7.0]])


def spans(*scores, threshold=0.5):
    columns = np.array(scores, dtype=float).T
    return spans_of(columns, WINDOWS, np.broadcast_to(threshold, columns.shape[1]))


@pytest.mark.parametrize(
    "scores,expected",
    [
        ([0.1, 0.2, 0.3, 0.4], []),
        ([0.9, 0.7, 0.8, 0.6], [(0, 7, 0.75)]),
        ([0.9, 0.1, 0.6, 0.8], [(0, 2, 0.9), (4, 7, 0.7)]),
        ([0.1, 0.6, 0.8, 0.1], [(2, 6, 0.7)]),
        ([0.1, 0.1, 0.1, 0.6], [(6, 7, 0.6)]),
        ([0.5, 0.4999, 0.5, 0.4], [(0, 2, 0.5), (4, 6, 0.5)]),
    ],
)
def test_neighbours_are_merged(scores, expected):
    found = spans(scores)
    assert [span.activity for span in found] == [0] * len(expected)
    assert [span[1:] for span in found] == [pytest.approx(span) for span in expected]


def test_activities_do_not_mix():
    found = spans([0.1, 0.9, 0.1, 0.1], [0.9, 0.9, 0.1, 0.9])
    assert found == [
        ActivitySpan(1, 0.0, 4.0, pytest.approx(0.9)),
        ActivitySpan(0, 2.0, 4.0, pytest.approx(0.9)),
        ActivitySpan(1, 6.0, 7.0, pytest.approx(0.9)),
    ]


def test_each_activity_has_its_threshold():
    found = spans([0.3, 0.3, 0.1, 0.1], [0.3, 0.3, 0.1, 0.1], threshold=[0.2, 0.4])
    assert found == [ActivitySpan(0, 0.0, 4.0, pytest.approx(0.3))]


def test_one_window():
    assert spans_of(np.array([[0.7]]), WINDOWS[:1], np.array([0.5])) == [
        ActivitySpan(0, 0.0, 2.0, pytest.approx(0.7))
    ]
