"""A camera instead of a file: scored while it is recorded."""

import contextlib
import itertools
import time
from collections import deque

import cv2
import numpy as np
import torch

from slowfast_ext.datasets import views
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import pack_pathways
from slowfast_ext.visualization.frames import demo_size
from slowfast_ext.visualization.video_writer import open_mp4

# Seconds of the past that the bars show.
_SHOWN = 30.0


def open_camera(index):
    """
    OpenCV's camera of that index.

    Raises:
        SlowFastExtError: there is none.
    """
    with _quiet():
        capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise SlowFastExtError(
            f"DEMO.WEBCAM is {index}: OpenCV finds no camera of that index; connect one, or set "
            "DEMO.WEBCAM -1 and name a file by DEMO.INPUT_VIDEO"
        )
    return capture


@contextlib.contextmanager
def _quiet():
    """OpenCV's own warnings say less than our sentence."""
    logging = getattr(getattr(cv2, "utils", None), "logging", None)
    level = logging.getLogLevel() if logging else None
    if logging:
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        if logging:
            logging.setLogLevel(level)


@contextlib.contextmanager
def released(capture):
    """Frees the camera at the end."""
    try:
        yield
    finally:
        capture.release()


def record(cfg, capture, score, look):
    """
    Writes DEMO.OUTPUT_FILE until the camera ends or Ctrl-C comes.

    Only the frames of one clip are held. While a clip is scored the camera is not read; every
    frame keeps the time at which it was.

    Args:
        capture (cv2.VideoCapture): the camera.
        score (ClipScorer): of the network.
        look (demo.Look): how scores are shown.

    Returns:
        int: frames written.

    Raises:
        SlowFastExtError: the camera gives no frame.
    """
    frames = _timed_frames(capture)
    first = next(frames, None)
    if first is None:
        raise SlowFastExtError(
            f"DEMO.WEBCAM is {cfg.DEMO.WEBCAM}: the camera is there but gives no frame; is "
            "another program using it?"
        )
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if 1 <= fps <= 240 else 30.0
    shown = _Shown(cfg, score, look, fps, first[1].shape)
    number = 0
    with (
        open_mp4(cfg.DEMO.OUTPUT_FILE, fps, shown.width, shown.total) as write,
        # Ctrl-C is how a recording ends; what was recorded is kept.
        contextlib.suppress(KeyboardInterrupt),
    ):
        print("recording; Ctrl-C ends it")
        for seconds, image in itertools.chain([first], frames):
            write(shown.picture(seconds, image), seconds)
            number += 1
    return number


def _timed_frames(capture):
    """Yields (seconds from the first, RGB image) of a camera's frames."""
    start = None
    while True:
        is_read, image = capture.read()
        if not is_read:
            return
        now = time.monotonic()
        start = now if start is None else start
        yield now - start, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class _Shown:
    """The pictures of a recording; scores a clip whenever the next one is complete."""

    def __init__(self, cfg, score, look, fps, shape):
        self.cfg, self.score, self.look = cfg, score, look
        data = cfg.DATA
        step = views.frame_step(data.SAMPLING_RATE, fps, data.TARGET_FPS)
        self.span = int((data.NUM_FRAMES - 1) * step + 1)
        self.step, self.held = step, deque(maxlen=self.span)
        self.stride = max(1, round(data.NUM_FRAMES * step - cfg.DEMO.BUFFER_SIZE))
        self.height, self.width = demo_size(cfg, *shape[:2])
        self.small = views.scaled_size(*shape[:2], data.TEST_CROP_SIZE)
        self.spans, self.scores = deque(maxlen=1000), deque(maxlen=1000)
        self.scored, self.waiting = None, self.span
        self.bars = look.bars(np.zeros((1, len(look.names))), np.zeros((1, 2)), self.width)
        self.total = self.height + len(self.bars.panel)

    def picture(self, seconds, image):
        """The frame with persons, and the bars under it."""
        height, width = self.small
        self.held.append((seconds, cv2.resize(image, (width, height))))
        self.waiting -= 1
        if self.waiting <= 0:
            self._score(image)
            self.waiting = self.stride
        shown = cv2.resize(image, (self.width, self.height))
        if self.scored is not None and self.scored.boxes is not None:
            self.look.draw_persons(shown, self.scored)
        return np.concatenate([shown, self.bars.at(seconds)])

    def _score(self, image):
        frames = views.clip_frames(len(self.held), self.cfg.DATA.NUM_FRAMES, self.step, 1.0)
        seconds = self.held[-1][0]
        clip = np.stack([self.held[i][1] for i in frames])
        if not self.cfg.TEST.WHOLE_FRAME:
            size = self.cfg.DATA.TEST_CROP_SIZE
            top, left = views.test_crop_offset(*clip.shape[1:3], size, 0, 1)
            clip = views.Crop(top, left, size, size).cut(clip)
        clip = torch.from_numpy(np.ascontiguousarray(clip.transpose(3, 0, 1, 2)))
        pathways = [pathway[None] for pathway in pack_pathways(self.cfg, clip)]
        self.scored = self.score(pathways, lambda: image, seconds)
        self.spans.append((self.spans[-1][1] if self.spans else self.held[0][0], seconds))
        self.scores.append(self.scored.of_clip())
        interval = (max(0.0, seconds - _SHOWN), max(seconds, _SHOWN))
        scores, spans = np.stack(self.scores), np.array(self.spans)
        self.bars = self.look.bars(scores, spans, self.width, interval=interval)
