"""The paper's figures, typed a second time, from its tables as printed."""

import pytest

from slowfast_ext.paper.numbers import ROWS, TITLES, find_row

# Percent.
METRICS = {
    "1": "11.2 25.2 32.9 39.7 42.5 38.2 37.5 45.2 47.2 40.3 44.7 46.4 44.2 48.1 50.3",
    "2": "43.1 59.9 60.1 63.1 65.5",
    "3a": "47.9 48.3 48.4 47.2",
    "3b": "46.1 47.5 48.4 48.4",
    "3c": "46.4 46.6 48.4 49.2",
    "3d": "49.2 49.9 50.3",
    "3e": "46.4 46.3 48.4",
    "4": "",
    "5": "21.7 27.7 27.4 29.1 27.9 30.2 29.2",
    "6": "72.7 63.1 81.9 76.6 83.4 82.4 75.5 89.9 75.9 93.0 85.9 94.4 85.0 87.1 86.6 87.6 95.5",
}
# Parameters (M) and GFLOPs.
COSTS = {
    "3a": "50.4 9.87 6.3 1.24 1.6 0.32 0.8 0.16",
    "3b": "0.4 0.08 0.8 0.16 1.6 0.32 3.2 0.62",
    "4": "54.3 359.0 59.9 234.0 32.8 109.0 11.0 48.4 1.6 0.32 1.7 0.33",
}


def rows_of(table):
    return [row for row in ROWS if row.table == table]


@pytest.mark.parametrize("table", TITLES)
def test_every_metric_as_printed(table):
    found = [100 * row.number for row in rows_of(table) if row.number is not None]
    assert found == pytest.approx([float(number) for number in METRICS[table].split()])


@pytest.mark.parametrize("table", COSTS)
def test_every_cost_as_printed(table):
    found = [cost for row in rows_of(table) for cost in (row.params_m, row.gmacs)]
    assert found == [float(number) for number in COSTS[table].split()]


def test_no_row_of_the_paper_is_without_a_figure():
    """Table 4's are costs alone; 3d's are the head's for a view, beside its backbone's."""
    assert all(row.number is not None or row.gmacs for row in ROWS if row.in_paper)
    assert [row.gmacs for row in rows_of("3d") if row.in_paper] == [0.32] * 3


def test_rows_that_are_ours_have_no_figure():
    ours = {row.id for row in ROWS if not row.in_paper}
    assert ours == {
        *("3c/a map per activity", "3d/2+4", "3d/2+4+8", "6/baseline group (bb)"),
        *("5/SlowFast-101 v2.1", "5/CSN-152 v2.1"),
        *("5/SlowFast-101 trained on v2.1", "5/SlowFast-101 trained on v2.2"),
        *("5/SlowFast-101 ours v2.1", "5/CSN-152 ours v2.1"),
    }


def test_a_row_of_its_own():
    assert find_row("3c", "complete").number == 0.492
    assert find_row("3c", "incomplete") is None
