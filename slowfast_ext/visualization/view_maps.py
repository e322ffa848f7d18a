"""The maps of a view of a data set's video: what happens there, and the nearest mistake."""

import numpy as np

from slowfast_ext.datasets import clips
from slowfast_ext.utils import distributed
from slowfast_ext.visualization.clip_maps import KINDS, input_maps
from slowfast_ext.visualization.grid import columns_of, draw_grid

MOST_PRESENT = 3


def view_frames(cfg, sample):
    """uint8 RGB, T x H x W x 3: the frames of a test sample's first view, of its fast pathway."""
    clip = max((pathway[:1][0] for pathway in sample.pathways), key=lambda clip: clip.shape[1])
    frames = clip.permute(1, 2, 3, 0).numpy()
    return np.ascontiguousarray(frames[..., ::-1] if cfg.DATA.REVERSE_INPUT_CHANNEL else frames)


def view_maps(cfg, network, sample, num_frames):
    """
    The maps of a test sample's first view, of all activities.

    Args:
        cfg (CfgNode): one of `activity_maps.has_maps`.
        network (ActivityNetwork): on its device, in evaluation.
        num_frames (int): T.

    Returns:
        ClipMaps
    """
    inputs, _ = clips.views_input(cfg, sample, slice(0, 1), distributed.device(cfg))
    return input_maps(network, inputs, num_frames, slice(None))


def shown_activities(labels, scores):
    """Ids of what happens, at most MOST_PRESENT, and of what else has the highest score."""
    is_present = np.asarray(labels) > 0
    falling = np.argsort(-scores, kind="stable")
    return [*falling[is_present[falling]][:MOST_PRESENT], *falling[~is_present[falling]][:1]]


def draw_view(cfg, network, sample, names, title):
    """
    `draw_grid` of the evidence in a test sample's first view.

    Args:
        cfg, network, sample: as of `view_maps`.
        names (list[str]): of the activities.
        title (str): the video's name.

    Returns:
        uint8 array: H x W x 3, RGB.
    """
    frames = view_frames(cfg, sample)
    maps = view_maps(cfg, network, sample, len(frames))
    labels = sample.labels.flatten().numpy()
    columns = columns_of(len(frames))
    rows = [
        (f"{names[i]}{'' if labels[i] else ' (absent)'}", maps.scores[i], heat[columns])
        for i in shown_activities(labels, maps.scores)
        for heat in [maps.kinds["evidence"][i]]
    ]
    rate = cfg.DATA.SAMPLING_RATE / (cfg.DATA.TARGET_FPS or cfg.DATA.FRAME_FOLDER_FPS)
    title = f"{title}: {KINDS['evidence']}"
    return draw_grid(title, frames[columns], columns * rate, rows, maps.backbone[columns])
