import json

import pytest
import torch

from benchmarks import timing
from benchmarks.timing import alternate, ratio_row, report, require_equal, row, saved_bytes


def test_the_sides_take_turns():
    calls = []
    seconds = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4
    assert [len(values) for values in seconds.values()] == [3, 3]


def test_a_ratio_is_the_median_of_the_rounds():
    seconds = {"fast": [1.0, 1.0, 2.0], "slow": [4.0, 6.0, 10.0]}
    measured = ratio_row("reading", "upstream", seconds, "fast", "slow", least=5)
    assert (measured.value, measured.reached) == (5.0, True)
    assert "fast 1000 ms; slow 6000 ms" in measured.note
    assert not row("share", "step", [0.04], most=0.03).reached


def test_unequal_sides_end_the_benchmark():
    assert "1e-06" in require_equal("scores", 1e-6, 1e-4)
    for difference in (1e-3, float("nan")):
        with pytest.raises(SystemExit, match="scores"):
            require_equal("scores", difference, 1e-4)


def test_saved_bytes_count_each_storage_once_and_no_weights():
    weight = torch.ones(10, 10, requires_grad=True)
    features = torch.ones(4, 10)
    assert saved_bytes(lambda: (features @ weight) * (features @ weight), weight) == 4 * (
        features.numel() + 2 * features.numel()
    )


def test_rows_are_written_with_their_circumstances(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(timing, "ROOT", tmp_path)
    report("reading", [row("reading", "upstream", [8.0, 9.0, 10.0], least=8)])
    written = json.loads((tmp_path / "build" / "benchmarks" / "reading.json").read_text())
    assert written["rows"][0]["value"] == 9.0
    assert {"machine", "versions", "commit", "device"} <= set(written)
    assert "reached" in capsys.readouterr().out
