"""
Mini-scenes: clips cut around one subject each, as they are made of drone and trap footage.

The window is a square around the middle of the subject's box that follows it, as large
throughout a clip as its largest box and a margin, so that the subject does not seem to grow.
"""

import contextlib
import os
import re

import cv2
import numpy as np

from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.windows import frame_times
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.mp4_writer import open_mp4

# A window's side over the longer side of the largest box.
_MARGIN = 1.25
# Frames that are decoded at once.
_CHUNK = 8
# DATA.FRAME_FOLDER_FPS, unless a config says another: a clip of a folder's frames has it.
_FOLDER_FPS = 24.0


class _Scene:
    """A stretch of a track, and the clip that gets its frames."""

    def __init__(self, track, stretch, name):
        self.name, self._track = name, track
        self.first, self.until, *self._runs = stretch
        self._files = contextlib.ExitStack()

    def open(self, path, info, fps, size):
        """Opens the clip, size x size, which is there once it is closed."""
        size_of_frames = [info.width, info.height] * 2
        boxes = [self._track.at(frame)[0] for frame in range(self.first, self.until)]
        self._boxes, self._size = np.array(boxes) * size_of_frames, size
        sides = self._boxes[:, 2:] - self._boxes[:, :2]
        self._side = max(2, round(sides.max() * _MARGIN))
        self._write = self._files.enter_context(open_mp4(path, fps, size, size))
        return self._files

    def add(self, frame, image, seconds):
        """Adds a frame of the video, shown at `seconds` of the clip; closes it with the last."""
        middle = self._boxes[frame - self.first].reshape(2, 2).mean(axis=0)
        self._write(_cut(image, middle, self._side, self._size), seconds)
        if frame == self.until - 1:
            self._files.close()

    def rows(self, times):
        """
        (name, label, start, end, unknown label) of each run of either; one without where none is.
        """
        rows = []
        for place, runs in enumerate(self._runs):
            for run in (run for run in runs if run.first < self.until):
                span = times[[run.first, min(run.until, self.until)]] - times[self.first]
                label, unknown = (run.labels[0], "") if place == 0 else ("", run.labels[0])
                rows.append((self.name, label, *span.round(6).tolist(), unknown))
        return rows or [(self.name, "", "", "", "")]


def cut_scenes(media, video, tracks, folder, size):
    """
    Writes the clips of one video's tracks, each of its stretches one; every frame is decoded once.

    Args:
        media (OwnMedia)
        video (str): relative to its folder.
        tracks (list[Track]): of that video.
        folder (str): gets the clips.
        size (int): of their frames, in pixels, even.
    Returns:
        list[(str, str, float or "", float or "", str)]: the clip's name, label, start and end in
            seconds from its start, and a label that is unknown then; empty where there is none.
    Raises:
        SlowFastExtError: the video cannot be read, or two clips would have one name.
    """
    with open_video(media.path(video)) as reader, contextlib.ExitStack() as stack:
        times, fps = frame_times(reader.info, _FOLDER_FPS)
        scenes = _scenes(video, tracks, reader.info.length, folder)
        for frame, image in _frames_of(reader, scenes):
            for scene in scenes:
                if scene.first == frame:
                    path = os.path.join(folder, scene.name)
                    stack.push(scene.open(path, reader.info, fps, size))
                if scene.first <= frame < scene.until:
                    scene.add(frame, image, times[frame] - times[scene.first])
    times = np.append(times, times[-1] + 1 / fps)
    return [row for scene in scenes for row in scene.rows(times)]


def _scenes(video, tracks, length, folder):
    """The _Scenes of a video; what lies behind its end is cut off."""
    stem, scenes = os.path.splitext(video)[0], {}
    for number, track in enumerate(tracks):
        for first, until, *runs in track.stretches():
            subject = re.sub(r"[^\w.-]", "_", track.subject or str(number))
            name = f"{stem}_{subject}_{first:06d}.mp4"
            if name in scenes or os.path.exists(os.path.join(folder, name)):
                raise SlowFastExtError(f"two tracks would be the clip {name}: rename a subject")
            if first < length:
                scenes[name] = _Scene(track, (first, min(until, length), *runs), name)
    return list(scenes.values())


def _frames_of(reader, scenes):
    """Yields (number, image) of the frames that scenes need, in their order."""
    numbers = sorted({frame for s in scenes for frame in range(s.first, s.until)})
    for begin in range(0, len(numbers), _CHUNK):
        chunk = numbers[begin : begin + _CHUNK]
        yield from zip(chunk, reader.read(chunk), strict=True)


def _cut(image, middle, side, size):
    """A square window of an image, size x size; it stays in the frame where it is no larger."""
    height, width = image.shape[:2]
    place = [round(value - side / 2) for value in middle]
    place = [
        min(max(start, 0), length - side) if side <= length else start
        for start, length in zip(place, (width, height), strict=True)
    ]
    x, y = place
    # Beyond the edge the frame's last pixels go on.
    columns = np.clip(np.arange(x, x + side), 0, width - 1)
    rows = np.clip(np.arange(y, y + side), 0, height - 1)
    window = np.ascontiguousarray(image[rows[:, None], columns[None]])
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(window, (size, size), interpolation=how)
