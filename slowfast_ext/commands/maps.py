"""
python -m slowfast_ext maps: where in a video a network sees each activity.

Writes, of both kinds of maps, a picture of one clip and the whole video with the maps laid over
it. KEY VALUE pairs may follow, as run_net.py takes them.
"""

import contextlib
import os
from typing import NamedTuple

import cv2
import numpy as np

from slowfast_ext.commands.arguments import (
    seconds_of,
    videos_and_options,
)
from slowfast_ext.config.compare import set_own
from slowfast_ext.config.schema import require_clips_alone
from slowfast_ext.datasets.class_names import class_names
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.activity_maps import THRESHOLD, require_activity_head
from slowfast_ext.predict.windows import list_windows, window_scores, window_seconds
from slowfast_ext.utils.paths import open_atomically, require_writable_in
from slowfast_ext.utils.text import nearest, shortened
from slowfast_ext.visualization import drawing
from slowfast_ext.visualization.clip_maps import KINDS, clip_maps, laid_out
from slowfast_ext.visualization.frames import Frames, picture_size
from slowfast_ext.visualization.grid import columns_of, draw_grid
from slowfast_ext.visualization.video_writer import open_mp4

# Activities that are drawn where none are named.
_TOP = 3


def run(args):
    """
    Writes NAME_attention and NAME_evidence, .png and .mp4 each, into --out.

    Raises:
        SlowFastExtError: wrong arguments, a head without attention, or a video that cannot be
            read.
    """
    videos, options = videos_and_options(args)
    if len(videos) != 1:
        raise SlowFastExtError(f"{len(videos)} videos are given: name one")
    cfg = checked_config(args.cfg, options)
    require_clips_alone(cfg, "maps are of a video's frames and nothing else")
    require_activity_head(cfg)
    # Maps of what is seen at the borders too.
    set_own(cfg, {"TEST.WHOLE_FRAME": True})
    names = class_names(cfg)
    chosen = _chosen(args.activities, names) if args.activities else None
    at = None if args.at is None else seconds_of(args.at, "--at", or_zero=True)
    stem = os.path.splitext(os.path.basename(os.path.normpath(videos[0])))[0]
    paths = {kind: os.path.join(args.out, f"{stem}_{kind}") for kind in KINDS}
    # Before a long video is scored.
    files = [f"{stem}_{kind}.{ending}" for kind in KINDS for ending in ("png", "mp4")]
    require_writable_in(args.out, files, "--out")
    network = trained_network(cfg)
    with open_video(videos[0]) as reader:
        video = _Video.scored(cfg, network, reader, names, chosen)
        window = video.window_at(at)
        write_grids(cfg, network, video, window, paths)
        write_videos(cfg, network, video, paths)
    for path in paths.values():
        print(f"wrote {path}.png and {path}.mp4")


def _chosen(text, names):
    """Ids of the activities that are named."""
    chosen = []
    for word in filter(None, map(str.strip, text.split(";"))):
        if word in names:
            chosen.append(names.index(word))
        elif word.isdecimal() and int(word) < len(names):
            chosen.append(int(word))
        else:
            raise SlowFastExtError(
                f"--activities: '{word}' is neither the name nor the id of a class"
                f"{nearest(word, names) or '; there are ' + shortened(', '.join(names))}"
            )
    if not chosen:
        raise SlowFastExtError("--activities names none: separate names or ids by ';'")
    return list(dict.fromkeys(chosen))


class _Video(NamedTuple):
    """An opened video, its windows, and the activities shown with their scores, W x R."""

    reader: object
    frames: Frames
    windows: object
    ids: list
    names: list
    scores: np.ndarray

    @classmethod
    def scored(cls, cfg, network, reader, names, chosen):
        """`chosen` are ids; None: those with the highest score of any window."""
        frames = Frames(reader, cfg.DATA.FRAME_FOLDER_FPS)
        windows = list_windows(cfg, reader.info, window_seconds(cfg))
        scores = window_scores(cfg, network, reader, windows)
        if chosen is None:
            chosen = np.argsort(-scores.max(0), kind="stable")[:_TOP].tolist()
        shown = [names[i] for i in chosen]
        return cls(reader, frames, windows, chosen, shown, scores[:, chosen])

    def window_at(self, seconds):
        """The window of a moment; None: that in which the activities shown score highest."""
        spans = self.windows.spans
        if seconds is None:
            return int(self.scores.mean(1).argmax())
        if seconds > spans[-1, 1]:
            raise SlowFastExtError(
                f"--at is {seconds:g}: {self.reader.path} lasts {spans[-1, 1]:.2f} s"
            )
        return self.windows.at(seconds)


def write_grids(cfg, network, video, window, paths):
    """Writes PATH.png of each kind: the maps of one window's clip."""
    of_clip = video.windows.frames[window]
    maps = clip_maps(cfg, network, video.reader, of_clip, video.ids)
    columns = columns_of(len(of_clip))
    images = video.reader.read(of_clip[columns])
    seconds = video.frames.times[of_clip[columns]]
    name = os.path.basename(video.reader.path)
    for kind, path in paths.items():
        rows = zip(video.names, video.scores[window], maps.kinds[kind][:, columns], strict=True)
        title = f"{name}: {KINDS[kind]}"
        picture = draw_grid(title, images, seconds, list(rows), maps.backbone[columns])
        _, data = cv2.imencode(".png", picture[..., ::-1])
        with open_atomically(f"{path}.png", "wb") as stream:
            stream.write(data.tobytes())


def write_videos(cfg, network, video, paths):
    """Writes PATH.mp4 of each kind: the whole video, its length and frame rate."""
    info = video.reader.info
    height, width = picture_size(info.height, info.width)
    windows = video.windows
    thresholds = np.full(len(video.ids), THRESHOLD)
    bars = drawing.Bars(video.names, video.scores, windows.spans, thresholds, width)
    total = height + len(bars.panel)
    with contextlib.ExitStack() as stack:
        # Clips and pictures are read side by side: two readers that both go forward only.
        clips = stack.enter_context(open_video(video.reader.path))
        writers = {
            kind: stack.enter_context(open_mp4(f"{path}.mp4", video.frames.fps, width, total))
            for kind, path in paths.items()
        }
        current = maps = None
        for number, seconds, image in video.frames.images(height, width):
            window = windows.at(seconds)
            if window != current:
                current = window
                maps = clip_maps(cfg, network, clips, windows.frames[window], video.ids)
            place = np.abs(windows.frames[window] - number).argmin()
            panel = bars.at(seconds)
            for kind, write in writers.items():
                heats = [laid_out(heat, height, width) for heat in maps.kinds[kind][:, place]]
                picture = draw_overlay(image, video.names, heats)
                write(np.concatenate([picture, panel]), seconds)


def draw_overlay(image, names, maps):
    """
    A frame with the maps of several activities, each in its colour, and boxes around what they
    activate.

    Args:
        image (uint8 array): H x W x 3, RGB.
        names (list[str]): of the activities.
        maps (list[float array]): H x W each, in [0, 1].
    """
    for number, heat in enumerate(maps):
        image = drawing.draw_tint(image, heat, drawing.color_of(number))
    boxes = [
        (box, drawing.color_of(number), [name])
        for number, (name, heat) in enumerate(zip(names, maps, strict=True))
        for box in drawing.regions(heat)
    ]
    drawing.draw_boxes(image, boxes)
    return image
