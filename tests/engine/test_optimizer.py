"""Groups of parameters against groups worked out by hand, and main's own for its MViT."""

import math

import pytest
import torch
import torch.nn as nn
import torchvision

from slowfast_ext import upstream
from slowfast_ext.config.defaults import default_config
from slowfast_ext.engine.layer_decay import layer_scales
from slowfast_ext.engine.optimizer import build_optimizer, set_learning_rate
from slowfast_ext.errors import SlowFastExtError


class TokenNetwork(nn.Module):
    """A backbone of two blocks, named as timm's, under a linear head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.pos_embed = nn.Parameter(torch.ones(1, 4, 6))
        self.backbone.patch_embed = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6))
        self.backbone.blocks = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6, bias=False))
        self.backbone.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)


def make_config(method="adamw", **solver):
    cfg = default_config()
    cfg.NUM_GPUS = 0
    cfg.SOLVER.OPTIMIZING_METHOD, cfg.SOLVER.BASE_LR = method, 0.1
    cfg.SOLVER.WEIGHT_DECAY, cfg.BN.WEIGHT_DECAY, cfg.ACTIVITY.LR_MULT = 0.05, 0.001, 10.0
    for name, value in solver.items():
        cfg.SOLVER[name] = value
    return cfg


def table(network, optimizer):
    """Name of a parameter -> (multiple of the learning rate, weight decay)."""
    names = {id(p): name for name, p in network.named_parameters()}
    return {
        names[id(p)]: (group["lr_multiplier"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }


@pytest.mark.parametrize("method", ["sgd", "adam", "adamw"])
def test_groups_of_a_token_network(method):
    network = TokenNetwork()
    cfg = make_config(method, LAYER_DECAY=0.5, ZERO_WD_1D_PARAM=True)
    assert table(network, build_optimizer(cfg, network)) == {
        "backbone.pos_embed": (0.125, 0.05),
        "backbone.patch_embed.0.weight": (0.125, 0.05),
        "backbone.patch_embed.0.bias": (0.125, 0.0),
        "backbone.patch_embed.1.weight": (0.125, 0.001),
        "backbone.patch_embed.1.bias": (0.125, 0.001),
        "backbone.blocks.0.weight": (0.25, 0.05),
        "backbone.blocks.0.bias": (0.25, 0.0),
        "backbone.blocks.1.weight": (0.5, 0.05),
        "backbone.norm.weight": (1.0, 0.0),
        "backbone.norm.bias": (1.0, 0.0),
        "head.weight": (10.0, 0.05),
        "head.bias": (10.0, 0.0),
    }


def test_without_layer_decay_the_backbone_has_one_rate():
    network = TokenNetwork()
    network.backbone.pos_embed.requires_grad_(False)
    found = table(network, build_optimizer(make_config(), network))
    assert "backbone.pos_embed" not in found
    assert {n: v for n, v in found.items() if "patch_embed.1" in n} == {
        "backbone.patch_embed.1.weight": (1.0, 0.001),
        "backbone.patch_embed.1.bias": (1.0, 0.001),
    }
    assert {v for n, v in found.items() if n.startswith("backbone.b")} == {(1.0, 0.05)}
    assert {v for n, v in found.items() if n.startswith("head")} == {(10.0, 0.05)}


def test_what_a_networks_author_exempts_has_no_weight_decay():
    network = TokenNetwork()
    network.backbone.no_weight_decay = lambda: {"pos_embed"}
    found = table(network, build_optimizer(make_config(), network))
    assert found.pop("backbone.pos_embed") == (1.0, 0.0)
    assert 0.0 not in {decay for _, decay in found.values()}


def test_one_step_of_adamw_is_its_equation():
    network = TokenNetwork()
    optimizer = build_optimizer(make_config(LAYER_DECAY=0.5, BETAS=(0.8, 0.9)), network)
    set_learning_rate(optimizer, 0.01)
    block = network.backbone.blocks[0].weight
    before = block.detach().clone()
    gradients = [torch.randn(6, 6) for _ in range(2)]
    first, second = torch.zeros(6, 6), torch.zeros(6, 6)
    for step, gradient in enumerate(gradients, 1):
        block.grad = gradient.clone()
        optimizer.step()
        first, second = 0.8 * first + 0.2 * gradient, 0.9 * second + 0.1 * gradient**2
        scaled = first / (1 - 0.8**step) / ((second / (1 - 0.9**step)).sqrt() + 1e-8)
        before = before - 0.0025 * (0.05 * before + scaled)
    torch.testing.assert_close(block.detach(), before)


def test_a_network_without_blocks_has_no_layers_to_tell_apart():
    network = TokenNetwork()
    network.backbone = nn.Sequential(nn.Linear(6, 6))
    with pytest.raises(SlowFastExtError, match=r"LAYER_DECAY is 0.5: it must be 1.0 .*numbered"):
        build_optimizer(make_config(LAYER_DECAY=0.5), network)


# Tensors in the order of their networks, and the layer of each: below, blocks, above.
NETWORKS = {
    "transformers": {
        "encoder.embeddings.patch_embeddings.proj.weight": 0,
        "encoder.layer.0.mlp.fc1.weight": 1,
        "encoder.layer.1.attention.query.bias": 2,
        "encoder.layernorm.weight": 3,
    },
    "without anything above": {
        "network.embeddings.position_embeddings": 0,
        "network.layers.0.attention.q_proj.weight": 1,
        "network.layers.1.mlp.fc2.bias": 2,
        "network.layers.2.mlp.fc2.bias": 3,
    },
    "timm's Swin": {
        "patch_embed.proj.weight": 0,
        "layers_0.blocks.0.attn.qkv.weight": 1,
        "layers_0.blocks.1.mlp.fc1.weight": 2,
        "layers_1.downsample.norm.weight": 3,
        "layers_1.blocks.0.norm1.weight": 4,
        "norm.weight": 5,
    },
    "two towers": {
        "spatial_embeddings.weight": 0,
        "spatial_encoder.layer.0.mlp.weight": 1,
        "spatial_norm.weight": 1,
        "temporal_embeddings.weight": 1,
        "temporal_encoder.layer.0.mlp.0.weight": 2,
        "temporal_norm.weight": 3,
    },
}


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_by_names(name):
    wanted = NETWORKS[name]
    top = {"timm's Swin": 5, "without anything above": 4}.get(name, 3)
    scales = layer_scales(list(wanted), 0.7)
    assert {n: round(top - math.log(s, 0.7)) for n, s in scales.items()} == wanted


@pytest.mark.parametrize("name, blocks, below", [("swin3d_t", 15, 4), ("mvit_v2_s", 16, 3)])
def test_layers_of_torchvisions_networks(name, blocks, below):
    with torch.device("meta"):
        network = getattr(torchvision.models.video, name)()
    names = [name for name, _ in network.named_parameters()]
    layers = [round(blocks + 1 - math.log(s, 0.5)) for s in layer_scales(names, 0.5).values()]
    # The last norm and the classifier stand above; Swin has three mergings among its blocks.
    assert set(layers) == set(range(blocks + 2))
    assert layers == sorted(layers)
    assert layers.count(0) == below and layers.count(blocks + 1) == 4


@pytest.mark.skipif(not upstream.IS_MAIN, reason="needs GitHub's main of PySlowFast")
def test_mvits_groups_are_mains_own():
    cfg = make_config(LAYER_DECAY=0.75, ZERO_WD_1D_PARAM=True)
    cfg.MVIT.DEPTH, cfg.MVIT.NORM, cfg.MODEL.NUM_CLASSES = 3, "layernorm", 3
    cfg.MVIT.EMBED_DIM, cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE = 8, 4, 32
    cfg.DATA.INPUT_CHANNEL_NUM, cfg.DATA.TEST_CROP_SIZE = [3], 32
    mvit = upstream.model_class("MViT")(cfg)
    theirs = upstream.construct_optimizer(mvit, cfg).param_groups
    wanted = {id(p): (g["layer_decay"], g["weight_decay"]) for g in theirs for p in g["params"]}
    network = nn.Module()
    network.backbone, network.head = mvit, nn.Linear(6, 3)
    found = table(network, build_optimizer(cfg, network))
    for name, parameter in mvit.named_parameters():
        assert found[f"backbone.{name}"] == pytest.approx(wanted[id(parameter)]), name
