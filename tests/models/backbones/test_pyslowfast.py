"""GitHub main's further networks, and what of upstream gives no map."""

import copy
import functools
import os
from pathlib import Path

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.models.backbones import build_backbone, input_facts, map_shape, spatial_stride

WORDS = ["MODEL.MODEL_NAME", "ActivityNetwork", "NUM_GPUS", "0", "BN.NORM_TYPE", "batchnorm"]
MVIT = [*WORDS, "MODEL.LOSS_FUNC", "bce", "MODEL.HEAD_ACT", "sigmoid"]
MVIT += ["DATA.NUM_FRAMES", "4", "MVIT.DROPPATH_RATE", "0.0"]
MVIT += ["DATA.TRAIN_CROP_SIZE", "64", "DATA.TEST_CROP_SIZE", "64", "MODEL.NUM_CLASSES", "5"]
MVIT += ["DATA.TRAIN_JITTER_SCALES", "[64, 80]", "MODEL.DROPOUT_RATE", "0.0"]
MVIT += ["TRAIN.DATASET", "MultiLabelVideos", "TEST.DATASET", "MultiLabelVideos"]


def main_config(name, words):
    """A stock file of GitHub's main, where SLOWFAST_MAIN or PYTHONPATH brings it."""
    if not upstream.IS_MAIN:
        pytest.skip("needs GitHub's main of PySlowFast")
    import slowfast

    path = Path(os.path.dirname(slowfast.__file__)).parent / "configs" / "Kinetics" / name
    if not path.exists():
        pytest.skip(f"no {path}")
    return checked_config(str(path), words)


def mvit(*words):
    return main_config("MVIT_B_16x4_CONV.yaml", [*MVIT, *words])


def with_weights_of(theirs, cfg):
    backbone = build_backbone(cfg).eval()
    backbone.load_state_dict(theirs.state_dict(), strict=False)
    return backbone


@pytest.mark.parametrize("has_class_token", [True, False])
@torch.no_grad()
def test_mvits_map_gives_its_own_logits(has_class_token):
    cfg = mvit("MVIT.CLS_EMBED_ON", has_class_token)
    torch.manual_seed(0)
    theirs = upstream.model_class("MViT")(cfg).eval()
    theirs.head.act, tokens = torch.nn.Identity(), []
    theirs.norm.register_forward_hook(lambda module, given, output: tokens.append(output))
    clip = torch.randn(2, 3, 4, 64, 64)
    logits = theirs([clip])
    (features,) = with_weights_of(theirs, cfg)([clip])
    assert features.shape == (2, 768, 2, 2, 2)
    # The class token, or the mean of all others.
    pooled = tokens[0][:, 0] if has_class_token else features.mean((2, 3, 4))
    torch.testing.assert_close(theirs.head.projection(pooled), logits, atol=1e-5, rtol=0)
    wanted = tokens[0][:, 1:] if has_class_token else tokens[0]
    torch.testing.assert_close(features.flatten(2), wanted.transpose(1, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize("has_class_token", [True, False])
@torch.no_grad()
def test_the_map_of_pytorchvideos_mvit_is_its_tokens(has_class_token):
    options = ["MVIT.CLS_EMBED_ON", has_class_token, "ACTIVITY.BACKBONE", "PTVMViT"]
    cfg = main_config("pytorchvideo/MVIT_B_16x4_CONV.yaml", [*MVIT, *options])
    torch.manual_seed(0)
    cfg.MVIT.POOL_KV_STRIDE = None  # pytorchvideo refuses main's own default.
    theirs = upstream.model_class("PTVMViT")(cfg).eval()
    cfg.MVIT.POOL_KV_STRIDE = []
    tokens, clip = [], torch.randn(2, 3, 4, 64, 64)
    theirs.model.norm_embed.register_forward_hook(lambda module, given, out: tokens.append(out))
    theirs([clip])
    backbone = build_backbone(cfg).eval()
    _, left_out = backbone.load_state_dict(theirs.state_dict(), strict=False)
    assert left_out and all(name.startswith("model.head.") for name in left_out)
    (features,) = backbone([clip])
    assert features.shape == (2, 768, 2, 2, 2) and input_facts(cfg).fixed_num_frames
    wanted = tokens[0][:, 1:] if has_class_token else tokens[0]
    torch.testing.assert_close(features.flatten(2).transpose(1, 2), wanted, atol=1e-5, rtol=0)
    with pytest.raises(SlowFastExtError, match="PTVMViT does not take .* 64 x 64 pixels alone"):
        backbone([torch.randn(1, 3, 4, 64, 96)])


def test_mvit_takes_clips_of_its_own_size_alone():
    cfg = mvit()
    network = ActivityNetwork(cfg).eval()
    assert input_facts(cfg).fixed_size and spatial_stride(cfg, network.backbone) == 32
    with torch.no_grad():
        assert network([torch.randn(1, 3, 4, 64, 64)]).shape == (1, 5)
    with pytest.raises(SlowFastExtError, match="MViT does not take .* 64 x 64 pixels alone"):
        network([torch.randn(1, 3, 4, 64, 96)])
    with pytest.raises(SlowFastExtError, match="80 x 80 pixels: it takes 64 x 64 pixels alone"):
        mvit("DATA.TEST_CROP_SIZE", "80")
    with pytest.raises(SlowFastExtError, match="MVIT.REV.ENABLE is True"):
        mvit("MVIT.REV.ENABLE", "True", "MVIT.CLS_EMBED_ON", "False")


def _kept(tensors, tensor):
    tensors.append(tensor)
    return tensor


def test_recomputed_activations_give_the_same_gradients():
    """Also those of a deep copy, as SOLVER.EMA makes one, by its own weights."""
    clip, gradients = torch.randn(1, 3, 4, 64, 64), []
    for words in ([], ["MODEL.ACT_CHECKPOINT", "True"]):
        # Stochastic depth draws: what is computed anew must draw the same.
        cfg = mvit(*words, "MVIT.DROPPATH_RATE", "0.3")
        torch.manual_seed(0)
        network = copy.deepcopy(build_backbone(cfg)).train()
        kept = []
        keep = functools.partial(_kept, kept)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            (features,) = network([clip])
        features.square().sum().backward()
        gradients.append({n: p.grad for n, p in network.named_parameters() if p.grad is not None})
        gradients[-1]["kept"] = len(kept)
    plain, recomputed = gradients
    assert recomputed.pop("kept") < plain.pop("kept") / 3 and plain.keys() == recomputed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(recomputed[name], gradient, msg=name)


@pytest.mark.parametrize(
    "name,model,channels",
    [
        ("pytorchvideo/R2PLUS1D_16x4_R50.yaml", "PTVR2plus1D", 2048),
        ("pytorchvideo/X3D_XS.yaml", "PTVX3D", 192),
        ("pytorchvideo/SLOW_8x8_R50.yaml", "PTVResNet", 2048),
        ("pytorchvideo/SLOWFAST_4x16_R50.yaml", "PTVSlowFast", 2304),
    ],
)
def test_what_main_builds_from_pytorchvideo(name, model, channels):
    cfg = main_config(name, [*WORDS, "ACTIVITY.BACKBONE", model, "TRAIN.ENABLE", "False"])
    with torch.device("meta"):
        theirs, backbone = upstream.model_class(model)(cfg).eval(), build_backbone(cfg).eval()
        assert map_shape(cfg, backbone).channels == channels
        size = cfg.DATA.TRAIN_CROP_SIZE
        clip = torch.empty(3, cfg.DATA.NUM_FRAMES, size, size)
        pathways = [pathway[None] for pathway in upstream.pack_pathways(cfg, clip)]
        maps = backbone(list(pathways))
    assert len(maps) == len(pathways)
    kept = dict(backbone.named_parameters())
    # All of theirs but the pooling and the classifier, and nothing else.
    left_out = [n for n, _ in theirs.model.named_parameters() if n not in kept]
    last = len(theirs.model.blocks) - 1
    assert left_out and all(name.startswith(f"blocks.{last}.") for name in left_out)


@pytest.mark.parametrize("name", ["ActivityNetwork", "MaskMViT", "ContrastiveModel"])
def test_what_gives_no_map_is_refused(name):
    words = ["MODEL.NUM_CLASSES", "3", "ACTIVITY.BACKBONE", name, *WORDS]
    with pytest.raises(SlowFastExtError, match=f"'{name}': it gives no map of space and time"):
        checked_config(None, [*words, "MODEL.LOSS_FUNC", "bce", "MODEL.HEAD_ACT", "sigmoid"])


@pytest.mark.parametrize("key", ["MVIT.PATCH_2D", "MVIT.REV.ENABLE"])
def test_an_mvit_without_a_map_of_a_clip_is_refused_by_its_key(key):
    with pytest.raises(SlowFastExtError, match=f"{key} is True: "):
        mvit(key, "True")
