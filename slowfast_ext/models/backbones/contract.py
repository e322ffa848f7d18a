"""What every backbone keeps: pathways in, maps out, and the input that its weights expect."""

from dataclasses import dataclass

import torch
import torch.nn as nn
from fvcore.common.registry import Registry

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.text import nearest

BACKBONE_SOURCES = Registry("BACKBONE_SOURCE")
BACKBONE_SOURCES.__doc__ = """
Registry of the libraries that backbones come from, by the prefix that ACTIVITY.BACKBONE names them
with: `torchvision` of `torchvision:swin3d_t`. Upstream's own have the empty prefix.
"""


def register_source(prefix):
    """Class decorator: makes a BackboneSource known to ACTIVITY.BACKBONE as PREFIX:NAME."""

    def register(source):
        source.prefix = prefix
        BACKBONE_SOURCES._do_register(prefix, source)
        return source

    return register


@dataclass(frozen=True)
class InputFacts:
    """
    The input that a network's weights were trained with, and the other input that it takes.

    Attributes:
        mean, std (tuple[float]): of each channel, for pixels in 0..1.
        num_frames (int): T of its own clips.
        size (int): H and W of its own clips, in pixels.
        channel_order (str): "RGB" or "BGR".
        fixed_num_frames (bool): it takes no other number of frames.
        frame_multiple (int): frames of a temporal patch; others would be left out unseen.
        min_frames (int): of the shortest clip that it takes.
        fixed_size (bool): it takes no other height or width.
        size_multiple (int): pixels of a patch's side; others would be left out unseen.
        square_only (bool): it takes no clip whose height is not its width.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_frames: int
    size: int
    channel_order: str = "RGB"
    fixed_num_frames: bool = False
    frame_multiple: int = 1
    min_frames: int = 1
    fixed_size: bool = False
    size_multiple: int = 1
    square_only: bool = False

    @property
    def takes_frames(self):
        """True where a frame may be given as it is, of whatever height and width."""
        return not self.fixed_size and not self.square_only and self.size_multiple == 1


_SIZE_KEYS = "DATA.TRAIN_CROP_SIZE and DATA.TEST_CROP_SIZE"


def check_clip(name, facts, frames, height, width):
    """
    Raises SlowFastExtError where the network `name` does not take a clip of T = `frames` and
    `height` x `width` pixels, or would see part of it alone.
    """
    rules = [
        (
            not facts.fixed_num_frames or frames == facts.num_frames,
            f"{facts.num_frames} frames alone: set DATA.NUM_FRAMES to {facts.num_frames}",
        ),
        (
            frames >= facts.min_frames,
            f"at least {facts.min_frames} frames: set DATA.NUM_FRAMES to as many or more",
        ),
        (
            frames % facts.frame_multiple == 0,
            f"a multiple of {facts.frame_multiple} frames: set DATA.NUM_FRAMES to one",
        ),
        (
            not facts.fixed_size or height == width == facts.size,
            f"{facts.size} x {facts.size} pixels alone: set {_SIZE_KEYS} to {facts.size}",
        ),
        (
            not facts.square_only or height == width,
            "squares alone: leave TEST.WHOLE_FRAME False and AVA.TEST_CROP square or centre",
        ),
        (
            height % facts.size_multiple == 0 and width % facts.size_multiple == 0,
            f"multiples of {facts.size_multiple} pixels: set {_SIZE_KEYS} to one",
        ),
    ]
    for is_kept, words in rules:
        if not is_kept:
            raise SlowFastExtError(
                f"ACTIVITY.BACKBONE {name} does not take a clip of {frames} frames of "
                f"{height} x {width} pixels: it takes {words}"
            )


class Backbone(nn.Module):
    """
    A network of another library as this project's backbone.

    Args:
        name (str): PREFIX:NAME, for messages.
        facts (InputFacts): of the network.
        network (nn.Module): the library's own; its tensors are named backbone.network.* then.

    Attributes:
        frame_by_frame (bool): a column of its map has seen one frame, and knows not which.
    """

    frame_by_frame = False

    def __init__(self, name, facts, network):
        super().__init__()
        self.name, self.facts, self.network = name, facts, network

    def forward(self, pathways):
        """
        Pathways [B x 3 x T x H x W] -> maps [B x C x T' x H' x W'].

        Raises:
            SlowFastExtError: the network does not take such a clip.
        """
        (clip,) = pathways
        check_clip(self.name, self.facts, *clip.shape[2:])
        # Tokens that are turned lie otherwise in memory than a map that is read from a file, and
        # products of them would be rounded otherwise.
        return [self.features(clip).contiguous()]

    def own_names(self, state):
        """{name: tensor} of a file of the library's -> by the names of `network`'s tensors."""
        return state

    def features(self, clip):
        """A clip, B x 3 x T x H x W, normalised -> the map, B x C x T' x H' x W'."""
        raise NotImplementedError


class BackboneSource:
    """
    A library that backbones come from. Its methods get a network's name without the prefix.

    Attributes:
        prefix (str): of ACTIVITY.BACKBONE; `register_source` sets it.
    """

    prefix = ""

    def names(self):
        """The names of its networks, for messages; empty where they are paths or too many."""
        return []

    def facts(self, cfg, name):
        """The network's InputFacts, without building it. Raises SlowFastExtError: no such one."""
        raise NotImplementedError

    def normalisation_of(self, which):
        """
        Mean and std that published weights, `which` as of `published_weights`, expect; None: those
        of their network's facts. Raises SlowFastExtError: there are no such weights.
        """
        return None

    def build(self, cfg, name):
        """The Backbone, with random weights. Raises SlowFastExtError: no such network."""
        raise NotImplementedError

    def published_weights(self, which):
        """
        {name: tensor} of weights that the library downloads, or finds downloaded; `which` is what
        follows the prefix in TRAIN.CHECKPOINT_FILE_PATH PREFIX:WHICH. Raises SlowFastExtError.
        """
        raise SlowFastExtError(
            f"{self.prefix}:{which}: {self.prefix} is not asked for weights: give their file's path"
        )

    def refuse_name(self, name):
        """Raises the SlowFastExtError that the library has no such network."""
        near = nearest(name, self.names())
        has = f" has {', '.join(self.names())}{near}" if self.names() else " has none of that name"
        raise SlowFastExtError(f"ACTIVITY.BACKBONE is '{self.prefix}:{name}': {self.prefix}{has}")

    def refuse_key(self, cfg, key, name, error=None):
        """Raises the SlowFastExtError that a switch of MODEL does nothing for a network."""
        section, _, last = key.partition(".")
        what = {"ACT_CHECKPOINT": "recomputed activations", "DROPCONNECT_RATE": "stochastic depth"}
        raise SlowFastExtError(
            f"{key} is {cfg[section][last]}: {self.prefix}{':' * bool(self.prefix)}{name} is not "
            f"built with {what[last]}; set it to {type(cfg[section][last])()}"
        ) from error

    def check_stage(self, cfg, name, stages):
        """The stage of ACTIVITY.STAGE, 1..`stages`, the last for 0; else raises."""
        stage = cfg.ACTIVITY.STAGE
        if stage <= stages:
            return stage or stages
        known = f"1..{stages}, or 0 for the last" if stages > 1 else "0, the last map"
        full_name = f"{self.prefix}:{name}".removeprefix(":")
        raise SlowFastExtError(f"ACTIVITY.STAGE is {stage}: {full_name} gives the maps of {known}")


def require_extra(prefix, error):
    """Raises the SlowFastExtError that a source's library is not installed, or cannot be used."""
    is_missing = isinstance(error, ModuleNotFoundError) and error.name == prefix
    reason = " ".join(str(error).split())
    raise SlowFastExtError(
        f"ACTIVITY.BACKBONE {prefix}:... needs {prefix}, which "
        f"{'is not installed' if is_missing else f'cannot be imported ({reason})'}: "
        f"pip install --upgrade 'slowfast-ext[{prefix}]'"
    ) from error


def built_with_values(build):
    """
    What `build()` gives, moved to torch's default device. A constructor that reads values out of
    tensors, such as rates of stochastic depth, cannot run on the meta device, where a config is
    checked.
    """
    device = torch.get_default_device()
    with torch.device("cpu"):
        network = build()
    return network.to(device)
