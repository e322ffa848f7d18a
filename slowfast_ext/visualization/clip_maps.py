"""From a window of a video to maps that lie on each of its frames."""

from typing import NamedTuple

import cv2
import numpy as np
import torch

from slowfast_ext.datasets import clips
from slowfast_ext.datasets.clips import read_clips
from slowfast_ext.models.activity_maps import activity_maps
from slowfast_ext.utils import distributed

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
    """

    scores: np.ndarray
    kinds: dict
    backbone: np.ndarray


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
    inputs = clips.network_input(cfg, pathways, distributed.device(cfg))
    return input_maps(network, inputs, len(frames), activities)


@torch.no_grad()
def input_maps(network, inputs, num_frames, activities):
    """
    As `clip_maps`, of what the network is given.

    Args:
        inputs (list[Tensor]): of each pathway one clip, 1 x 3 x T x H x W.
        num_frames (int): T of the maps.
    """
    features = network.features(inputs)
    maps = activity_maps(network.head, features)

    # The slow pathway's frames are the clip's first, its last and those evenly between.
    times = np.linspace(0, features.shape[2] - 1, num_frames)
    over_time = _interpolation(features.shape[2], times)

    def of_frames(kind):
        return np.einsum("st,...thw->...shw", over_time, kind[0].float().cpu().numpy())

    return ClipMaps(
        maps.scores[0].cpu().numpy(),
        {kind: of_frames(getattr(maps, kind)[:, activities]) for kind in KINDS},
        of_frames(maps.backbone),
    )


def laid_out(heat, height, width):
    """
    A map on a picture, float32, height x width: positions tile it, linear between their middles.

    By the arithmetic of padding a position's field of view is centred half a stride further up
    and to the left. But it is nearly as wide as the frame, and in a network trained on the
    synthetic videos activities are found where tiles lie (docs/PICTURES.md).

    Args:
        heat (float array): H' x W'.
    """
    return cv2.resize(np.ascontiguousarray(heat, np.float32), (width, height))


def _interpolation(number, places):
    """len(places) x number: the matrix that interpolates linearly, constant beyond the ends."""
    units = np.eye(number)
    return np.stack([np.interp(places, np.arange(number), unit) for unit in units], axis=1)
