"""Scoring a window every few seconds of a video, of any length, with little memory."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from slowfast_ext.datasets import clips, views
from slowfast_ext.datasets.clips import read_clips
from slowfast_ext.utils import distributed


@dataclass(frozen=True)
class Windows:
    """
    The windows of one video.

    Attributes:
        frames (int64 array): W x T, each window's frame numbers.
        spans (float array): W x 2, start and end in seconds of what each window stands for: they
            follow each other without a gap from the video's start to its end.
    """

    frames: np.ndarray
    spans: np.ndarray

    def at(self, seconds):
        """The number of the window that stands for a moment; from the end on, the last."""
        return min(int(np.searchsorted(self.spans[:, 1], seconds, "right")), len(self.spans) - 1)

    def labels_of(self, segments, num_classes):
        """
        What the windows show: W x A, bool.

        A window has the labels of the segments that contain its middle. A segment that contains
        no window's middle, such as a moment, counts in the window that its own middle lies in.
        """
        labels = np.zeros((len(self.spans), num_classes), bool)
        middles = self.spans.mean(axis=1)
        for segment in segments:
            shown = np.flatnonzero(segment.contains(middles))
            if not len(shown):
                shown = [self.at((segment.start + segment.end) / 2)]
            labels[np.ix_(shown, segment.labels)] = True
        return labels


def window_seconds(cfg):
    """How long a window is: DATA.NUM_FRAMES frames at DATA.SAMPLING_RATE, in seconds."""
    fps = cfg.DATA.TARGET_FPS or cfg.DATA.FRAME_FOLDER_FPS
    return cfg.DATA.NUM_FRAMES * cfg.DATA.SAMPLING_RATE / fps


def list_windows(cfg, info, every):
    """
    Windows around the middles of stretches of `every` seconds.

    At either end of the video a window is moved inwards until it lies in it; a video shorter
    than a window repeats its frames, as in a test.

    Args:
        info (VideoInfo): of the video.
        every (float): seconds, above 0.

    Returns:
        Windows: at least one.
    """
    fps = info.fps or cfg.DATA.FRAME_FOLDER_FPS
    times = np.arange(info.length) / fps if info.times is None else info.times
    length = float(times[-1]) + 1 / fps
    # A remainder under a thousandth is rounding, not a stretch of its own.
    starts = np.arange(max(1, math.ceil(length / every - 1e-3))) * every
    spans = np.stack([starts, np.append(starts[1:], length)], axis=1)
    distance = views.mean_distance(info, cfg.DATA.TARGET_FPS)
    fps, middles = info.fps, np.searchsorted(times, spans.mean(axis=1), side="right") - 1
    if distance is not None:
        fps, middles = 1 / distance, spans.mean(axis=1) / distance
    step = views.frame_step(cfg.DATA.SAMPLING_RATE, fps, cfg.DATA.TARGET_FPS)
    room = info.length - ((cfg.DATA.NUM_FRAMES - 1) * step + 1)
    first = middles - (cfg.DATA.NUM_FRAMES - 1) * step / 2
    fractions = np.clip(first / room, 0, 1) if room > 0 else np.zeros(len(middles))
    clip = (info, cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.TARGET_FPS)
    frames = [views.clip_of_video(*clip, fraction) for fraction in fractions]
    return Windows(np.stack(frames), spans)


@torch.no_grad()
def window_scores(cfg, network, reader, windows, progress=None):
    """
    Probabilities of every window, from its centre crop or, with TEST.WHOLE_FRAME, all of it.

    No more than TEST.BATCH_SIZE windows and their frames are held at once.

    Args:
        network (ActivityNetwork): on its device, in evaluation.
        reader (datasets.decoding.Video): the opened video.
        progress (callable or None): is called after each batch.

    Returns:
        float array: W x A.

    Raises:
        SlowFastExtError: a frame cannot be decoded.
    """
    device = distributed.device(cfg)
    scores = []
    for start in range(0, len(windows.frames), cfg.TEST.BATCH_SIZE):
        pathways = read_clips(cfg, reader, windows.frames[start : start + cfg.TEST.BATCH_SIZE])
        inputs = clips.network_input(cfg, pathways, device)
        scores.append(network(inputs).double().cpu().numpy())
        if progress:
            progress()
    return np.concatenate(scores)
