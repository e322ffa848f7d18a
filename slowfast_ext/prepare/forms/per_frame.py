"""
Tables of a row a frame or a step of time: DeepEthogram's, SimBA's, BORIS' binary one, Solomon
Coder's. The video is the one of the file's own name.
"""

import re
from dataclasses import dataclass

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.frame_spans import Held, add_held, other_length, runs_of
from slowfast_ext.prepare.label_cells import flag, labels_in, seconds
from slowfast_ext.prepare.label_columns import LABELS, PATHS, flags_by_name, place_of, plain
from slowfast_ext.utils.tables import rows_of_text
from slowfast_ext.utils.text import parse_number, shortened

_INDEX = ("", "frame", "frames", "frame_id", "frame_number", "frame_index", "index", "unnamed_0")
_CLOCKS = ("time", "time_s", "seconds", "time_sec")
# DeepEthogram's columns: the frames on which nothing happens, and a value that nobody knows.
_BACKGROUND, _UNKNOWN = "background", ("-1", "-1.0")
# Of the coordinates that SimBA writes before its behaviours, and of how sure they are.
_POSE = ("_x", "_y", "_p")
# What DeepEthogram and BORIS add to the name of a video or an observation.
_OWN_ENDINGS = ("_labels", "_No focal subject")
# A step's rounding, as a part of it: times are written with few decimals.
_UNEVEN = 0.26
_FEW_ROWS = 20
# Seconds by which equal steps may differ where times are printed in full.
_PRINTED = 1e-6


@dataclass
class _Table:
    """The rows, a column's names, and whether the first one counts seconds or frames."""

    names: list
    rows: list
    is_clock: bool

    def cells(self, place):
        return [row[place] for _, row in self.rows]


def recognises(content):
    return not content.is_archive and _rows(content) is not None


def _rows(content):
    """The rows of a table of a row a frame, as of `rows_of_text`; None where it is none."""
    path, text = content.path, content.text
    for delimiter in ",\t;":
        header = rows_of_text(path, text.lstrip().split("\n", 1)[0], delimiter)
        names = list(map(plain, header[0][1])) if header else []
        if len(names) < 2 or names[0] not in (*_INDEX, *_CLOCKS) or set(names[1:]) & set(PATHS):
            continue
        rows = rows_of_text(path, text, delimiter)
        first = rows[1][1] if len(rows) > 1 else [""]
        # pandas writes an index before any table, and those of frames hold numbers alone.
        is_named = names[0] in _CLOCKS or set(names) & set(LABELS)
        needed = first[:1] if is_named and names[0] else first
        if None not in map(parse_number, [text.replace(",", ".") for text in needed]):
            return rows
    return None


def read(file, content):
    """
    Adds the runs of each label; labels overlap freely.

    Raises:
        SlowFastExtError: it is not clear which columns are labels.
    """
    table = _checked(file, _rows(content))
    file.form = f"a row {'a step of time' if table.is_clock else 'a frame'}"
    places = _label_places(file, table)
    file.unused = [name for n, name in enumerate(table.names) if n and n not in places]
    columns = [_labels_of_column(file, table, place) for place in places]
    # A Held of each row: of what is there, and of what nobody knows.
    held, unknown = [], []
    for place, (where, _) in enumerate(table.rows):
        for helds, kind in ((held, 0), (unknown, 1)):
            labels = (label for column in columns for label in column[kind][place])
            helds.append(Held(where, place, place + 1, tuple(labels)))
    add = _add_by_time if table.is_clock else _add_by_frame
    add(file, table, held, unknown)


def _checked(file, rows):
    """The _Table of rows that are as long as the header; tells of the others."""
    names = rows[0][1]
    kept = []
    for line, row in rows[1:]:
        where = f"{file.path}:{line}"
        if len(row) < len(names) or any(row[len(names) :]):
            file.problems.append(f"{where}: {len(row)} fields where the header has {len(names)}")
        elif seconds(row[0]) is None:
            what = f'"{shortened(row[0])}" is no number of a frame or of seconds'
            file.problems.append(f"{where}: {what}")
        else:
            kept.append((where, row))
    return _Table(names, kept, plain(names[0]) in _CLOCKS)


def _own_video(file):
    stem = file.own_name
    names = [stem, *(stem.removesuffix(end) for end in _OWN_ENDINGS if stem.endswith(end))]
    return next(filter(file.media.has, names), names[-1])


# --- Columns --------------------------------------------------------------------------


def _label_places(file, table):
    """Places of the columns of labels: those that are named, or the last ones of 0 and 1."""
    header = list(map(plain, table.names))
    if file.label_columns:
        names = table.names[1:]
        return [1 + place_of(file.path, names, name) for name in file.label_columns]
    if table.is_clock:
        return [place for place in range(1, len(header)) if any(table.cells(place))]
    places = []
    for place in reversed(range(1, len(header))):
        # SimBA's results have one beside each behaviour.
        if header[place].startswith("probability_"):
            continue
        is_named = header[place] in LABELS
        is_pose = table.names[place].lower().endswith(_POSE)
        if is_pose or not (is_named or all(map(_is_value, table.cells(place)))):
            break
        places.insert(0, place)
    places = [place for place in places if header[place] != _BACKGROUND]
    _check_places(file, table, places)
    if not places and table.rows:
        raise SlowFastExtError(
            f"{file.path}: a row a frame, and its last column, {table.names[-1]}, does not hold 0 "
            "and 1 alone: name the columns of labels by --label-columns"
        )
    return places


def _check_places(file, table, places):
    """Raises SlowFastExtError where it is not clear that these columns are all that are labels."""
    flags = flags_by_name(table.names[place] for place in places)
    if flags:
        raise SlowFastExtError(
            f"{file.path}: {', '.join(flags)}: seem to be flags of a program, not what happens: "
            "name the columns of labels by --label-columns"
        )
    rest = range(1, min(places, default=1))
    # Before SimBA's labels lie its coordinates and what it computes of them.
    is_pose = any(table.names[place].lower().endswith(_POSE) for place in rest)
    for place in () if is_pose else rest:
        cells, name = table.cells(place), table.names[place]
        if plain(name) != _BACKGROUND and len(set(cells)) > 1 and all(map(_is_value, cells)):
            raise SlowFastExtError(
                f"{file.path}: {name} holds 0 and 1, and a column behind it does not: name the "
                "columns of labels by --label-columns"
            )


def _is_value(cell):
    return cell in _UNKNOWN or flag(cell) is not None


def _labels_of_column(file, table, place):
    """
    (labels of each row, unknown labels of each row): of a column of 0 and 1 its own name, else
    the names in its cells.
    """
    cells, name = table.cells(place), " ".join(table.names[place].split())
    is_names = table.is_clock or plain(name) in LABELS
    is_names = is_names and any(re.search(r"[^\W\d]", cell) for cell in cells)
    if is_names and not all(map(_is_value, cells)):
        return [labels_in(cell, file.separator or ";") for cell in cells], [()] * len(cells)
    if plain(name) in LABELS:
        if not file.class_names:
            raise SlowFastExtError(
                f"{file.path}: {name} holds numbers: of classes, which --class-names FILE names, "
                "or whether one activity is there? Call the column as the activity then"
            )
        return [labels_in(cell, file.separator or ";") for cell in cells], [()] * len(cells)
    file.declared.append(name)
    found = []
    for (where, _), cell in zip(table.rows, cells, strict=True):
        # BORIS counts the moments in a step.
        is_count = table.is_clock and re.fullmatch("[0-9]{1,9}", cell)
        value = int(cell) > 0 if is_count else flag(cell)
        if value is None and cell not in _UNKNOWN:
            file.problems.append(f'{where}: {name} is "{shortened(cell)}": it must be 0 or 1')
        found.append([name] if value else [])
    return found, [[name] if cell in _UNKNOWN else [] for cell in cells]


# --- Rows -----------------------------------------------------------------------------


def _add_by_frame(file, table, held, unknown):
    """Frames count from what the first row says, 0 or 1, without a gap."""
    name = _own_video(file)
    numbers = [seconds(row[0]) for _, row in table.rows]
    first = numbers[0] if numbers else 0
    for place, (number, (where, _)) in enumerate(zip(numbers, table.rows, strict=True)):
        if first not in (0, 1) or number != first + place:
            expected = f"{first + place:g}" if place and first in (0, 1) else "0 or 1"
            file.problems.append(f"{where}: frame {number:g} where {expected} is expected")
            return
    video, problem = file.media.find(name)
    if not problem and (what := other_length(file, video, len(table.rows))):
        file.problems.append(f"{file.path}: {len(table.rows)} rows of frames, and {what}")
        return
    add_held(file, f"{file.path}:1", name, held, unknown)
    if file.frame_rate:
        file.add_labelled_frames(name, 0, len(table.rows))


def _add_by_time(file, table, held, unknown):
    """A row stands for what is there up to the next one, and the last for an equal step."""
    name, starts = _own_video(file), np.array([seconds(row[0]) for _, row in table.rows])
    file.add(f"{file.path}:1", name, [])
    video, problem = file.media.find(name)
    if problem or len(starts) < 2:
        file.problems += [] if problem else [f"{file.path}:2: one row does not say how long it is"]
        return
    step = float(np.median(np.diff(starts)))
    limit = _UNEVEN * abs(step)
    if len(starts) < _FEW_ROWS:
        # A log of few events has such steps by chance: then they differ by their rounding alone.
        decimals = max(len(row[0].replace(",", ".").partition(".")[2]) for _, row in table.rows)
        limit = 1.01 * 10.0**-decimals if decimals else 0.0
        # A program may print 3 * 0.4 as 1.2000000000000002.
        limit = max(limit, _PRINTED)
    for (where, row), found in zip(table.rows[1:], np.diff(starts), strict=True):
        if not abs(found - step) <= limit or step <= 0:
            what = f"time {row[0]}, {found:g} s behind the row before, where others are {step:g}"
            what += "; events, which last no equal steps, need a start and an end each"
            file.problems.append(f"{where}: {what}")
            return
    if len(starts) == 2:
        file.problems.append(f"{file.path}:3: two rows do not say whether they are steps or events")
        return
    ends, length = np.append(starts[1:], starts[-1] + step), _length(file, video)
    # A step that begins before the video's end, and BORIS' row at the end itself.
    is_last = (ends > length) & (starts < length + step)
    ends = np.where(is_last, length, ends)
    file.add_labelled(name, float(starts[0]), float(ends[-1]))
    for helds, more in ((held, {}), (unknown, {"unknown": True})):
        for run in runs_of(row for row in helds if starts[row.first] < ends[row.first]):
            span = (float(starts[run.first]), float(ends[run.until - 1]))
            file.add(run.where, name, run.labels, span, **more)


def _length(file, video):
    """A video's seconds; infinite where nothing says them."""
    try:
        length = file.media.info(video).duration
    except SlowFastExtError as error:
        file.problems.append(f"{file.path}:1: {error}")
        return np.inf
    return np.inf if length is None else length
