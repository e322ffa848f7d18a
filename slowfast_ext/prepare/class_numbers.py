"""Names for labels that a file knows by their numbers."""

import json
import re
from collections import Counter
from dataclasses import replace

from slowfast_ext.datasets.ava_annotations import classes_of
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import clean, spelling
from slowfast_ext.utils.text import read_text, refuse_bad_rows, shortened


def name_numbers(file):
    """
    Puts names in the place of a LabelFile's labels that are numbers.

    Args:
        file (LabelFile): whose rows and declared labels change; `class_names` is the file of the
            names: `NUMBER NAME` or `NAME,NUMBER` a line, names alone in the order of their
            numbers, a label map (.pbtxt), or JSON {NAME: NUMBER}.
    Raises:
        SlowFastExtError: not readable, numbers without a name, or names alone of which it is not
            clear whether they count from 0 or 1.
    """
    path = file.class_names
    used = {label for row in file.rows for label in row.labels} | set(file.declared)
    used = {label for label in used if re.fullmatch("[0-9]{1,9}", label)}
    names = _names(path, set(map(int, used)))
    missing = sorted(int(label) for label in used if int(label) not in names)
    if missing:
        first, last = min(names), max(names)
        raise SlowFastExtError(
            f"{file.path}: class {missing[0]} has no name in {path}, whose classes are {first} to "
            f"{last}"
        )

    def named(labels):
        return [names[int(label)] if label in used else label for label in labels]

    file.declared = list(dict.fromkeys(named(file.declared)))
    file.rows = [replace(row, labels=tuple(dict.fromkeys(named(row.labels)))) for row in file.rows]


def _names(path, used):
    """dict[int, str] of a file of names; `used` tells from where names alone count."""
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return _names_in_json(path, text)
    text = _without_header(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    is_wide = [re.fullmatch(r"\d+\s*[,;\t].*[,;\t]\s*[\d.]+", line) for line in lines]
    if len(lines) > 1 and all(is_wide):
        raise SlowFastExtError(
            f"{path}: {shortened(lines[0])}: keep a number and a name, without more columns"
        )
    turned = [re.fullmatch(r"(.*?)\s*[,;\t]\s*([0-9]{1,9})", line) for line in lines]
    if lines and all(turned) and not all(line[:1].isdigit() for line in lines):
        return _unique(path, [(int(match[2]), match[1].strip('"')) for match in turned])
    found = list(classes_of(text))
    wrong = [f"{path}:{line}: {shortened(what)}" for line, _, _, what in found if what]
    wrong = wrong or [f"{path}:{n}: no id of a class" for n, number, *_ in found if number is None]
    refuse_bad_rows(path, wrong)
    if (
        lines
        and len(found) == len(lines)
        and all(name == lines[n] for n, (*_, name, _) in enumerate(found))
    ):
        return _names_alone(path, lines, used)
    return _unique(path, [(number, name) for _, number, name, _ in found])


def _without_header(text):
    """The text with an empty line in the place of names of columns, such as `id,name`."""
    header, *rest = text.split("\n")
    lines = [line.strip() for line in rest if line.strip()]
    at_ends = (r"\d+\s*[,;\t].*", r".*[,;\t]\s*\d+")
    is_header = re.search(r"[,;\t]", header) and not re.search(r"\d", header) and lines
    if is_header and any(all(re.fullmatch(end, line) for line in lines) for end in at_ends):
        return "\n".join(["", *rest])
    return text


def _names_alone(path, names, used):
    first = 0 if 0 in used else 1
    if used and first == 1 and max(used) < len(names):
        raise SlowFastExtError(
            f"{path}: do the names count from 0 or from 1? Write each as NUMBER NAME"
        )
    return dict(enumerate(names, first))


def _names_in_json(path, text):
    try:
        data = json.loads(text)
        pairs = data.items()
        if all(isinstance(value, str) for value in data.values()):
            pairs = [(value, int(key)) for key, value in pairs]
        if not all(isinstance(number, int) for _, number in pairs):
            raise ValueError("not numbers of classes")
    except (ValueError, RecursionError) as error:
        raise SlowFastExtError(f"{path}: not JSON of {{NAME: NUMBER}} ({error})") from error
    return _unique(path, [(number, name) for name, number in pairs])


def _unique(path, pairs):
    twice = [number for number, count in Counter(n for n, _ in pairs).items() if count > 1]
    if twice or not pairs:
        what = f"class {twice[0]} stands there twice" if twice else "no classes"
        raise SlowFastExtError(f"{path}: {what}")
    number_of = {}
    for number, name in pairs:
        other = number_of.setdefault(spelling(clean(name)), number)
        if other != number:
            raise SlowFastExtError(f"{path}: classes {other} and {number} are both called {name}")
    return dict(pairs)
