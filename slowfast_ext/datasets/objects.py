"""
Boxes of objects and persons in videos, from a CSV file.

Its header is `video,frame,class,x1,y1,x2,y2[,score]`: a video's id, the frame's number in it
from 1 on, the name of a class, and the box as fractions of the frame's width and height.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch

from slowfast_ext.datasets.list_rows import check_columns
from slowfast_ext.datasets.lists import refuse_bad_rows
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.objects import Objects
from slowfast_ext.paths import pathmgr

BOX = ["x1", "y1", "x2", "y2"]
COLUMNS = ["video", "frame", "class", *BOX]


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
    return _read_objects(path, tuple(class_names), min_score)


@lru_cache(maxsize=1)
def _read_objects(path, class_names, min_score):
    table = _read_table(path)
    numeric = ["frame", *BOX, *(["score"] if "score" in table else [])]
    numbers = table[numeric].apply(pd.to_numeric, errors="coerce")
    ids = {name: index for index, name in enumerate(class_names)}
    classes = table["class"].map(ids).fillna(-1).to_numpy(np.int64)
    _check_rows(path, table, numbers, classes)
    kept = numbers["score"].to_numpy() >= min_score if "score" in numbers else slice(None)
    frames = numbers["frame"].to_numpy(np.int64)[kept] - 1
    boxes, classes = numbers[BOX].to_numpy(np.float64)[kept], classes[kept]
    videos = table["video"].to_numpy()[kept]
    return {
        video: VideoObjects(frames[rows], classes[rows], boxes[rows])
        for video, rows in pd.DataFrame(index=videos).groupby(level=0).indices.items()
    }


def _read_table(path):
    """The file's rows; row i stands on line i + 2."""
    text = {"video": str, "class": str}
    try:
        with pathmgr.open(path, "rb") as stream:
            table = pd.read_csv(
                stream, dtype=text, keep_default_na=False, skip_blank_lines=False, low_memory=False
            )
    except OSError as error:
        raise SlowFastExtError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, pd.errors.ParserError) as error:
        raise SlowFastExtError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    check_columns(path, 1, list(table), COLUMNS, f"{','.join(COLUMNS)}[,score]")
    # pandas calls the second x1 "x1.1".
    twice = [name for name in (*COLUMNS, "score") if f"{name}.1" in table]
    if twice:
        raise SlowFastExtError(f"{path}:1: the header has the column {twice[0]} twice")
    return table


def _check_rows(path, table, numbers, classes):
    """Raises SlowFastExtError where any row is bad."""
    frame, (x1, y1, x2, y2) = numbers["frame"], (numbers[name] for name in BOX)
    is_inside = (x1 >= 0) & (y1 >= 0) & (x2 <= 1) & (y2 <= 1) & (x1 < x2) & (y1 < y2)
    rules = [
        (table["video"] != "", "the video's id is empty"),
        ((frame >= 1) & (frame % 1 == 0), "the frame is not a number from 1 on"),
        (classes >= 0, "the class is not in object_classes.txt"),
        (is_inside, "the box is not x1 < x2, y1 < y2 within 0..1, fractions of the frame"),
    ]
    if "score" in numbers:
        rules.append((numbers["score"].notna(), "the score is not a number"))
    bad_rows = [
        f"{path}:{row + 2}: {rule}: {','.join(map(str, table.iloc[row]))}"
        for is_good, rule in rules
        for row in np.flatnonzero(~np.asarray(is_good))
    ]
    refuse_bad_rows(path, bad_rows)
