"""Losses and weights that are not finite, gradients that overflow, labels without positives."""

import csv
import errno
import json
import math
import os
import re
from pathlib import Path

import pytest
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.not_finite import parameter_norms, require_finite_weights
from slowfast_ext.engine.optimizer import clip_gradients
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import base_config
from tests.helpers import weights

ONE_STAGE = {"TUNE__ENABLE": False, "TEST__ENABLE": False}


BLOWS_UP = {
    "SOLVER__BASE_LR": 1e30,
    "SOLVER__OPTIMIZING_METHOD": "sgd",
    "SOLVER__WARMUP_EPOCHS": 0.0,
}


def test_a_loss_that_is_not_finite_is_told_on_a_full_disk_too(arguments, tmp_path, monkeypatch):
    def full(path, state):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(checkpoint, "save_checkpoint", full)
    message = r"the loss is (nan|inf) on .*not_finite_rank_0.pyth cannot be written \(No space left"
    with pytest.raises(SlowFastExtError, match=message):
        main(arguments(tmp_path, **BLOWS_UP, **ONE_STAGE))


def test_a_loss_that_is_not_finite_leaves_what_is_needed_to_look(arguments, tmp_path):
    with pytest.raises(SlowFastExtError) as error:
        main(arguments(tmp_path, **BLOWS_UP, **ONE_STAGE))
    message = str(error.value)
    found = re.match(r"train epoch 1/3, iteration (\d): the loss is (nan|inf) on (.*?); ", message)
    assert found and "the parameters' norm is" in message
    saved = torch.load(tmp_path / "not_finite_rank_0.pyth", weights_only=True)
    assert saved["video_ids"] == found.group(3).split(", ") and len(saved["video_ids"]) == 2
    assert saved["where"].endswith(f"iteration {found.group(1)}")
    assert not math.isfinite(saved["loss"])
    assert saved["batch"]["pathways"][0].dtype == torch.uint8
    assert saved["parameter_norms"].keys() < saved["model_state"].keys()
    assert not (tmp_path / "checkpoints").exists()


def test_weights_that_are_not_finite_are_not_saved():
    network = torch.nn.Linear(2, 2)
    require_finite_weights(network, "train epoch 2")
    with torch.no_grad():
        network.weight[0, 1] = math.inf
    with pytest.raises(SlowFastExtError, match=r"^train epoch 2: the network's weight is not fin"):
        require_finite_weights(network, "train epoch 2")


def test_norms_not_finite_come_first():
    network = torch.nn.ModuleDict({name: torch.nn.Linear(1, 1, bias=False) for name in "abcd"})
    for module, value in zip(network.values(), (1.0, math.nan, 7.0, math.inf), strict=True):
        torch.nn.init.constant_(module.weight, value)
    assert list(parameter_norms(network)) == ["b.weight", "d.weight", "c.weight", "a.weight"]


def test_gradients_that_overflow_are_skipped(arguments, tmp_path, monkeypatch):
    """The scaler of mixed precision, on the CPU, from a scale at which float32 overflows."""
    scalers, scaler = [], torch.amp.GradScaler

    def overflowing(*_args, **_options):
        scalers.append(scaler("cpu", init_scale=2.0**127))
        scale = scalers[-1].scale
        # So shallow a network's gradients lie below 2, which is what overflows at that scale.
        scalers[-1].scale = lambda loss: scale(64 * loss)
        return scalers[-1]

    monkeypatch.setattr(torch.amp, "GradScaler", overflowing)
    main(arguments(tmp_path, SOLVER__CLIP_GRAD_L2NORM=1.0, **ONE_STAGE))
    assert scalers[0].get_scale() < 2.0**127
    assert all(value.isfinite().all() for value in weights(tmp_path).values())


@pytest.mark.parametrize(
    "value,norm,expected",
    [(None, None, [3.0, -4.0]), (3.5, None, [3.0, -3.5]), (None, 1.0, [0.6, -0.8])],
)
def test_gradients_are_clipped_where_that_is_set_alone(value, norm, expected):
    cfg = base_config()
    cfg.SOLVER.CLIP_GRAD_VAL, cfg.SOLVER.CLIP_GRAD_L2NORM = value, norm
    network = torch.nn.Linear(2, 1, bias=False)
    network.weight.grad = torch.tensor([[3.0, -4.0]])
    clip_gradients(cfg, network)
    torch.testing.assert_close(network.weight.grad, torch.tensor([expected]))


@pytest.fixture
def unlabelled(arguments, data_dir, tmp_path):
    """`unlabelled(label)`: a short run whose first training video alone has that label."""

    def run(label):
        (tmp_path / "lists").mkdir()
        for name in ("train", "test"):
            with open(Path(data_dir, f"{name}.csv")) as stream:
                paths = sorted({row["path"] for row in csv.DictReader(stream)})
            first = label if name == "train" else ""
            rows = [f"{path},{'' if i else first}" for i, path in enumerate(paths)]
            text = "\n".join(["path,labels", *rows]) + "\n"
            (tmp_path / "lists" / f"{name}.csv").write_text(text)
        (tmp_path / "lists" / "classes.txt").write_text(Path(data_dir, "classes.txt").read_text())
        main(
            arguments(
                tmp_path / "out",
                TRAIN__DATASET="MultiLabelVideos",
                TEST__DATASET="MultiLabelVideos",
                DATA__PATH_TO_DATA_DIR=tmp_path / "lists",
                DATA__PATH_PREFIX=data_dir,
                SOLVER__MAX_EPOCH=1,
                TUNE__MAX_ITER=1,
            )
        )

    return run


def test_videos_without_any_activity(unlabelled, tmp_path):
    """All-negative batches, a mask of classes that never occur, a test without positives."""
    unlabelled("0")
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["mAP"] is None and results["counts"]["videos_without_activity"] == 3


def test_training_videos_without_any_activity_are_refused(unlabelled, tmp_path):
    with pytest.raises(SlowFastExtError, match="none of its 6 training items has a label"):
        unlabelled("")
    assert not (tmp_path / "out" / "checkpoints").exists()
