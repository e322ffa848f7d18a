"""Starting from checkpoints, going on from them, testing them."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.commands.run_net import main
from slowfast_ext.engine import checkpoint
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import weights


@pytest.fixture
def read(monkeypatch):
    """The names of the checkpoints that are read, in their order."""
    names, load = [], torch.load

    def counted(file, **options):
        names.append(Path(getattr(file, "name", file)).name)
        return load(file, **options)

    monkeypatch.setattr(torch, "load", counted)
    return names


def test_another_config_does_not_go_on_from_it(finished_run, arguments):
    with pytest.raises(SlowFastExtError, match=r"SOLVER.BASE_LR .* choose another OUTPUT_DIR"):
        main(arguments(finished_run, SOLVER__BASE_LR=0.5))


def of_the_test(finished_run, name="checkpoint_tune_epoch_00002.pyth"):
    """The options of a test alone of one of the finished run's checkpoints."""
    path = finished_run / "checkpoints" / name
    return {"TRAIN__ENABLE": False, "TUNE__ENABLE": False, "TEST__CHECKPOINT_FILE_PATH": path}


@pytest.mark.parametrize(
    "change", [{"FORM": "as_printed"}, {"CORRELATION": False}, {"EVIDENCE": True}]
)
def test_a_checkpoint_of_another_head_is_not_tested(finished_run, arguments, tmp_path, change):
    options = {f"ACTIVITY__{key}": value for key, value in change.items()}
    with pytest.raises(SlowFastExtError, match=r"00002\.pyth was trained with ACTIVITY\."):
        main(arguments(tmp_path / "out", **of_the_test(finished_run), **options))
    assert not (tmp_path / "out").exists()


def test_a_test_alone_logs_how_much_was_loaded(finished_run, arguments, tmp_path, capsys):
    main(arguments(tmp_path, **of_the_test(finished_run)))
    assert "tensors match; not loaded: none" in capsys.readouterr().out


def test_starts_from_a_trained_upstream_baseline(arguments, tmp_path):
    """Its `.pyth` has the backbone's names without a prefix and a head of another shape."""
    from slowfast_ext.engine.setup import checked_config

    words = arguments(tmp_path)
    cfg = checked_config(words[1], words[2:])
    torch.manual_seed(5)
    baseline = upstream.model_class("SlowFast")(cfg)
    path = tmp_path / "baseline.pyth"
    state = {"epoch": 56, "model_state": baseline.state_dict(), "optimizer_state": {}}
    torch.save({**state, "cfg": cfg.dump()}, path)
    main(
        arguments(
            tmp_path,
            TRAIN__CHECKPOINT_FILE_PATH=path,
            SOLVER__LR_POLICY="steps_with_relative_lrs",
            SOLVER__STEPS="[0]",
            SOLVER__LRS="[0]",
            SOLVER__WARMUP_START_LR=0.0,
            MODEL__FROZEN_BN=True,
            TUNE__ENABLE=False,
            TEST__ENABLE=False,
        )
    )
    trained = weights(tmp_path)
    for name, value in baseline.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(trained[f"backbone.{name}"], value), name


def test_tuning_alone_refuses_what_another_config_trained(arguments, tmp_path):
    main(arguments(tmp_path, TUNE__ENABLE=False, TEST__ENABLE=False, SOLVER__MAX_EPOCH=1))
    with pytest.raises(SlowFastExtError, match=r"trained with SOLVER.BASE_LR"):
        main(arguments(tmp_path, TRAIN__ENABLE=False, SOLVER__MAX_EPOCH=1, SOLVER__BASE_LR=0.5))


def test_starting_anew_sets_the_old_checkpoints_aside(arguments, tmp_path):
    options = {"TUNE__ENABLE": False, "TEST__VIEWS": "[[4, 1, 1]]"}
    main(arguments(tmp_path, SOLVER__MAX_EPOCH=2, **options))
    main(arguments(tmp_path, SOLVER__MAX_EPOCH=1, TRAIN__AUTO_RESUME=False, **options))
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["protocol"]["checkpoint"].endswith("/checkpoint_epoch_00001.pyth")
    assert (tmp_path / "checkpoints" / "earlier_1_checkpoint_epoch_00002.pyth").exists()


def test_starting_anew_twice_keeps_both(tmp_path):
    for content in (1, 2):
        path = checkpoint.checkpoint_path(tmp_path, "train", 1)
        checkpoint.save_checkpoint(path, {"content": content})
        checkpoint.set_aside(tmp_path)
    for number in (1, 2):
        name = f"earlier_{number}_checkpoint_epoch_00001.pyth"
        saved = torch.load(tmp_path / "checkpoints" / name, weights_only=True)
        assert saved == {"content": number}


@pytest.mark.parametrize("key", ["TRAIN__CHECKPOINT_FILE_PATH", "TEST__CHECKPOINT_FILE_PATH"])
def test_starting_anew_does_not_rename_what_the_command_names(arguments, tmp_path, key):
    path = checkpoint.checkpoint_path(tmp_path, "train", 1)
    checkpoint.save_checkpoint(path, {"model_state": {}})
    with pytest.raises(SlowFastExtError, match=r"_00001\.pyth is one of those that TRAIN\.AUTO_RE"):
        main(arguments(tmp_path, TRAIN__AUTO_RESUME=False, **{key: path}))
    assert Path(path).exists()


def test_an_unfinished_training_is_said_to_be(finished_run, arguments, tmp_path, capsys, read):
    first = finished_run / "checkpoints" / "checkpoint_epoch_00001.pyth"
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(first, tmp_path / "checkpoints")
    main(arguments(tmp_path, TRAIN__ENABLE=False, TUNE__MAX_ITER=1))
    told = "train epoch 1 of 3"
    assert f"epoch_00001.pyth is not of the last epoch: {told}" in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["protocol"]["training"] == f"{told}, tune epoch 1 of 1"
    assert read == ["checkpoint_epoch_00001.pyth", "checkpoint_tune_epoch_00001.pyth"]


DAMAGES = {
    "epoch": [-5, math.inf, 7, "a"],
    "best_mAP": [math.nan, "a"],
    "skipped": ["a", 3],
    "epochs": [{"train": 1}],
}


@pytest.mark.parametrize("key,value", [(k, v) for k, values in DAMAGES.items() for v in values])
def test_a_damaged_state_is_one_sentence(finished_run, arguments, tmp_path, key, value):
    state = torch.load(finished_run / "checkpoints" / "checkpoint_epoch_00001.pyth")
    checkpoint.save_checkpoint(
        checkpoint.checkpoint_path(tmp_path, "train", 1), {**state, key: value}
    )
    with pytest.raises(SlowFastExtError, match=r"_00001\.pyth: .*(remove it|is damaged)") as error:
        main(arguments(tmp_path))
    assert "EPOCH_RESET" not in str(error.value)


def test_a_moment_of_another_shape_is_one_sentence(finished_run, arguments, tmp_path):
    state = torch.load(finished_run / "checkpoints" / "checkpoint_epoch_00001.pyth")
    state["optimizer_state"]["state"][0]["exp_avg"] = torch.zeros(3, 3)
    path = checkpoint.checkpoint_path(tmp_path, "train", 1)
    checkpoint.save_checkpoint(path, state)
    with pytest.raises(SlowFastExtError, match=r"its exp_avg of a tensor .*has the shape \(3, 3\)"):
        main(arguments(tmp_path))


def start_again(arguments, tmp_path, finished_run, **changes):
    """A run of one tiny stage from the finished run's weights; its state after one epoch more."""
    path = finished_run / "checkpoints" / "checkpoint_epoch_00001.pyth"
    options = {"TUNE__ENABLE": False, "TEST__ENABLE": False, "SOLVER__MAX_EPOCH": 2}
    main(arguments(tmp_path, TRAIN__CHECKPOINT_FILE_PATH=path, **options, **changes))
    saved = tmp_path / "checkpoints" / "checkpoint_epoch_00002.pyth"
    return torch.load(saved, weights_only=True)


def test_a_start_checkpoint_brings_neither_its_mask_nor_its_hyperparameters(
    finished_run, arguments, tmp_path, data_dir, read
):
    state = start_again(
        arguments,
        tmp_path / "new",
        finished_run,
        ACTIVITY__LR_MULT=7.0,
        ACTIVITY__COOCCURRENCE_FILE=Path(data_dir) / "test.csv",
    )
    multipliers = {group["lr_multiplier"] for group in state["optimizer_state"]["param_groups"]}
    assert multipliers == {1.0, 7.0}
    mask = state["model_state"]["head.correlation.mask"]
    assert not torch.equal(mask, weights(finished_run)["head.correlation.mask"])
    assert read.count("checkpoint_epoch_00001.pyth") == 1


def test_a_start_checkpoint_of_another_optimizer_is_one_sentence(finished_run, arguments, tmp_path):
    with pytest.raises(SlowFastExtError, match=r"another SOLVER.OPTIMIZING_METHOD"):
        start_again(arguments, tmp_path, finished_run, SOLVER__OPTIMIZING_METHOD="sgd")


def test_types_of_checkpoints_hold_for_the_named_files_alone(arguments, tmp_path):
    """Weights in Caffe2's form at the start do not make our own checkpoints such."""
    main(
        arguments(
            tmp_path,
            SOLVER__MAX_EPOCH=1,
            TEST__CHECKPOINT_TYPE="caffe2",
            TRAIN__CHECKPOINT_TYPE="caffe2",
        )
    )
    assert (tmp_path / "results.json").exists()


def test_a_missing_checkpoint_is_named_before_anything_is_written(arguments, tmp_path):
    for key in ("TRAIN__CHECKPOINT_FILE_PATH", "TEST__CHECKPOINT_FILE_PATH"):
        with pytest.raises(SlowFastExtError, match=r"nowhere\.pyth: there is no such"):
            main(arguments(tmp_path / "out", **{key: "nowhere.pyth"}))
    assert not (tmp_path / "out").exists()
