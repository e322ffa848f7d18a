"""The command from videos to the printed result, with everything small."""

import argparse
import json
import shutil

import pytest
import torch

from projects.study import experiment, fitting, maps, miniature, workers
from projects.study.rows import CONTROLS
from slowfast_ext.commands import tables as command
from slowfast_ext.commands.arguments import tables_arguments
from slowfast_ext.engine.extract import _Extraction
from slowfast_ext.engine.train import train
from slowfast_ext.engine.weights import read_checkpoint
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import SHALLOW

SMALL = (
    *(word for pair in SHALLOW.items() for word in pair),
    *("SYNTHETIC.SIZE", "32", "DATA.TRAIN_CROP_SIZE", "32", "DATA.TEST_CROP_SIZE", "32"),
    *("DATA.TRAIN_JITTER_SCALES", "[32, 32]", "DATA_LOADER.NUM_WORKERS", "0"),
    *("SYNTHETIC.NUM_TRAIN", "4", "SYNTHETIC.NUM_TEST", "3", "TRAIN.BATCH_SIZE", "2"),
    *("SOLVER.MAX_EPOCH", "1", "TUNE.MAX_ITER", "1"),
)


@pytest.fixture
def tables(tmp_path, monkeypatch, capsys, shallow):
    """Runs `tables` with the arguments given; (stdout, stderr)."""
    monkeypatch.setattr(miniature, "FOLDER", str(tmp_path / "miniature"))
    monkeypatch.setattr(experiment, "BACKBONE", SMALL)
    monkeypatch.setattr(experiment, "HEADS", SMALL)
    whole = ("TRAIN.CHECKPOINT_EPOCH_RESET", "True", "TEST.VIEWS", "[[4, 1, 1]]")
    monkeypatch.setattr(experiment, "WHOLE", (*SMALL, *whole, "TEST.BATCH_SIZE", "2"))
    monkeypatch.setattr(maps, "CLIPS", {2: 1, 4: 1, 8: 1})
    # One process: what is replaced here would not be in others.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(*arguments):
        parser = argparse.ArgumentParser()
        tables_arguments(parser)
        command.run(parser.parse_args([str(argument) for argument in arguments]))
        return capsys.readouterr()

    yield run
    torch.set_num_threads(threads)


def test_tables_3c_and_3d(tables, monkeypatch, tmp_path):
    arguments = ("--miniature", "--only", "3c,3d", "--seeds", "2", "--json")
    first = json.loads(tables(*arguments).out)
    assert {row["table"] for row in first["rows"]} == {"3c", "3d"}
    assert all(0 <= row["metrics"]["mAP"]["mean"] <= 1 for row in first["rows"])
    assert first["seeds"] == [2]
    assert set(first["correlation"]) == {"Corr", "Attn_C", "Mask"}
    files = {path for path in (tmp_path / "miniature").rglob("*") if path.is_file()}
    assert not [path for path in files if "partial" in path.name]

    def must_not_run(*arguments):
        raise AssertionError("computed again")

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "make_maps", must_not_run)
        patch.setattr(experiment, "outcome", must_not_run)
        again = json.loads(tables(*arguments).out)
    assert again == first
    text = tables(*arguments[:-1]).out
    assert "complete - no activity correlation" in text

    # Half of the heads are gone, as after an interruption: they alone are computed.
    heads = sorted(path for path in files if path.parent.name == "heads")
    for path in heads[::2]:
        path.unlink()
    # So is what a video's features were, and of them it alone.
    damaged = next((tmp_path / "miniature" / "maps").rglob("rate_8/train/000001.npz"))
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-30])
    computed, plain = [], _Extraction.features
    with monkeypatch.context() as patch:
        patch.setattr(
            _Extraction, "features", lambda *given: computed.append(given) or plain(*given)
        )
        assert json.loads(tables(*arguments).out) == first
    assert len(computed) == 1 and damaged.read_bytes() == content
    made = []
    with monkeypatch.context() as patch:
        patch.setattr(
            experiment, "outcome", lambda *given: made.append(given) or fitting.outcome(*given)
        )
        assert json.loads(tables(*arguments, "--fresh").out)["rows"] == first["rows"]
    assert len(made) == len(heads)


def test_whole_networks_trained_on(tables, monkeypatch, tmp_path):
    arguments = ("--miniature", "--only", "whole", "--seeds", "2", "--json")
    videos, plain_score = tmp_path / "miniature" / "videos", workers._score
    heads, starts = [], []

    def must_find_videos(task):
        # All cores write them, before each has a seed of its own.
        found = {settings.parent.name.split(".")[0] for settings in videos.glob("*/settings.json")}
        assert found == {"parts-2", "seed-2"}
        return plain_score(task)

    def fitting_head(*arguments, **options):
        heads.append(fitting.fit_head(*arguments, **options))
        return heads[-1]

    def training(cfg):
        starts.append(read_checkpoint(cfg.TRAIN.CHECKPOINT_FILE_PATH)["model_state"])
        return train(cfg)

    with monkeypatch.context() as patch:
        patch.setattr(workers, "_score", must_find_videos)
        patch.setattr(experiment, "fit_head", fitting_head)
        patch.setattr(experiment, "train", training)
        first = tables(*arguments).out
    rows = {row["row"]: row for row in json.loads(first)["rows"]}
    baseline, complete = rows["baseline"], rows["complete"]
    assert baseline["parameters"] != complete["parameters"]
    assert len({row["metrics"]["mAP"]["mean"] for row in rows.values()}) > 1
    assert "correlation" not in json.loads(first)
    # Each starts from the seed's backbone and from its own head, trained on that backbone's maps.
    (backbone,) = (tmp_path / "miniature" / "backbones").glob("seed-2.*/checkpoints/*1.pyth")
    backbone = read_checkpoint(str(backbone))["model_state"]
    assert len(starts) == len(heads) == len(rows)
    for start, head in zip(starts, heads, strict=True):
        kept = {n: value for n, value in backbone.items() if n.startswith("backbone.")}
        torch.testing.assert_close(start, kept | head.state_dict(), rtol=0, atol=0)

    def must_not_run(cfg):
        raise AssertionError("trained again")

    shutil.rmtree(videos)
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "train", must_not_run)
        assert tables(*arguments).out == first
    assert not videos.exists()
    fresh = json.loads(tables(*arguments, "--fresh").out)
    assert fresh["rows"] == json.loads(first)["rows"]


def test_a_property_switched_off(tables, tmp_path):
    result = json.loads(tables("--miniature", "--without", "places", "--seeds", "3", "--json").out)
    assert result["without"] == "places"
    for part in ("with_property", "without_property"):
        rows = {line["row"]: line["metrics"]["mAP"]["mean"] for line in result[part]["rows"]}
        assert set(rows) == {"baseline", "even attention", "no activity correlation"}
        for line in result[part]["differences"]:
            assert line["row"] == "no activity correlation"
            gain = rows[line["row"]] - rows[line["against"]]
            assert line["metrics"]["mAP"]["mean"] == pytest.approx(gain)
    videos = tmp_path / "miniature" / "videos"
    (settings,) = videos.glob("seed-3-without-places.*/settings.json")
    assert json.loads(settings.read_text())["several_places"] is False
    # One backbone serves both.
    assert len(list((tmp_path / "miniature" / "backbones").glob("seed-*"))) == 1


def test_without_matplotlib_nothing_is_begun(tables, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SlowFastExtError, match="--plots needs matplotlib: pip install matplotlib$"):
        tables("--miniature", "--only", "3c", "--seeds", "1", "--plots", str(tmp_path / "plots"))
    assert not (tmp_path / "miniature").exists()


@pytest.mark.parametrize("file", ["miniature", "miniature/videos", "miniature/heads"])
def test_a_file_in_place_of_a_folder(tables, monkeypatch, tmp_path, file):
    def must_not_run(*arguments):
        raise AssertionError("began to compute")

    monkeypatch.setattr(miniature, "run_tasks", must_not_run)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("")
    with pytest.raises(SlowFastExtError, match=f"{file} is a file"):
        tables("--miniature", "--only", "3c", "--seeds", "1")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--fresh"], "--fresh belongs to --miniature"),
        (["--seeds", "1"], "--seeds belongs to --miniature"),
        (["--miniature", "--seeds", "1", "1"], "different numbers"),
        (["--miniature", "--only", "3f"], "no table '3f'"),
        (["--miniature", "--only", "3c", "--without", "places"], "omit --only"),
        (["--miniature", "--only", "", "--without", "places"], "omit --only"),
        (["--plots", ""], "--plots belongs to --miniature"),
        (["--miniature", "--plots", "", "--without", "places"], "omit --without"),
        (["--miniature", "--plots", ""], "--plots is empty"),
        (["--miniature", "--plots", "new", "--only", "3a,whole"], "none is in these tables"),
    ],
)
def test_wrong_arguments(tables, monkeypatch, arguments, message):
    monkeypatch.setattr(miniature, "require_packages", lambda *needed: None)
    with pytest.raises(SlowFastExtError, match=message):
        tables(*arguments)


def test_every_control_can_be_asked_for():
    parser = argparse.ArgumentParser()
    tables_arguments(parser)
    assert f"{{{','.join(CONTROLS)}}}" in parser.format_help()
