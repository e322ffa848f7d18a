"""Writes a data set of real videos in which several actors do several things at once."""

import contextlib
import csv
import dataclasses
import functools
import io
import json
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor

import av
import cv2
import numpy as np

from slowfast_ext.datasets.synthetic.motion import bounding_box, draw_frame
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings, draw_actors
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import open_atomically, pathmgr

__all__ = ["SyntheticSettings", "ensure", "generate", "write_video"]

# Rises with every change of what the same settings give.
FORMAT = 3
FPS = 30
# Standard deviation of a frame's own grain, in grey levels.
NOISE = 3.0
# A process takes seconds to start, a video a tenth of one.
VIDEOS_A_PROCESS = 16
_SPLITS = ("train", "test")
_SETTINGS = "settings.json"
# There while a set is being generated: what is beside it may be written over.
_BEGUN = "generation_begun"
# A key frame every 12 frames makes seeking cheap. One thread, and no macroblock tree, make the
# bytes reproducible: with the tree x264 gives small frames other bytes from time to time.
_ENCODER = {
    **{"preset": "veryfast", "crf": "21", "g": "12", "threads": "1"},
    "x264-params": "mbtree=0",
}


def _draw_background(random, size):
    """S x S x 3, uint8: dark coarse blotches of colour with a fine grain."""
    coarse = random.uniform(30, 100, (6, 6, 3)).astype(np.float32)
    image = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    grain = random.normal(0, 8, (size // 2, size // 2, 1)).astype(np.float32)
    image += cv2.resize(grain, (size, size))[..., None]
    return image.clip(0, 255).astype(np.uint8)


def images_of(random, actors, settings):
    """Yields the frames of a video, S x S x 3, uint8."""
    background = _draw_background(random, settings.size)
    for frame in range(settings.num_frames):
        image = draw_frame(background, actors, frame)
        image += random.normal(0, NOISE, (settings.size, settings.size, 1)).astype(np.float32)
        yield image.clip(0, 255).astype(np.uint8)


def encode(images, size):
    """H.264 in MP4, as bytes."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS, options=_ENCODER)
        video.width = video.height = size
        video.pix_fmt = "yuv420p"
        for image in images:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
    return stream.getvalue()


def write_video(directory, settings, split, index):
    """
    Writes the video of a number and its truth; the same arguments give the same frames.

    Returns its rows in the list: path, label, start and end in seconds.
    """
    random = np.random.default_rng([settings.seed, _SPLITS.index(split), index])
    if split == "test":
        settings = dataclasses.replace(settings, imbalance=1.0)
    actors = draw_actors(random, settings)
    name = f"videos/{split}_{index:04d}"
    with open_atomically(os.path.join(directory, f"{name}.mp4"), "wb") as stream:
        stream.write(encode(images_of(random, actors, settings), settings.size))
    # Times of first and last frames are not rounded: these frames must lie within.
    truth = [
        {
            "labels": actor.labels,
            "start": actor.start / FPS,
            "end": (actor.end - 1) / FPS,
            "boxes": [bounding_box(actor, frame) for frame in range(actor.start, actor.end)],
        }
        for actor in actors
        if actor.labels
    ]
    with open_atomically(os.path.join(directory, f"{name}.json")) as stream:
        stream.write(json.dumps(truth))  # At once: several times as fast as piece by piece.
    return [(f"{name}.mp4", ";".join(item["labels"]), item["start"], item["end"]) for item in truth]


def _write_split(directory, settings, split, map_function):
    """Writes the videos of a split, then their list."""
    count = settings.num_train if split == "train" else settings.num_test
    write = functools.partial(write_video, directory, settings, split)
    rows = [row for rows in map_function(write, range(count)) for row in rows]
    with open_atomically(os.path.join(directory, f"{split}.csv")) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["path", "labels", "start", "end"])
        writer.writerows(rows)


def _leave_interrupt_to_parent():
    """Ctrl-C ends the parent, which ends these processes; theirs would print tracebacks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _map_function(count):
    """`map` for so many videos, over processes where those are worth their start."""
    # Where the machine is shared the usable cores are fewer; not every system can tell.
    usable = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
    processes = min(len(usable), count // VIDEOS_A_PROCESS)
    if processes < 2:
        yield map
        return
    # Spawned: a fork would copy the threads' locks of torch and OpenCV.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, _leave_interrupt_to_parent) as pool:
        yield functools.partial(pool.map, chunksize=8)


def generate(directory, settings):
    """
    Writes `classes.txt`, `train.csv`, `test.csv`, `videos/*.mp4`, beside each video its
    truth (`.json`), and last `settings.json`, which marks a complete set.

    Args:
        directory (str): is made; files of an earlier attempt are written over.
        settings (SyntheticSettings): what to write.
    """
    directory = str(directory)
    begun = os.path.join(directory, _BEGUN)
    with open_atomically(begun) as stream:
        stream.write("An unfinished set of synthetic videos.\n")
    with open_atomically(os.path.join(directory, "classes.txt")) as stream:
        stream.write("\n".join(settings.class_names) + "\n")
    with _map_function(settings.num_train + settings.num_test) as map_function:
        for split in _SPLITS:
            _write_split(directory, settings, split, map_function)
    with open_atomically(os.path.join(directory, _SETTINGS)) as stream:
        json.dump(_description(settings), stream, indent=2)
    pathmgr.rm(begun)


def _description(settings):
    described = {"format": FORMAT, **dataclasses.asdict(settings)}
    if settings.imbalance == 1:
        del described["imbalance"]  # As sets from before there was the switch have it.
    return described


def _refuse_foreign_files(directory):
    """A list of somebody's own videos has the same name as one of these."""
    directory = directory or os.curdir
    names = pathmgr.ls(directory) if pathmgr.isdir(directory) else []
    foreign = sorted(name for name in names if not name.startswith("."))
    if foreign and _BEGUN not in foreign:
        raise SlowFastExtError(
            f"{directory} holds {foreign[0]} and no synthetic data set, so none is written there: "
            "for videos of your own set both TRAIN.DATASET and TEST.DATASET to MultiLabelVideos; "
            "for synthetic ones name an empty or a new folder as DATA.PATH_TO_DATA_DIR"
        )


def ensure(directory, settings):
    """
    Generates the data set where `directory` does not hold it completely. Raises SlowFastExtError
    where it holds a complete set with other settings, or something else.
    """
    path = os.path.join(str(directory), _SETTINGS)
    if not pathmgr.exists(path):
        _refuse_foreign_files(str(directory))
        generate(directory, settings)
        return
    # A switch that there was not yet when the set was written was as its default is.
    defaults = {field.name: field.default for field in dataclasses.fields(SyntheticSettings)}
    with pathmgr.open(path) as stream:
        text = stream.read()
    try:
        found = {**defaults, **dict(json.loads(text))}
    except (ValueError, TypeError) as error:
        raise SlowFastExtError(
            f"{path} is not the settings of a synthetic data set: choose another directory "
            "or delete this one"
        ) from error
    wanted = {**defaults, **_description(settings)}
    differing = [
        f"{key} is {found.get(key)}, not {wanted.get(key)}"
        for key in {**wanted, **found}
        if found.get(key) != wanted.get(key)
    ]
    if differing:
        raise SlowFastExtError(
            f"{directory} holds a synthetic data set with other settings "
            f"({'; '.join(differing)}): choose another directory or delete this one"
        )
