"""Upstream's networks without their heads: clip in, last feature maps out."""

import torch
import torch.nn as nn

from slowfast_ext import upstream

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
    # The key changes upstream's heads alone, and how they are called; the caller keeps its own.
    cfg = cfg.clone()
    cfg.DETECTION.ENABLE = False
    network = upstream.model_class(name)(cfg)
    if name.startswith("PTV"):
        return PytorchvideoMaps(network)
    # Not built without one: upstream builds a head in the network's constructor.
    network.head = FeatureMaps()
    return network


def feature_channels(cfg, backbone):
    """C, the channels of the map that the head gets: those of all pathways together."""
    # By one clip on torch's meta device, where tensors have shapes and no values: a table of the
    # networks' widths would not know a user's own.
    size = cfg.DATA.TRAIN_CROP_SIZE
    clip = torch.empty(3, cfg.DATA.NUM_FRAMES, size, size, device="meta")
    pathways = [pathway[None] for pathway in upstream.pack_pathways(cfg, clip)]
    tensors = {**dict(backbone.named_parameters()), **dict(backbone.named_buffers())}
    shapes = {name: tensor.to("meta") for name, tensor in tensors.items()}
    was_training = backbone.training
    backbone.eval()  # Training would move the batch-norm statistics, dropout draw at random.
    with torch.no_grad():
        maps = torch.func.functional_call(backbone, shapes, (pathways,))
    backbone.train(was_training)
    return sum(features.shape[1] for features in maps)
