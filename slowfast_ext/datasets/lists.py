"""
Lists of labelled videos, and the names of their classes.

A list is a CSV file with the header `path,labels[,start,end][,unknown]`; one line is one segment.

Where nobody has looked, labels are unknown, which is not absent. A line's field `unknown` names,
separated by `;`, the labels of which nobody knows whether they happen in its time (without one:
in its whole video); `*` are all labels. What a line's `labels` names happens all the same:

    path,labels,start,end,unknown
    a.mp4,run,2,5,                 run from 2 to 5 s; nothing else happens
    a.mp4,,8,12,jump               from 8 to 12 s nobody has looked for jump
    b.mp4,run,,,*                  run, and nobody has looked for anything else
    c.mp4,,30,60,*                 its second half is not labelled

So a label vector holds PRESENT (1), ABSENT (0) or UNKNOWN (-1): of a clip, UNKNOWN is a label that
is not present and that some line, whose time the clip touches, calls unknown.
"""

import difflib
import math
import os
import re
import unicodedata
from dataclasses import dataclass, field, replace

import numpy as np

from slowfast_ext.datasets.image_names import split_pattern
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import is_local, leads_outside, pathmgr
from slowfast_ext.utils.tables import read_table
from slowfast_ext.utils.text import parse_number, read_text, shortened

HEADER = "path,labels[,start,end]"
# What a label vector holds. An unknown label has no loss and is in no count.
PRESENT, ABSENT, UNKNOWN = 1.0, 0.0, -1.0
ALL_LABELS = "*"
# Seconds by which a segment may begin after its video: programs round.
_TOLERANCE = 1.0
# What columns of times are called elsewhere; read as none, they would be put on whole videos.
_OTHER_TIMES = re.compile(
    r"(?i)(.*[\W_])?(start|end|begin|stop|onset|offset)([\W_].*|time.*|frame)?"
)
# Where they hold numbers or clocks, since they say also where a video is from.
_MAYBE_TIMES, _TIME = re.compile(r"(?i)t[012]|from|to"), re.compile(r"[\d.:,]+\s?s?")


@dataclass
class RowParser:
    """
    Turns rows of a list into segments.

    Args:
        class_names (list[str]): names of the classes in the order of their ids.
        root (str): folder that relative paths refer to.
        check_files (bool): whether a missing or empty video is a problem.
        outside (str): DATA.PATHS_OUTSIDE.
        allow_empty (bool): whether an empty file is none.
    """

    class_names: list
    root: str
    check_files: bool = True
    outside: str = "absolute"
    allow_empty: bool = False
    _file_problems: dict = field(default_factory=dict)
    _label_problems: dict = field(default_factory=dict)

    def __post_init__(self):
        self._ids = {_composed(name): index for index, name in enumerate(self.class_names)}
        # As in UCF101's "1 ApplyEyeMakeup", whose ids are not those of this project; or numbers.
        numbers = [re.match(r"([0-9]{1,9})(\W|$)", name) for name in self.class_names]
        self._numbers = [int(found[1]) for found in numbers] if all(numbers) else None

    def parse(self, fields):
        """
        A row's texts by column -> its resolved path; class ids, start and end; the ids of unknown
        classes; what is wrong with it. The others hold where nothing is.
        """
        problems = []
        path = self._path(fields["path"], problems)
        labels = self._labels(fields["labels"], problems)
        start, end = _times(fields.get("start", ""), fields.get("end", ""), problems)
        unknown = self._unknown(fields.get("unknown", ""), labels, problems)
        return path, (labels, start, end), unknown, problems

    def _unknown(self, text, labels, problems):
        """Class ids of the field `unknown`; a label cannot be named as present too."""
        if text.strip() == ALL_LABELS:
            return tuple(range(len(self.class_names)))
        unknown = self._labels(text, problems)
        both = [self.class_names[index] for index in unknown if index in labels]
        if both:
            problems.append(f'"{shortened(both[0])}" stands in labels and in unknown: keep one')
        return unknown

    def _path(self, text, problems):
        """Resolves a path; tells `problems` if there is no such file or it is empty."""
        if not text:
            problems.append("the path is empty")
            return None
        if "\0" in text:
            problems.append("the path holds a NUL character")
            return None
        path = text
        if is_local(text):
            path = os.path.join(self.root, text)
            path = os.path.normpath(path) if is_local(path) else path
        if path not in self._file_problems:
            # Looked at once, however many segments name it: a store may be slow.
            self._file_problems[path] = self._file_problem(text, path)
        problems.extend(self._file_problems[path])
        return path

    def _file_problem(self, text, path):
        """What is wrong with a listed path: a list of no or one sentence."""
        if leads_outside(self.root, text, self.outside):
            return [outside_sentence(text, self.root)]
        if not self.check_files or (self.allow_empty and pathmgr.isfile(path)):
            return []
        folder, pattern = split_pattern(path)
        path = folder if pattern and pathmgr.isdir(folder) else path
        if not pathmgr.exists(path):
            return [f"no such file {path}"]
        # The size of a file in a store is not known without copying it here.
        if not is_local(path) or os.path.isdir(path):
            return []
        if not os.path.isfile(path):
            return [f"{path} is neither a regular file nor a folder"]
        return [f"the file {path} is empty (0 bytes)"] if os.path.getsize(path) == 0 else []

    def _labels(self, text, problems):
        """Class ids, distinct, of labels separated by `;`; tells `problems` of wrong ones."""
        labels = []
        for label in filter(None, map(str.strip, _composed(text).split(";"))):
            number = int(label) if re.fullmatch(r"-?[0-9]{1,9}", label) else None
            index = self._ids.get(label, number)
            if index is None:
                if label not in self._label_problems:
                    # Once a label: the search for near names takes a while among many.
                    nearest = difflib.get_close_matches(label, self.class_names, n=1)
                    hint = f', did you mean "{nearest[0]}"?' if nearest else ""
                    self._label_problems[label] = f'unknown label "{shortened(label)}"{hint}'
                problems.append(self._label_problems[label])
            elif not 0 <= index < len(self.class_names):
                problems.append(f"class id {index} is not in 0..{len(self.class_names) - 1}")
            elif label not in self._ids and self._numbers and self._numbers[index] != index:
                name = self.class_names[index]
                problems.append(f'class id {index} is "{shortened(name)}": write the name')
            else:
                labels.append(index)
        return tuple(dict.fromkeys(labels))


def _composed(text):
    """A text in the one of Unicode's forms in which an accent is part of its letter."""
    return unicodedata.normalize("NFC", text)


def outside_sentence(text, folder):
    """What is wrong with a path that leads out of a folder, and what allows it."""
    return (
        f"{shortened(text)} leads out of {folder}, by .., by a link or as an absolute path; "
        "DATA.PATHS_OUTSIDE any allows it"
    )


def _times(start, end, problems):
    """Start and end of a segment in seconds (None, None: the whole video)."""
    if not start and not end:
        return None, None
    if not start or not end:
        problems.append(f"{'end' if start else 'start'} is missing: give both or neither")
        return None, None
    times = parse_number(start), parse_number(end)
    fits = [time is not None and math.isfinite(time) and time >= 0 for time in times]
    for name, text, fit in zip(("start", "end"), (start, end), fits, strict=True):
        if not fit:
            problems.append(f'{name} "{shortened(text)}" is not a number of seconds from 0 on')
    if all(fits) and times[1] < times[0]:
        problems.append(f"end {end} is before start {start}")
    return times


@dataclass(frozen=True)
class Segment:
    """
    A part of a video and what happens in it.

    Args:
        labels (tuple[int]): class ids; empty where no activity is shown.
        start (float or None), end (float or None): seconds, both inclusive; None in both
            where the segment is the whole video.
    """

    labels: tuple[int, ...]
    start: float | None = None
    end: float | None = None

    def contains(self, times):
        """Which of `times` (float array, seconds) lie in the segment: bool array."""
        times = np.asarray(times, float)
        if self.start is None:
            return np.ones(times.shape, bool)
        return (times >= self.start) & (times <= self.end)

    def is_in_clip(self, first, last, until):
        """
        True where a clip shows some of the segment, be it between two sampled frames.

        Args:
            first (float), last (float): when the clip's first and its last frame come, in seconds.
            until (float): when the last one is no longer shown: what is shorter than a frame
                lies in the frame that is shown then.
        """
        if self.start is None:
            return True
        return self.end >= first and (self.start <= last or self.end < until)


@dataclass(frozen=True)
class Video:
    """
    A video of a list.

    Args:
        path (str): resolved.
        segments (tuple[Segment]): what happens, in the list's order.
        unknown (tuple[Segment]): where nobody knows whether their labels happen; where a segment
            shows a label it is present all the same.
    """

    path: str
    segments: tuple[Segment, ...]
    unknown: tuple[Segment, ...] = field(default=(), kw_only=True)

    @property
    def labels(self):
        """tuple[int]: distinct class ids of all segments, sorted."""
        return _distinct(self.segments)

    def check_within(self, info):
        """Raises SlowFastExtError where labels begin after the video (VideoInfo) has ended."""
        if info.times is None:
            return
        end = info.duration + _TOLERANCE
        late = [s for s in self.segments if s.labels and s.start is not None and s.start > end]
        if late:
            raise SlowFastExtError(
                f"{self.path}: labels from {late[0].start:g} to {late[0].end:g} s, but it ends at "
                f"{info.duration:.2f} s: the list's times must be seconds from the video's start"
            )

    def renumbered(self, places):
        """The same with the class id `places[i]` in place of i."""
        segments, unknown = (
            tuple(replace(s, labels=tuple(places[i] for i in s.labels)) for s in given)
            for given in (self.segments, self.unknown)
        )
        return replace(self, segments=segments, unknown=unknown)

    def between(self, times, until=None):
        """
        The Video with what touches a clip alone, any of all frames from its first to its last, the
        ones between that are not sampled included, as upstream has it for Charades. A moment (start
        = end) counts in each clip that is going on then.

        `times` are those of the clip's frames in seconds, `until` that of the video's next frame,
        inf after its last one; None: the clip ends with its last frame's time.
        """
        clip = times[0], times[-1], times[-1] if until is None else until
        segments, unknown = (
            tuple(segment for segment in given if segment.is_in_clip(*clip))
            for given in (self.segments, self.unknown)
        )
        return replace(self, segments=segments, unknown=unknown)

    def labels_between(self, times, until=None):
        """The labels of a clip, distinct and sorted; `times` and `until` as of `between`."""
        return self.between(times, until).labels

    def targets(self, num_classes):
        """float32, [num_classes]: PRESENT, ABSENT, or UNKNOWN where it is so at any time."""
        targets = np.full(num_classes, ABSENT, np.float32)
        targets[list(_distinct(self.unknown))] = UNKNOWN
        targets[list(self.labels)] = PRESENT
        return targets


def _distinct(segments):
    """Sorted distinct class ids of segments, as a tuple."""
    return tuple(sorted({label for segment in segments for label in segment.labels}))


def label_matrix(videos, num_classes):
    """float32, [len(videos), num_classes]: the `targets` of each video."""
    matrix = np.zeros((len(videos), num_classes), dtype=np.float32)
    for row, video in zip(matrix, videos, strict=True):
        row[:] = video.targets(num_classes)
    return matrix


def read_names(path, key, number):
    """`read_class_names`, `number` of them as `key` says; raises SlowFastExtError."""
    names = read_class_names(path)
    if len(names) != number:
        raise SlowFastExtError(f"{path} names {len(names)} classes but {key} is {number}")
    return names


def read_class_names(path):
    """
    The names of the classes, one a line; a class's id is its line's number from 0. Raises
    SlowFastExtError: not readable, empty, a blank line in the middle, or a name twice.
    """
    text = read_text(path).rstrip()
    names = [line.strip() for line in text.split("\n")]
    if not text:
        raise SlowFastExtError(f"{path}: no class names; write one a line")
    first_line = {}
    for line, name in enumerate(names, start=1):
        if not name:
            raise SlowFastExtError(
                f"{path}:{line}: a blank line between class names; remove it, since the ids of "
                "the classes are their line numbers"
            )
        composed = _composed(name)
        if composed in first_line:
            raise SlowFastExtError(
                f'{path}:{line}: the class name "{name}" stands on line {first_line[composed]} '
                "already; class names must differ"
            )
        first_line[composed] = line
    return names


def _seems_timed(table, name):
    """True where a column of a Table may hold times, by its name or by what it holds, too."""
    if not _MAYBE_TIMES.fullmatch(name):
        return _OTHER_TIMES.fullmatch(name) is not None
    return any(_TIME.fullmatch(text) for text in table.texts[name])


def read_list(path, class_names, root, check_files=True, outside="absolute", allow_empty=False):
    """
    Reads a list of labelled videos.

    Labels are separated by `;` and are class names or else class ids; none means that no activity
    is shown. Lines of one path belong to one video. A column `unknown` names labels that are not
    known (see above). Further columns are ignored, unless they are called as if they held start and
    end.

    Args:
        class_names (list[str]): names of the classes in the order of their ids.
        root (str), check_files (bool), outside (str), allow_empty (bool): as of RowParser.
    Returns:
        list[Video]: in the order in which their paths first appear.

    Raises SlowFastExtError: not readable, a wrong header, no rows, or any bad rows, all of which it
    names.
    """
    table = read_table(path)
    header = table.header
    if not header:
        raise SlowFastExtError(f"{path}: the list is empty; its first line must be {HEADER}")
    times = ("start", "end") if {"start", "end"} & set(header) else ()
    table.require(("path", "labels", *times), HEADER, 'put a field with a comma in ""')
    others = [] if times else [name for name in header if _seems_timed(table, name)]
    if others:
        raise SlowFastExtError(
            f"{path}: {' and '.join(others)}: seems to hold times, and the labels would be put on "
            "whole videos: call the columns start and end, in seconds from the video's start, or "
            "take them out"
        )
    parser = RowParser(list(class_names), root, check_files, outside, allow_empty)
    segments, unknown = {}, {}
    for line, fields in table:
        video_path, (labels, *times), not_known, problems = parser.parse(fields)
        table.add(line, problems)
        segments.setdefault(video_path, []).append(Segment(labels, *times))
        if not_known:
            unknown.setdefault(video_path, []).append(Segment(not_known, *times))
    table.check()
    if not segments:
        raise SlowFastExtError(f"{path}: no rows after the header {HEADER}; add one a segment")
    return [
        Video(video_path, tuple(found), unknown=tuple(unknown.get(video_path, ())))
        for video_path, found in segments.items()
    ]
