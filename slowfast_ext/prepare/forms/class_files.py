"""
MultiTHUMOS' folder: a file for each class, called as the class, with lines `video start end`.
THUMOS' own has one for each side, Run_val.txt and Run_test.txt, and Ambiguous_val.txt, which names
time of which nobody says what happens.
"""

import os
import re

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import seconds
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.text import parse_number

_SIDE = re.compile("_(val|test)$")


def recognises(content):
    """Every line is a name and two times, some of them with decimals."""
    text = "" if content.is_archive else content.text
    rows = [line.split() for line in text.splitlines() if line.strip()]
    are_times = all(len(row) == 3 and all(map(_is_time, row[1:])) for row in rows)
    # Whole numbers behind a path may be class ids.
    return bool(rows) and are_times and any("." in time for row in rows for time in row[1:])


def _is_time(text):
    """Also of a number below 0, which is told as a wrong time and not as a label."""
    return seconds(text) is not None or parse_number(text) is not None


def read(file, content):
    """
    Adds the segments of the class that the file is called by.

    Raises:
        SlowFastExtError: it is read by itself: its name may be any.
    """
    if not file.is_of_folder:
        raise SlowFastExtError(
            f"{file.path}: videos, start and end without a label: give the folder of these files, "
            "each called as its class, or a CSV file path,labels,start,end"
        )
    file.form = "a file a class"
    label, side, found = file.own_name, "", _SIDE.search(file.own_name)
    names = pathmgr.ls(os.path.dirname(file.path))
    # A class may be called so, too, but not all of them.
    if found and all(_SIDE.search(name[:-4]) for name in names if name.endswith(".txt")):
        label, side = label[: found.start()], found[1]
    is_ambiguous = bool(side) and label == "Ambiguous"
    more = {"side": side, "unknown": is_ambiguous}
    labels = [] if is_ambiguous else [label]
    file.declared += labels
    for number, line in enumerate(content.text.splitlines(), 1):
        if line.strip():
            name, *times = line.split()
            file.add(f"{file.path}:{number}", name, labels, times, **more)
