"""What is odd in labels."""

import pandas as pd

from slowfast_ext.prepare.bouts import COLUMNS
from slowfast_ext.prepare.label_check import oddities, unknown_time

NAMES = ["eat", "jump", "run", "sit"]


def check(rows, seconds=None, min_positives=2, gap=0.5):
    rows = [(*row, f"l:{line}") for line, row in enumerate(rows, 2)]
    spans = pd.DataFrame(rows, columns=[*COLUMNS, "where"]).astype({"start": float, "end": float})
    return oddities(spans, seconds or {"a": 10.0, "b": 10.0}, NAMES, min_positives, gap)


def test_each_oddity():
    found = check(
        [
            ("a", "", "run", 0, 4),
            ("a", "", "run", 4.25, 8),
            ("a", "", "jump", 1, 1),
            ("a", "", "jump", 5, 5),
            ("a", "", "sit", 8, 9),
            ("a", "", "sit", 9.75, 10),
            ("a", "", "sit", 8, 9),
            ("a", "", "run", 7, 7.5),
            # Another's run is no overlap, and no gap's end.
            ("a", "cat", "run", 8.25, 9),
        ]
    )
    assert found == {
        "classes_under_2_positives": {"eat": 0},
        "pairs_that_always_coincide": ["jump: each of its 2 bouts, with run"],
        "pairs_that_never_coincide": ["run (3) and sit (2)", "jump (2) and sit (2)"],
        "spans_of_zero_length": ["l:4: jump", "l:5: jump"],
        "duplicates": ["l:8: sit stands at l:6 already"],
        "overlaps_of_one_label": ["l:9: run from 7 s, where it goes on since before"],
        "gaps_under_0.5_s": ["a: run ends at 4 s and begins at 4.25 s again"],
        # 0.25 + 0.75 s of a, all of b.
        "time_without_a_label": "55.0%",
        "longest_time_without_a_label": ["b: 0 to 10 s", "a: 9 to 9.75 s", "a: 4 to 4.25 s"],
        "videos_without_a_label": ["b"],
    }


def test_nothing_odd():
    found = check(
        [("a", "", "run", 0, 6), ("a", "", "sit", 5, 10), ("b", "", "run", 0, 4)]
        # It goes on where the one before ends: no overlap.
        + [("b", "", "run", 4, 10)],
        min_positives=0,
    )
    found.pop("time_without_a_label")
    assert found.pop("pairs_that_always_coincide") == ["sit: each of its 1 bouts, with run"]
    assert not any(found.values())


def test_labels_of_nothing():
    found = check([], seconds={"a": 10.0})
    assert found["classes_under_2_positives"] == dict.fromkeys(NAMES, 0)
    assert found["time_without_a_label"] == "100.0%"


def test_unknown_time():
    rows = [("a", "", "run", 0, 5), ("a", "", "run", 7.5, 10), ("a", "", "sit", 0, 2)]
    rows += [("b", "", name, 0, 10) for name in NAMES]
    unknown = pd.DataFrame(rows, columns=COLUMNS).astype({"start": float, "end": float})
    seconds = {"a": 10.0, "b": 10.0, "c": 20.0}
    assert unknown_time(unknown, seconds, NAMES) == {
        "unknown_time": "30.9%",
        "unknown_time_by_class": {"run": "43.8%", "sit": "30.0%", "eat": "25.0%", "jump": "25.0%"},
        "unknown_time_by_video": {"b": "100.0%", "a": "23.8%"},
        "videos_of_which_nothing_is_known": ["b"],
    }
    assert unknown_time(unknown[:0], seconds, NAMES) == {}
