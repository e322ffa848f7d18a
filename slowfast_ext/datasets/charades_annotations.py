"""Reading Charades' official annotation files."""

import os
import re
from dataclasses import dataclass

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.tables import read_table
from slowfast_ext.utils.text import read_text, refuse_bad_rows, shortened

SPLITS = ("train", "test")
NUM_CLASSES = 157
_COLUMNS = ("id", "actions", "length")


@dataclass(frozen=True)
class Action:
    """
    A segment in which a class is shown; start and end in seconds, as annotated: some of the
    official segments end after the video does, and a few before they start.
    """

    class_id: int
    start: float
    end: float


@dataclass(frozen=True)
class AnnotatedVideo:
    """One row of an annotation file; `length` in seconds."""

    id: str
    length: float
    actions: tuple[Action, ...]

    @property
    def labels(self):
        """set[int]: the distinct classes of the video."""
        return {action.class_id for action in self.actions}

    @property
    def num_past_length(self):
        """How many segments go past the video's length."""
        return sum(max(a.start, a.end) > self.length for a in self.actions)

    @property
    def num_reversed(self):
        """How many segments end before they start."""
        return sum(a.end < a.start for a in self.actions)

    @property
    def segments(self):
        """
        list[(int, float, float)]: class id, start and end of every action, reversed ones turned
        round, times at most the length.
        """
        # None is dropped: the official evaluation takes the classes and ignores the times.
        return [
            (a.class_id, *sorted(min(time, self.length) for time in (a.start, a.end)))
            for a in self.actions
        ]


def read_annotations(folder):
    """
    Reads Charades_v1_classes.txt, Charades_v1_train.csv and Charades_v1_test.csv.

    Returns:
        (list[str], dict[str, list[AnnotatedVideo]]): class names in the order of their ids,
            without the code before them; videos by split, in the files' order.
    Raises:
        SlowFastExtError: a file that cannot be read, or all bad rows of the three at once.
    """
    problems, places, splits = [], {}, {}
    class_names = _read_classes(os.path.join(folder, "Charades_v1_classes.txt"), problems)
    for split in SPLITS:
        path = os.path.join(folder, f"Charades_v1_{split}.csv")
        splits[split] = _read_split(path, places, problems)
    refuse_bad_rows(folder, problems)
    return class_names, splits


def read_classes(path):
    """Names of the classes from Charades_v1_classes.txt; raises SlowFastExtError."""
    problems = []
    names = _read_classes(path, problems)
    refuse_bad_rows(path, problems)
    return names


def read_split(path):
    """The list[AnnotatedVideo] of one annotation file; raises SlowFastExtError."""
    problems = []
    videos = _read_split(path, {}, problems)
    refuse_bad_rows(path, problems)
    return videos


def _read_classes(path, problems):
    """Names of `c000 Holding some clothes`, `c001 ...`: one a line, without gaps."""
    first_line, names = {}, []
    lines = read_text(path).rstrip().split("\n")
    if lines == [""]:
        problems.append(f'{path}: is empty; lines such as "c000 Holding some clothes" are due')
        return []
    for line, text in enumerate(lines, start=1):
        code, _, name = text.strip().partition(" ")
        name = name.strip()
        if code != f"c{line - 1:03d}":
            problems.append(f'{path}:{line}: "{shortened(code)}" where c{line - 1:03d} is expected')
        elif not name or name.isdecimal():
            # The lists hold class ids, which such a name could be taken for.
            problems.append(f'{path}:{line}: "{shortened(name)}" is not a name of a class')
        elif name in first_line:
            problems.append(f'{path}:{line}: "{name}" stands on line {first_line[name]} already')
        first_line.setdefault(name, line)
        names.append(name)
    if len(names) != NUM_CLASSES:
        problems.append(f"{path}: {len(names)} classes, where Charades has {NUM_CLASSES}")
    return names


def _read_split(path, places, problems):
    """`places` holds where each video's id stands, in the files of both splits."""
    table = read_table(path)
    table.require(_COLUMNS, "Charades' own: id,subject,...,actions,length")
    videos = []
    for line, fields in table:
        video_id, wrong = fields["id"], []
        if not re.fullmatch(r"[\w-]+", video_id, re.ASCII):
            wrong.append(f'the id "{shortened(video_id)}" is not made of letters and digits')
        elif video_id in places:
            wrong.append(f"{video_id} stands at {places[video_id]} already")
        places.setdefault(video_id, f"{path}:{line}")
        length = _number(fields["length"])
        if not length:
            quoted = shortened(fields["length"])
            wrong.append(f'length "{quoted}" is not a number of seconds above 0')
        texts = filter(None, map(str.strip, fields["actions"].split(";")))
        videos.append(AnnotatedVideo(video_id, length, tuple(_action(t, wrong) for t in texts)))
        table.add(line, wrong)
    found = [f"{path}:{line}: {what}" for line, wrong in table.problems() for what in wrong]
    if not videos and not found:
        raise SlowFastExtError(f"{path}: no rows after the header")
    problems += found
    return videos


def _action(text, wrong):
    """The action of `c092 11.90 21.20`; `wrong` gets what is wrong with it."""
    found, quoted = re.fullmatch(r"c([0-9]{3})\s+(\S+)\s+(\S+)", text), shortened(text)
    if not found:
        wrong.append(f'"{quoted}" is not an action such as "c092 11.90 21.20"')
        return None
    class_id, start, end = int(found[1]), _number(found[2]), _number(found[3])
    if class_id >= NUM_CLASSES:
        wrong.append(f'"{quoted}": the classes go from c000 to c{NUM_CLASSES - 1:03d}')
    if start is None or end is None:
        wrong.append(f'"{quoted}": start and end must be numbers of seconds from 0 on')
    return Action(class_id, start, end)


def _number(text):
    """A decimal number of at least 0 and below a million (12 days), or None."""
    is_number = re.fullmatch(r"[0-9]{1,6}(\.[0-9]*)?|\.[0-9]+", text)
    return float(text) if is_number else None
