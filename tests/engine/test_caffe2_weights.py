"""PySlowFast's Caffe2 files load under PyTorch's names, non-local blocks and fusion included."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast_ext.config.load import load_config
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.weights import load_weights, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork

CONFIGS = Path(__file__).parents[2] / "configs" / "Charades"
# As deep as published, so that every name occurs; narrow, for speed.
OPTIONS = ["NUM_GPUS", "0", "RESNET.WIDTH_PER_GROUP", "8"]

# PyTorch's names -> Caffe2's; <0> and <1> stand for the slow and the fast pathway.
_TO_CAFFE2 = [
    (r"^s1\.pathway(\d)_stem\.conv\.", r"<\1>conv1_"),
    (r"^s1\.pathway(\d)_stem\.bn\.", r"<\1>res_conv1_bn_"),
    (r"^s(\d)\.pathway(\d)_res(\d+)\.branch2\.", r"<\2>res\1_\3_branch2"),
    (r"^s(\d)\.pathway(\d)_res(\d+)\.branch1", r"<\2>res\1_\3_branch1"),
    (r"(branch\w+)\.", r"\1_"),
    (r"^s(\d)\.pathway0_nonlocal(\d+)\.(?:conv_)?(\w+)\.", r"nonlocal_conv\1_\2_\3_"),
    (r"^s1_fuse\.", "t_pool1_subsample."),
    (r"^s2_fuse\.", "t_res2_2_branch2c_bn_subsample."),
    (r"^s3_fuse\.", "t_res3_3_branch2c_bn_subsample."),
    (r"^s4_fuse\.", "t_res4_22_branch2c_bn_subsample."),
    (r"subsample\.(?:conv_f2s)?(bn)?\.", lambda m: f"subsample_{'bn_' if m[1] else ''}"),
    (r"bn_running_mean$", "bn_rm"),
    (r"bn_running_var$", "bn_riv"),
    (r"bn_weight$", "bn_s"),
    (r"_weight$", "_w"),
    (r"_bias$", "_b"),
    (r"^<0>", ""),
    (r"^<1>", "t_"),
]
# Of a published file's kind, one of each.
NAMES = {
    "SLOWFAST_101_ACTIVITY": [
        "conv1_w",
        "t_res_conv1_bn_riv",
        "res4_22_branch2c_bn_s",
        "t_res5_0_branch1_bn_rm",
        "nonlocal_conv4_20_theta_w",
        "nonlocal_conv4_6_bn_s",
        "t_pool1_subsample_w",
        "t_res2_2_branch2c_bn_subsample_bn_b",
    ],
    "NONLOCAL_101_ACTIVITY": ["conv1_w", "nonlocal_conv3_1_out_b", "nonlocal_conv4_5_phi_w"],
}


# LFB's R101 (its repository's resnet_video.py and nonlocal_helper.py): stage -> blocks, channels
# within and behind them, which blocks' first convolution takes 3 frames, non-local blocks.
LFB_STAGES = {
    2: (3, 64, 256, lambda block: True, ()),
    3: (4, 128, 512, lambda block: block % 2 == 0, (1, 3)),
    4: (23, 256, 1024, lambda block: block % 2 == 0, (6, 13, 20)),
    5: (3, 512, 2048, lambda block: block == 1, ()),
}


def lfb_shapes(narrower):
    """The names and shapes of the tensors of such a file, all channels divided by `narrower`."""

    def normalised(name, out, *shape):
        yield f"{name}_w", (out, *shape)
        yield from ((f"{name}_bn_{part}", (out,)) for part in ("s", "b", "rm", "riv"))

    dim = 64 // narrower
    yield "conv1_w", (dim, 3, 5, 7, 7)
    yield from ((f"res_conv1_bn_{part}", (dim,)) for part in ("s", "b", "rm", "riv"))
    for stage, (blocks, inner, out, takes_three, nonlocals) in LFB_STAGES.items():
        inner, out = inner // narrower, out // narrower
        for block in range(blocks):
            name = f"res{stage}_{block}_branch"
            if not block:
                yield from normalised(f"{name}1", out, dim, 1, 1, 1)
            frames = 3 if takes_three(block) else 1
            yield from normalised(f"{name}2a", inner, dim if not block else out, frames, 1, 1)
            yield from normalised(f"{name}2b", inner, inner, 1, 3, 3)
            yield from normalised(f"{name}2c", out, inner, 1, 1, 1)
        for block in nonlocals:
            name, half = f"nonlocal_conv{stage}_{block}", out // 2
            for part in ("theta", "phi", "g"):
                yield f"{name}_{part}_w", (half, out, 1, 1, 1)
                yield f"{name}_{part}_b", (half,)
            yield f"{name}_out_w", (out, half, 1, 1, 1)
            yield f"{name}_out_b", (out,)
            yield from ((f"{name}_bn_{part}", (out,)) for part in ("s", "b", "rm", "riv"))
        dim = out


@pytest.mark.parametrize(("name", "fits"), [("NONLOCAL_101_LFB", True), ("NONLOCAL_101", False)])
def test_lfbs_weights_fit_their_config(name, fits, tmp_path):
    random = np.random.default_rng(0)
    shapes = dict(lfb_shapes(narrower=8))  # As OPTIONS make the network.
    assert len(shapes) == 580
    path = str(tmp_path / "r101_k400_pretrained.pkl")
    blobs = {name: random.random(shape, dtype=np.float32) for name, shape in shapes.items()}
    write_pickle(path, {**blobs, "pred_w": np.zeros((400, 256), np.float32)})
    cfg = load_config(str(CONFIGS / f"{name}.yaml"), OPTIONS)
    network, state = ActivityNetwork(cfg), read_weights(path, "caffe2")["model_state"]
    if fits:
        assert cfg.TRAIN.CHECKPOINT_TYPE == "caffe2"
        assert "580 of the backbone's 580 tensors match" in load_weights(network, path, state)
        found = network.backbone.state_dict()["s4.pathway0_nonlocal20.conv_phi.weight"]
        assert torch.equal(found, torch.from_numpy(blobs["nonlocal_conv4_20_phi_w"]))
    else:
        with pytest.raises(SlowFastExtError, match="544 of the backbone's 580 tensors match"):
            load_weights(network, path, state)


def caffe2_name(name):
    for pattern, replacement in _TO_CAFFE2:
        name = re.sub(pattern, replacement, name)
    return name


def caffe2_blobs(backbone):
    """Other values than the network's, as such a file holds them: with what training leaves."""
    random = np.random.default_rng(0)
    state = {k: v for k, v in backbone.state_dict().items() if "num_batches" not in k}
    blobs = {
        caffe2_name(k): random.random(tuple(v.shape), dtype=np.float32) for k, v in state.items()
    }
    assert len(blobs) == len(state)
    momentum = {f"{name}_momentum": np.zeros_like(value) for name, value in blobs.items()}
    progress = {"lr": np.array([0.1], np.float32), "model_iter": np.array([9], np.int64)}
    classifier = {"pred_w": np.zeros((400, 3), np.float32), "pred_b": np.zeros(400, np.float32)}
    return state, {**blobs, **momentum, **progress, **classifier}


def write_pickle(path, blobs):
    with open(path, "wb") as stream:
        pickle.dump({"blobs": blobs}, stream, protocol=2)


@pytest.fixture(params=NAMES)
def config(request):
    return request.param


@pytest.fixture
def network(config):
    return ActivityNetwork(checked_config(str(CONFIGS / f"{config}.yaml"), OPTIONS))


def test_every_tensor_finds_its_place(config, network, tmp_path):
    state, blobs = caffe2_blobs(network.backbone)
    assert set(NAMES[config]) <= set(blobs)
    path = str(tmp_path / "weights.pkl")
    write_pickle(path, blobs)
    load_weights(network, path, read_weights(path, "caffe2")["model_state"])
    loaded = network.backbone.state_dict()
    for name in state:
        assert torch.equal(loaded[name], torch.from_numpy(blobs[caffe2_name(name)])), name


def test_a_file_without_two_stages_is_refused(network, tmp_path):
    _, blobs = caffe2_blobs(network.backbone)
    path = str(tmp_path / "weights.pkl")
    write_pickle(path, {k: v for k, v in blobs.items() if not k.startswith(("res5", "res4"))})
    with pytest.raises(SlowFastExtError, match="of the backbone's .* tensors match"):
        load_weights(network, path, read_weights(path, "caffe2")["model_state"])
