"""
python -m slowfast_ext prepare lists: a folder of videos and their labels become lists.

The forms of label files that are read stand in `slowfast_ext.prepare.label_forms`.
"""

import json
import os
from dataclasses import dataclass

import numpy as np

from slowfast_ext.commands.label_reading import read_labels
from slowfast_ext.datasets.lists import ALL_LABELS
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import check_problems
from slowfast_ext.prepare.label_times import check_times
from slowfast_ext.prepare.labelled_spans import (
    add_unknown_time,
    add_unlabelled_time,
    read_labelled_spans,
)
from slowfast_ext.prepare.lists_report import report_of, text_of
from slowfast_ext.prepare.media import check_new_files
from slowfast_ext.prepare.stratify import check_split, stratified_split
from slowfast_ext.utils.paths import open_atomically, require_writable_in
from slowfast_ext.utils.tables import csv_text
from slowfast_ext.utils.text import shortened

FILES = ("classes.txt", "train.csv", "val.csv", "test.csv")
_SIDES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True)
class OwnVideo:
    """
    A video: its path relative to the folder, {(start, end): labels} of what happens and, in
    `unknown`, of what nobody knows whether it does, its side and source.
    """

    path: str
    segments: dict
    side: str
    source: str
    unknown: dict

    @property
    def labels(self):
        """The names of what happens in it: a set."""
        return set().union(*self.segments.values())

    def unknown_among(self, names):
        """Those of the names of which it is unknown, at some time, whether it happens."""
        unknown = set().union(*self.unknown.values()) - self.labels
        return set(names) - self.labels if ALL_LABELS in unknown else unknown


def run(args):
    """
    Checks labels and videos against each other, splits, writes, prints counts and a command.

    Raises:
        SlowFastExtError: arguments, labels or videos are wrong (all of them are named), or --out
            holds other files of these names; nothing is written then.
    """
    check_split(args.test_share, args.seed)
    require_writable_in(args.out, FILES, "--out")
    file = read_labels(args, args.labels)
    _leave_out_withheld(file)
    seconds = check_times(file)
    if args.labelled_spans:
        spans = read_labelled_spans(args.labelled_spans, file.media)
        add_unknown_time(file, args.labelled_spans, spans, seconds)
    else:
        add_unlabelled_time(file, seconds)
    videos = _videos_of(file)
    check_problems(file)
    names = _class_names(file)
    splits = _given_sides(file, videos) if args.split_column else _split(videos, names, args)
    _write(args.out, names, splits, file.media)
    report = report_of(file, names, splits, args.out)
    print(json.dumps(report) if args.json else text_of(report))


# --- Rows to videos -------------------------------------------------------------------


def _leave_out_withheld(file):
    """Takes out the test videos where none has a label: their labels are withheld."""
    test = {row.video for row in file.rows if _SIDES.get(row.side.lower()) == "test"}
    if any(row.labels and not row.unknown for row in file.rows if row.video in test):
        return
    file.withheld = sorted(test)
    file.rows = [row for row in file.rows if row.video not in test]


def _videos_of(file):
    """list[OwnVideo] in the order of their paths; tells the file's problems of two sides."""
    rows_of = {}
    for row in file.rows:
        rows_of.setdefault(row.video, []).append(row)
    videos = []
    # Without the ending, so that files and folders of frames are split alike.
    for path, rows in sorted(rows_of.items(), key=lambda item: _stem(file.media, item[0])):
        segments, unknown, sides = {}, {}, {}
        for row in rows:
            spans = unknown if row.unknown else segments
            labels = row.labels or (ALL_LABELS,) if row.unknown else row.labels
            spans.setdefault((row.start, row.end), set()).update(labels)
            sides.setdefault(_side(file, row), row.where)
        if len(sides) > 1:
            (one, first), (two, second) = list(sides.items())[:2]
            file.problems.append(f'{second}: {path} is in "{two}", and in "{one}" at {first}')
        order = sorted(segments, key=lambda times: (times[0] or 0, times[1] or 0))
        # Segments that show nothing say nothing beside others.
        kept = [times for times in order if segments[times]] or [(None, None)]
        segments = {times: segments.get(times, set()) for times in kept}
        source = rows[0].source or _stem(file.media, path)
        videos.append(OwnVideo(path, segments, next(iter(sides)), source, unknown))
    return videos


def _stem(media, path):
    return path if path in media.num_frames else os.path.splitext(path)[0]


def _side(file, row):
    if not file.split_column:
        return ""
    side = _SIDES.get(row.side.lower())
    if side is None:
        file.problems.append(
            f'{row.where}: {file.split_column} is "{row.side}": it must be train, val or test'
        )
    return side or ""


def _class_names(file):
    """Sorted, so that they do not depend on the form; numbers by their value."""
    names = {label for row in file.rows for label in row.labels} | set(file.declared)
    if not any(row.labels and not row.unknown for row in file.rows):
        raise SlowFastExtError(f"{file.path}: no video has a label")
    if all(name.isdecimal() and len(name) < 19 for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


# --- Sides ----------------------------------------------------------------------------


def _given_sides(file, videos):
    """{split: videos} by the split column; val serves as test where there is no test."""
    splits = {}
    for name in ("train", "val", "test"):
        splits[name] = [video for video in videos if video.side == name]
    if not splits["test"]:
        splits["test"] = splits.pop("val")
    splits = {name: members for name, members in splits.items() if members or name != "val"}
    for name, members in splits.items():
        if not any(video.labels for video in members):
            raise SlowFastExtError(
                f"{file.path}: no video of {name} has a label by {file.split_column}; split by "
                "--test-share, or take the unlabelled videos out"
            )
    return splits


def _split(videos, names, args):
    """{split: videos}: by source, seeded and stratified."""
    sources = sorted({video.source for video in videos})
    if len(sources) < 2:
        raise SlowFastExtError(f"{args.labels}: one video cannot be split into train and test")
    place = {source: number for number, source in enumerate(sources)}
    number_of = {name: number for number, name in enumerate(names)}
    labels = np.zeros((len(sources), len(names)), bool)
    for video in videos:
        labels[place[video.source], [number_of[name] for name in video.labels]] = True
    in_test = stratified_split(labels, args.test_share, args.seed)
    return {
        name: [video for video in videos if in_test[place[video.source]] == (name == "test")]
        for name in ("train", "test")
    }


# --- Output ---------------------------------------------------------------------------


def _write(out, names, splits, media):
    """Writes classes.txt and the lists; refuses where other files have these names."""
    contents = {"classes.txt": "\n".join(names) + "\n"}
    for name, videos in splits.items():
        contents[f"{name}.csv"] = _list_of(videos, media)
    contents = {name: _encoded(name, text) for name, text in contents.items()}
    check_new_files(out, {name: contents.get(name) for name in FILES})
    for name, text in contents.items():
        with open_atomically(os.path.join(out, name), "wb") as stream:
            stream.write(text)


def _encoded(name, text):
    """A list's bytes; JSON's escapes and names of files can hold what no text file can."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text[: error.start].count("\n")
        shown = shortened(text.split("\n")[line])
        raise SlowFastExtError(
            f"{name} would hold a line that is no text in UTF-8: rename what is in {shown!a}"
        ) from error


def _list_of(videos, media):
    # Lists in which all is known have no more columns than before there was this one.
    more = ["unknown"] * any(video.unknown for video in videos)
    rows = [["path", "labels", "start", "end", *more]]
    for video in videos:
        for times in dict.fromkeys([*video.segments, *video.unknown]):
            labels = video.segments.get(times, set())
            unknown = video.unknown.get(times, set()) - labels
            unknown = {ALL_LABELS} & unknown or unknown
            if labels or unknown or not video.unknown:
                fields = [_field(labels), *times, *[_field(unknown)] * len(more)]
                rows.append([media.path(video.path), *fields])
    return csv_text(rows)


def _field(labels):
    return ";".join(sorted(labels))
