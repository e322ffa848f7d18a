"""
Action Genome's boxes of objects and persons in Charades' videos (Table 2).

Ji, Krishna, Fei-Fei, Niebles, "Action Genome: Actions as Compositions of Spatio-temporal
Scene Graphs" (CVPR 2020).
"""

import os
import re
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from slowfast_ext.datasets.object_boxes import COLUMNS
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.tables import csv_text
from slowfast_ext.utils.text import refuse_bad_rows, shortened
from slowfast_ext.utils.unpickling import read_arrays

OBJECTS_FILE, PERSONS_FILE = "object_bbox_and_relationship.pkl", "person_bbox.pkl"
PERSON = "person"


class Box(NamedTuple):
    """One box: the frame's number from 1 on; x1, y1, x2, y2 in pixels of the video."""

    frame: int
    class_name: str
    corners: tuple[float, float, float, float]
    score: float


class VideoBoxes(NamedTuple):
    """The boxes of one video, and each (width, height) that its frames are said to have."""

    boxes: list[Box]
    sizes: set[tuple[int, int]]


# --- Reading --------------------------------------------------------------------------


def read_action_genome(folder):
    """
    Reads both annotation files; nothing in them is executed.

    Returns:
        dict[str, VideoBoxes]: by Charades' id; objects that are not visible are left out.

    Raises:
        SlowFastExtError: a file is missing, damaged, asks for code to be run, or holds
            entries of another form, all of which it counts.
    """
    found = defaultdict(lambda: VideoBoxes([], set()))
    for name, add in ((OBJECTS_FILE, _add_objects), (PERSONS_FILE, _add_persons)):
        path, bad_entries = os.path.join(folder, name), []
        for tag, entry in _read_pickle(path).items():
            try:
                video, frame = _parse_tag(tag)
                add(found[video], frame, entry)
            except ValueError as error:
                bad_entries.append(f"{path}: entry {_quoted(tag)}: {error}")
        refuse_bad_rows(path, bad_entries)
    return dict(found)


def _read_pickle(path):
    """{'ID.mp4/000089.png': what is annotated in that frame}."""
    content = read_arrays(path)
    if not isinstance(content, dict) or not content:
        raise SlowFastExtError(f"{path}: holds no dict of annotated frames")
    return content


def _parse_tag(tag):
    found = isinstance(tag, str) and re.fullmatch(r"([\w-]+)\.mp4/(\d{1,9})\.png", tag, re.ASCII)
    if not found:
        raise ValueError('is not named as a frame, such as "ID.mp4/000089.png"')
    return found[1], int(found[2])


def _add_objects(video, frame, entry):
    if not isinstance(entry, (list, tuple)):
        raise ValueError("is not a list of objects")
    for annotated in entry:
        corners = _value(annotated, "bbox")
        if corners is not None and _value(annotated, "visible"):
            x, y, width, height = _numbers(corners, (4,), "bbox")
            name = _class_name(_value(annotated, "class"))
            video.boxes.append(Box(frame, name, (x, y, x + width, y + height), 1.0))


def _add_persons(video, frame, entry):
    boxes = _value(entry, "bbox")
    # What is no list is refused below.
    count = len(boxes) if isinstance(boxes, (list, tuple)) or np.ndim(boxes) else 1
    if entry.get("bbox_mode", "xyxy") != "xyxy":
        raise ValueError(f'bbox_mode is {_quoted(entry["bbox_mode"])}, "xyxy" is expected')
    if entry.get("bbox_size") is not None:
        video.sizes.add(tuple(map(int, _numbers(entry["bbox_size"], (2,), "bbox_size"))))
    if count == 0:
        return
    boxes, scores = _numbers(boxes, (count, 4), "bbox"), [1.0] * count
    if entry.get("bbox_score") is not None:
        scores = _numbers(entry["bbox_score"], (count,), "bbox_score")
        if min(scores) < 0 or max(scores) > 1:
            raise ValueError(f"bbox_score is {_quoted(scores)}, and must be within 0..1")
    for corners, score in zip(boxes, scores, strict=True):
        video.boxes.append(Box(frame, PERSON, tuple(corners), score))


def _value(annotated, key):
    if not isinstance(annotated, dict) or key not in annotated:
        raise ValueError(f"has no {key}")
    return annotated[key]


def _class_name(name):
    """`name` where it can be a line of object_classes.txt."""
    if isinstance(name, str) and name and name == name.strip() and name.isprintable():
        return name
    raise ValueError(f"class is {_quoted(name)}, which is no name of a class")


def _numbers(value, shape, key):
    """Finite numbers as (lists of) floats."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):  # Lists of unequal length, huge integers.
        array = np.array(None)
    if array.shape != shape or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        expected = " x ".join(map(str, shape))
        raise ValueError(f"{key} is {_quoted(value)}, and must be {expected} finite numbers")
    return array.astype(np.float64).tolist()


def _quoted(value):
    return shortened(repr(value.tolist() if isinstance(value, np.ndarray) else value))


# --- Writing --------------------------------------------------------------------------


def object_classes(found, videos):
    """The classes of these videos' boxes, person first: list[str]."""
    names = {box.class_name for video in videos if video in found for box in found[video].boxes}
    return [PERSON, *sorted(names - {PERSON})]


def place_boxes(found, infos, ids):
    """
    The rows of `objects.csv`: boxes as fractions of their video's frames.

    Args:
        found (dict[str, VideoBoxes]): of `read_action_genome`.
        infos (dict[str, VideoInfo]): of the listed videos that open.
        ids (set[str]): of all listed videos.

    Returns:
        (list[list], dict): rows; counts of `boxes`, `videos`, `outside`, boxes of frames or
            places that the video does not have; `videos_without`, of the lists;
            `other_videos`; and `other_size`, video -> why its boxes are left out.

    Raises:
        SlowFastExtError: not one box lies in one of the videos.
    """
    rows, outside, other_size = [], 0, {}
    for video in sorted(set(found) & set(infos)):
        info = infos[video]
        sizes = found[video].sizes - {(info.width, info.height)}
        if sizes:
            drawn = " and ".join(f"{width} x {height}" for width, height in sorted(sizes))
            other_size[video] = f"is {info.width} x {info.height}, its boxes are of {drawn} pixels"
            continue
        placed = [_row(video, box, info) for box in found[video].boxes]
        outside += placed.count(None)
        rows += [row for row in placed if row]
    if not rows:
        why = "".join(f": {video} {reason}" for video, reason in list(other_size.items())[:1])
        raise SlowFastExtError(f"--action-genome: none of its boxes lies in these videos{why}")
    counts = {
        "boxes": len(rows),
        "videos": len({row[0] for row in rows}),
        "outside": outside,
        "videos_without": len(ids - {row[0] for row in rows}),
        "other_videos": len(set(found) - ids),
        "other_size": other_size,
    }
    return rows, counts


def object_files(names, rows):
    """Name -> content of `object_classes.txt` (person first) and `objects.csv`."""
    boxes = csv_text([[*COLUMNS, "score"], *rows])
    return {"object_classes.txt": "\n".join(names) + "\n", "objects.csv": boxes}


def _row(video, box, info):
    """A row of objects.csv, cut off at the frame's borders; None where nothing is left."""
    limits = (info.width, info.height, info.width, info.height)
    corners = [
        round(min(max(corner / limit, 0.0), 1.0), 5)
        for corner, limit in zip(box.corners, limits, strict=True)
    ]
    x1, y1, x2, y2 = corners
    if not (1 <= box.frame <= info.length and x1 < x2 and y1 < y2):
        return None
    return [video, box.frame, box.class_name, *corners, round(box.score, 4)]
