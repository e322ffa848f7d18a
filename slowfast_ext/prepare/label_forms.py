"""
Reading people's own labels: which of the usual forms a file has is seen from its content.

    path,labels[,start,end]                          one row a segment; ; between labels
    path[,start,end],run,jump                        a column of 0 and 1 for each label
    {"database": {ID: {"annotations": [...]}}}       ActivityNet's JSON
    label,youtube_id,time_start,time_end[,split]     Kinetics' CSV
    path label [label ...]                           lines, as Kinetics' lists
    folder number_of_frames label [label ...]        lines about folders of frames
"""

import re

from slowfast_ext.datasets.list_rows import read_rows, read_text
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.activitynet_form import read_activitynet
from slowfast_ext.prepare.csv_forms import (
    KINETICS,
    LABELS,
    PATHS,
    named_columns,
    other_columns,
    place_of,
    read_binary,
    read_kinetics,
    read_labels,
)
from slowfast_ext.prepare.label_file import LabelFile


def read_label_file(path, media, split_column=None):
    """
    Reads a label file of any of the forms above.

    Args:
        path (str): the file.
        media (OwnMedia): its videos.
        split_column (str or None): name of a column (in ActivityNet's JSON: a key of a video).
    Returns:
        LabelFile: with rows, and `problems` where rows are wrong.
    Raises:
        SlowFastExtError: not readable, of no known form, or its header is wrong.
    """
    file = LabelFile(path, media, split_column)
    text = read_text(path)
    if text.lstrip().startswith("{"):
        read_activitynet(file, text)
        return file
    rows = read_rows(path)
    if not rows:
        raise SlowFastExtError(f"{path}: holds no labels; {_expected()}")
    header = [name.lower() for name in rows[0][1]]
    if set(KINETICS) <= set(header) or place_of(header, PATHS) is not None:
        rows = named_columns(rows)
    _reader_of(file, rows)(file, rows)
    return file


def _reader_of(file, rows):
    """The function that reads the form that `rows` have."""
    header = [name.lower() for name in rows[0][1]]
    if set(KINETICS) <= set(header):
        return read_kinetics
    if "original_vido_id" in header[0].split():
        raise SlowFastExtError(
            f"{file.path}: is one of PySlowFast's frame lists: TRAIN.DATASET Charades reads it as "
            "it is"
        )
    if place_of(header, PATHS) is not None and len(header) > 1:
        if place_of(header, LABELS) is not None:
            return read_labels
        if any(set(values) & {"0", "1"} for values in other_columns(header, rows).values()):
            return read_binary
    elif len(header) > 1 and any(file.media.has(row[0]) for _, row in rows):
        return read_labels
    elif all(len(row) == 1 and len(row[0].split()) > 1 for _, row in rows):
        return _read_lines
    raise SlowFastExtError(f"{file.path}:{rows[0][0]}: no form that is known; {_expected()}")


def _expected():
    return (
        "expected is a CSV file with the header path,labels[,start,end] or with a column of 0 and "
        "1 for each label, ActivityNet's JSON, Kinetics' CSV (label,youtube_id,time_start,"
        "time_end,split), or lines of: path label, or: folder number_of_frames label"
    )


# --- Lines ----------------------------------------------------------------------------


def _read_lines(file, rows):
    if file.split_column:
        raise SlowFastExtError(
            f"{file.path}: lines have no columns: take --split-column away, or write a CSV file"
        )
    lines = [(f"{file.path}:{line}", *_name_and_rest(file, row[0])) for line, row in rows]
    frames = file.media.num_frames
    is_counted = all(
        len(rest) > 1 and re.fullmatch("[0-9]{1,9}", rest[0]) for _, _, rest in lines
    ) and any(file.media.find(name)[0] in frames for _, name, _ in lines)
    file.form = "folder number_of_frames label" if is_counted else "path label"
    for where, name, rest in lines:
        count, labels = (int(rest[0]), rest[1:]) if is_counted else (None, rest)
        folder = file.media.find(name)[0]
        if is_counted and folder is not None and frames.get(folder, 0) != count:
            held = f"holds {frames[folder]} frames" if folder in frames else "is no folder"
            file.problems.append(f"{where}: {name} {held}, the line says {count}")
            continue
        file.add(where, name, [label for text in labels for label in text.split(";")])


def _name_and_rest(file, line):
    """A line's path, which may hold blanks, and its further words."""
    words = line.split()
    for number in range(1, len(words)):
        name = " ".join(words[:number])
        if file.media.has(name):
            return name, words[number:]
    return words[0], words[1:]
