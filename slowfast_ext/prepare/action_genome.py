"""
Action Genome's boxes of objects and persons in Charades' videos (Table 2).

Ji, Krishna, Fei-Fei, Niebles, "Action Genome: Actions as Compositions of Spatio-temporal
Scene Graphs" (CVPR 2020).
"""

import csv
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from slowfast_ext.datasets.decoding import open_video
from slowfast_ext.datasets.lists import refuse_bad_rows
from slowfast_ext.datasets.objects import COLUMNS
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import open_atomically
from slowfast_ext.unpickling import read_arrays

OBJECTS_FILE, PERSONS_FILE = "object_bbox_and_relationship.pkl", "person_bbox.pkl"
PERSON = "person"


class Box(NamedTuple):
    """One box: the frame's number from 1 on; x1, y1, x2, y2 in pixels of the video."""

    frame: int
    class_name: str
    corners: tuple[float, float, float, float]
    score: float


def read_action_genome(folder):
    """
    Reads both annotation files; nothing in them is executed.

    Returns:
        dict[str, list[Box]]: by Charades' id; objects that are not visible are left out.

    Raises:
        SlowFastExtError: a file is missing, damaged, asks for code to be run, or holds
            entries of another form, all of which it counts.
    """
    found = {}
    for name, boxes_of in ((OBJECTS_FILE, _object_boxes), (PERSONS_FILE, _person_boxes)):
        path, bad_entries = os.path.join(folder, name), []
        for tag, entry in _read_pickle(path).items():
            try:
                video, frame = _parse_tag(tag)
                found.setdefault(video, []).extend(boxes_of(frame, entry))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                bad_entries.append(f"{path}: entry {tag!r}: {type(error).__name__}: {error}")
        refuse_bad_rows(path, bad_entries)
    return found


def _read_pickle(path):
    """{'ID.mp4/000089.png': what is annotated in that frame}."""
    content = read_arrays(path)
    if not isinstance(content, dict) or not content:
        raise SlowFastExtError(f"{path}: holds no dict of annotated frames")
    return content


def _parse_tag(tag):
    video, frame = tag.split("/")
    return os.path.splitext(video)[0], int(os.path.splitext(frame)[0])


def _object_boxes(frame, entry):
    for annotated in entry:
        if annotated["bbox"] is not None and annotated["visible"]:
            x, y, width, height = map(float, annotated["bbox"])
            yield Box(frame, annotated["class"], (x, y, x + width, y + height), 1.0)


def _person_boxes(frame, entry):
    scores = entry.get("bbox_score")
    for index, corners in enumerate(entry["bbox"]):
        x1, y1, x2, y2 = map(float, corners)
        score = 1.0 if scores is None else float(scores[index])
        yield Box(frame, PERSON, (x1, y1, x2, y2), score)


def object_classes(boxes, videos):
    """The classes of these videos' boxes, person first: list[str]."""
    names = {box.class_name for video in videos for box in boxes.get(video, ())}
    return [PERSON, *sorted(names - {PERSON})]


def write_objects(out, boxes, path_of):
    """
    Writes `object_classes.txt` (person first) and `objects.csv`, boxes as fractions.

    Args:
        out (str): the folder.
        boxes (dict[str, list[Box]]): of `read_action_genome`.
        path_of (dict[str, str]): where each video of the lists lies.

    Returns:
        dict: counts of `boxes`, `videos`, `classes`; `outside`, boxes of frames or places
            that the video does not have; `videos_without`, of the lists; `other_videos`.
    """
    listed = sorted(set(boxes) & set(path_of))
    names = object_classes(boxes, path_of)
    rows, outside = [], 0
    with ThreadPoolExecutor() as pool:
        infos = pool.map(lambda video: _info(path_of[video]), listed)
        for video, info in zip(listed, infos, strict=True):
            placed = [_row(video, box, info) for box in boxes[video]] if info else []
            outside += placed.count(None)
            rows += [row for row in placed if row]
    with open_atomically(os.path.join(out, "object_classes.txt")) as stream:
        stream.write("\n".join(names) + "\n")
    with open_atomically(os.path.join(out, "objects.csv")) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*COLUMNS, "score"])
        writer.writerows(rows)
    return {
        "boxes": len(rows),
        "videos": len({row[0] for row in rows}),
        "classes": len(names),
        "outside": outside,
        "videos_without": len(set(path_of) - {row[0] for row in rows}),
        "other_videos": len(set(boxes) - set(path_of)),
    }


def _info(path):
    """What is known of a video, None where it does not open: that is in the report already."""
    try:
        with open_video(path) as reader:
            return reader.info
    except SlowFastExtError:
        return None


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
