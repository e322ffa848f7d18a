"""A source of one's own, the clips that a backbone takes, strides and what is cut out by them."""

import dataclasses
import re

import pytest
import torch
import torch.nn as nn

from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.models.backbones import ShapesAlone, contract, source_of_prefix, spatial_stride
from tests.helpers import CONFIGS, SHALLOW

AVA = str(CONFIGS / "AVA" / "SLOWFAST_101.yaml")
FACTS = contract.InputFacts((0.5,) * 3, (0.25,) * 3, num_frames=4, size=144)


class Patches(contract.Backbone):
    """Each patch's mean colour: a map whose columns are known."""

    def features(self, clip):
        return self.network(clip)


class PatchSource(contract.BackboneSource):
    """`patches:N`: patches of N x N pixels, one frame each."""

    def facts(self, cfg, name):
        size = int(name)
        return dataclasses.replace(FACTS, size_multiple=size, size=8 * size)

    def build(self, cfg, name):
        patch = (1, int(name), int(name))
        network = nn.Conv3d(3, 3, patch, patch, groups=3, bias=False)
        nn.init.constant_(network.weight, 1 / int(name) ** 2)
        return Patches(f"patches:{name}", self.facts(cfg, name), network)


@pytest.fixture
def patches(monkeypatch):
    known = dict(contract.BACKBONE_SOURCES._obj_map)
    monkeypatch.setattr(contract.BACKBONE_SOURCES, "_obj_map", known)
    contract.register_source("patches")(PatchSource)


def config(size, *options):
    words = ["ACTIVITY.BACKBONE", f"patches:{size}", "ACTIVITY.HEAD", "RoIPoolHead"]
    words += ["MODEL.NUM_CLASSES", "3", "NUM_GPUS", "0", "AVA.TEST_CROP", "centre"]
    words += ["MODEL.MODEL_NAME", "ActivityNetwork", "MODEL.HEAD_ACT", "sigmoid"]
    words += ["MODEL.LOSS_FUNC", "bce", "DETECTION.ENABLE", "True"]
    words += ["TRAIN.DATASET", "Ava", "TEST.DATASET", "Ava"]
    return checked_config(None, [*words, *options])


@pytest.mark.parametrize("size", [14, 16, 18, 32])
@torch.no_grad()
def test_a_box_around_a_painted_patch_gets_its_column(size, patches):
    cfg = config(size)
    assert size == cfg.DETECTION.SPATIAL_SCALE_FACTOR
    network = ActivityNetwork(cfg).eval()
    clip = torch.randn(2, 3, 4, 8 * size, 8 * size)
    for row, column in ((2, 5), (0, 0), (7, 7), (3, 7)):
        clip[1, :, :, row * size :, column * size :][..., :size, :size] = 3.0
        box = [1.0, column * size, row * size, (column + 1) * size, (row + 1) * size]
        features = network.features([clip])
        region = network.regions(features, torch.tensor([box]))
        wanted = features[1, :, :, row, column]
        torch.testing.assert_close(wanted, torch.full((3, 4), 3.0), atol=1e-5, rtol=0)
        # The region's middle lies in the patch's middle, its border between patches.
        torch.testing.assert_close(region[0, :, :, 3, 3], wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("factor", [16, 32])
def test_a_factor_that_is_not_the_maps_is_refused(factor, patches):
    with pytest.raises(SlowFastExtError, match=f"FACTOR is {factor}: it must be 18, the stride of"):
        config(18, "DETECTION.SPATIAL_SCALE_FACTOR", factor)


def test_upstreams_networks_have_their_own_stride(shallow):
    words = ["NUM_GPUS", "0", "RESNET.DEPTH", "50"]
    words += [word for pair in SHALLOW.items() for word in pair]
    words += ["NONLOCAL.LOCATION", "[[[], []], [[], []], [[], []], [[], []]]"]
    cfg = checked_config(AVA, words)
    assert cfg.DETECTION.SPATIAL_SCALE_FACTOR == 16
    strides = ["RESNET.SPATIAL_STRIDES", "[[1, 1], [2, 2], [2, 2], [2, 2]]"]
    strides += ["RESNET.SPATIAL_DILATIONS", "[[1, 1], [1, 1], [1, 1], [1, 1]]"]
    assert checked_config(AVA, [*words, *strides]).DETECTION.SPATIAL_SCALE_FACTOR == 32
    with pytest.raises(SlowFastExtError, match="must be 32, the stride of the map of SlowFast"):
        checked_config(AVA, [*words, *strides, "DETECTION.SPATIAL_SCALE_FACTOR", "16"])


def test_a_stride_is_that_of_the_network_and_not_of_one_size(patches):
    cfg = config(32)
    cfg.DATA.TRAIN_CROP_SIZE = 96
    backbone = nn.Conv3d(3, 3, 3, stride=(1, 32, 32), padding=1)
    wrapped = Patches("x", FACTS, backbone)
    cfg.DATA.TRAIN_CROP_SIZE = 100  # Gives 4 columns, each of 25 pixels by division.
    assert spatial_stride(cfg, wrapped) == 32


class OneSize(nn.Conv3d):
    """A network of one's own that takes one size and does not say so."""

    def forward(self, pathways):
        assert pathways[0].shape[-1] == 96
        return [super().forward(pathways[0])]


def test_the_stride_of_a_network_that_takes_one_size(patches):
    cfg = config(32)
    cfg.DATA.TRAIN_CROP_SIZE = 96
    assert spatial_stride(cfg, OneSize(3, 3, (1, 16, 16), (1, 16, 16))) == 16


@pytest.mark.parametrize(
    "facts,clip,words",
    [
        ({"fixed_num_frames": True}, (5, 144, 144), "4 frames alone: set DATA.NUM_FRAMES to 4"),
        ({"min_frames": 3}, (2, 144, 144), "at least 3 frames: set DATA.NUM_FRAMES"),
        ({"frame_multiple": 2}, (17, 144, 144), "a multiple of 2 frames: set DATA.NUM_FRAMES"),
        ({"fixed_size": True}, (4, 144, 160), "144 x 144 pixels alone: set DATA.TRAIN_CROP_SIZE"),
        ({"square_only": True}, (4, 144, 160), "squares alone: leave TEST.WHOLE_FRAME False"),
        ({"size_multiple": 16}, (4, 144, 150), "multiples of 16 pixels: set DATA.TRAIN_CROP_SIZE"),
    ],
)
def test_a_clip_that_the_network_does_not_take_is_refused(facts, clip, words):
    backbone = Patches("x:y", dataclasses.replace(FACTS, **facts), nn.Identity())
    assert backbone([torch.zeros(1, 3, 4, 144, 144)])
    sizes = f"a clip of {clip[0]} frames of {clip[1]} x {clip[2]} pixels: it takes {words}"
    with pytest.raises(SlowFastExtError, match=f"ACTIVITY.BACKBONE x:y does not take {sizes}"):
        backbone([torch.zeros(1, 3, *clip)])


@pytest.mark.parametrize(
    "options,words",
    [
        (["DATA.TEST_CROP_SIZE", "100"], "100 x 100 pixels: it takes multiples of 16"),
        (["AVA.TEST_CROP", "full"], "AVA.TEST_CROP is 'full': it must be square or centre for"),
        (["MODEL.ARCH", "slowfast"], "MODEL.ARCH is 'slowfast': it must be left out, or c2d"),
        (["TRAIN.DATASET", "Volleyball", "TEST.DATASET", "Volleyball"], "Volleyball's are whole"),
        (["DATA.INPUT_CHANNEL_NUM", "[3, 3]"], r"it must be \[3\] for MODEL.ARCH c2d"),
    ],
)
def test_what_contradicts_the_network_is_refused(options, words, patches):
    with pytest.raises(SlowFastExtError, match=words):
        config(16, *options)


def test_the_input_is_the_networks_where_the_config_leaves_it_open(patches):
    cfg = config(18)
    data = cfg.DATA
    assert (data.MEAN, data.STD, data.INPUT_CHANNEL_NUM) == ([0.5] * 3, [0.25] * 3, [3])
    assert (data.NUM_FRAMES, data.TRAIN_CROP_SIZE, data.TEST_CROP_SIZE) == (4, 144, 144)
    assert data.TRAIN_JITTER_SCALES == [165, 206] and cfg.MODEL.ARCH == "c2d"
    assert not cfg.AVA.BGR and not data.REVERSE_INPUT_CHANNEL
    data = config(18, "DATA.NUM_FRAMES", "6", "DATA.TRAIN_CROP_SIZE", "36").DATA
    assert (data.NUM_FRAMES, data.TRAIN_CROP_SIZE, data.TEST_CROP_SIZE) == (6, 36, 144)
    assert data.TRAIN_JITTER_SCALES == [41, 51]


@pytest.mark.parametrize(
    "key,value,words",
    [
        ("DATA.MEAN", "[0.45, 0.45, 0.45]", r"DATA.MEAN is \[0.45.*patches:16 expect \[0.5, 0.5"),
        ("DATA.STD", "[0.225, 0.225, 0.225]", r"DATA.STD is \[0.225.*expect \[0.25, 0.25"),
        ("AVA.BGR", "True", "the network is given BGR, and the weights of patches:16 expect RGB"),
    ],
)
def test_other_colours_than_the_weights_expect_are_warned_of(key, value, words, patches, caplog):
    config(16, "TRAIN.DATASET", "Ava")
    assert not caplog.records
    cfg = config(16, "TRAIN.DATASET", "Ava", key, value)
    assert len(caplog.records) == 1
    assert re.search(words, caplog.text)
    section, name = key.split(".")
    assert str(cfg[section][name]) == value


@pytest.mark.parametrize(
    "name,words",
    [
        ("torchvison:r3d_18", "no source is named 'torchvison'.*did you mean torchvision"),
        ("ActivityNetwork", "it gives no map"),
        ("CSN", "ACTIVITY.STAGE is 2: CSN gives the maps of 0, the last map"),
    ],
)
def test_an_unknown_backbone_is_refused(name, words):
    stage = ["ACTIVITY.STAGE", "2"] if name == "CSN" else []
    with pytest.raises(SlowFastExtError, match=words):
        checked_config(AVA, ["NUM_GPUS", "0", "ACTIVITY.BACKBONE", name, *stage])


def test_an_extra_that_is_not_installed_is_named():
    advice = r"pip install --upgrade 'slowfast-ext\[timm\]'"
    with pytest.raises(SlowFastExtError, match=f"needs timm, which is not installed: {advice}"):
        contract.require_extra("timm", ModuleNotFoundError(name="timm"))
    with pytest.raises(SlowFastExtError, match=rf"cannot be imported \(too old\): {advice}"):
        contract.require_extra("timm", ImportError("too\nold"))
    assert source_of_prefix("nothing") is None


def test_batch_norm_that_is_left_out_fits_the_map():
    """What it is left out for is its shape; a network that could not run is still refused."""
    features = torch.empty(2, 3, 1, 4, 4, device="meta")
    for norm in (nn.BatchNorm3d(3), nn.SyncBatchNorm(3), nn.BatchNorm3d(3, affine=False)):
        norm = norm.eval().to("meta")
        with ShapesAlone():
            assert norm(features).shape == norm(features[:, :3]).shape == features.shape
    with ShapesAlone(), pytest.raises((RuntimeError, ValueError)):
        nn.BatchNorm3d(4, device="meta").eval()(features)
