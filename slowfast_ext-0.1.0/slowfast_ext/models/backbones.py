"""Upstream's networks without their heads: clip in, last feature maps out."""

import torch.nn as nn

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError

# MODEL.ARCH -> upstream's model class; the names are those of main's registry.
_CLASS_OF_ARCH = {"slowfast": "SlowFast", "x3d": "X3D"}


def backbone_name(cfg):
    """Upstream's model class: ACTIVITY.BACKBONE or, where that is empty, from MODEL.ARCH."""
    return cfg.ACTIVITY.BACKBONE or _CLASS_OF_ARCH.get(cfg.MODEL.ARCH, "ResNet")


class FeatureMaps(nn.Module):
    """Stands in a network's head: gives the list of last feature maps as it is."""

    def forward(self, maps):
        return maps


class PytorchvideoMaps(nn.Module):
    """A network that upstream builds from pytorchvideo (PTVCSN), without its head block."""

    def __init__(self, network):
        super().__init__()
        self.blocks = network.model.blocks[:-1]

    def forward(self, inputs):
        """[B x 3 x T x H x W] -> [B x C x T' x H' x W']."""
        features = inputs[0]
        for block in self.blocks:
            features = block(features)
        return [features]


def build_backbone(cfg):
    """
    Any of upstream's convolutional networks, giving its last maps instead of predictions.

    Returns:
        nn.Module: list of pathways (B x 3 x T x H x W) -> list of maps (B x C x T' x H' x W').
            It writes into the list that it is given.
    """
    name = backbone_name(cfg)
    # The key changes upstream's heads alone, and how they are called.
    cfg = cfg.clone()
    cfg.DETECTION.ENABLE = False
    network = upstream.model_class(name)(cfg)
    if name.startswith("PTV"):
        return PytorchvideoMaps(network)
    network.head = FeatureMaps()
    return network


def feature_channels(cfg):
    """
    C, the channels of the map that the head gets: those of all pathways together.

    Raises:
        SlowFastExtError: the backbone is not one of the kinds whose maps are known.
    """
    name, width = backbone_name(cfg), cfg.RESNET.WIDTH_PER_GROUP
    if name == "X3D":
        return _x3d_channels(cfg)
    if name == "SlowFast":
        return width * 32 + width * 32 // cfg.SLOWFAST.BETA_INV
    if name in ("ResNet", "PTVCSN", "CSN"):
        return width * 32
    raise SlowFastExtError(
        f"ACTIVITY.BACKBONE '{name}': known are SlowFast, ResNet, CSN and, over GitHub's main of "
        "PySlowFast, X3D and PTVCSN"
    )


def _x3d_channels(cfg):
    """The width of X3D's last stage; its conv_5 belongs to the head that is replaced."""
    channels = cfg.X3D.DIM_C1
    for stage in range(4):
        if stage > 0 or cfg.X3D.SCALE_RES2:
            channels = upstream.round_width(channels, 2.0, divisor=8)
    return upstream.round_width(channels, cfg.X3D.WIDTH_FACTOR)
