"""torchvision's video networks, and what its published weights say of their input."""

import torch.nn as nn
import torchvision.models
from torchvision.models import video
from torchvision.ops import StochasticDepth

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones.contract import (
    Backbone,
    BackboneSource,
    InputFacts,
    register_source,
)
from slowfast_ext.utils.text import nearest


class ResNetMaps(Backbone):
    """
    r3d_18, mc3_18, r2plus1d_18: B x 3 x T x H x W -> B x 512 x T/8 x H/16 x W/16 (mc3_18: T).
    The stages before have strides 2, 4 and 8 in space.
    """

    num_stages = 4

    def __init__(self, name, facts, network, stage):
        network.fc = nn.Identity()
        for number in range(stage + 1, self.num_stages + 1):
            setattr(network, f"layer{number}", nn.Identity())
        super().__init__(name, facts, network)

    def features(self, clip):
        """A clip, B x 3 x T x H x W -> the map of the last stage kept."""
        network = self.network
        features = network.layer2(network.layer1(network.stem(clip)))
        return network.layer4(network.layer3(features))


class S3DMaps(Backbone):
    """
    s3d: B x 3 x T x H x W -> B x 1024 x T/8 x H/32 x W/32; its five stages have strides 2 to 32.
    """

    num_stages = 5
    _ends = (1, 4, 7, 13, 16)  # Before each pooling, in its Sequential.

    def __init__(self, name, facts, network, stage):
        network.features, network.classifier = network.features[: self._ends[stage - 1]], None
        super().__init__(name, facts, network)

    def features(self, clip):
        """A clip, B x 3 x T x H x W -> the map of the last stage kept."""
        return self.network.features(clip)


class SwinMaps(Backbone):
    """
    swin3d_t, _s, _b: B x 3 x T x H x W -> B x C x T/2 x H/32 x W/32, after the last norm; its
    four stages have strides 4 to 32, the first three no norm after them.
    """

    num_stages = 4

    def __init__(self, name, facts, network, stage):
        if stage < self.num_stages:
            network.norm = nn.Identity()
        # A merging of patches stands between a stage and the next.
        network.features, network.head = network.features[: 2 * stage - 1], None
        super().__init__(name, facts, network)

    def features(self, clip):
        """A clip, B x 3 x T x H x W -> the map of the last stage kept."""
        network = self.network
        tokens = network.features(network.pos_drop(network.patch_embed(clip)))
        return network.norm(tokens).permute(0, 4, 1, 2, 3)  # From B x T x H x W x C.


class MViTMaps(Backbone):
    """
    mvit_v1_b, mvit_v2_s: B x 3 x 16 x 224 x 224 -> B x 768 x 8 x 7 x 7, after the last norm and
    without the class token.
    """

    num_stages = 1

    def __init__(self, name, facts, network, stage):
        network.head = None
        super().__init__(name, facts, network)

    def features(self, clip):
        """A clip, B x 3 x T x H x W -> its tokens as a map."""
        network, position = self.network, self.network.pos_encoding
        tokens = position(network.conv_proj(clip).flatten(2).transpose(1, 2))
        size = (position.temporal_size, *position.spatial_size)
        for block in network.blocks:
            tokens, size = block(tokens, size)
        return network.norm(tokens)[:, 1:].transpose(1, 2).unflatten(2, size)


_MAPS = {
    video.VideoResNet: ResNetMaps,
    video.S3D: S3DMaps,
    video.SwinTransformer3d: SwinMaps,
    video.MViT: MViTMaps,
}

# The frames of a clip for which torchvision's documentation gives a network's accuracy.
_FRAMES = {"s3d": 128, "swin3d_t": 32, "swin3d_s": 32, "swin3d_b": 32}
_FEWEST_FRAMES = {"s3d": 5}  # With fewer, its last pooling has nothing left to pool.


def _drop_blocks(network, rate):
    """
    Sets stochastic depth to rise to `rate` in the last block, which Swin's builders do not take
    from outside; 0 where the network has none.
    """
    drops = [m for m in network.modules() if isinstance(m, StochasticDepth)]
    for index, drop in enumerate(drops):
        drop.p = rate * index / (len(drops) - 1)
    return len(drops)


@register_source("torchvision")
class TorchvisionSource(BackboneSource):
    """ACTIVITY.BACKBONE torchvision:NAME, of torchvision.models.video."""

    def names(self):
        return torchvision.models.list_models(module=video)

    def facts(self, cfg, name):
        """As the transforms of its published Kinetics weights have it."""
        if name not in self.names():
            self.refuse_name(name)
        preset = torchvision.models.get_model_weights(name).DEFAULT.transforms()
        is_fixed = name.startswith("mvit")  # Its positions are those of one grid.
        return InputFacts(
            tuple(preset.mean),
            tuple(preset.std),
            _FRAMES.get(name, 16),
            preset.crop_size[0],
            fixed_num_frames=is_fixed,
            min_frames=_FEWEST_FRAMES.get(name, 1),
            fixed_size=is_fixed,
        )

    def build(self, cfg, name):
        facts = self.facts(cfg, name)
        if cfg.MODEL.ACT_CHECKPOINT:
            self.refuse_key(cfg, "MODEL.ACT_CHECKPOINT", name)
        network = torchvision.models.get_model(name, weights=None)
        if cfg.MODEL.DROPCONNECT_RATE and not _drop_blocks(network, cfg.MODEL.DROPCONNECT_RATE):
            self.refuse_key(cfg, "MODEL.DROPCONNECT_RATE", name)
        maps = _MAPS[type(network)]
        stage = self.check_stage(cfg, name, maps.num_stages)
        return maps(f"{self.prefix}:{name}", facts, network, stage)

    def published_weights(self, which):
        """`which` as torchvision names them: R2Plus1D_18_Weights.KINETICS400_V1."""
        asked = f"{self.prefix}:{which}"
        known = {
            f"{weights.__name__}.{entry.name}": entry
            for weights in map(torchvision.models.get_model_weights, self.names())
            for entry in weights
        }
        if which not in known:
            raise SlowFastExtError(
                f"{asked}: torchvision has {', '.join(known)}{nearest(which, known)}"
            )
        try:
            return known[which].get_state_dict(progress=False, check_hash=True)
        except Exception as error:  # No network, no room, a damaged download.
            raise SlowFastExtError(
                f"{asked}: {known[which].url} cannot be downloaded ({error}): download it "
                "elsewhere and give the file's path"
            ) from error
