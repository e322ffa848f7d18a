"""The meta-architecture over upstream's backbones."""

import os
from pathlib import Path

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.models.backbones import map_shape

CONFIGS = Path(__file__).parents[2] / "configs" / "Synthetic"
SLOWFAST = ["NUM_GPUS", "0", "MODEL.NUM_CLASSES", "5"]
SINGLE = [
    *SLOWFAST,
    *("DATA.INPUT_CHANNEL_NUM", "[3]"),
    *("RESNET.SPATIAL_STRIDES", "[[1],[2],[2],[2]]"),
    *("RESNET.SPATIAL_DILATIONS", "[[1],[1],[1],[1]]"),
    *("RESNET.NUM_BLOCK_TEMP_KERNEL", "[[3],[4],[6],[3]]"),
    *("NONLOCAL.LOCATION", "[[[]],[[]],[[]],[[]]]"),
    *("NONLOCAL.GROUP", "[[1],[1],[1],[1]]"),
    *("NONLOCAL.POOL", "[[[1,2,2]],[[1,2,2]],[[1,2,2]],[[1,2,2]]]"),
]
NON_LOCAL = ["NONLOCAL.LOCATION", "[[[]],[[1]],[[1]],[[]]]"]


def make_network(*options):
    cfg = checked_config(str(CONFIGS / "ACTIVITY_SLOWFAST.yaml"), options)
    torch.manual_seed(0)
    return cfg, ActivityNetwork(cfg)


def clip_of(cfg, size=64, batch=2):
    torch.manual_seed(1)
    frames = torch.randn(batch, 3, cfg.DATA.NUM_FRAMES, size, size)
    packed = [upstream.pack_pathways(cfg, clip) for clip in frames]
    return [torch.stack(pathway) for pathway in zip(*packed, strict=True)]


@pytest.mark.parametrize(
    "options",
    [
        SLOWFAST,
        [*SINGLE, "MODEL.ARCH", "i3d"],
        [*SINGLE, "MODEL.ARCH", "i3d", *NON_LOCAL],
        [*SINGLE, "MODEL.ARCH", "c2d"],
        [*SINGLE, "MODEL.ARCH", "slow" if upstream.IS_MAIN else "slowonly"],
    ],
)
def test_every_backbone_feeds_the_head(options):
    cfg, network = make_network(*options)
    inputs = clip_of(cfg)
    features = network.features(inputs)
    assert features.shape[1] == map_shape(cfg, network.backbone).channels
    assert [output.shape for output in network(inputs)] == [(2, 5), (2, 5)]
    probabilities = network.eval()(inputs)
    assert probabilities.shape == (2, 5)
    assert ((probabilities > 0) & (probabilities < 1)).all()


def test_the_given_list_is_left_as_it_is():
    cfg, network = make_network(*SLOWFAST)
    inputs = clip_of(cfg)
    copies = [pathway.clone() for pathway in inputs]
    network(inputs)
    assert len(inputs) == 2
    for pathway, copy in zip(inputs, copies, strict=True):
        assert torch.equal(pathway, copy)


def test_frozen_backbone_has_no_graph_and_keeps_its_statistics():
    cfg, network = make_network(*SLOWFAST)
    network.freeze_backbone()
    network.train()
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    inputs = clip_of(cfg)
    features = network.features(inputs)
    assert not features.requires_grad and features.grad_fn is None
    sum(output.sum() for output in network(inputs)).backward()
    assert all(p.grad is None for p in network.backbone.parameters())
    assert all(p.grad is not None for p in network.head.parameters())
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_frozen_batch_norm_stays_in_evaluation():
    _, network = make_network(*SLOWFAST, "MODEL.FROZEN_BN", "True")
    network.train()
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert norms and not any(norm.training for norm in norms)
    assert network.head.training


def test_features_are_those_of_upstreams_own_network():
    """The same weights in upstream's complete network give the same pooled prediction."""
    cfg, network = make_network(
        *(*SLOWFAST, "ACTIVITY.HEAD", "PoolHead", "DATA.TRAIN_CROP_SIZE", "64"),
        *("RESNET.SPATIAL_STRIDES", "[[1,1],[2,2],[2,2],[2,2]]"),
    )
    if not upstream.IS_MAIN:
        cfg.DATA.CROP_SIZE = 64
    theirs = upstream.model_class("SlowFast")(cfg)
    renamed = {n.removeprefix("backbone."): v for n, v in network.state_dict().items()}
    theirs.load_state_dict(renamed)
    inputs = clip_of(cfg)
    network.train(), theirs.train()
    network.head.eval(), theirs.head.dropout.eval()
    logits = network.head.projection(network.features(inputs).mean((2, 3, 4)))
    torch.testing.assert_close(logits, theirs(list(inputs)), atol=1e-5, rtol=1e-5)


def main_config(name):
    """A stock file of GitHub's main, where SLOWFAST_MAIN or PYTHONPATH brings it."""
    if not upstream.IS_MAIN:
        pytest.skip("needs GitHub's main of PySlowFast")
    import slowfast

    path = Path(os.path.dirname(slowfast.__file__)).parent / "configs" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return str(path)


def test_the_stock_charades_file_becomes_ours():
    path = main_config("Charades/SLOWFAST_16x8_R50.yaml")
    words = ["MODEL.MODEL_NAME", "ActivityNetwork", "NUM_GPUS", "0", "BN.NORM_TYPE", "batchnorm"]
    cfg = checked_config(path, words)
    head = ActivityNetwork(cfg).head
    assert type(head).__name__ == "ActivityHead"
    parts = (head.observations.alpha, head.observations.attention, head.activity_features)
    assert sum(p.numel() for part in parts for p in part.parameters()) == 1_789_568
    assert head.activity_features.queries.shape == (157, 128)


class Thin(torch.nn.Module):
    """A backbone of a user's own; `head` gets the list of its last maps."""

    def __init__(self, cfg):
        super().__init__()
        self.convolution = torch.nn.Conv3d(3, 12, 3, stride=2)
        self.norm = torch.nn.BatchNorm3d(12)
        self.head = torch.nn.Identity()

    def forward(self, inputs):
        return self.head([self.norm(self.convolution(inputs[-1]))])


@pytest.mark.parametrize("groups,sentence", [("4", None), ("8", "divide the backbone's 12 chan")])
def test_a_backbone_of_ones_own(groups, sentence, monkeypatch):
    monkeypatch.setattr(upstream, "model_class", lambda name: Thin)
    options = [*SINGLE, "MODEL.ARCH", "c2d", "ACTIVITY.BACKBONE", "Thin"]
    options += ["ACTIVITY.GROUPS", groups]
    if sentence:
        with pytest.raises(SlowFastExtError, match=sentence):
            make_network(*options)
        return
    cfg, network = make_network(*options)
    assert map_shape(cfg, network.backbone).channels == 12
    # Measuring leaves no trace.
    assert network.backbone.training and network.backbone.norm.num_batches_tracked == 0
    assert [output.shape for output in network(clip_of(cfg))] == [(2, 5), (2, 5)]


@pytest.mark.parametrize(
    "name,backbone,channels",
    [
        ("Kinetics/X3D_XS.yaml", "", 192),
        ("Kinetics/pytorchvideo/CSN_32x2_R101.yaml", "PTVCSN", 2048),
    ],
)
def test_mains_further_backbones(name, backbone, channels):
    words = ["MODEL.MODEL_NAME", "ActivityNetwork", "NUM_GPUS", "0", "BN.NORM_TYPE", "batchnorm"]
    words += ["ACTIVITY.BACKBONE", backbone] if backbone else []
    cfg = checked_config(main_config(name), words)
    network = ActivityNetwork(cfg).eval()
    assert map_shape(cfg, network.backbone).channels == channels
    with torch.no_grad():
        inputs = [torch.randn(1, 3, cfg.DATA.NUM_FRAMES, 64, 64)]
        assert network.features(inputs).shape[1] == channels
        assert network(inputs).shape == (1, cfg.MODEL.NUM_CLASSES)
