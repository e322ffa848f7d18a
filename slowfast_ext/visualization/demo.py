"""
Upstream's DEMO keys: a video, a folder of frames or what a camera sees, with persons' boxes and
activities, and over the time the highest scores as bars under the picture.
"""

import contextlib
import itertools
import os
import time
from collections import deque
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from tqdm import tqdm

from slowfast_ext import upstream
from slowfast_ext.config.defaults import default_config
from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets import clips, views
from slowfast_ext.datasets.ava_annotations import BOX, read_person_boxes
from slowfast_ext.datasets.contract import class_names
from slowfast_ext.datasets.keyframe_clips import persons_in
from slowfast_ext.datasets.video import open_by_config
from slowfast_ext.datasets.windows import frame_times, list_windows, window_seconds
from slowfast_ext.engine.trained import scores_of, trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones import backbone_name, input_facts
from slowfast_ext.models.inference import inference
from slowfast_ext.prepare.person_detectors import load_detector
from slowfast_ext.utils import distributed
from slowfast_ext.utils.mp4_writer import open_mp4
from slowfast_ext.visualization import drawing, videos

# Rows of bars; names at a person's box.
_MOST_ROWS, _MOST_NAMES = 6, 5
# Narrower ones have no room for a bar; larger ones are beyond what H.264 plays and memory holds.
_LEAST_SHOWN, _MOST_SHOWN = 160, 10240
# A camera has no end: seconds of its past that the bars show, and windows that are remembered.
_PAST, _REMEMBERED = 30.0, 1000


def check_demo(cfg):
    """Raises SlowFastExtError where a DEMO key breaks its rule, before anything runs."""
    options = cfg.DEMO
    if not options.OUTPUT_FILE:
        refuse(cfg, "DEMO.OUTPUT_FILE", "must name the .mp4 file to write: no window is opened")
    videos.check_mp4(options.OUTPUT_FILE, "DEMO.OUTPUT_FILE")
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
    if cfg.DETECTION.ENABLE and not input_facts(cfg).takes_frames:
        refuse(
            cfg, "DETECTION.ENABLE", f"must be False: {backbone_name(cfg)} takes no whole frames"
        )
    if cfg.DETECTION.ENABLE and cfg.VOLLEYBALL.TASK == "group":
        refuse(cfg, "VOLLEYBALL.TASK", "must not be group for a demo with persons' boxes")


def demo(cfg):
    """
    Writes DEMO.OUTPUT_FILE.

    A video's output has its frames, its times and no sound. The video is read twice, first to
    score it; memory does not grow with its length, but for the scores of its windows. A camera is
    recorded until it ends or Ctrl-C comes; while a clip is scored it is not read.

    Raises:
        SlowFastExtError: no checkpoint, no names of the classes, no boxes, a video that cannot
            be read or a camera that is not there or gives no frame.
    """
    network = trained_network(cfg)
    names = network.class_names or class_names(cfg)
    source_of = Camera if cfg.DEMO.WEBCAM >= 0 else Stored
    with contextlib.closing(source_of(cfg)) as source:
        score = ClipScorer(cfg, network, source.name)
        size = demo_size(cfg, *source.size)
        shown = Shown(cfg, names, size, source.past)
        for clip in tqdm(source.clips(), "scores", source.num_clips, False, disable=None):
            shown.add(clip, score(clip))
        fps = cfg.DEMO.OUTPUT_FPS if cfg.DEMO.OUTPUT_FPS > 0 else source.fps
        number, images = 0, tqdm(source.frames(), "frames", source.length, None, disable=None)
        with (
            open_mp4(cfg.DEMO.OUTPUT_FILE, fps, shown.width, shown.total) as write,
            # What was recorded until then is kept.
            contextlib.suppress(*source.ended_by),
        ):
            for seconds, image, clip in images:
                if clip is not None:
                    shown.add(clip, score(clip))
                write(shown.picture(seconds, image), seconds * source.fps / fps)
                number += 1
    print(f"wrote {number} frames to {cfg.DEMO.OUTPUT_FILE}")


def demo_size(cfg, height, width):
    """`videos.picture_size` by the DEMO keys; raises SlowFastExtError where bars do not fit it."""
    wanted = cfg.DEMO.DISPLAY_HEIGHT, cfg.DEMO.DISPLAY_WIDTH
    shown = videos.picture_size(height, width, *wanted)
    if shown[1] < _LEAST_SHOWN or max(shown) > _MOST_SHOWN:
        raise SlowFastExtError(
            f"with DEMO.DISPLAY_HEIGHT {wanted[0]} and DEMO.DISPLAY_WIDTH {wanted[1]} frames of "
            f"{width} x {height} pixels are shown in {shown[1]} x {shown[0]}: the width must be at "
            f"least {_LEAST_SHOWN}, and neither above {_MOST_SHOWN}"
        )
    return shown


# --- Where frames come from ----------------------------------------------------------


class Clip(NamedTuple):
    """
    What is scored at once.

    Attributes:
        batch (Sample): of one clip; where persons are scored, whole frames.
        keyframe (callable): gives the RGB frame that persons are looked for in.
        seconds (float): when that frame is shown.
        span (tuple[float, float]): the start and end that the clip's scores stand for.
    """

    batch: clips.Sample
    keyframe: Any
    seconds: float
    span: tuple


def shows_whole_frame(cfg):
    """True where clips are not cropped: persons are looked for in all of a frame."""
    return cfg.TEST.WHOLE_FRAME or cfg.DETECTION.ENABLE


class Stored:
    """DEMO.INPUT_VIDEO, a file or a folder: all its clips are scored before any frame is shown."""

    past, ended_by = None, ()

    def __init__(self, cfg):
        self.cfg, self.name = cfg, cfg.DEMO.INPUT_VIDEO
        self.reader = open_by_config(cfg, self.name)
        info = self.reader.info
        self.size, self.length = (info.height, info.width), info.length
        self.times, self.fps = frame_times(info, cfg.DEMO.FPS)
        # Windows share DEMO.BUFFER_SIZE frames.
        shared = cfg.DEMO.BUFFER_SIZE / (cfg.DATA.NUM_FRAMES * cfg.DATA.SAMPLING_RATE)
        every = window_seconds(cfg, cfg.DEMO.FPS) * (1 - shared)
        self.windows = list_windows(cfg, info, every, cfg.DEMO.FPS)
        self.num_clips = len(self.windows.frames)

    def close(self):
        """Frees what reading needs."""
        self.reader.close()

    def clips(self):
        """Yields the Clip of each window."""
        return map(self._clip, self.windows.frames, self.windows.spans)

    def _clip(self, frames, span):
        middle = frames[len(frames) // 2]
        batch = clips.read_clips(self.cfg, self.reader, frames[None], shows_whole_frame(self.cfg))
        return Clip(batch, lambda: self.reader.read([middle])[0], self.times[middle], span)

    def frames(self):
        """Yields (seconds, RGB image, None)."""
        for number, image in videos.all_images(self.reader):
            yield float(self.times[number]), image, None


class Camera:
    """DEMO.WEBCAM, whose clips are scored when their last frame has come; one clip is held."""

    past, ended_by = _PAST, (KeyboardInterrupt,)
    name, length, num_clips = "", None, 0

    def __init__(self, cfg):
        self.cfg, data = cfg, cfg.DATA
        self.capture = open_camera(cfg.DEMO.WEBCAM)
        fps = self.capture.get(cv2.CAP_PROP_FPS)
        # Drivers that do not know it say 0, or anything.
        self.fps = fps if 1 <= fps <= 240 else 30.0
        self.step = views.frame_step(data.SAMPLING_RATE, self.fps, data.TARGET_FPS)
        self.held = deque(maxlen=int((data.NUM_FRAMES - 1) * self.step + 1))
        self.stride = max(1, round(data.NUM_FRAMES * self.step - cfg.DEMO.BUFFER_SIZE))

    def close(self):
        """Frees the camera."""
        self.capture.release()

    def clips(self):
        """Nothing is known before it comes."""
        return ()

    @cached_property
    def first(self):
        """(seconds, RGB image) of the first frame; raises SlowFastExtError where none comes."""
        first = self._read()
        if first is None:
            raise SlowFastExtError(
                f"DEMO.WEBCAM is {self.cfg.DEMO.WEBCAM}: the camera is there but gives no frame; "
                "is another program using it?"
            )
        return first

    @property
    def size(self):
        """Height and width."""
        return self.first[1].shape[:2]

    def _read(self):
        is_read, image = self.capture.read()
        return (time.monotonic(), cv2.cvtColor(image, cv2.COLOR_BGR2RGB)) if is_read else None

    def frames(self):
        """Yields (seconds from the first, RGB image, the Clip that it completes or None)."""
        start, size = self.first[0], views.scaled_size(*self.size, self.cfg.DATA.TEST_CROP_SIZE)
        waiting, last = self.held.maxlen, 0.0
        print("recording; Ctrl-C ends it")
        for now, image in itertools.chain([self.first], iter(self._read, None)):
            seconds, clip = now - start, None
            self.held.append(videos.resized(image, *size))
            waiting -= 1
            if waiting <= 0:
                waiting, clip = self.stride, self._clip(image, (last, seconds))
                last = seconds
            yield seconds, image, clip

    def _clip(self, image, span):
        frames = views.clip_frames(len(self.held), self.cfg.DATA.NUM_FRAMES, self.step, 1.0)
        images = np.stack([self.held[i] for i in frames])
        places = np.arange(len(images))[None]
        batch = clips.batch_of_frames(self.cfg, images, places, shows_whole_frame(self.cfg))
        return Clip(batch, lambda: image, span[1], span)


def open_camera(index):
    """OpenCV's camera of that index; raises SlowFastExtError where there is none."""
    # Its own warnings, which newer versions can withhold, say less than our sentence.
    log = getattr(cv2.utils, "logging", None)
    level = log and log.getLogLevel()
    if log:
        log.setLogLevel(log.LOG_LEVEL_SILENT)
    capture = cv2.VideoCapture(index)
    if log:
        log.setLogLevel(level)
    if not capture.isOpened():
        raise SlowFastExtError(
            f"DEMO.WEBCAM is {index}: OpenCV finds no camera of that index; connect one, or set "
            "DEMO.WEBCAM -1 and name a file by DEMO.INPUT_VIDEO"
        )
    return capture


# --- What is scored ------------------------------------------------------------------


class Scored(NamedTuple):
    """
    A clip's scores.

    Attributes:
        boxes (float array): P x 4, x1, y1, x2, y2 as fractions of the frame; None: no persons are
            looked for, and the clip as a whole is scored.
        scores (float array): P x A, or 1 x A of the clip as a whole; probabilities.
    """

    boxes: np.ndarray | None
    scores: np.ndarray

    def clip_scores(self):
        """[A]: the largest over the persons, 0 where there is nobody."""
        return self.scores.max(0, initial=0)


class ClipScorer:
    """
    Args:
        cfg (CfgNode): of the run; with DETECTION.ENABLE persons are scored.
        network (ActivityNetwork): on its device, in evaluation.
        video (str): DEMO.PREDS_BOXES' name of the video; unused where persons are detected.
    """

    def __init__(self, cfg, network, video):
        self.cfg, self.network = cfg, network
        self.boxes_of = None
        if cfg.DETECTION.ENABLE:
            self.boxes_of = given_boxes(cfg, video) if cfg.DEMO.PREDS_BOXES else detector(cfg)

    def __call__(self, clip):
        """Clip -> Scored."""
        batch, boxes = clip.batch, None
        if self.boxes_of is not None:
            size = batch.pathways[0].shape[-2:]
            boxes = self.boxes_of(clip.keyframe, clip.seconds)
            pixels, kept = persons_in(views.Crop(0, 0, *size), boxes, size)
            boxes = boxes[kept.numpy()]
            if not len(boxes):
                return Scored(boxes, np.zeros((0, self.cfg.MODEL.NUM_CLASSES)))
            batch = batch._replace(boxes=clips.join_boxes([pixels]))
        with inference(self.cfg, self.network, distributed.device(self.cfg)):
            return Scored(boxes, scores_of(self.cfg, self.network, batch))


def given_boxes(cfg, video):
    """
    (keyframe, seconds) -> P x 4: DEMO.PREDS_BOXES, in AVA's form, of the second that is nearest.

    The video's first frame is second DEMO.STARTING_SECOND.

    Raises:
        SlowFastExtError: the file cannot be read, or has no boxes of the video.
    """
    path = cfg.DEMO.PREDS_BOXES
    rows = read_person_boxes(path).astype({"video": str})
    name = os.path.splitext(os.path.basename(os.path.normpath(video)))[0]
    known = sorted(set(rows["video"]))
    rows = rows[rows["video"] == name]
    if rows.empty:
        raise SlowFastExtError(
            f"DEMO.PREDS_BOXES {path} has no boxes of '{name}', which the video's file name "
            f"says; it has those of {', '.join(known[:5])}{', ...' if known[5:] else ''}"
        )
    rows = rows[rows["score"] >= cfg.AVA.DETECTION_SCORE_THRESH]
    # A box with several actions has as many rows.
    by_second = rows.drop_duplicates(["second", *BOX]).groupby("second")
    boxes = {second: group[BOX].to_numpy() for second, group in by_second}
    first, nobody = cfg.DEMO.STARTING_SECOND, np.zeros((0, 4))
    return lambda keyframe, seconds: boxes.get(round(first + seconds), nobody)


def detector(cfg):
    """
    (keyframe, seconds) -> P x 4: those of the person detector that `prepare boxes` uses too.

    Raises:
        SlowFastExtError: it is not installed, or its weights cannot be read.
    """
    weights = cfg.DEMO.DETECTRON2_WEIGHTS
    # Upstream's default names a file of detectron2's model zoo.
    if weights in ("", default_config().DEMO.DETECTRON2_WEIGHTS):
        weights = None
    try:
        detect = load_detector(weights, cfg.DEMO.DETECTRON2_THRESH)
    except SlowFastExtError as error:
        # The words are those of a command with this option.
        sentence = str(error).replace("--weights", "DEMO.DETECTRON2_WEIGHTS")
        raise SlowFastExtError(
            f"{sentence}; or name a file of boxes by DEMO.PREDS_BOXES"
        ) from error

    @torch.no_grad()
    def boxes_of(keyframe, seconds):
        image = np.ascontiguousarray(keyframe())
        height, width = image.shape[:2]
        boxes, _ = detect([image])[0]
        return (boxes / [width, height, width, height]).clip(0, 1)

    return boxes_of


# --- What is shown -------------------------------------------------------------------


class Shown:
    """
    Frames with the persons of the clips scored so far, and bars of the activities with the highest
    scores under them; how, the DEMO keys say.

    Args:
        cfg (CfgNode): of the run.
        names (list[str]): of all classes.
        size (tuple[int, int]): height and width of a frame as shown.
        past (float | None): seconds that the bars show; None: all that was scored.
    """

    def __init__(self, cfg, names, size, past):
        options = cfg.DEMO
        self.names, self.past = names, past
        self.height, self.width = size
        self.total = self.height + drawing.Bars.height_of(self.width, min(_MOST_ROWS, len(names)))
        # From there on an activity counts as recognised.
        self.thresholds = np.full(len(names), float(options.COMMON_CLASS_THRES))
        if options.LABEL_FILE_PATH and options.COMMON_CLASS_NAMES:
            is_common = np.isin(names, options.COMMON_CLASS_NAMES)
            self.thresholds[~is_common] = options.UNCOMMON_CLASS_THRES
        self.top = None
        if options.VIS_MODE == "top-k":
            self.top = upstream.get_key(cfg, "TENSORBOARD.MODEL_VIS.TOPK_PREDS")
        self.spans, self.found = (deque(maxlen=past and _REMEMBERED) for _ in range(2))
        self.bars = None

    def add(self, clip, scored):
        """A clip was scored; clips come in the order of their spans."""
        self.spans.append(clip.span)
        self.found.append(scored)
        self.bars = None

    def picture(self, seconds, image):
        """The picture of a frame."""
        image = videos.resized(image, self.height, self.width)
        self.bars = self.bars or self._bars()
        if self.found:
            scored = self.found[self.bars.window_at(seconds)]
            if scored.boxes is not None:
                image = image.copy()  # A camera's may be in the next clip too.
                self.draw_persons(image, scored)
        return np.concatenate([image, self.bars.at(seconds)])

    def _bars(self):
        scores, spans = np.zeros((1, len(self.names))), np.zeros((1, 2))
        if self.found:
            scores = np.stack([scored.clip_scores() for scored in self.found])
            spans = np.array(self.spans)
        shown = np.argsort(-scores.max(0), kind="stable")[:_MOST_ROWS]
        names, end = [self.names[i] for i in shown], spans[-1, 1]
        interval = self.past and (max(0.0, end - self.past), max(end, self.past))
        thresholds = self.thresholds[shown]
        return drawing.Bars(names, scores[:, shown], spans, thresholds, self.width, interval)

    def draw_persons(self, image, scored):
        """Draws the boxes of persons, in place, with the names of what they do."""
        height, width = image.shape[:2]
        boxes = []
        for box, scores in zip(scored.boxes, scored.scores, strict=True):
            named = np.argsort(-scores, kind="stable")[: self.top]
            if self.top is None:
                named = [i for i in named if scores[i] >= self.thresholds[i]][:_MOST_NAMES]
            lines = [f"{self.names[i]} {scores[i]:.2f}" for i in named]
            color = drawing.color_of(0) if lines else drawing.FAINT
            boxes.append((box * [width, height, width, height], color, lines))
        drawing.draw_boxes(image, boxes)
