"""Upstream's networks without their heads: clip in, last feature maps out."""

import torch.nn as nn

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones.contract import (
    BACKBONE_SOURCES,
    BackboneSource,
    InputFacts,
    built_with_values,
    check_clip,
    register_source,
)

# They give a loss, or what they have masked, in place of a map; ours would hold itself.
_WITHOUT_MAP = ("ActivityNetwork", "ContrastiveModel", "MaskMViT")
# Their positions are of one clip length and size.
_OF_ONE_SIZE = ("MViT", "PTVMViT")


class FeatureMaps(nn.Module):
    """Stands in a network's head: gives the list of last feature maps as it is."""

    def forward(self, maps, boxes=None):
        return maps


class PytorchvideoMaps(nn.Module):
    """A network that upstream builds from pytorchvideo (PTVCSN), without its head block."""

    def __init__(self, network):
        super().__init__()
        blocks = list(network.model.blocks[:-1])
        # PTVSlowFast pools and joins its pathways in a block of its own.
        if type(blocks[-1]).__name__ == "PoolConcatPathway":
            blocks.pop()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, inputs):
        """[B x 3 x T x H x W] -> [B x C x T' x H' x W'], of each pathway one."""
        features = inputs if len(inputs) > 1 else inputs[0]
        for block in self.blocks:
            features = block(features)
        return features if isinstance(features, list) else [features]


class PytorchvideoTokens(nn.Module):
    """PTVMViT, whose tokens are a map of space and time, without its class token and head."""

    def __init__(self, network, facts):
        super().__init__()
        self.model, self.facts = network.model, facts
        self.model.head = nn.Identity()

    def forward(self, inputs):
        """[B x 3 x T x H x W] -> [B x C x T' x H' x W'], after the last norm."""
        model, (clip,) = self.model, inputs
        check_clip("PTVMViT", self.facts, *clip.shape[2:])
        positions = model.cls_positional_encoding
        tokens = model.pos_drop(positions(model.patch_embed(clip)))
        shape = positions.patch_embed_shape()
        for block in model.blocks:
            tokens, shape = block(tokens, shape)
        tokens = model.norm_embed(tokens)[:, int(positions.cls_embed_on) :]
        return [tokens.transpose(1, 2).unflatten(2, shape)]


@register_source("")
class UpstreamSource(BackboneSource):
    """The networks that upstream's registry has, a user's own among them."""

    def facts(self, cfg, name):
        """What the config says: upstream's networks are trained with what their YAML sets."""
        if name in _WITHOUT_MAP:
            raise SlowFastExtError(
                f"ACTIVITY.BACKBONE is '{name}': it gives no map of space and time for a head"
            )
        try:
            upstream.model_class(name)
        except SlowFastExtError as error:
            sources = [(prefix, source()) for prefix, source in BACKBONE_SOURCES if prefix]
            same = [f"{prefix}:{name}" for prefix, source in sources if name in source.names()]
            hint = f"; did you mean {same[0]}?" if same else ""
            raise SlowFastExtError(f"{error}{hint}") from error
        data, is_fixed = cfg.DATA, name in _OF_ONE_SIZE
        return InputFacts(
            tuple(data.MEAN),
            tuple(data.STD),
            data.NUM_FRAMES,
            data.TRAIN_CROP_SIZE,
            fixed_num_frames=is_fixed,
            fixed_size=is_fixed,
        )

    def build(self, cfg, name):
        """Writes into the list that it is given."""
        facts = self.facts(cfg, name)
        self.check_stage(cfg, name, 1)
        for key in ("MODEL.ACT_CHECKPOINT", "MODEL.DROPCONNECT_RATE"):
            if not upstream.IS_MAIN and upstream.get_key(cfg, key):
                self.refuse_key(cfg, key, name)  # 1.0's networks do not look at it.
        # The key changes upstream's heads alone, and how they are called; the caller keeps its own.
        cfg = cfg.clone()
        cfg.DETECTION.ENABLE = False
        if name == "MViT":
            return _mvit(cfg, facts)
        if name == "PTVMViT":
            # pytorchvideo takes main's own default, [], for strides beside the adaptive ones.
            cfg.MVIT.POOL_KV_STRIDE = cfg.MVIT.POOL_KV_STRIDE or None
            network = built_with_values(lambda: upstream.model_class(name)(cfg))
            return PytorchvideoTokens(network, facts)
        network = upstream.model_class(name)(cfg)
        if name.startswith("PTV"):
            return PytorchvideoMaps(network)
        # Not built without one: upstream builds a head in the network's constructor.
        network.head = FeatureMaps()
        return network


def _mvit(cfg, facts):
    """main's MViT, which gives its tokens as a map, without the class token."""
    if cfg.MVIT.REV.ENABLE:
        raise SlowFastExtError("MVIT.REV.ENABLE is True: a reversible MViT gives no map for a head")
    if cfg.MVIT.PATCH_2D:
        raise SlowFastExtError(
            "MVIT.PATCH_2D is True: this MViT takes single images: take a config for videos"
        )
    network = built_with_values(lambda: upstream.model_class("MViT")(cfg))
    # What it does for its own RoI head: last norm, no class token, B x C x T x H x W.
    network.head, network.enable_detection = FeatureMaps(), True
    network.register_forward_pre_hook(
        lambda _, inputs: check_clip("MViT", facts, *inputs[0][0].shape[2:])
    )
    return network
