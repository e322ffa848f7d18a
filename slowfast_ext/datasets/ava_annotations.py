"""
Reading AVA's files: ground truth, detections, person boxes, exclusions and label maps.

The CSV files have no header. A row belongs to a keyframe, named by a video and a whole second
(`0902` and `902` are the same); corners of boxes are fractions of the frame's width and height.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.tables import read_table
from slowfast_ext.utils.text import read_text, refuse_bad_rows, shortened

KEYFRAME = ["video", "second"]
BOX = ["x1", "y1", "x2", "y2"]
# A box may go past the frame's edge, but not so far.
LARGEST_FRACTION = 2.0
NO_ACTION = -1  # Where a keyframe has no actions, or a person's box none.
_ROWS = [*KEYFRAME, *BOX, "action"]
_SCORED = [*_ROWS, "score"]


def read_ground_truth(path):
    """
    Reads `video,second,x1,y1,x2,y2,action[,person]`, one action of one box a row; a row of
    `video,second` alone is a keyframe without actions.

    Returns:
        DataFrame: `video` (category), `second` (int), `x1`, `y1`, `x2`, `y2` (float64) and
            `action` (int) in the file's rows; a keyframe without actions has NaN corners and
            the action NO_ACTION. Person ids are not kept.
    Raises:
        SlowFastExtError: not readable, no rows, or bad rows, which it names.
    """
    return _needing_rows(path, _read(path, _GROUND_TRUTH, _ROWS))


def read_detections(path):
    """
    Reads `video,second,x1,y1,x2,y2,action,score`, one scored action of one box a row.

    Returns:
        DataFrame: as of `read_ground_truth`, and `score` (float64). Rows of `video,second`
            alone, keyframes on which nothing was detected, are left out; the file may be empty.
    Raises:
        SlowFastExtError: not readable, or bad rows, which it names.
    """
    rows = _read(path, _DETECTIONS, _SCORED)
    boxes = rows["action"] != NO_ACTION
    return rows if boxes.all() else rows[boxes].reset_index(drop=True)


def read_person_boxes(path):
    """
    Reads a person detector's boxes: `video,second,x1,y1,x2,y2,[action],score`, where the
    action may be an id, empty, or left out with its comma.

    Returns:
        DataFrame: as of `read_detections`; `action` is NO_ACTION where there is none, `score`
            is the detector's, in [0, 1]. A box with several actions has as many rows.
    Raises:
        SlowFastExtError: not readable, no rows, or bad rows, which it names.
    """
    return _needing_rows(path, _read(path, _PERSON_BOXES, _SCORED))


def read_exclusions(path):
    """
    Reads `video,second`, the keyframes that are left out of an evaluation -> DataFrame: `video`
    (category) and `second` (int), no rows for an empty file. Raises SlowFastExtError.
    """
    return _read(path, _EXCLUSIONS, KEYFRAME)


def _needing_rows(path, rows):
    if rows.empty:
        raise SlowFastExtError(f"{path}: no rows; check that this is the file that is meant")
    return rows


_NUMBERS = ["second", *BOX, "action", "score"]
_MAX_FIELDS = 8


@dataclass(frozen=True)
class _Form:
    """
    What the rows of a file are.

    Args:
        text (str): the form, for messages.
        columns (dict[int, list[str]]): number of fields -> names of the columns.
        ordered (bool): whether x2 < x1 and y2 < y1 are refused, as the official evaluator does
            in ground truth; it drops such detections.
        by_detector (bool): whether boxes may have no action, and scores lie in [0, 1].
    """

    text: str
    columns: dict
    ordered: bool = True
    by_detector: bool = False


_GROUND_TRUTH = _Form(
    "video,second,x1,y1,x2,y2,action[,person]", {2: KEYFRAME, 7: _ROWS, 8: [*_ROWS, "person"]}
)
_DETECTIONS = _Form(
    "video,second,x1,y1,x2,y2,action,score", {2: KEYFRAME, 8: _SCORED}, ordered=False
)
_PERSON_BOXES = _Form(
    "video,second,x1,y1,x2,y2,[action],score",
    {7: [*KEYFRAME, *BOX, "score"], 8: _SCORED},
    by_detector=True,
)
_EXCLUSIONS = _Form("video,second", {2: KEYFRAME})


def _read(path, form, columns):
    """The named columns of a file; raises SlowFastExtError."""
    named = {}

    def check(table):
        named.update(_named(table, form))
        good = np.ones(len(table.rows), bool)
        for wrong, *sentence in _unread(table, form):
            table.tell(wrong, *sentence)
            good &= ~wrong
        # The first of these alone: the others may follow from it.
        for wrong, sentence in _checks(named, form):
            table.tell(good & wrong, sentence)
            good &= ~wrong

    numbers = range(1, 7 if "person" in form.columns.get(_MAX_FIELDS, []) else _MAX_FIELDS)
    read_table(path, list(range(_MAX_FIELDS)), numbers.__contains__, check)
    named["action"][np.isnan(named["action"])] = NO_ACTION  # Integers know no NaN.
    named |= {name: named[name].astype("int64") for name in ("second", "action")}
    return pd.DataFrame({name: named[name] for name in columns}, copy=False)


def _unread(table, form):
    """What `Table.tell` takes: which rows have other fields than the form, and what is wrong."""
    for length in set(np.flatnonzero(np.bincount(table.lengths))) - set(form.columns):
        yield table.lengths == length, f"{length} fields where {form.text} is expected"
    for length, names in form.columns.items():
        for place, name in enumerate(names):
            # pandas has refused what is no number, and knows no texts then.
            if name in _NUMBERS and table.texts is not None:
                wrong = table.rows[place].isna() & (table.texts[place] != "")
                wrong = wrong.to_numpy() & (table.lengths == length)
                yield wrong, f'{name} "{{}}" is not a number', place


def _named(table, form):
    """A Table's `video`, all of _NUMBERS (float64, NaN where left out) and `boxed`, by name."""
    rows = {"video": table.rows[0].astype("category"), "boxed": table.lengths > len(KEYFRAME)}
    rows |= {name: np.full(len(table.rows), np.nan) for name in _NUMBERS}
    for length, names in form.columns.items():
        here = table.lengths == length
        for place, name in enumerate(names):
            if name in _NUMBERS:
                np.copyto(rows[name], table.rows[place].to_numpy(), where=here)
    return rows


def _checks(rows, form):
    """(bool array, sentence) pairs: which rows are wrong, and in what."""
    second, action, score = (rows[name] for name in ("second", "action", "score"))
    boxed, x1, y1, x2, y2 = (rows[name] for name in ["boxed", *BOX])
    yield (rows["video"] == "").to_numpy(), "the video's name is empty"
    yield ~_whole(second, 0), "the second is not a whole number from 0 on"
    # One by one: finite corners may have a sum that is not.
    finite = np.isfinite(x1) & np.isfinite(y1) & np.isfinite(x2) & np.isfinite(y2)
    yield boxed & ~finite, "a corner of the box is not a finite number"
    if form.ordered:
        yield boxed & ((x2 < x1) | (y2 < y1)), "x2 < x1 or y2 < y1: corners go x1,y1,x2,y2"
    wrong = ~_whole(action, 0)
    if form.by_detector:
        wrong = ~(np.isnan(action) | _whole(action, NO_ACTION))
    yield boxed & wrong, "the action is not a class id"
    if "score" in form.text:
        yield boxed & ~np.isfinite(score), "the score is not a finite number"
    if form.by_detector:
        yield boxed & ((score < 0) | (score > 1)), "the score is not within 0 and 1"


def _whole(numbers, least):
    """True where a number is whole, at least `least` and not absurdly large."""
    return (numbers == np.floor(numbers)) & (numbers >= least) & (numbers < 2**31)


def pixel_problems(path, rows):
    """list[str]: one sentence where a file's boxes cannot be fractions of a frame, else none."""
    corners = rows[BOX].abs().max(axis=1)
    if not (corners > LARGEST_FRACTION).any():
        return []
    return [
        f"{path}: corners up to {corners.max():g}, as if in pixels: they must be fractions, "
        "so divide by the frame's width and height"
    ]


def read_label_map(path):
    """
    Reads the classes that are evaluated: AVA's `.pbtxt`, of `item { name id }` or `label { name
    label_id }`, or a text list of one class a line, either `ID NAME` (`ID: NAME`, `ID,NAME`,
    `ID. NAME`, ...) on every line or names alone, whose ids count from 1.

    Returns:
        dict[int, str]: id -> name, by rising id.
    Raises:
        SlowFastExtError: not readable, no classes, or bad lines, which it names.
    """
    problems, found = [], {}
    for line, class_id, name, wrong in classes_of(read_text(path)):
        if wrong:
            problems.append(f"{path}:{line}: {shortened(wrong)}")
        elif class_id is None or not name:
            problems.append(f"{path}:{line}: {'no id' if name else 'no name'} of a class")
        elif class_id in found:
            problems.append(f"{path}:{line}: the class id {class_id} stands there twice")
        elif name in found.values():
            # Names are what a network's outputs are known by.
            problems.append(f"{path}:{line}: the name '{shortened(name)}' stands there twice")
        else:
            found[class_id] = name
    refuse_bad_rows(path, problems)
    if not found:
        raise SlowFastExtError(f"{path}: no classes; it must be AVA's .pbtxt or one class a line")
    return dict(sorted(found.items()))


_NUMBERED = re.compile(r"([0-9]{1,9})(?:\.0+)?(?:\s*[:,;]\s*|[.)]?\s+(?:-\s+)?)(.*)")
_BLOCKS = ("item", "label")
_KEYS = {"name": "name", "id": "id", "label_id": "id"}
_GAP = r"(?:\s|\#[^\n]*\n)*"
_TOKEN = re.compile(
    rf"""(?P<skipped>\s+|\#[^\n]*)
    |(?P<open>(?P<block>{"|".join(_BLOCKS)})\b{_GAP}:?{_GAP}\{{)
    |(?P<close>\}})
    |(?P<field>(?P<key>[\w.+-]+){_GAP}:{_GAP}
        (?P<value>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w.+-]+){_GAP}[,;]?)
    |(?P<other>[\w.+-]+|.)""",
    re.VERBOSE,
)


def classes_of(text):
    """
    Yields (line, id or None, name or None, None) of each class of a label map's text, and
    (line, None, None, sentence) of what is wrong in it otherwise.
    """
    if re.search(rf"(?m)^\s*(?:{'|'.join(_BLOCKS)})\s*:?\s*\{{", text):
        yield from _pbtxt_classes(text)
        return
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), start=1)]
    lines = [(n, line) for n, line in lines if line and not line.startswith("#")]
    numbered = [_NUMBERED.fullmatch(line) for _, line in lines]
    is_turned = all(re.fullmatch(r".*\D\s*[,;\t]\s*[0-9]+", line) for _, line in lines)
    for index, ((n, line), parts) in enumerate(zip(lines, numbered, strict=True), start=1):
        if parts:
            yield n, int(parts[1]), re.sub(r'^"(.*)"$', r"\1", parts[2]).replace('""', '"'), None
        elif re.match(r"\w+\s*:|.*[{}]|\[", line):
            yield n, None, None, f"'{line}' is neither a class's name nor of an item {{ ... }}"
        elif is_turned:
            yield n, None, None, f"'{line}': the id must stand before the name"
        elif line.isdecimal():
            yield n, index, None, None
        else:
            # Where others have ids, a name without one is no class.
            yield n, None if any(numbered) else index, line, None


def _pbtxt_classes(text):
    """The classes of `item { name: "..." id: N }` or `label { name: "..." label_id: N }`."""
    line, first_line, item = 1, 1, None
    for token in _TOKEN.finditer(text):
        token_line, line = line, line + token[0].count("\n")
        if token.lastgroup == "open" and item is None:
            first_line, item = token_line, {}
        elif token.lastgroup == "close" and item is not None:
            number = item.get("id")
            if number is None or re.fullmatch("[0-9]{1,9}", number):
                yield first_line, number and int(number), item.get("name"), None
            else:
                wrong = f"the id '{number}' is not a whole number from 0 on"
                yield first_line, None, None, wrong
            item = None
        elif token.lastgroup != "skipped" and (wrong := _add_field(item, token)):
            yield token_line, None, None, wrong
            return
    if item is not None:
        yield first_line, None, None, "the item is not closed by }"


def _add_field(item, token):
    """Adds a field to an item; returns what is wrong where the token is none, else None."""
    word = token["block"] or token["key"] or token[0]
    if item is None:
        return f"'{word}' where 'item {{' or 'label {{' is expected"
    if word in _BLOCKS:
        return f"'{word}' where the }} of the one before is expected"
    if token.lastgroup != "field":
        if re.match(r"\w", word):
            return f"the field '{word}' has no value: 'name: \"...\"' is the form"
        return f"{word} where a field's name or }} is expected"
    key, value = _KEYS.get(word), token["value"]
    if key in item:
        return f"the item has a second {key}: is the one before not closed by }}?"
    if key == "name":
        if value[0] not in "\"'":
            return 'the name is not in ""'
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    if key:
        item[key] = value
    return None
