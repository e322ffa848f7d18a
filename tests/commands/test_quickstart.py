"""The main job with everything small: every row is of a run of its own, and done once."""

import json

import pytest

from slowfast_ext.commands import quickstart
from slowfast_ext.engine.checkpoint import checkpoint_path
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import TINY

SMALL = {
    **TINY,
    "DATA.TRAIN_JITTER_SCALES": "[32, 32]",
    "SYNTHETIC.NUM_TEST": "4",
    "SOLVER.MAX_EPOCH": "1",
    "SOLVER.WARMUP_EPOCHS": "0.0",
    "TUNE.MAX_ITER": "2",
}
OPTIONS = [word for pair in SMALL.items() for word in pair]


def run_heads(folder):
    return quickstart.run_heads(str(folder / "output"), str(folder / "videos"), OPTIONS)


def test_every_head_is_trained_on_the_same_features(tmp_path, shallow, monkeypatch):
    found = run_heads(tmp_path)
    heads = {name: results["config"]["ACTIVITY"]["HEAD"] for name, results in found.items()}
    assert list(heads.values()) == ["PoolHead", "LSEPoolHead", *["ActivityHead"] * 4]
    added = [results["config"]["ACTIVITY"]["COLUMN_DIM"] for results in found.values()]
    assert added == [0, 0, 0, 0, 256, 256]
    tuned = [results["config"]["TUNE"]["ENABLE"] for results in found.values()]
    assert tuned == [False, False, False, True, False, True]
    output = tmp_path / "output"
    backbone = checkpoint_path(str(output / "pretraining"), "train", 1)
    for results in found.values():
        config = results["config"]
        assert config["FEATURES"]["PATH"] == str(output / "features")
        assert config["TRAIN"]["CHECKPOINT_FILE_PATH"] == backbone
        assert results["counts"]["videos"] == 4
    lines = quickstart.table(found).splitlines()
    assert lines[0] == "Synthetic, 4 test videos, 3 views each"
    for line, (name, results) in zip(lines[2:], found.items(), strict=True):
        assert line.startswith(name)
        figures = results["mAP"], results["weighted_mAP"]
        assert line.removeprefix(name).split() == [f"{figure:.3f}" for figure in figures]

    # What is done is not done again.
    written = {path: path.stat().st_mtime_ns for path in output.rglob("*.pyth")}
    assert {name: results["mAP"] for name, results in run_heads(tmp_path).items()} == {
        name: results["mAP"] for name, results in found.items()
    }
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.pyth")} == written


def test_results_that_are_something_else(tmp_path, shallow):
    cfg = quickstart._config("POOL_FROZEN", str(tmp_path), str(tmp_path / "videos"), OPTIONS)
    for content in ("[]", "{", json.dumps({"mAP": 0.5})):
        (tmp_path / "results.json").write_text(content)
        with pytest.raises(SlowFastExtError, match="is no test's results: remove it"):
            quickstart.read_results(cfg)
