"""torchvision's networks: their own logits from our maps, the order of the axes, their input."""

import pytest
import torch
import torchvision
from torchvision.models.video import mvit

from slowfast_ext.config import load_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones import (
    build_backbone,
    input_facts,
    map_shape,
    spatial_stride,
)

# Name: the clip, T x H x W, that it is tried with.
CLIPS = {
    "r3d_18": (8, 32, 48),
    "mc3_18": (4, 32, 48),
    "r2plus1d_18": (8, 32, 48),
    "s3d": (16, 64, 96),
    "swin3d_t": (4, 64, 96),
    "swin3d_s": (2, 32, 64),
    "swin3d_b": (2, 32, 64),
    "mvit_v1_b": (8, 64, 64),
    "mvit_v2_s": (8, 64, 64),
}
CLASSIFIERS = {
    "VideoResNet": lambda source, features: source.fc(source.avgpool(features).flatten(1)),
    "S3D": lambda source, features: source.classifier(source.avgpool(features)).mean((2, 3, 4)),
    "SwinTransformer3d": lambda source, features: source.head(source.avgpool(features).flatten(1)),
}


@pytest.fixture
def small_mvit(monkeypatch):
    """torchvision's builders of MViT at 8 x 64 x 64, which they are not told from outside."""
    build = mvit._mvit

    def small(*args, **options):
        return build(*args, **{**options, "spatial_size": (64, 64), "temporal_size": 8})

    monkeypatch.setattr(mvit, "_mvit", small)


def config(name, *options):
    words = ["ACTIVITY.BACKBONE", f"torchvision:{name}", "MODEL.ARCH", "c2d", *options]
    return load_config(None, words)


def pair(name):
    """The library's network and our backbone with its weights, in evaluation."""
    torch.manual_seed(0)
    source = torchvision.models.get_model(name, weights=None).eval()
    with torch.device("meta"):
        backbone = build_backbone(config(name)).eval()
    # The two share their tensors.
    backbone.network.load_state_dict(source.state_dict(), strict=False, assign=True)
    if name == "s3d":  # Its features would vanish without statistics as after training.
        for module in backbone.modules():
            if isinstance(module, torch.nn.BatchNorm3d):
                module.momentum = 1.0
        backbone.train().features(torch.randn(2, 3, *CLIPS[name]))
    return source, backbone.eval()


@pytest.mark.parametrize("name", [name for name in CLIPS if "mvit" not in name])
@torch.no_grad()
def test_the_sources_classifier_on_our_map_gives_its_logits(name):
    source, backbone = pair(name)
    clip = torch.randn(1, 3, *CLIPS[name])
    if name == "s3d":  # Its own pooling needs a map of 7 x 7.
        source.avgpool.kernel_size = (1, 2, 3)
    (features,) = backbone([clip])
    got = CLASSIFIERS[type(source).__name__](source, features)
    torch.testing.assert_close(got, source(clip), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["mvit_v1_b", "mvit_v2_s"])
@torch.no_grad()
def test_mvits_map_is_its_tokens_beside_the_one_that_it_classifies(name, small_mvit):
    source, backbone = pair(name)
    seen = []
    source.norm.register_forward_hook(lambda module, given, tokens: seen.append(tokens))
    clip = torch.randn(1, 3, *CLIPS[name])
    logits = source(clip)
    torch.testing.assert_close(source.head(seen[0][:, 0]), logits, atol=1e-5, rtol=0)
    features = backbone.features(clip)
    assert features.shape == (1, 768, 4, 2, 2)
    wanted = seen[0][:, 1:].transpose(1, 2)
    torch.testing.assert_close(features.flatten(2), wanted, atol=1e-5, rtol=0)


# A column (t, h, w), the strides, where its cell of the clip starts, and the clip, T x H x W. The
# convolutions' columns look at the first pixel of a stride, or near it, and patches at theirs.
PAINTED = {
    "r3d_18": ((1, 1, 3), (8, 16, 16), (-4, -8, -8), (16, 32, 64)),
    "mc3_18": ((2, 1, 3), (1, 16, 16), (0, -8, -8), (4, 32, 64)),
    "r2plus1d_18": ((1, 1, 3), (8, 16, 16), (-4, -8, -8), (16, 32, 64)),
    "s3d": ((1, 1, 1), (8, 32, 32), (-2, -8, -8), (24, 96, 96)),
    "swin3d_t": ((3, 0, 2), (2, 32, 32), (0, 0, 0), (8, 64, 96)),
    "mvit_v1_b": ((2, 5, 9), (2, 4, 4), (0, 0, 0), (8, 64, 64)),
    "mvit_v2_s": ((1, 7, 3), (2, 4, 4), (0, 0, 0), (8, 64, 64)),
}


@pytest.mark.parametrize("name", PAINTED)
@torch.no_grad()
def test_a_painted_cell_changes_its_own_column_most(name, small_mvit):
    column, strides, shifts, size = PAINTED[name]
    _, backbone = pair(name)
    if "mvit" in name:  # Sixteen blocks of random attention have forgotten the place.
        network = backbone.network
        network.blocks, network.norm = network.blocks[:1], torch.nn.Identity()
    clips = torch.randn(3, 3, *size)
    painted, cell = clips.clone(), [slice(None)] * 2
    for place, stride, shift in zip(column, strides, shifts, strict=True):
        cell.append(slice(place * stride + shift, (place + 1) * stride + shift))
    painted[tuple(cell)] = 5.0
    change = (backbone.features(painted) - backbone.features(clips)).norm(dim=1).mean(0)
    place = torch.unravel_index(change.argmax(), change.shape)
    assert tuple(map(int, place)) == column


@pytest.mark.parametrize(
    "name,channels,frames,side,stride",
    [
        ("r3d_18", 512, 2, 7, 16),
        ("mc3_18", 512, 16, 7, 16),
        ("r2plus1d_18", 512, 2, 7, 16),
        ("s3d", 1024, 16, 7, 32),
        ("swin3d_t", 768, 16, 7, 32),
        ("swin3d_s", 768, 16, 7, 32),
        ("swin3d_b", 1024, 16, 7, 32),
        ("mvit_v1_b", 768, 8, 7, 32),
        ("mvit_v2_s", 768, 8, 7, 32),
    ],
)
def test_maps_at_their_own_size(name, channels, frames, side, stride):
    cfg = config(name)
    facts = input_facts(cfg)
    cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE = facts.num_frames, facts.size
    with torch.device("meta"):
        backbone = build_backbone(cfg)
    shape = map_shape(cfg, backbone)
    assert shape[:4] == (channels, frames, side, side)
    assert shape.frame_stride == facts.num_frames / frames
    assert spatial_stride(cfg, backbone) == stride


@pytest.mark.parametrize(
    "name,stage,channels,stride",
    [("swin3d_t", 3, 384, 16), ("r3d_18", 3, 256, 8), ("r3d_18", 2, 128, 4), ("s3d", 4, 832, 16)],
)
def test_an_earlier_stage(name, stage, channels, stride):
    cfg = config(name, "ACTIVITY.STAGE", stage, "DATA.TRAIN_CROP_SIZE", 100)
    with torch.device("meta"):
        backbone = build_backbone(cfg)
    assert map_shape(cfg, backbone).channels == channels
    assert spatial_stride(cfg, backbone) == stride
    # What lies behind the stage would take no part in training.
    clip = torch.randn(1, 3, 8, 32, 32)
    backbone = build_backbone(cfg)
    backbone([clip])[0].sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@pytest.mark.parametrize(
    "name,mean,frames,size",
    [
        ("r2plus1d_18", (0.43216, 0.394666, 0.37645), 16, 112),
        ("s3d", (0.43216, 0.394666, 0.37645), 128, 224),
        ("swin3d_b", (0.485, 0.456, 0.406), 32, 224),
        ("mvit_v2_s", (0.45, 0.45, 0.45), 16, 224),
    ],
)
def test_the_input_is_that_of_the_published_weights(name, mean, frames, size):
    facts = input_facts(config(name))
    preset = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    assert facts.mean == tuple(preset.mean) == mean
    assert facts.std == tuple(preset.std)
    assert (facts.num_frames, facts.size) == (frames, preset.crop_size[0]) == (frames, size)
    # A white frame after the project's normalisation is what the preset makes of it.
    white = torch.full((1, 2, 3, 240, 320), 255, dtype=torch.uint8)
    ours = (255 - 255 * torch.tensor(facts.mean)) / (255 * torch.tensor(facts.std))
    torch.testing.assert_close(preset(white)[0, :, 0, 0, 0], ours)


@pytest.mark.parametrize("name", ["r3d_18", "s3d", "swin3d_t"])
@torch.no_grad()
def test_other_sizes_are_taken_as_they_are(name):
    backbone = build_backbone(config(name)).eval()
    for size in ((6, 40, 72), (5, 32, 48)):
        (features,) = backbone([torch.randn(1, 3, *size)])
        assert features.isfinite().all()


@pytest.mark.parametrize(
    "size,words",
    [
        ((8, 224, 224), "takes 16 frames alone: set DATA.NUM_FRAMES to 16"),
        ((17, 224, 224), "takes 16 frames alone: set DATA.NUM_FRAMES to 16"),
        ((16, 160, 160), "takes 224 x 224 pixels alone: set DATA.TRAIN_CROP_SIZE"),
        ((16, 224, 256), "takes 224 x 224 pixels alone: set DATA.TRAIN_CROP_SIZE"),
    ],
)
def test_mvit_says_which_clips_it_takes(size, words):
    with torch.device("meta"):
        backbone = build_backbone(config("mvit_v1_b"))
        with pytest.raises(SlowFastExtError, match=words):
            backbone([torch.empty(1, 3, *size)])


def test_s3d_says_how_many_frames_it_needs():
    with torch.device("meta"):
        backbone = build_backbone(config("s3d"))
        assert backbone([torch.empty(1, 3, 5, 64, 64)])[0].shape[2] == 1
        with pytest.raises(SlowFastExtError, match="takes at least 5 frames"):
            backbone([torch.empty(1, 3, 4, 64, 64)])


@pytest.mark.parametrize("name", ["swin3d_t", "mvit_v2_s"])
def test_stochastic_depth_rises_to_its_rate(name):
    with torch.device("meta"):
        backbone = build_backbone(config(name, "MODEL.DROPCONNECT_RATE", 0.3))
        rates = [m.p for m in backbone.modules() if isinstance(m, torchvision.ops.StochasticDepth)]
        known = torchvision.models.get_model(name, weights=None)
    default = [m.p for m in known.modules() if isinstance(m, torchvision.ops.StochasticDepth)]
    assert rates == pytest.approx([rate * 0.3 / default[-1] for rate in default])
    assert rates[0] == 0 and rates[-1] == 0.3


@pytest.mark.parametrize(
    "name,stage,words",
    [
        ("swin4d_t", 0, "did you mean swin3d_t"),
        ("swin3d_t", 5, "ACTIVITY.STAGE is 5: torchvision:swin3d_t gives the maps of 1..4"),
        ("mvit_v1_b", 2, "gives the maps of 0, the last map"),
    ],
)
def test_what_there_is_not_is_refused(name, stage, words):
    with pytest.raises(SlowFastExtError, match=words), torch.device("meta"):
        build_backbone(config(name, "ACTIVITY.STAGE", stage))
