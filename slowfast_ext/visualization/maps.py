"""Activity maps on frames: of one clip as a grid, of a whole video as a video."""

import contextlib
import os
import pickle
import tempfile
from typing import NamedTuple

import cv2
import numpy as np

from slowfast_ext.datasets import clips
from slowfast_ext.datasets.windows import frame_times, list_windows, window_seconds
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.activity_maps import THRESHOLD, activity_maps
from slowfast_ext.models.backbones import input_facts
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed
from slowfast_ext.utils.mp4_writer import open_mp4
from slowfast_ext.utils.paths import open_atomically
from slowfast_ext.visualization import drawing
from slowfast_ext.visualization.grid import columns_of, draw_grid
from slowfast_ext.visualization.videos import all_images, picture_size, resized

KINDS = {
    "attention": "activity maps (attention x backbone)",
    "evidence": "evidence (what each position adds to the logit)",
}
"""Kind of map -> what pictures call it."""

# Activities that are drawn where none are named; of a view, those that happen.
_TOP, MOST_PRESENT = 3, 3
# Bytes of a video's maps that are held in memory; more go to a temporary file.
_MOST_HELD = 2**28


class ClipMaps(NamedTuple):
    """
    The maps of one clip, at T steps of time and the H' x W' positions of the last feature map.

    Attributes:
        scores (float array): [A], probabilities.
        kinds (dict[str, float array]): of KINDS, of R activities, R x T x H' x W'.
        backbone (float array): T x H' x W'.
    """

    scores: np.ndarray
    kinds: dict
    backbone: np.ndarray

    def at_frames(self, number):
        """The maps at `number` frames that are evenly spread over the clip."""
        # The slow pathway's frames are the clip's first, its last and those evenly between.
        steps = len(self.backbone)
        times = np.linspace(0, steps - 1, number)
        weights = np.stack([np.interp(times, np.arange(steps), unit) for unit in np.eye(steps)])

        def spread(maps):
            return np.einsum("ts,...thw->...shw", weights, maps)

        kinds = {kind: spread(maps) for kind, maps in self.kinds.items()}
        return ClipMaps(self.scores, kinds, spread(self.backbone))


def maps_of(cfg, network, batch, activities=slice(None)):
    """
    The scores and maps of clips, from one pass.

    Args:
        cfg (CfgNode): of a network for which `activity_maps.has_maps`.
        network (ActivityNetwork): on its device, in evaluation.
        batch (Sample): B clips.
        activities (sequence[int]): ids of the R whose maps are wanted; the scale is that of all.

    Returns:
        list[ClipMaps]: [B], at the steps of the last feature map.
    """
    device = distributed.device(cfg)
    with inference(cfg, network, device):
        inputs, _ = clips.network_input(cfg, batch, device)
        maps = activity_maps(network.head, network.features(inputs))
    parts = {name: value.float().cpu().numpy() for name, value in maps._asdict().items()}
    return [
        ClipMaps(
            parts["scores"][clip],
            {kind: parts[kind][clip, activities] for kind in KINDS},
            parts["backbone"][clip],
        )
        for clip in range(len(parts["scores"]))
    ]


# --- A view of a data set's video --------------------------------------------------------


def view_maps(cfg, network, sample):
    """The first view of a test sample: its frames, RGB, T x H x W x 3, and their ClipMaps."""
    batch = sample.batch_of_views(slice(0, 1))
    frames = first_view(cfg, sample)
    return frames, maps_of(cfg, network, batch)[0].at_frames(len(frames))


def first_view(cfg, sample):
    """The frames of a test sample's first view: uint8, RGB, T x H x W x 3."""
    return clips.to_frames(cfg, [pathway[:1][0] for pathway in sample.pathways])


def shown_activities(labels, scores):
    """Ids of what happens, at most MOST_PRESENT, and of what else has the highest score."""
    is_present = np.asarray(labels) > 0
    falling = np.argsort(-scores, kind="stable")
    return [*falling[is_present[falling]][:MOST_PRESENT], *falling[~is_present[falling]][:1]]


# Of a label that is present, absent or unknown.
_NOTES = {1: "", 0: " (absent)", -1: " (unknown)"}


def draw_view(cfg, network, sample, names, title):
    """`draw_grid` of the evidence in a test sample's first view; `title` is the video's name."""
    frames, maps = view_maps(cfg, network, sample)
    labels = sample.labels.flatten().numpy()
    columns = columns_of(len(frames))
    heats = maps.kinds["evidence"][:, columns]
    rows = [
        (f"{names[i]}{_NOTES[np.sign(labels[i])]}", maps.scores[i], heats[i])
        for i in shown_activities(labels, maps.scores)
    ]
    rate = cfg.DATA.SAMPLING_RATE / (cfg.DATA.TARGET_FPS or cfg.DATA.FRAME_FOLDER_FPS)
    title = f"{title}: {KINDS['evidence']}"
    return draw_grid(title, frames[columns], columns * rate, rows, maps.backbone[columns])


# --- A whole video -----------------------------------------------------------------------


class VideoMaps:
    """
    The scores and maps of an opened video's windows, whole frames: what is at the borders is seen
    too. Each window is read once and goes through the network once; its maps are kept until they
    are drawn.

    Args:
        cfg, network: as of `maps_of`.
        reader (datasets.video.Video): the opened video.
        names (list[str]): of all activities.
        chosen (list[int] | None): ids of those shown; None: those with the highest scores of any
            window.
        at (float | None): the moment, in seconds, of the window that is drawn as a grid; None: in
            which the shown activities score highest.

    Raises:
        SlowFastExtError: the video is over before that moment, or cannot be read.
    """

    def __init__(self, cfg, network, reader, names, chosen=None, at=None):
        self.reader = reader
        self.times, self.fps = frame_times(reader.info, cfg.DATA.FRAME_FOLDER_FPS)
        self.windows = list_windows(cfg, reader.info, window_seconds(cfg))
        end = self.windows.spans[-1, 1]
        if at is not None and at > end:
            raise SlowFastExtError(f"--at is {at:g}: {reader.path} lasts {end:.2f} s")
        self.kept, self.places = tempfile.SpooledTemporaryFile(_MOST_HELD), []  # noqa: SIM115
        # Squeezed, a map still lies on the frame, over which it is stretched again.
        scores, squeeze = [], not input_facts(cfg).takes_frames
        for frames in self.windows.batches(cfg.TEST.BATCH_SIZE):
            batch = clips.read_clips(cfg, reader, frames, whole_frame=True, squeeze=squeeze)
            for maps in maps_of(cfg, network, batch, chosen or slice(None)):
                scores.append(maps.scores)
                self.places.append(self.kept.tell())
                pickle.dump(maps, self.kept)
        scores = np.stack(scores)
        ids = chosen or np.argsort(-scores.max(0), kind="stable")[:_TOP].tolist()
        self.names, self.scores = [names[i] for i in ids], scores[:, ids]
        # The kept maps of the shown activities.
        self.rows = slice(None) if chosen else ids
        self.drawn = int(self.scores.mean(1).argmax()) if at is None else self.windows.at(at)

    def maps(self, window):
        """ClipMaps of the shown activities at the frames of a window."""
        self.kept.seek(self.places[window])
        maps = pickle.load(self.kept)
        kinds = {kind: values[self.rows] for kind, values in maps.kinds.items()}
        return maps._replace(kinds=kinds).at_frames(self.windows.frames.shape[1])

    def write_grids(self, paths):
        """Writes PATH.png of each kind: the maps of one window's clip."""
        clip_frames, maps = self.windows.frames[self.drawn], self.maps(self.drawn)
        columns = columns_of(len(clip_frames))
        images = self.reader.read(clip_frames[columns])
        name = os.path.basename(self.reader.path)
        for kind, path in paths.items():
            heats = maps.kinds[kind][:, columns]
            rows = list(zip(self.names, self.scores[self.drawn], heats, strict=True))
            title, seconds = f"{name}: {KINDS[kind]}", self.times[clip_frames[columns]]
            picture = draw_grid(title, images, seconds, rows, maps.backbone[columns])
            # Encoded first and written then: OpenCV would leave half a file on a full disk.
            _, data = cv2.imencode(".png", picture[..., ::-1])
            with open_atomically(f"{path}.png", "wb") as stream:
                stream.write(data.tobytes())

    def write_videos(self, paths):
        """Writes PATH.mp4 of each kind: the whole video, its length and frame rate."""
        height, width = picture_size(self.reader.info.height, self.reader.info.width)
        thresholds = np.full(len(self.names), THRESHOLD)
        bars = drawing.Bars(self.names, self.scores, self.windows.spans, thresholds, width)
        total = height + len(bars.panel)
        with contextlib.ExitStack() as stack:
            writers = {
                kind: stack.enter_context(open_mp4(f"{path}.mp4", self.fps, width, total))
                for kind, path in paths.items()
            }
            current = maps = None
            for number, image in all_images(self.reader):
                image, seconds = resized(image, height, width), float(self.times[number])
                window = self.windows.at(seconds)
                if window != current:
                    current, maps = window, self.maps(window)
                place = np.abs(self.windows.frames[window] - number).argmin()
                panel = bars.at(seconds)
                for kind, write in writers.items():
                    picture = draw_overlay(image, self.names, maps.kinds[kind][:, place])
                    write(np.concatenate([picture, panel]), seconds)


def draw_overlay(image, names, maps):
    """
    A frame with the maps of several activities, each in its colour, and boxes around what they
    activate.

    Args:
        image (uint8 array): H x W x 3, RGB.
        names (list[str]): of the activities.
        maps (sequence[float array]): H' x W' each, in [0, 1].
    """
    boxes = []
    for number, (name, heat) in enumerate(zip(names, maps, strict=True)):
        heat, color = drawing.laid_out(heat, *image.shape[:2]), drawing.color_of(number)
        image = drawing.draw_tint(image, heat, color)
        boxes += [(box, color, [name]) for box in drawing.regions(heat)]
    drawing.draw_boxes(image, boxes)
    return image
