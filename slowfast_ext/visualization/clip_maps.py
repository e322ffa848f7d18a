"""From a window of a video to the maps of each of its frames."""

from typing import NamedTuple

import numpy as np
import torch

from slowfast_ext.engine import distributed, loaders
from slowfast_ext.predict.windows import read_clips
from slowfast_ext.visualization.activity_maps import activity_maps, resized

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

    def of_frames(kind):
        return resized(kind, len(frames), *kind.shape[-2:])[0].float().cpu().numpy()

    return ClipMaps(
        maps.scores[0].cpu().numpy(),
        {kind: of_frames(getattr(maps, kind)[:, activities]) for kind in KINDS},
        of_frames(maps.backbone[:, None])[0],
    )
