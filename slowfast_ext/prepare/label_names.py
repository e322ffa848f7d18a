"""Whose labels are read, and what they are called where a file calls them in several ways."""

import re
from collections import Counter
from dataclasses import replace

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import MARKS, clean, combination_of, spelling
from slowfast_ext.utils.text import shortened

# A label behind which stands whether it happens.
_FLAG = re.compile(r"[:=]\s*[01]$")


def tell_of_flags(file):
    """
    Tells the file's problems of rows of a 0 or 1 for each class, and of labels with one behind
    each: run:1;jump:0. Lists of class ids may name 0 or 1 twice, too; but others are of other
    lengths then, and name other ids.
    """
    ids = {label for row in file.rows for label in row.labels}
    rows = [row for row in file.rows if any(label.endswith("0") for label in row.labels)]
    if rows and all(map(_FLAG.search, ids)):
        labels = ", ".join(rows[0].labels)
        file.problems.append(f"{rows[0].where}: {labels}: write what happens alone")
    if ids <= {"0", "1"} or len(file.lengths) == 1:
        file.problems += [
            f"{where}: {text}: a 0 or 1 for each class? Write the labels' names"
            for where, text in file.like_flags.items()
        ]


def choose_subjects(file):
    """Leaves out the rows of others than `file.subjects`."""
    if not file.subjects:
        return
    known = sorted({row.subject for row in file.rows} - {""})
    for subject in set(file.subjects) - set(known):
        raise SlowFastExtError(
            f'{file.path}: no subject "{subject}" for --subjects; '
            + (f"they are {', '.join(known)}" if known else "it names none")
        )
    for row in file.rows:
        if row.labels and row.subject not in file.subjects:
            file.skip(row.where, f"subject {row.subject or 'not said'}")
    # What says that nothing happens says it of everybody.
    file.rows = [row for row in file.rows if row.subject in file.subjects or not row.labels]


def tell_groups_apart(file):
    """A label that one subject has in several groups becomes GROUP:label."""
    groups = {}
    for row in file.rows:
        for label in row.labels:
            groups.setdefault(label, {}).setdefault(row.subject, set()).add(row.group)
    shared = {n for n, found in groups.items() if any(len(of) > 1 for of in found.values())}
    for place, row in enumerate(file.rows):
        if row.group and shared & set(row.labels):
            names = [f"{row.group}:{n}" if n in shared else n for n in row.labels]
            file.rows[place] = replace(row, labels=tuple(names))


def part_labels(file):
    """
    Parts labels at `file.separator`, in those forms that did not.

    Raises:
        SlowFastExtError: there is none, and a label's parts at such marks are labels too.
    """
    if file.separator:
        for place, row in enumerate(file.rows):
            parts = [part for label in row.labels for part in label.split(file.separator)]
            labels = dict.fromkeys(filter(None, map(clean, parts)))
            file.rows[place] = replace(row, labels=tuple(labels))
        return
    where = {spelling(label): row.where for row in file.rows for label in row.labels}
    if found := combination_of(where, MARKS):
        label, mark = found
        raise SlowFastExtError(
            f'{where[label]}: "{shortened(label)}" is one label or several, whose parts are '
            f'labels too: --separator "{mark}" parts labels there, --separator ";" keeps them whole'
        )


def unify_spellings(file):
    """Labels that are equal by `spelling` become the most frequent of theirs."""
    counts = Counter(label for row in file.rows for label in row.labels)
    counts.update(dict.fromkeys(file.declared, 0))
    groups = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        groups.setdefault(spelling(label), []).append(label)
    file.spellings = {first: rest for first, *rest in groups.values() if rest}
    spelt = {other: first for first, *rest in groups.values() for other in rest}
    for place, row in enumerate(file.rows):
        if spelt.keys() & set(row.labels):
            labels = dict.fromkeys(spelt.get(label, label) for label in row.labels)
            file.rows[place] = replace(row, labels=tuple(labels))
    file.declared = list(dict.fromkeys(spelt.get(label, label) for label in file.declared))
