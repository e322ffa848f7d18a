"""
python -m slowfast_ext prepare boxes: the persons on each keyframe of a folder of videos.

The file has AVA's form of predicted boxes, `video,second,x1,y1,x2,y2,,score`. What is found in
each finished video lies beside it, in CSV.parts/, so that a stopped run goes on.
"""

import json
import re

import numpy as np
from tqdm import tqdm

from slowfast_ext.config.rules import is_number
from slowfast_ext.datasets.ava_frames import Clock
from slowfast_ext.datasets.video import open_video
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.ava_frames import (
    first_second,
    nearest_frames,
    require_times,
    video_files,
)
from slowfast_ext.prepare.media import conclude
from slowfast_ext.prepare.person_detectors import identity_of_weights, load_detector
from slowfast_ext.utils.paths import open_atomically, pathmgr, require_writable
from slowfast_ext.utils.tables import write_rows
from slowfast_ext.utils.text import read_text

# Frames that are detected on at once.
_BATCH = 8
_DIGITS = 4


def run(args):
    """
    Detects persons, writes their boxes and prints counts.

    Raises:
        SlowFastExtError: wrong arguments, no detector, boxes of other settings beside --out,
            or videos that cannot be read (after all others are done); --out is not written
            then.
    """
    _check_arguments(args)
    videos = video_files(args.videos)
    _check_names(videos)
    parts = _Parts(args)
    waiting = [name for name in videos if not parts.has(name)]
    problems = _detect_in_all({name: videos[name] for name in waiting}, parts, args)
    if problems:
        raise SlowFastExtError(
            "\n".join([f"{args.out} is not written, but what is finished is kept:", *problems])
        )
    report = _write(args.out, list(videos), parts)
    report["computed_now"] = len(waiting)
    without, notes = report["videos_without_keyframes"], []
    if without:
        notes.append(
            f"{len(without)} videos have no keyframe, {without[0]} first: they end before second "
            "902; --start 0 takes every whole second"
        )
    conclude(args, report, notes)


def _check_arguments(args):
    if not 0 <= args.min_score <= 1:
        raise SlowFastExtError(f"--min-score {args.min_score:g} is not from 0 to 1")
    if args.start is not None and args.start < 0:
        raise SlowFastExtError(f"--start {args.start} is below 0")
    if pathmgr.isdir(args.out):
        raise SlowFastExtError(f"--out {args.out} is a folder: name a file")
    require_writable(args.out, "--out")
    if pathmgr.exists(args.out) and not pathmgr.isdir(f"{args.out}.parts"):
        raise SlowFastExtError(
            f"--out {args.out} is a file that this command has not written: choose another name"
        )


def _check_names(videos):
    wrong = [path for name, path in videos.items() if re.search(r'[\s,"]', name)]
    if wrong:
        raise SlowFastExtError(
            f"{wrong[0]}: the name holds a blank, a comma or a quote, which PySlowFast's lists "
            f"cannot hold; rename it{f' and {len(wrong) - 1} more' if wrong[1:] else ''}"
        )


# --- Detecting ------------------------------------------------------------------------


def _detect_in_all(videos, parts, args):
    """Writes the part of each video; returns what is wrong with those that cannot be read."""
    if not videos:
        # No need to load, or download, weights.
        return []
    detect, problems = load_detector(args.weights, args.min_score), []
    for name, path in tqdm(videos.items(), "videos", disable=None, leave=False):
        try:
            parts.write(name, *_detect_in_video(name, path, detect, args.start))
        except SlowFastExtError as error:
            problems.append(str(error))
    return problems


def _detect_in_video(name, path, detect, start):
    """
    Returns:
        (list[int], list[list]): the keyframes, and second, x1, y1, x2, y2, score of each box,
            corners as fractions of the frame.
    """
    boxes = []
    with open_video(path) as video:
        first, seconds = _keyframes(path, video.info, start)
        frames = nearest_frames(video.info, np.array(seconds) - first)
        size = np.tile([video.info.width, video.info.height], 2)
        for begin in tqdm(range(0, len(frames), _BATCH), name, disable=None, leave=False):
            batch = slice(begin, begin + _BATCH)
            found = detect(list(video.read(frames[batch])))
            for second, (corners, scores) in zip(seconds[batch], found, strict=True):
                # A box may end a rounding error outside the frame.
                corners = (corners / size).clip(0, 1).round(_DIGITS)
                boxes += [
                    [second, *box, score]
                    for box, score in zip(corners.tolist(), scores.tolist(), strict=True)
                ]
    return seconds, boxes


def _keyframes(path, info, start):
    """(second of the first frame, list of the seconds of the keyframes)."""
    require_times(path, info)
    if start is None:
        first, candidates = first_second(path, info), Clock.keyframes
    else:
        first = start
        candidates = range(start, start + int(info.duration) + 1)
    return first, [second for second in candidates if 0 <= second - first < info.duration]


# --- Files ----------------------------------------------------------------------------


class _Parts:
    """What is found in each finished video, with the settings it was found with."""

    def __init__(self, args):
        self.folder = f"{args.out}.parts"
        self.settings = {
            "weights": identity_of_weights(args.weights),
            "min_score": args.min_score,
            "start": args.start,
        }

    def _path(self, name):
        return f"{self.folder}/{name}.json"

    def has(self, name):
        """True for a finished video; raises SlowFastExtError where its settings are others."""
        return pathmgr.exists(self._path(name)) and bool(self.read(name))

    def read(self, name):
        """dict: `settings`, `seconds` (keyframes) and `boxes`."""
        path = self._path(name)
        remedy = f"choose another --out or delete {self.folder}"
        try:
            part = json.loads(read_text(path))
            found = dict(part["settings"])
            if not isinstance(part["seconds"], list):
                raise ValueError("no keyframes")
            for second, *numbers in part["boxes"]:
                if len(numbers) != 5 or not all(map(is_number, (second, *numbers))):
                    raise ValueError("boxes that are not second, corners and score")
                if not isinstance(second, int):
                    raise ValueError("a second that is not whole")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise SlowFastExtError(
                f"{path} is not a file that this command has written: {remedy}"
            ) from error
        differing = [
            f"{key} {found.get(key)} (now {value})"
            for key, value in self.settings.items()
            if found.get(key) != value
        ]
        if differing:
            raise SlowFastExtError(f"{path} was found with {', '.join(differing)}: {remedy}")
        return part

    def write(self, name, seconds, boxes):
        with open_atomically(self._path(name)) as stream:
            json.dump({"settings": self.settings, "seconds": seconds, "boxes": boxes}, stream)


def _write(out, names, parts):
    """Writes the boxes of all videos; returns the report."""
    report = {"videos": len(names), "keyframes": 0, "boxes": 0, "videos_without_keyframes": []}
    rows = []
    for name in names:
        part = parts.read(name)
        rows += [
            [name, f"{second:04d}", *corners, "", f"{score:.6f}"]
            for second, *corners, score in part["boxes"]
        ]
        report["keyframes"] += len(part["seconds"])
        if not part["seconds"]:
            report["videos_without_keyframes"].append(name)
    write_rows(out, rows)
    return {**report, "boxes": len(rows), "out": out}
