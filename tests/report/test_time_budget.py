"""Time budgets, transitions, co-occurrence and the ethogram, against values by hand."""

import io
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from slowfast_ext.prepare.bouts import COLUMNS, bouts_of
from slowfast_ext.report.ethogram import _missing_letters_told, write_ethogram
from slowfast_ext.report.time_budget import by_activity, cooccurrence, time_budget, transitions

NAMES = ["sit", "run", "eat"]
SECONDS = {"a": 20.0, "b": 10.0, "c": 5.0}
ROWS = [
    ("a", "cat", "run", 1, 3),
    ("a", "cat", "run", 5, 9),
    ("a", "cat", "sit", 2, 6),
    ("a", "dog", "run", 0, 20),
    ("b", "cat", "run", 4, 4),
]


@pytest.fixture
def bouts():
    spans = pd.DataFrame(ROWS, columns=COLUMNS)
    return bouts_of(spans.astype({"start": float, "end": float}))


def test_the_time_budget(bouts):
    table = time_budget(bouts, SECONDS, NAMES)
    assert list(table.columns[3:]) == ["bouts", "duration", "mean_duration", "share", "latency"]
    none = [0, 0, np.nan, 0, np.nan]
    expected = {
        ("a", "cat", "sit"): [1, 4, 4, 0.2, 2],
        ("a", "cat", "run"): [2, 6, 3, 0.3, 1],
        ("a", "cat", "eat"): none,
        ("a", "dog", "sit"): none,
        ("a", "dog", "run"): [1, 20, 20, 1, 0],
        ("a", "dog", "eat"): none,
        ("b", "cat", "sit"): none,
        ("b", "cat", "run"): [1, 0, 0, 0, 4],
        ("b", "cat", "eat"): none,
        # Nothing happens there, and it counts.
        **{("c", "", name): none for name in NAMES},
    }
    assert [*map(tuple, table.iloc[:, :3].to_numpy())] == list(expected)
    found = table.iloc[:, 3:].to_numpy(float)
    assert found == pytest.approx(np.array(list(expected.values()), float), nan_ok=True)


def test_all_videos_together(bouts):
    table = by_activity(time_budget(bouts, SECONDS, NAMES), SECONDS)
    table = table.set_index(["subject", "activity"])
    found = table.loc[("cat", "run")]
    assert found.to_dict() == pytest.approx(
        {
            "videos": 2,
            "bouts": 3,
            "duration": 6,
            "mean_duration": 2,
            "share": 6 / 30,
            "latency": 2.5,
        }
    )
    assert table.loc[("dog", "run"), "share"] == 1
    assert table.loc[("", "eat"), ["videos", "bouts", "share"]].tolist() == [0, 0, 0]
    assert list(table.loc["cat"].index) == NAMES


def test_transitions_follow_the_starts():
    rows = [("a", "", name, start, start + 1) for start, name in enumerate("xyxzy")]
    # At 9 s two start together: both follow y, neither follows the other.
    rows += [("a", "", "x", 9, 10), ("a", "", "z", 9, 12), ("a", "", "y", 20, 21)]
    rows += [("b", "", "z", 0, 1), ("a", "cat", "z", 7, 8)]
    spans = pd.DataFrame(rows, columns=COLUMNS).astype({"start": float, "end": float})
    table = transitions(bouts_of(spans))
    found = {(row[0], row[1]): row[2:] for row in table.itertuples(index=False, name=None)}
    assert found == {
        ("x", "y"): (2, pytest.approx(2 / 3)),
        ("x", "z"): (1, pytest.approx(1 / 3)),
        ("y", "x"): (2, pytest.approx(2 / 3)),
        ("y", "z"): (1, pytest.approx(1 / 3)),
        ("z", "y"): (2, 1),
    }


def test_without_bouts():
    bouts = bouts_of(pd.DataFrame(columns=COLUMNS).astype({"start": float, "end": float}))
    assert transitions(bouts).empty
    assert time_budget(bouts, SECONDS, NAMES)["bouts"].sum() == 0
    assert cooccurrence(bouts, NAMES)["seconds"].tolist() == [0, 0, 0]


def test_cooccurrence_is_of_one_subject(bouts):
    """The cat runs from 1 to 3 and 5 to 9, and sits from 2 to 6; the dog's run does not count."""
    table = cooccurrence(bouts, NAMES).set_index(["first", "second"])
    found = table.loc[("sit", "run")].to_dict()
    assert found == pytest.approx(
        {"seconds": 2, "share_of_first": 0.5, "share_of_second": 2 / 26, "iou": 2 / 28}
    )
    assert len(table) == 3 and np.isnan(table.loc[("run", "eat"), "share_of_second"])


def test_the_ethogram_has_a_page_a_video(bouts):
    stream = io.BytesIO()
    write_ethogram(stream, bouts, SECONDS, [*NAMES, "$x_1"])
    data = stream.getvalue()
    assert data.startswith(b"%PDF") and len(re.findall(rb"/Type /Page\b", data)) == 3


def test_other_warnings_stay_warnings():
    with pytest.warns(UserWarning, match="something else"), _missing_letters_told():
        warnings.warn("something else", stacklevel=1)


def test_letters_that_the_font_lacks_are_told_once(bouts, capsys, recwarn):
    write_ethogram(io.BytesIO(), bouts, SECONDS, [*NAMES, "走る"])
    assert capsys.readouterr().out.count("font lacks 走 る, drawn as boxes") == 1
    assert not recwarn
