"""
Volleyball's own annotations, and the lists of moments that `prepare volleyball` makes of them.

A moment is a target frame with a group activity and a box and an action for each player.
"""

import difflib
import math
import os
import re
from collections import Counter
from typing import NamedTuple

import numpy as np

from slowfast_ext.datasets.lists import outside_sentence
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import leads_outside
from slowfast_ext.utils.tables import read_table, write_rows
from slowfast_ext.utils.text import parse_number, read_words, shortened

SIDES = ("l", "r")
GROUPS = tuple(f"{side}_{what}" for side in SIDES for what in ("set", "spike", "pass", "winpoint"))
ACTIONS = (
    *("waiting", "setting", "digging", "falling", "spiking"),
    *("blocking", "jumping", "moving", "standing"),
)
# The frames on either side of the target that a moment's folder holds.
REACH = 20
COLUMNS = ("path", "labels", "group", "video", "target", "first", "last", "persons")
_PERSON = "X Y W H action"


class Moment(NamedTuple):
    """
    What is annotated of one target frame.

    Attributes:
        target (int): its number, and the name of its folder.
        group (int): place in GROUPS.
        boxes (float64 array): P x 4: x1, y1, x2, y2 in pixels of the stored frame.
        actions (int64 array): [P], places in ACTIONS.
    """

    target: int
    group: int
    boxes: np.ndarray
    actions: np.ndarray


class ListedMoment(NamedTuple):
    """A Moment, its video's number and its frames: `path`/NUMBER.jpg, `first` to `last`."""

    path: str
    video: int
    first: int
    last: int
    moment: Moment


def mirrored(group):
    """The group activity that a frame shows once it is turned round from left to right."""
    side, what = GROUPS[group].split("_")
    return GROUPS.index(f"{SIDES[1 - SIDES.index(side)]}_{what}")


# --- The data set's own files -----------------------------------------------------------


def read_annotations(path):
    """
    Reads `videos/V/annotations.txt`: `FRAME.jpg GROUP`, then `X Y W H action` for each player.

    Returns the Moments; a Counter of the group labels that are spelled otherwise than in GROUPS;
    and the problems of lines that are no moments, each with file:line. Raises SlowFastExtError
    where the file cannot be read.
    """
    moments, spellings, problems, lines = [], Counter(), [], {}
    for line, fields in read_words(path):
        wrong = []
        name = re.fullmatch(r"([0-9]{1,9})\.jpg", fields[0])
        if not name:
            wrong.append(f'"{shortened(fields[0])}" is not the name of a frame, NUMBER.jpg')
        target = int(name[1]) if name else None
        group = fields[1].lower().replace("-", "_") if len(fields) > 1 else ""
        group = _place(group, GROUPS, "group activity", wrong)
        boxes, actions = parse_persons(fields[2:], wrong)
        if target in lines:
            wrong.append(f"frame {target} stands in line {lines[target]} already")
        if wrong:
            problems.append(f"{path}:{line}: {'; '.join(wrong)}")
            continue
        lines[target] = line
        moments.append(Moment(target, group, boxes, actions))
        if fields[1] not in GROUPS:
            spellings[fields[1]] += 1
    if not moments and not problems:
        problems.append(f"{path}: holds no moments; copy or download the file again")
    return moments, spellings, problems


def parse_persons(fields, wrong):
    """
    Five fields for each player, X Y W H action, in pixels -> boxes, float64, P x 4, x1, y1, x2, y2,
    and actions, int64, [P], places in ACTIONS; `wrong` is told what is wrong with them.
    """
    if not fields or len(fields) % 5:
        wrong.append(f"{len(fields)} fields of players where each has five, {_PERSON}")
        return None, None
    boxes, actions = [], []
    for number, start in enumerate(range(0, len(fields), 5), start=1):
        *box, action = fields[start : start + 5]
        x, y, width, height = (math.nan if n is None else n for n in map(parse_number, box))
        right, bottom = x + width, y + height
        # nan is in no order; beside a large or infinite number a small one adds nothing.
        if not (x < right < math.inf and y < bottom < math.inf):
            shown = shortened(" ".join(box))
            wrong.append(f'the box "{shown}" of player {number} is not X Y W H in pixels')
            continue
        boxes.append([x, y, right, bottom])
        actions.append(_place(action.lower(), ACTIONS, "action", wrong))
    return np.array(boxes, np.float64).reshape(-1, 4), np.array(actions)


def _place(name, names, what, wrong):
    if name in names:
        return names.index(name)
    nearest = difflib.get_close_matches(name, names, n=1)
    hint = f', did you mean "{nearest[0]}"?' if nearest else f"; they are {', '.join(names)}"
    wrong.append(f'unknown {what} "{shortened(name)}"{hint}')
    return -1


def read_tracklets(path):
    """
    Reads a moment's tracklets: `player xmin ymin xmax ymax frame lost grouping generated action`;
    gives the number of boxes and the problems of bad lines, each with file:line. Raises
    SlowFastExtError where the file cannot be read.
    """
    count, problems = 0, []
    for line, fields in read_words(path):
        wrong = []
        if len(fields) != 10 or None in map(parse_number, fields[:9]):
            wrong.append("not nine numbers and an action")
        else:
            _place(fields[9].strip('"').lower(), ACTIONS, "action", wrong)
        problems += [f"{path}:{line}: {problem}" for problem in wrong]
        count += not wrong
    return count, problems


# --- Lists ------------------------------------------------------------------------------


def write_moments(path, listed):
    """
    Writes a list of ListedMoments that the data set Volleyball reads, and MultiLabelVideos too:
    its `labels` are the players' distinct actions.
    """
    rows = [COLUMNS]
    for folder, video, first, last, moment in listed:
        names = [ACTIONS[action] for action in moment.actions]
        # In the form of the data set's own files.
        persons = " ".join(
            f"{x1:g} {y1:g} {x2 - x1:g} {y2 - y1:g} {name}"
            for (x1, y1, x2, y2), name in zip(moment.boxes.tolist(), names, strict=True)
        )
        labels = ";".join(sorted(set(names), key=ACTIONS.index))
        group = GROUPS[moment.group]
        rows.append([folder, labels, group, video, moment.target, first, last, persons])
    write_rows(path, rows)


def read_moments(path, folder="", outside="any"):
    """
    Reads a list of ListedMoments that `write_moments` wrote.

    Absolute paths must not lead out of `folder`, relative ones, which start at the current folder,
    not out of that, but where DATA.PATHS_OUTSIDE, `outside`, allows it. Raises SlowFastExtError:
    not readable, a wrong header, no rows, or bad rows, all of which it names.
    """
    table = read_table(path)
    if not len(table.lengths):
        raise SlowFastExtError(f"{path}: no moments; write it with `prepare volleyball`")
    table.require(COLUMNS, ",".join(COLUMNS))
    listed = []
    for line, fields in table:
        wrong = []
        listed.append(_listed(fields, wrong))
        if listed[-1] is not None:
            within = folder if os.path.isabs(fields["path"]) else os.curdir
            if leads_outside(within, fields["path"], outside):
                wrong.append(outside_sentence(fields["path"], within))
        table.add(line, wrong)
    table.check()
    return listed


def _listed(fields, wrong):
    if "\0" in fields["path"]:
        wrong.append("the path holds a NUL character")
        return None
    numbers = [fields[name] for name in ("video", "target", "first", "last")]
    if not all(re.fullmatch("[0-9]{1,9}", text) for text in numbers):
        wrong.append("video, target, first and last are not whole numbers")
        return None
    video, target, first, last = map(int, numbers)
    if not first <= target <= last:
        wrong.append(f"frame {target} is not one of {first} to {last}")
    group = _place(fields["group"], GROUPS, "group activity", wrong)
    boxes, actions = parse_persons(fields["persons"].split(), wrong)
    return ListedMoment(fields["path"], video, first, last, Moment(target, group, boxes, actions))
