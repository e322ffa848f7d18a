"""ACTIVITY.BACKBONE: which library's network stands below the head, and what its maps are."""

import importlib
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones import pyslowfast, torchvision  # noqa: F401
from slowfast_ext.models.backbones.contract import BACKBONE_SOURCES
from slowfast_ext.utils.text import nearest

# MODEL.ARCH -> upstream's model class; the names are those of main's registry.
_CLASS_OF_ARCH = {"slowfast": "SlowFast", "x3d": "X3D", "mvit": "MViT"}

# Sources whose libraries are extras: imported when ACTIVITY.BACKBONE asks for one.
_EXTRAS = ("transformers", "timm")

# Pixels that a clip grows by to measure a stride: every stride of today's networks, 14, 16, 18
# and 32 among them, divides it.
_GROWTH = 2016


def backbone_name(cfg):
    """ACTIVITY.BACKBONE or, where that is empty, upstream's model class of MODEL.ARCH."""
    return cfg.ACTIVITY.BACKBONE or _CLASS_OF_ARCH.get(cfg.MODEL.ARCH, "ResNet")


def backbone_source(cfg):
    """
    Where the backbone comes from.

    Returns:
        (BackboneSource, str): and the network's name there.

    Raises:
        SlowFastExtError: no source has the name's prefix, or its library is not installed.
    """
    name = backbone_name(cfg)
    prefix, rest = name.split(":", 1) if ":" in name else ("", name)
    source = source_of_prefix(prefix)
    if source is None:
        known = sorted({*(known for known, _ in BACKBONE_SOURCES if known), *_EXTRAS})
        raise SlowFastExtError(
            f"ACTIVITY.BACKBONE is '{name}': no source is named '{prefix}'; there are "
            f"{', '.join(known)}, and upstream's networks, without a prefix{nearest(prefix, known)}"
        )
    return source, rest


def source_of_prefix(prefix):
    """The BackboneSource of a prefix, imported where it is an extra's; None: there is none."""
    if prefix not in BACKBONE_SOURCES and prefix in _EXTRAS:
        importlib.import_module(f"{__name__}.{prefix}")
    return BACKBONE_SOURCES.get(prefix)() if prefix in BACKBONE_SOURCES else None


def input_facts(cfg):
    """
    The InputFacts of the config's backbone, which is not built. Mean and std are those of the
    library's weights that TRAIN.CHECKPOINT_FILE_PATH names: of one network it may have several.
    """
    source, name = backbone_source(cfg)
    facts = source.facts(cfg, name)
    prefix, _, which = cfg.TRAIN.CHECKPOINT_FILE_PATH.partition(":")
    stated = source.normalisation_of(which) if source.prefix and prefix == source.prefix else None
    return replace(facts, mean=stated[0], std=stated[1]) if stated else facts


def build_backbone(cfg):
    """
    The config's backbone, giving its last maps instead of predictions.

    Returns:
        nn.Module: list of pathways (B x 3 x T x H x W) -> list of maps (B x C x T' x H' x W').
            Upstream's write into the list that they are given.
    """
    source, name = backbone_source(cfg)
    return source.build(cfg, name)


class MapShape(NamedTuple):
    """
    A clip's map as the head gets it, of T = DATA.NUM_FRAMES and H = W = DATA.TRAIN_CROP_SIZE.

    Attributes:
        channels: C, those of all pathways together.
        frames, height, width: T' x H' x W', of the first pathway.
        frame_stride: T / T', the input's frames (of the longest pathway) for one of the map's.
    """

    channels: int
    frames: int
    height: int
    width: int
    frame_stride: float


def map_shape(cfg, backbone):
    """What one run on the meta device shows of a backbone's maps: a MapShape."""
    maps = _shapes_of_maps(cfg, backbone, cfg.DATA.TRAIN_CROP_SIZE)
    _, _, frames, height, width = maps[0]
    return MapShape(
        sum(shape[1] for shape in maps), frames, height, width, cfg.DATA.NUM_FRAMES / frames
    )


def spatial_stride(cfg, backbone, shape=None):
    """
    Pixels of the clip from one column of the map to the next; `shape` is its MapShape, where that
    was measured already.
    """
    size, shape = cfg.DATA.TRAIN_CROP_SIZE, shape or map_shape(cfg, backbone)
    facts = getattr(backbone, "facts", None) or input_facts(cfg)
    if facts.fixed_size:
        return size / shape.height
    # The difference of two sizes: a map of ceil(H / stride) columns hides the stride in one.
    try:
        grown = _shapes_of_maps(cfg, backbone, size + _GROWTH)[0][3]
        return _GROWTH / (grown - shape.height)
    except Exception:  # A network of one's own that takes one size, and does not say so.
        return size / shape.height


class ShapesAlone(TorchFunctionMode):
    """
    Within it batch-norm gives back what it is given: on the meta device its result has that shape,
    and to derive it, in Python, takes torch most of a network's time.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is F.batch_norm and len(args) > 1 and args[1] is not None:
            features, means = args[:2]
            if len(means) == features.shape[1]:  # Else it fails as ever.
                return features
        return func(*args, **(kwargs or {}))


def _shapes_of_maps(cfg, backbone, size):
    """The shape of each pathway's map for one clip of `size` x `size` pixels."""
    # On torch's meta device, where tensors have shapes and no values: a table of the networks'
    # widths would not know a user's own.
    clip = torch.empty(3, cfg.DATA.NUM_FRAMES, size, size, device="meta")
    pathways = [pathway[None] for pathway in upstream.pack_pathways(cfg, clip)]
    tensors = {**dict(backbone.named_parameters()), **dict(backbone.named_buffers())}
    shapes = {name: tensor.to("meta") for name, tensor in tensors.items()}
    was_training = backbone.training
    backbone.eval()  # Training would move the batch-norm statistics, dropout draw at random.
    with torch.no_grad(), ShapesAlone():
        maps = torch.func.functional_call(backbone, shapes, (pathways,))
    backbone.train(was_training)
    return [features.shape for features in maps]
