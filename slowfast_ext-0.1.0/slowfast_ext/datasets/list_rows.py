"""Parsing the rows of a list of labelled videos (see `slowfast_ext.datasets.lists`)."""

import csv
import difflib
import io
import math
import os
import re
from dataclasses import dataclass, field

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import is_local, pathmgr

HEADER = "path,labels[,start,end]"


def read_text(path):
    """Reads a UTF-8 file with or without byte-order mark; raises SlowFastExtError."""
    return decode(path, read_bytes(path))


def read_bytes(path):
    """Reads a file; raises SlowFastExtError."""
    try:
        with pathmgr.open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        reason = error.strerror or error
        raise SlowFastExtError(f"{path}: cannot be read ({reason}); check the path") from error


def decode(path, data):
    """The text of a UTF-8 file's bytes, as of `read_text`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SlowFastExtError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from error


def read_rows(path):
    """Reads a CSV file as (line number, fields stripped of blanks) pairs, no blank lines."""
    return parse_rows(path, read_bytes(path))


def parse_rows(path, data):
    """The rows of a CSV file's bytes, as of `read_rows`."""
    reader = csv.reader(io.StringIO(decode(path, data), newline=""))
    rows, line = [], 1
    try:
        for row in reader:
            fields = [text.strip() for text in row]
            if fields not in ([], [""]):
                rows.append((line, fields))
            line = reader.line_num + 1
    except csv.Error as error:
        raise SlowFastExtError(f"{path}:{reader.line_num}: not a CSV file ({error})") from error
    return rows


def parse_number(text):
    """The number that a text holds, as a float, or None; Python's own 1_0 for 10 is none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def shortened(text, width=80):
    """The text, or its beginning: what a message quotes may be a whole file's line."""
    return text if len(text) <= width else f"{text[: width - 3]}..."


def check_columns(path, line, header, needed, form):
    """Raises SlowFastExtError where a needed column is missing, or any column stands twice."""
    missing = [name for name in needed if name not in header]
    if missing:
        raise SlowFastExtError(
            f"{path}:{line}: the header has no column {' and no column '.join(missing)}; "
            f"it must be {form}, and is {shortened(','.join(header))}"
        )
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise SlowFastExtError(f"{path}:{line}: the header has the column {shortened(twice)} twice")


def check_header(path, line, header):
    """Returns the header if it has the needed columns; raises SlowFastExtError if not."""
    times = ("start", "end") if {"start", "end"} & set(header) else ()
    check_columns(path, line, header, ("path", "labels", *times), HEADER)
    return header


@dataclass
class RowParser:
    """
    Turns rows of a list into segments.

    Args:
        header (list[str]): names of the columns.
        class_names (list[str]): names of the classes in the order of their ids.
        root (str): folder that relative paths refer to.
        check_files (bool): whether a missing or empty video is a problem.
    """

    header: list
    class_names: list
    root: str
    check_files: bool = True
    _file_problems: dict = field(default_factory=dict)
    _label_problems: dict = field(default_factory=dict)

    def __post_init__(self):
        self._ids = {name: index for index, name in enumerate(self.class_names)}

    def parse(self, row):
        """
        Parses one row, with as many fields as it has.

        Returns:
            (str, tuple[tuple[int], float, float], list[str]): resolved path; class ids, start
                and end; what is wrong with the row. The first two hold where nothing is.
        """
        if len(row) < len(self.header) or any(row[len(self.header) :]):
            what = f"{len(row)} fields where the header has {len(self.header)}"
            hint = "" if len(row) < len(self.header) else ': put a field with a comma in ""'
            return None, None, [what + hint]
        fields = dict(zip(self.header, row, strict=False))
        problems = []
        path = self._path(fields["path"], problems)
        labels = self._labels(fields["labels"], problems)
        start, end = _times(fields.get("start", ""), fields.get("end", ""), problems)
        return path, (labels, start, end), problems

    def _path(self, text, problems):
        """Resolves a path; tells `problems` if there is no such file or it is empty."""
        if not text:
            problems.append("the path is empty")
            return None
        path = text
        if is_local(text):
            path = os.path.join(self.root, text)
            path = os.path.normpath(path) if is_local(path) else path
        if self.check_files:
            if path not in self._file_problems:
                self._file_problems[path] = _file_problem(path)
            problems.extend(self._file_problems[path])
        return path

    def _labels(self, text, problems):
        """Class ids, distinct, of labels separated by `;`; tells `problems` of wrong ones."""
        labels = []
        for label in filter(None, map(str.strip, text.split(";"))):
            number = int(label) if re.fullmatch(r"-?[0-9]{1,9}", label) else None
            index = self._ids.get(label, number)
            if index is None:
                problems.append(self._unknown_label(label))
            elif not 0 <= index < len(self.class_names):
                problems.append(f"class id {index} is not in 0..{len(self.class_names) - 1}")
            else:
                labels.append(index)
        return tuple(dict.fromkeys(labels))

    def _unknown_label(self, label):
        """What is wrong with a label that is neither a class name nor a number."""
        if label not in self._label_problems:
            nearest = difflib.get_close_matches(label, self.class_names, n=1)
            hint = f', did you mean "{nearest[0]}"?' if nearest else ""
            self._label_problems[label] = f'unknown label "{shortened(label)}"{hint}'
        return self._label_problems[label]


def _file_problem(path):
    """What is wrong with a video's path: a list of no or one sentence."""
    if not pathmgr.exists(path):
        return [f"no such file {path}"]
    # The size of a file in a store is not known without copying it here.
    if not is_local(path) or os.path.isdir(path):
        return []
    if not os.path.isfile(path):
        return [f"{path} is neither a regular file nor a folder"]
    return [f"the file {path} is empty (0 bytes)"] if os.path.getsize(path) == 0 else []


def _times(start, end, problems):
    """Start and end of a segment in seconds (None, None: the whole video)."""
    if not start and not end:
        return None, None
    if not start or not end:
        problems.append(f"{'end' if start else 'start'} is missing: give both or neither")
        return None, None
    times = []
    for name, text in (("start", start), ("end", end)):
        time = _seconds(text)
        if time is None:
            problems.append(f'{name} "{shortened(text)}" is not a number of seconds from 0 on')
        times.append(time)
    if None not in times and times[1] < times[0]:
        problems.append(f"end {end} is before start {start}")
    return times


def _seconds(text):
    """A time as a finite float of at least 0, or None if the text is no such number."""
    time = parse_number(text)
    return time if time is not None and math.isfinite(time) and time >= 0 else None
