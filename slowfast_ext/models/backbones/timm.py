"""timm's image networks, applied frame by frame."""

import functools
from dataclasses import dataclass

import torch
import torch.nn as nn

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones.contract import (
    Backbone,
    BackboneSource,
    InputFacts,
    built_with_values,
    register_source,
    require_extra,
)
from slowfast_ext.utils.text import nearest

try:
    import timm
except ImportError as error:
    require_extra("timm", error)

# Arguments with which networks of one size take others too: positions are interpolated, windows
# padded. A network knows one of them, or none.
_ANY_SIZE = ({"dynamic_img_size": True}, {"strict_img_size": False})

# Pixels that an image grows by to see whether a network takes others: every patch divides it.
_GROWTH = 2016

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Layout:
    """
    What runs on the meta device show of an image network.

    Attributes:
        options (dict): arguments with which it takes most sizes.
        strides (tuple[int]): pixels from one column of a map to the next, map by map.
        has_norm (bool): it normalises its maps where it is asked to.
        has_last_convolution (bool): its own classifier pools a map with more channels, behind the
            last stage.
        takes_any_size (bool): of multiples of its patches.
        cuts_patches (bool): pixels that fill no patch would be left out unseen.
    """

    options: dict
    strides: tuple[int, ...]
    has_norm: bool
    has_last_convolution: bool
    takes_any_size: bool
    cuts_patches: bool


class FrameMaps(Backbone):
    """
    An image network's map of each frame: B x 3 x T x H x W -> B x C x T x H' x W'.

    The last map is the one that the network's own classifier pools. An earlier one of
    ACTIVITY.STAGE is what the network hands on from that stage, tokens with its last norm.
    """

    frame_by_frame = True  # Its columns say nothing of when.

    def __init__(self, name, facts, network, layout, stage):
        super().__init__(name, facts, network)
        self.index, self.has_norm = stage - 1, layout.has_norm
        self.is_final = layout.has_last_convolution and stage == len(layout.strides)
        if not self.is_final:
            # A norm for all maps serves where all are tokens of one width.
            keeps_norm = stage == len(layout.strides) or len(set(layout.strides)) == 1
            network.prune_intermediate_layers([self.index], prune_norm=not keeps_norm)

    def features(self, clip):
        """Raises SlowFastExtError where the network does not take the clip's size."""
        frames = clip.transpose(1, 2)
        try:
            final, maps = self.network.forward_intermediates(
                frames.flatten(0, 1), indices=[self.index], norm=self.has_norm
            )
        except AssertionError as error:  # Windows that do not fill the map.
            size = " x ".join(map(str, clip.shape[3:]))
            raise SlowFastExtError(
                f"ACTIVITY.BACKBONE {self.name} does not take frames of {size} pixels: {error}"
            ) from error
        features = final if self.is_final else maps[0]
        return features.unflatten(0, frames.shape[:2]).transpose(1, 2)


@register_source("timm")
class TimmSource(BackboneSource):
    """ACTIVITY.BACKBONE timm:NAME or timm:NAME.TAG, any of timm.list_models()."""

    def names(self):
        return timm.list_models()

    def refuse_name(self, name):
        known = [*self.names(), *timm.list_pretrained()]
        raise SlowFastExtError(
            f"{self.prefix}:{name}: timm {timm.__version__} has no network or weights of that name"
            f"{nearest(name, known)}; timm.list_models() and timm.list_pretrained() list them"
        )

    def facts(self, cfg, name):
        """As its pretrained_cfg states them; a clip has as many frames as DATA.NUM_FRAMES."""
        layout = self._layout(name)
        stride = layout.strides[self.check_stage(cfg, name, len(layout.strides)) - 1]
        return InputFacts(
            *self.normalisation_of(name),
            cfg.DATA.NUM_FRAMES,
            _own_size(name)[0],
            fixed_size=not layout.takes_any_size,
            size_multiple=stride if layout.cuts_patches else 1,
        )

    def normalisation_of(self, which):
        """As its pretrained_cfg states them: some networks' differ from tag to tag."""
        self._check_name(which)
        published = timm.models.get_pretrained_cfg(which)
        return (tuple(published.mean), tuple(published.std)) if published else _IMAGENET

    def build(self, cfg, name):
        layout = self._layout(name)
        stage = self.check_stage(cfg, name, len(layout.strides))
        options = dict(layout.options)
        if cfg.MODEL.DROPCONNECT_RATE:
            options["drop_path_rate"] = cfg.MODEL.DROPCONNECT_RATE
        try:
            network = built_with_values(lambda: timm.create_model(name, num_classes=0, **options))
        except TypeError as error:
            self.refuse_key(cfg, "MODEL.DROPCONNECT_RATE", name, error)
        if cfg.MODEL.ACT_CHECKPOINT:
            try:
                network.set_grad_checkpointing(True)
            except AssertionError as error:
                self.refuse_key(cfg, "MODEL.ACT_CHECKPOINT", name, error)
        return FrameMaps(f"{self.prefix}:{name}", self.facts(cfg, name), network, layout, stage)

    def published_weights(self, which):
        """timm's own download of WHICH, a network's NAME or NAME.TAG."""
        self._check_name(which)
        try:
            network = built_with_values(lambda: timm.create_model(which, pretrained=True))
        except Exception as error:  # No such weights, no network, a damaged download.
            raise SlowFastExtError(
                f"{self.prefix}:{which}: timm does not get these weights "
                f"({' '.join(str(error).split())}); download them elsewhere and give the file's "
                "path"
            ) from error
        return network.state_dict()

    def _layout(self, name):
        self._check_name(name)
        return _seen_layout(name)

    def _check_name(self, name):
        # timm also fetches names such as hf-hub:..., whose config the hub states.
        if ":" in name or "/" in name or not timm.is_model(name):
            self.refuse_name(name)
        try:
            timm.models.get_pretrained_cfg(name)
        except RuntimeError:  # Its tag is none of timm's.
            self.refuse_name(name)


def _own_size(name):
    """H and W of the images that a network was trained on."""
    published = timm.models.get_pretrained_cfg(name)
    return tuple(published.input_size[1:]) if published else (224, 224)


@functools.lru_cache(maxsize=16)
def _seen_layout(name):
    """The Layout of a network that timm has."""
    network, options = _for_most_sizes(name)
    if not hasattr(network, "forward_intermediates"):
        raise SlowFastExtError(
            f"ACTIVITY.BACKBONE is 'timm:{name}': timm {timm.__version__} does not give this "
            "network's maps; a later one may: pip install --upgrade timm"
        )
    size = _own_size(name)
    has_norm = True
    try:
        final, maps = _run(network, size, norm=True)
    except AssertionError:  # It does not normalise its maps.
        has_norm = False
        final, maps = _run(network, size, norm=False)
    try:
        _run(network, (size[0] + _GROWTH, size[1] + 2 * _GROWTH), norm=False)
        takes_any_size = True
    except Exception:  # It asserts, or fails anyhow.
        takes_any_size = False
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d) and max(m.stride) > 1]
    return Layout(
        options,
        tuple(round(size[0] / features.shape[2]) for features in maps),
        has_norm,
        # Tokens have three dimensions, and some maps their channels last.
        has_last_convolution=final.dim() == 4
        and final.shape[1] == network.num_features != maps[-1].shape[1],
        takes_any_size=takes_any_size,
        cuts_patches=any(m.kernel_size == m.stride for m in convolutions),
    )


def _for_most_sizes(name):
    """A network on the meta device, and the arguments with which it takes most sizes."""
    for options in _ANY_SIZE:
        try:
            with torch.device("meta"):
                return _create(name, options), options
        except TypeError:  # It knows no such argument.
            continue
    with torch.device("meta"):
        return _create(name, {}), {}


def _create(name, options):
    network = built_with_values(lambda: timm.create_model(name, num_classes=0, **options))
    return network.eval()


def _run(network, size, norm):
    """The final map or tokens, and all maps, of one image without content."""
    with torch.no_grad():
        return network.forward_intermediates(torch.empty(1, 3, *size, device="meta"), norm=norm)
