"""
Boxes of objects and persons in videos, from a CSV file.

Its header is `video,frame,class,x1,y1,x2,y2[,score]`: a video's id, the frame's number in it
from 1 on, the name of a class, and the box as fractions of the frame's width and height.
"""

import csv
import math
import os
from array import array
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

import numpy as np
import torch

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.objects import Objects
from slowfast_ext.utils.paths import is_local, pathmgr
from slowfast_ext.utils.text import (
    check_columns,
    parse_number,
    read_text,
    refuse_bad_rows,
    shortened,
)

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
        The boxes that lie between a clip's first and last frame and, in part, in its crop.

        Args:
            frames (int array): [T], the clip's frames, never decreasing.
            crop (Crop): of the frames, which are of the given size in pixels.
        Returns:
            Objects: with `clips` all 0.
        """
        first, last = frames[0], frames[-1]
        boxes, kept = crop.boxes(self.boxes, frame_height, frame_width)
        kept &= (self.frames >= first) & (self.frames <= last)
        times = (self.frames[kept] - first) / max(last - first, 1)
        return Objects(
            torch.from_numpy(boxes[kept]).float(),
            torch.from_numpy(times).float(),
            torch.from_numpy(self.classes[kept]),
            torch.zeros(int(kept.sum()), dtype=torch.int64),
        )


def read_objects(path, class_names, min_score=0.0):
    """
    Reads the boxes of all videos.

    Args:
        path (str): the CSV file; further columns are ignored.
        class_names (list[str]): names of the classes in the order of their ids.
        min_score (float): boxes with a lower score are left out, where there are scores.
    Returns:
        dict[str, VideoObjects]: by the video's id.
    Raises:
        SlowFastExtError: not readable, a column is missing, or any bad rows, all of which
            it counts.
    """
    # A training run opens the file for each of its splits.
    return _read_objects(path, tuple(class_names), min_score, _version(path))


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


def _version(path):
    """What changes where the file is written anew; None where that cannot be known."""
    if not is_local(path) or not os.path.exists(path):
        return None
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=1)
def _read_objects(path, class_names, min_score, _version):
    rows = _rows(path)
    line, header = next(rows, (1, []))
    check_columns(path, line, header, COLUMNS, FORM)
    parser = _RowParser(header, class_names, min_score)
    # One at a time: there can be millions of rows.
    bad_rows = [f"{path}:{line}: {problem}" for line, row in rows if (problem := parser.add(row))]
    refuse_bad_rows(path, bad_rows)
    return parser.videos()


def _rows(path):
    """Yields (number of its first line, fields stripped of blanks) of rows that are not blank."""
    line = 1
    try:
        with pathmgr.open(path, "r", encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            for row in reader:
                fields = [field.strip() for field in row]
                if any(fields):
                    yield line, fields
                line = reader.line_num + 1
    except csv.Error as error:
        raise SlowFastExtError(f"{path}:{line}: not a CSV file ({error})") from error
    except (OSError, UnicodeDecodeError):
        read_text(path)  # Says where and why.
        raise


class _RowParser:
    """Collects the boxes of objects.csv by video."""

    def __init__(self, header, class_names, min_score):
        self._ids = {name: index for index, name in enumerate(class_names)}
        self._min_score = min_score
        self._num_columns = len(header)
        self._has_scores = "score" in header
        names = [*COLUMNS, *(["score"] if self._has_scores else [])]
        self._fields = itemgetter(*map(header.index, names))
        self._numbers = {}  # A video's id -> frame, class, x1, y1, x2, y2 of each of its boxes.

    def add(self, row):
        """Adds one row; returns what is wrong with it, or None."""
        if len(row) < self._num_columns or any(row[self._num_columns :]):
            return f"{len(row)} fields where the header has {self._num_columns}"
        video, frame, class_name, *numbers = self._fields(row)
        frame, class_id = _parse(frame), self._ids.get(class_name)
        x1, y1, x2, y2, score = map(_parse, numbers if self._has_scores else [*numbers, "1"])
        # What is no number is nan, for which no comparison holds.
        checks = (
            video and "\0" not in video,
            1 <= frame <= MOST_FRAMES and frame % 1 == 0,
            class_id is not None,
            0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1,
            0 <= score <= 1,
        )
        if not all(checks):
            broken = (rule for holds, rule in zip(checks, _RULES, strict=True) if not holds)
            return f"{'; '.join(broken)}: {shortened(','.join(row))}"
        if score >= self._min_score:
            box = (frame - 1, class_id, x1, y1, x2, y2)
            self._numbers.setdefault(video, array("d")).extend(box)
        return None

    def videos(self):
        """dict[str, VideoObjects]: of what was added."""
        tables = {video: np.array(n).reshape(-1, 6) for video, n in self._numbers.items()}
        return {
            video: VideoObjects(
                table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:].copy()
            )
            for video, table in tables.items()
        }


# What must hold of a row, in the order of its checks.
_RULES = (
    "the video's id is empty or holds a NUL character",
    "the frame is not a whole number from 1 on",
    "the class is not in object_classes.txt",
    "the box is not x1 < x2, y1 < y2 within 0..1, fractions of the frame",
    "the score is not a number from 0 to 1",
)


def _parse(text):
    number = parse_number(text)
    return math.nan if number is None else number
