"""Runs with another library's backbone: training, tuning, 30 views, resuming, AVA, bad input."""

import json

import pytest
import torch
import torchvision
import yaml
from torchvision.models.video import swin_transformer

from slowfast_ext.commands.run_net import main
from slowfast_ext.errors import SlowFastExtError
from tests import ava_tree
from tests.helpers import CONFIGS, assert_equal, weights

SWIN = {
    "ACTIVITY__BACKBONE": "torchvision:swin3d_t",
    "MODEL__ARCH": "c2d",
    "DATA__INPUT_CHANNEL_NUM": "[3]",
    "DATA__NUM_FRAMES": 4,
    "ACTIVITY__DIM": 16,
    "SOLVER__MAX_EPOCH": 2,
    "TUNE__MAX_ITER": 2,
}


@pytest.fixture
def small_swin(monkeypatch):
    """swin3d_t with one narrow block a stage."""
    build = swin_transformer._swin_transformer3d
    size = {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2]}
    monkeypatch.setattr(
        swin_transformer,
        "_swin_transformer3d",
        lambda *args, **options: build(*args, **{**options, **size}),
    )


def test_a_run_trains_tunes_tests_and_goes_on_to_the_bit(small_swin, arguments, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    main(arguments(whole, **SWIN, TEST__VIEWS="[[4, 10, 3]]"))
    assert (whole / "predictions.csv").exists()
    assert "swin3d_t starts from random weights: TRAIN" in (whole / "stdout.log").read_text()
    options = {**SWIN, "TUNE__ENABLE": False, "TEST__ENABLE": False}
    main(arguments(parts, **options))
    name = "checkpoint_epoch_00002.pyth"
    (parts / "checkpoints" / name).unlink()
    main(arguments(parts, **options))
    assert_equal(weights(whole, name), weights(parts, name))
    state = torch.load(parts / "checkpoints" / name, weights_only=True)
    assert "backbone.network.patch_embed.proj.weight" in state["model_state"]
    # What the config left open stands in the checkpoint as it was taken.
    assert yaml.safe_load(state["cfg"])["DATA"]["MEAN"] == [0.485, 0.456, 0.406]
    # Another input than it was trained with is another network.
    with pytest.raises(SlowFastExtError, match=r"was trained with DATA.MEAN \[0.485"):
        main(arguments(parts, **options, DATA__MEAN="[0.5, 0.5, 0.5]"))


def test_ava_on_an_earlier_stage(small_swin, tmp_path):
    ava_tree.write_tree(tmp_path)
    options = {
        **ava_tree.options(tmp_path),
        **{"ACTIVITY.BACKBONE": "torchvision:swin3d_t", "ACTIVITY.STAGE": 3},
        **{"ACTIVITY.DIM": 16, "ACTIVITY.GROUPS": 8},
        **{"MODEL.ARCH": "c2d", "DATA.INPUT_CHANNEL_NUM": "[3]", "DATA.NUM_FRAMES": 4},
        **{"DATA.TRAIN_CROP_SIZE": 32, "DATA.TEST_CROP_SIZE": 32},
        **{"DATA.TRAIN_JITTER_SCALES": "[32, 40]", "DATA_LOADER.NUM_WORKERS": 0, "NUM_GPUS": 0},
        **{"SOLVER.MAX_EPOCH": 1, "TRAIN.BATCH_SIZE": 2, "TUNE.MAX_ITER": 1},
        **{"TRAIN.CHECKPOINT_FILE_PATH": "", "OUTPUT_DIR": tmp_path / "out"},
    }
    words = [str(word) for pair in options.items() for word in pair]
    main(["--cfg", str(CONFIGS / "AVA" / "SLOWFAST_101_ACTIVITY.yaml"), *words])
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["counts"]["boxes"] == len(ava_tree.PERSONS)


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"ACTIVITY__BACKBONE": "torchvision:swin3d"}, "did you mean swin3d_[tsb]"),
        ({"ACTIVITY__BACKBONE": "torchvision:mvit_v1_b"}, "takes 16 frames alone"),
        ({"ACTIVITY__BACKBONE": "torchvision:s3d"}, "takes at least 5 frames"),
        ({"DATA__NUM_FRAMES": 16, "ACTIVITY__BACKBONE": "torchvision:mvit_v1_b"}, "224 x 224"),
        ({"TRAIN__CHECKPOINT_FILE_PATH": "torchvision:Swin"}, "torchvision:Swin: torchvision has"),
        ({"ACTIVITY__BACKBONE": "Swin3D"}, "no model is named 'Swin3D'"),
        ({"ACTIVITY__BACKBONE": "swin3d_t"}, "did you mean torchvision:swin3d_t"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(changes, words, arguments, tmp_path):
    with pytest.raises(SlowFastExtError, match=words):
        main(arguments(tmp_path / "out", **{**SWIN, **changes}))
    assert not (tmp_path / "out").exists()


def test_another_networks_weights_are_refused(small_swin, arguments, tmp_path):
    state = torchvision.models.get_model("mc3_18", weights=None).state_dict()
    torch.save(state, tmp_path / "mc3_18.pth")
    path = {"TRAIN__CHECKPOINT_FILE_PATH": tmp_path / "mc3_18.pth"}
    with pytest.raises(SlowFastExtError, match="0 of the backbone's 71 tensors match"):
        main(arguments(tmp_path / "out", **SWIN, **path))
    assert not (tmp_path / "out").exists()
