"""From a window of a video to maps that lie on each of its frames."""

import math
from typing import NamedTuple

import numpy as np
import torch

from slowfast_ext.engine import distributed, loaders
from slowfast_ext.predict.windows import read_clips
from slowfast_ext.visualization.activity_maps import activity_maps

KINDS = {
    "attention": "activity maps (attention x backbone)",
    "evidence": "evidence (what each position adds to the logit)",
}
"""Kind of map -> what pictures call it."""


class ClipMaps(NamedTuple):
    """
    The maps of one clip, at its T frames and the H' x W' positions of the last feature map.

    Attributes:
        scores (float array): [A], probabilities.
        kinds (dict[str, float array]): of KINDS, A x T x H' x W'.
        backbone (float array): T x H' x W'.
        size (tuple[int, int]): height and width of the frames that the network was given.
    """

    scores: np.ndarray
    kinds: dict
    backbone: np.ndarray
    size: tuple


@torch.no_grad()
def clip_maps(cfg, network, reader, frames, activities):
    """
    The maps of one clip.

    Args:
        cfg (CfgNode): with TEST.WHOLE_FRAME the maps are of whole frames, else of centre crops.
        network (ActivityNetwork): on its device, in evaluation.
        reader (datasets.decoding.Video): the opened video.
        frames (int array): [T], numbers of its frames.
        activities (sequence[int]): ids of those whose maps are wanted; the scale is that of all.

    Returns:
        ClipMaps
    """
    pathways = read_clips(cfg, reader, frames[None])
    features = network.features(loaders.network_input(cfg, pathways, distributed.device(cfg)))
    maps = activity_maps(network.head, features)

    # The slow pathway's frames are the clip's first, its last and those evenly between.
    times = np.linspace(0, features.shape[2] - 1, len(frames))
    over_time = _interpolation(features.shape[2], times)

    def of_frames(kind):
        return np.einsum("st,...thw->...shw", over_time, kind[0].float().cpu().numpy())

    return ClipMaps(
        maps.scores[0].cpu().numpy(),
        {kind: of_frames(getattr(maps, kind)[:, activities]) for kind in KINDS},
        of_frames(maps.backbone),
        tuple(pathways[0].shape[-2:]),
    )


def laid_out(heat, size, height, width):
    """
    A map on a picture.

    A position of a convolutional network is centred on the pixel that is its number times the
    network's stride, the first on the frame's first pixel, since every layer pads by half its
    kernel. (As if positions tiled the frame, everything would lie half a stride too far to the
    right and down.) Between positions the map is linear.

    Args:
        heat (float array): H' x W'.
        size (tuple[int, int]): height and width of the frames that the network was given.
        height (int), width (int): of the picture, which shows the same.

    Returns:
        float32 array: height x width.
    """
    down, across = (
        _interpolation(number, _places(number, given, shown))
        for number, given, shown in zip(heat.shape, size, (height, width), strict=True)
    )
    return (down @ heat @ across.T).astype(np.float32)


def _places(number, given, shown):
    """Where each of a picture's `shown` pixels lies among `number` positions of `given` pixels."""
    # Strides are powers of two; what does not fill a stride at the end has a position too.
    stride = 2 ** math.ceil(math.log2(given / number))
    return ((np.arange(shown) + 0.5) * given / shown - 0.5) / stride


def _interpolation(number, places):
    """len(places) x number: the matrix that interpolates linearly, constant beyond the ends."""
    units = np.eye(number)
    return np.stack([np.interp(places, np.arange(number), unit) for unit in units], axis=1)
