"""Tracks as a set in AVA's form: who does what on every whole second, corners as fractions."""

import json
import os
import re

import numpy as np

from slowfast_ext.prepare.ava_counts import FileNames
from slowfast_ext.utils.tables import csv_text

_NAMES = FileNames("2.2")
_DIGITS = 4


def boxes_on_seconds(tracks, times_of):
    """
    The boxes of one video's tracks on each whole second that it shows.

    Args:
        tracks (list[Track]): of the video.
        times_of (float array): when each of its frames is shown.
    Returns:
        list[(int, int, list[float], tuple[str])]: second, number of the subject among the tracks,
            corners cut off at the frame's edges, labels; none of boxes that are wholly outside.
    """
    found = []
    seconds = np.arange(int(times_of[-1]) + 1)
    # As frames are extracted for PySlowFast: those shown nearest to the second.
    frames = np.searchsorted((times_of[1:] + times_of[:-1]) / 2, seconds)
    for second, frame in zip(seconds.tolist(), frames.tolist(), strict=True):
        for number, track in enumerate(tracks):
            placed = track.at(frame)
            if placed is not None:
                box = np.clip(placed[0], 0, 1).round(_DIGITS).tolist()
                if box[0] < box[2] and box[1] < box[3]:
                    found.append((second, number, box, placed[1]))
    return found


def ava_files(names, splits):
    """
    The files of a set in AVA's form, as `prepare ava` reads them.

    Args:
        names (list[str]): of the activities; their ids count from 1.
        splits (dict[str, dict[str, list]]): "train" and "val" -> video -> `boxes_on_seconds`.
    Returns:
        dict[str, str]: content by file name. The test takes the annotated boxes as a detector's.
    """
    ids = {name: number for number, name in enumerate(names, 1)}
    items = [
        f"item {{\n  name: {json.dumps(n, ensure_ascii=False)}\n  id: {i}\n}}\n"
        for n, i in ids.items()
    ]
    files = {_NAMES.label_map: "".join(items)}
    for split, videos in splits.items():
        rows = []
        for video, boxes in videos.items():
            with_labels = {second for second, _, _, labels in boxes if labels}
            # A second on which nobody does anything has no box in AVA's ground truth.
            idle = {second for second, *_ in boxes} - with_labels
            rows += [(video, f"{second:04d}") for second in sorted(idle)]
            rows += [
                (video, f"{second:04d}", *box, ids[label], number)
                for second, number, box, labels in boxes
                for label in labels
            ]
        files[_NAMES.ground_truth(split)] = csv_text(rows)
    persons = [
        (video, f"{second:04d}", *box, "", 1)
        for video, boxes in splits["val"].items()
        for second, _, box, _ in boxes
    ]
    files[_NAMES.person_boxes("val")] = csv_text(persons)
    return files


def unfit_names(videos, media):
    """list[str]: what is wrong with videos that `prepare ava` would not take."""
    problems, stems = [], {}
    for video in videos:
        stem = os.path.splitext(video)[0]
        if stems.setdefault(stem, video) != video:
            other = stems[stem]
            problems.append(f"{video}: is {other} too, without the ending: rename one of them")
        if "/" in video or video in media.num_frames:
            problems.append(f"{video}: AVA's videos are files that lie in one folder")
        elif not re.fullmatch(r"[\w.-]+", video):
            problems.append(
                f"{video}: the name holds a blank or a sign that AVA's lists cannot hold"
            )
    return problems
