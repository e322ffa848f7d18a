"""Windows over a video of any length: the frames of each, and the time that it stands for."""

import math
from dataclasses import dataclass

import numpy as np

from slowfast_ext.datasets import views
from slowfast_ext.datasets.lists import ABSENT, PRESENT, UNKNOWN


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

    def batches(self, size):
        """The frames of `size` windows at a time, B x T."""
        return [self.frames[first : first + size] for first in range(0, len(self.frames), size)]

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
                # No segment is lost, however short beside a window.
                shown = [self.at((segment.start + segment.end) / 2)]
            labels[np.ix_(shown, segment.labels)] = True
        return labels

    def targets_of(self, video, num_classes):
        """As `labels_of` of a listed Video: W x A, PRESENT, ABSENT or UNKNOWN."""
        present, unknown = (
            self.labels_of(segments, num_classes) for segments in (video.segments, video.unknown)
        )
        return np.where(present, PRESENT, np.where(unknown, UNKNOWN, ABSENT))


def window_seconds(cfg, folder_fps=None):
    """How long a window is: DATA.NUM_FRAMES frames at DATA.SAMPLING_RATE, in seconds."""
    fps = cfg.DATA.TARGET_FPS or folder_fps or cfg.DATA.FRAME_FOLDER_FPS
    return cfg.DATA.NUM_FRAMES * cfg.DATA.SAMPLING_RATE / fps


def frame_times(info, folder_fps):
    """
    When each frame of a video is shown, in seconds from the file's start, and frames per second,
    which are `folder_fps` where the VideoInfo stores none.
    """
    fps = info.fps or folder_fps
    return (np.arange(info.length) / fps if info.times is None else info.times), fps


def list_windows(cfg, info, every, folder_fps=None):
    """
    Windows, at least one, around the middles of stretches of `every` seconds.

    At either end of the video a window is moved inwards until it lies in it, also where a file
    starts before its first frame; a video shorter than a window repeats its frames, as in a
    test. `info` is the VideoInfo, `folder_fps` as of `frame_times`; None: DATA.FRAME_FOLDER_FPS.
    """
    times, fps = frame_times(info, folder_fps or cfg.DATA.FRAME_FOLDER_FPS)
    length = info.duration or float(times[-1]) + 1 / fps
    # A remainder under a thousandth is rounding, not a stretch of its own.
    starts = np.arange(max(1, math.ceil(length / every - 1e-3))) * every
    spans = np.stack([starts, np.append(starts[1:], length)], axis=1)
    distance = views.mean_distance(info, cfg.DATA.TARGET_FPS)
    fps, middles = info.fps, np.searchsorted(times, spans.mean(axis=1), side="right") - 1
    if distance is not None:
        fps, middles = 1 / distance, (spans.mean(axis=1) - times[0]) / distance
    step = views.frame_step(cfg.DATA.SAMPLING_RATE, fps, cfg.DATA.TARGET_FPS)
    room = info.length - ((cfg.DATA.NUM_FRAMES - 1) * step + 1)
    first = middles - (cfg.DATA.NUM_FRAMES - 1) * step / 2
    fractions = np.clip(first / room, 0, 1) if room > 0 else np.zeros(len(middles))
    clip = (info, cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.TARGET_FPS)
    frames = [views.clip_of_video(*clip, fraction) for fraction in fractions]
    return Windows(np.stack(frames), spans)
