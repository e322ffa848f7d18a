"""
Boxes of objects and persons in videos, from a CSV file.

Its header is `video,frame,class,x1,y1,x2,y2[,score]`: a video's id, the frame's number in it
from 1 on, the name of a class, and the box as fractions of the frame's width and height.
"""

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.objects import Objects
from slowfast_ext.utils.paths import is_local
from slowfast_ext.utils.tables import read_table
from slowfast_ext.utils.text import shortened

COLUMNS = ["video", "frame", "class", "x1", "y1", "x2", "y2"]
FORM = f"{','.join(COLUMNS)}[,score]"
# More than two years of video: a number beyond it is a mistake.
MOST_FRAMES = 2**31


@dataclass(frozen=True)
class VideoObjects:
    """
    The M boxes of one video.

    Args:
        frames (int64 array): [M], numbers of frames, from 0.
        classes (int64 array): [M], class ids.
        boxes (float64 array): M x 4: x1, y1, x2, y2 as fractions of the frame's size.
    """

    frames: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray

    @classmethod
    def none(cls):
        """A video without any."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4)))

    def check_within(self, video):
        """Raises SlowFastExtError where a box lies past the end of the opened Video."""
        last, length = self.frames.max(initial=-1), video.info.length
        if last >= length:
            raise SlowFastExtError(
                f"{video.path}: it has {length} frames, and a box in objects.csv is of its frame "
                f"{last + 1}: number the frames of this very video, from 1 on"
            )

    def in_clip(self, frames, crop, frame_height, frame_width):
        """
        The Objects, `clips` all 0, that lie between a clip's first and last frame, in `frames`,
        [T], and, in part, in its crop of frames of the given size in pixels.
        """
        first, last = frames[0], frames[-1]
        boxes, kept = crop.boxes(self.boxes, frame_height, frame_width)
        kept &= (self.frames >= first) & (self.frames <= last)
        # A clip of one frame lasts no time.
        times = (self.frames[kept] - first) / max(last - first, 1)
        return Objects(
            torch.from_numpy(boxes[kept]).float(),
            torch.from_numpy(times).float(),
            torch.from_numpy(self.classes[kept]),
            torch.zeros(int(kept.sum()), dtype=torch.int64),
        )


def read_objects(path, class_names, min_score=0.0):
    """
    Reads the boxes of all videos, but for those of a lower score than `min_score` -> VideoObjects
    by the video's id; class names stand in the order of their ids.

    Raises SlowFastExtError: not readable, a column is missing, or any bad rows, all of which it
    counts.
    """
    # A training run opens the file for each of its splits: it is read again where it was written
    # anew, which a store's file does not tell.
    version = None
    if is_local(path) and os.path.exists(path):
        version = os.stat(path).st_mtime_ns, os.stat(path).st_size
    return _read_objects(path, tuple(class_names), min_score, version)


def check_any_listed(path, objects, list_path, video_ids):
    """Raises SlowFastExtError where no video of a list has a box: nothing would come of them."""
    if objects.keys() & set(video_ids):
        return
    if objects:
        named = shortened(min(objects))
        has = f"its boxes are of {named}, ..., the list's videos {video_ids[0]}, ..."
    else:
        has = "it holds no box whose score is at least OBJECTS.MIN_SCORE"
    raise SlowFastExtError(
        f"{path}: no video of {list_path} has a box: {has}; write the list's ids into it, or set "
        "OBJECTS.NUM_CLASSES 0"
    )


@lru_cache(maxsize=1)
def _read_objects(path, class_names, min_score, _version):
    ids = {name: index for index, name in enumerate(class_names)}

    def check(table):
        table.require(COLUMNS, FORM)
        video, frame, class_name, x1, y1, x2, y2 = (table.rows[name] for name in COLUMNS)
        table.tell(
            (video == "") | video.str.contains("\0", regex=False),
            "the video's id is empty or holds a NUL character",
        )
        # What is no number is nan, for which no comparison holds.
        is_frame = frame.between(1, MOST_FRAMES) & (frame % 1 == 0)
        table.tell(~is_frame, "the frame is not a whole number from 1 on")
        table.tell(~class_name.isin(class_names), "the class is not in object_classes.txt")
        is_box = (x1 >= 0) & (x1 < x2) & (x2 <= 1) & (y1 >= 0) & (y1 < y2) & (y2 <= 1)
        rule = "the box is not x1 < x2, y1 < y2 within 0..1, fractions of the frame"
        table.tell(~is_box, rule)
        table.tell(~_scores(table).between(0, 1), "the score is not a number from 0 to 1")

    numbers = {"frame", *COLUMNS[3:], "score"}
    table = read_table(path, is_number=numbers.__contains__, check=check)
    rows = table.rows[_scores(table) >= min_score]
    frames, boxes = rows["frame"].to_numpy(np.int64) - 1, rows[COLUMNS[3:]].to_numpy()
    classes = rows["class"].map(ids).to_numpy(np.int64)
    # observed: a video whose boxes all scored too low has none.
    places = rows.groupby("video", sort=False, observed=True).indices
    return {
        video: VideoObjects(frames[chosen], classes[chosen], boxes[chosen])
        for video, chosen in places.items()
    }


def _scores(table):
    """1 in a file without scores."""
    return table.rows.get("score", pd.Series(1.0, table.rows.index))
