"""Upstream's DEMO keys: any video, or a webcam, with its activities over time under the picture."""

import contextlib
import itertools
import os
import time
from collections import deque

import cv2
import numpy as np
import torch
from tqdm import tqdm

from slowfast_ext import upstream
from slowfast_ext.config.compare import set_own
from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets import views
from slowfast_ext.datasets.class_names import class_names
from slowfast_ext.datasets.clips import read_clips
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.predict.windows import list_windows, window_seconds
from slowfast_ext.upstream import pack_pathways
from slowfast_ext.visualization import drawing
from slowfast_ext.visualization.demo_scores import ClipScorer
from slowfast_ext.visualization.frames import Frames, demo_size
from slowfast_ext.visualization.video_writer import check_mp4, open_mp4

# Rows of bars; names at a person's box.
_MOST_ROWS, _MOST_NAMES = 6, 5


def check_demo(cfg):
    """
    Checks the DEMO keys before anything runs.

    Raises:
        SlowFastExtError: names the key, the value and the rule.
    """
    options = cfg.DEMO
    if not options.OUTPUT_FILE:
        refuse(cfg, "DEMO.OUTPUT_FILE", "must name the .mp4 file to write: no window is opened")
    check_mp4(options.OUTPUT_FILE, "DEMO.OUTPUT_FILE")
    if options.WEBCAM < 0 and not options.INPUT_VIDEO:
        rule = "must name a video, or DEMO.WEBCAM a camera by its index, 0 for the first"
        refuse(cfg, "DEMO.INPUT_VIDEO", rule)
    source, target = map(os.path.realpath, (options.INPUT_VIDEO, options.OUTPUT_FILE))
    if options.WEBCAM < 0 and source == target:
        refuse(cfg, "DEMO.OUTPUT_FILE", "must not be DEMO.INPUT_VIDEO: the video would be lost")
    if options.WEBCAM >= 0 and options.PREDS_BOXES:
        refuse(cfg, "DEMO.PREDS_BOXES", "must be empty for a camera: its persons are detected")
    if not 0 <= options.BUFFER_SIZE <= cfg.DATA.NUM_FRAMES * cfg.DATA.SAMPLING_RATE // 2:
        rule = "must lie between 0 and half of DATA.NUM_FRAMES x DATA.SAMPLING_RATE"
        refuse(cfg, "DEMO.BUFFER_SIZE", rule)
    if cfg.OBJECTS.NUM_CLASSES:
        refuse(cfg, "OBJECTS.NUM_CLASSES", "must be 0 for a demo, which has no objects' boxes")
    if cfg.DETECTION.ENABLE and cfg.VOLLEYBALL.TASK == "group":
        refuse(cfg, "VOLLEYBALL.TASK", "must not be group for a demo with persons' boxes")


def demo(cfg):
    """
    Writes DEMO.OUTPUT_FILE: DEMO.INPUT_VIDEO, or what DEMO.WEBCAM sees, and under the picture
    bars of the activities with the highest scores; for persons (DETECTION.ENABLE) their boxes
    and activities too.

    A video's output has its frames, its times and no sound. The video is read twice, first to
    score it; memory does not grow with its length, but for the scores of its windows.

    Raises:
        SlowFastExtError: no checkpoint, no names of the classes, no boxes, a video that cannot
            be read or a camera that is not there.
    """
    cfg = cfg.clone()
    # Persons are looked for in all of a frame; folders of frames have upstream's key here.
    whole_frame, fps = cfg.TEST.WHOLE_FRAME or cfg.DETECTION.ENABLE, float(cfg.DEMO.FPS)
    set_own(cfg, {"TEST.WHOLE_FRAME": whole_frame, "DATA.FRAME_FOLDER_FPS": fps})
    names = class_names(cfg)
    look = Look(cfg, names)
    if cfg.DEMO.WEBCAM >= 0:
        capture = open_camera(cfg.DEMO.WEBCAM)
        score = _scorer(cfg, "")
        with released(capture):
            number = record(cfg, capture, score, look)
        print(f"wrote {number} frames to {cfg.DEMO.OUTPUT_FILE}")
        return
    with open_video(cfg.DEMO.INPUT_VIDEO) as reader:
        number = _show_video(cfg, reader, _scorer(cfg, cfg.DEMO.INPUT_VIDEO), look)
    print(f"wrote {number} frames to {cfg.DEMO.OUTPUT_FILE}")


def _scorer(cfg, video):
    network = trained_network(cfg)
    return ClipScorer(cfg, network, video)


class Look:
    """
    How scores are shown, from the DEMO keys.

    Args:
        cfg (CfgNode): of the run.
        names (list[str]): of all classes.

    Attributes:
        thresholds (float array): [A]: from there on an activity counts as recognised.
    """

    def __init__(self, cfg, names):
        options = cfg.DEMO
        self.cfg, self.names = cfg, names
        self.thresholds = np.full(len(names), float(options.COMMON_CLASS_THRES))
        if options.LABEL_FILE_PATH and options.COMMON_CLASS_NAMES:
            is_common = np.isin(names, options.COMMON_CLASS_NAMES)
            self.thresholds[~is_common] = options.UNCOMMON_CLASS_THRES
        self.top = None
        if options.VIS_MODE == "top-k":
            self.top = upstream.get_key(cfg, "TENSORBOARD.MODEL_VIS.TOPK_PREDS")

    def bars(self, scores, spans, width, shown=None, interval=None):
        """Bars of the activities with the highest scores, or of those `shown`."""
        shown = top_activities(scores) if shown is None else shown
        names = [self.names[i] for i in shown]
        return drawing.Bars(names, scores[:, shown], spans, self.thresholds[shown], width, interval)

    def draw_persons(self, image, scored):
        """Draws the boxes of persons, in place, with the names of what they do."""
        height, width = image.shape[:2]
        boxes = []
        for box, scores in zip(scored.boxes, scored.scores, strict=True):
            lines = [f"{self.names[i]} {scores[i]:.2f}" for i in self._named(scores)]
            color = drawing.color_of(0) if lines else drawing.FAINT
            boxes.append((box * [width, height, width, height], color, lines))
        drawing.draw_boxes(image, boxes)

    def _named(self, scores):
        order = np.argsort(-scores, kind="stable")
        if self.top is not None:
            return order[: self.top]
        return [i for i in order if scores[i] >= self.thresholds[i]][:_MOST_NAMES]


def top_activities(scores):
    """Ids of the rows of bars: the highest scores of any window, W x A, first."""
    return np.argsort(-scores.max(0), kind="stable")[:_MOST_ROWS]


def every_seconds(cfg):
    """Seconds from one window to the next: windows share DEMO.BUFFER_SIZE frames."""
    share = cfg.DEMO.BUFFER_SIZE / (cfg.DATA.NUM_FRAMES * cfg.DATA.SAMPLING_RATE)
    return window_seconds(cfg) * (1 - share)


def _show_video(cfg, reader, score, look):
    """Scores and writes an opened video; returns its number of frames."""
    height, width = demo_size(cfg, reader.info.height, reader.info.width)
    frames = Frames(reader, cfg.DATA.FRAME_FOLDER_FPS)
    windows = list_windows(cfg, reader.info, every_seconds(cfg))
    found = []
    for of_clip in tqdm(windows.frames, "scores", disable=None, leave=False):
        middle = of_clip[len(of_clip) // 2]
        pathways = read_clips(cfg, reader, of_clip[None])
        found.append(
            score(pathways, lambda middle=middle: reader.read([middle])[0], frames.times[middle])
        )
    bars = look.bars(np.stack([scored.of_clip() for scored in found]), windows.spans, width)
    fps = cfg.DEMO.OUTPUT_FPS if cfg.DEMO.OUTPUT_FPS > 0 else frames.fps
    with open_mp4(cfg.DEMO.OUTPUT_FILE, fps, width, height + len(bars.panel)) as write:
        images = frames.images(height, width)
        for _, seconds, image in tqdm(images, "frames", len(frames.times), None, disable=None):
            scored = found[windows.at(seconds)]
            if scored.boxes is not None:
                look.draw_persons(image, scored)
            write(np.concatenate([image, bars.at(seconds)]), seconds * frames.fps / fps)
    return len(frames.times)


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
