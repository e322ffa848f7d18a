"""What one field of a label file says: labels, a time, or whether a label is there."""

import ast
import contextlib
import json
import math
import re
import unicodedata
from string import punctuation

from slowfast_ext.datasets.container import VIDEO_ENDINGS
from slowfast_ext.utils.text import parse_number, shortened

# Asks for a decision: prose has a blank behind a comma, as a name of a label may have.
UNDECIDED = ", "
_FLAGS = {
    **dict.fromkeys(("1", "1.0", "true"), True),
    **dict.fromkeys(("0", "0.0", "false"), False),
}
_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)", re.ASCII)
# A clock, or two numbers from one to the other, behind a label: walk 0:01, walk (0.5-2.5).
_ENDS_IN_TIMES = re.compile(
    r"""\s\d+(\.\d+)?\s+\d+(\.\d+)?$ | \d:[0-5]\d([.,]\d+)?\W*$
    | \d\s*[-\u2013]\s*\d+\.\d+\W*$""",
    re.ASCII | re.VERBOSE,
)
# A tuple's brackets are one pair, so that a name such as (a) b (c) is none.
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_LIST = re.compile(rf"""\[(.*)\]|\(((?:[^()'"]|{_QUOTED})*)\)|\{{([^:]*)\}}""", re.DOTALL)
# An item of a printed list of Python, numpy or JSON: in quotes, or bare up to the next comma.
_ITEM = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^,'"\[\]{}\s][^,'"\[\]{}]*)""")
# What joins two labels to one; a name of one activity may hold it, too.
_JOINTS = ("/", "+", "&", "\uff1b", "\uff0c", "\u3001", " and ", "-", "_", " ")
# Those of them, and other marks, that part labels where a form has one in a field.
MARKS = (",", "|", "\u3001", "/", "+", "&")
# What nobody sees: blanks without width and marks of direction, as copied texts have them.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u200e\u200f"))
# Dashes and quotes that programs put in the place of those that were typed.
_TYPED = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_TYPED |= dict.fromkeys(map(ord, "\u2018\u2019"), "'")
# What pandas takes for an empty field, in small letters.
_EMPTY = ("nan", "-nan", "null", "na", "n/a", "#n/a", "#na", "<na>")
# Charades' `actions`: c092 11.90 21.20;c147 0.00 12.60
_ACTION = re.compile(r"(c\d{3})\s+(\d+(?:\.\d*)?)\s+(\d+(?:\.\d*)?)", re.ASCII)


def seconds(text):
    """
    A time in seconds, of a number ("1.5", "1,5", "1.5s") or a clock ("0:01:02.5", "01:02.5").

    Returns:
        float or None: None where the text is no time, or one below 0.
    """
    text = str(text).strip()
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, rest = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))
    if re.fullmatch(r"\d+,\d+", text):
        text = text.replace(",", ".")
    value = parse_number(re.sub(r"(?<=\d)\s?s$", "", text))
    return value if value is not None and math.isfinite(value) and value >= 0 else None


def flag(text):
    """True for 1, 1.0 and true, False for 0, 0.0 and false, None for anything else."""
    return _FLAGS.get(text.lower())


def actions_of(cell):
    """
    Charades' form of labels with their times.

    Returns:
        list[(str, float, float)] or None: of another form.
    """
    parts = [part.strip() for part in cell.split(";")] if isinstance(cell, str) else []
    found = [_ACTION.fullmatch(part) for part in filter(None, parts)]
    if not found or not all(found):
        return None
    return [(match[1], float(match[2]), float(match[3])) for match in found]


def separator_of(cells):
    """
    What stands between the labels of a column's fields, by all of them: `;`, else `|`, else a
    comma with no blank behind it. UNDECIDED where commas have blanks behind them.
    """
    texts = [line for cell in _plain_cells(cells) for line in cell.splitlines()]
    for separator in ";|":
        if any(separator in text for text in texts):
            return separator
    with_commas = [text for text in texts if "," in text]
    if any(re.search(r",(\S|$)", text) or not re.search("[^0-9, ]", text) for text in with_commas):
        return ","
    return UNDECIDED if with_commas else ";"


def _plain_cells(cells):
    """Those of a column's fields that are no lists."""
    return [cell for cell in cells if isinstance(cell, str) and not _LIST.fullmatch(cell.strip())]


def combination_in(cells, separator):
    """
    A label of a column's fields whose parts are labels of their own.

    Returns:
        (str, str) or None: the label and what joins its parts.
    """
    parts = [part for cell in _plain_cells(cells) for part in labels_in(cell, separator)]
    return combination_of(dict.fromkeys(clean(part).casefold() for part in parts), _JOINTS)


def combination_of(labels, joints):
    """
    One of the labels whose parts between a joint are labels, too.

    Returns:
        (str, str) or None: the label and what joins its parts.
    """
    for joint in joints:
        for label in labels:
            parts = [part.strip() for part in label.split(joint)]
            if len(parts) > 1 and all(part in labels for part in parts):
                return label, joint
    return None


def labels_in(cell, separator):
    """
    The labels in a field: separated, on lines of their own, or a printed list.

    Args:
        cell (str or list): JSON's lists come as they are.
        separator (str): of `separator_of`.
    Returns:
        list[str]
    """
    if not isinstance(cell, str):
        return [str(label) for label in cell]
    listed = _LIST.fullmatch(cell.strip())
    if listed:
        inside = next(part for part in listed.groups() if part is not None)
        items = list(map(_item_of, _ITEM.finditer(inside)))
        # What is left beside the items is no list of labels: `problem_of` tells of it.
        return items if not re.search(r"[^\s,]", _ITEM.sub("", inside)) else [cell]
    return [label for line in cell.splitlines() for label in line.split(separator)]


def _item_of(match):
    """The text of an item of a printed list, with what JSON and Python write by backslashes."""
    text = next(filter(None, match.groups()), "")
    if "\\" in text and not match[3]:
        with contextlib.suppress(ValueError, SyntaxError):
            return json.loads(match[0]) if match[1] else ast.literal_eval(match[0])
    return text


def clean(label):
    """A label without needless blanks; pandas' 3.0 is the class id 3."""
    label = " ".join(unicodedata.normalize("NFC", label).translate(_INVISIBLE).split())
    return label.split(".")[0] if re.fullmatch(r"\d+\.0+", label, re.ASCII) else label


def is_of_flags(labels):
    """True where they are a 0 or 1 for each class in its turn: no class is named twice."""
    return set(labels) <= {"0", "1"} and len(set(labels)) < len(labels)


def spelling(label):
    """What is equal of labels that differ in capitals, in letters' width or in typeset dashes."""
    return unicodedata.normalize("NFKC", label).translate(_TYPED).casefold()


def problem_of(label):
    """Why a text is no name of a label: a time, a list, JSON, pandas' nan, a video; or None."""
    shown = f'label "{shortened(label)}"'
    if ";" in label:
        return f'{shown} holds a ";"; rename it'
    if label[:1] in "[{(" and label[-1:] in "]})":
        return f"{shown} is a list or JSON of another form: write the labels, separated by ;"
    if label.lower() in _EMPTY or label == "None":
        return f"{shown} is an empty field: leave it empty where nothing happens"
    if re.fullmatch(r"-\d+(\.0*)?", label, re.ASCII) or not set(label) - set(punctuation):
        return (
            f"{shown} is no class: remove the row where it is not known what happens, or leave "
            "the label empty where nothing happens"
        )
    if re.fullmatch(r"(?i)\d*\.\d+|\d+\.\d*|\d+(\.\d+)?e[+-]?\d+|-?inf(inity)?", label, re.ASCII):
        return f"{shown} is a number: write a time into the columns start,end"
    if _CLOCK.fullmatch(label) or _ENDS_IN_TIMES.search(label):
        return f"{shown} holds a time: write times into the columns start,end, in seconds"
    if re.search(r"[:=]\s*\d*\.\d+$", label, re.ASCII):
        return f"{shown} ends in a number: write the label alone, where it is shown"
    if re.fullmatch(r"#[A-Z/0-9]+[!?]", label):
        return f"{shown} is a spreadsheet's error: write the text that was meant there"
    if label.lower().endswith(VIDEO_ENDINGS):
        return f"{shown} is a video's name: let each row begin with it, or name the columns"
    return None
