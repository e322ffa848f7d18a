"""
Reading people's own labels: which of the usual forms a file has is seen from its content.

    path,labels[,start,end]                          one row a segment; ; between labels
    path[,start,end],run,jump                        a column of 0 and 1 for each label
    {"database": {ID: {"annotations": [...]}}}       ActivityNet's JSON
    label,youtube_id,time_start,time_end[,split]     Kinetics' CSV
    path label [label ...]                           lines, as Kinetics' lists
    folder number_of_frames label [label ...]        lines about folders of frames
"""

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.tables import read_rows
from slowfast_ext.utils.text import parse_number, read_text, shortened, summary_of_bad_rows

TIMES = ("start", "end")


@dataclass(frozen=True)
class LabelRow:
    """
    What one place of a label file says.

    Args:
        where (str): that place, for messages.
        video (str): relative to the folder of videos.
        labels (tuple[str]): names.
        start (float or None), end (float or None): seconds; None: the whole video.
        side (str): what the split column says, as it stands there.
        source (str): what the video was cut from; videos of one source stay together.
    """

    where: str
    video: str
    labels: tuple[str, ...]
    start: float | None = None
    end: float | None = None
    side: str = ""
    source: str = ""


@dataclass
class LabelFile:
    """
    A label file's content.

    Args:
        path (str): of the file.
        media (OwnMedia): where its videos are looked up.
        split_column (str or None): the column that says a video's side.

    Attributes:
        form (str): what it is, for people.
        rows (list[LabelRow])
        declared (list[str]): labels that exist, with or without a video.
        unused (list[str]): columns that nothing is read from.
        problems (list[str]): what is wrong, each with its place.
    """

    path: str
    media: object
    split_column: str | None = None
    form: str = ""
    rows: list = field(default_factory=list)
    declared: list = field(default_factory=list)
    unused: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    def add(self, where, name, labels, times=("", ""), **more):
        """Adds a row, or the problems that it has."""
        video, problem = self.media.find(name) if name else (None, "the path is empty")
        found = [problem] if problem else []
        labels = tuple(dict.fromkeys(filter(None, (" ".join(text.split()) for text in labels))))
        # The lists separate labels by it.
        found += [f'label "{label}" holds a ";"; rename it' for label in labels if ";" in label]
        start, end = seconds_of(times, found)
        if found:
            self.problems.append(f"{where}: {'; '.join(found)}")
        else:
            self.rows.append(LabelRow(where, video, labels, start, end, **more))


def seconds_of(times, problems):
    """Start and end as floats, (None, None) for the whole video; tells `problems` of wrong ones."""
    if not any(str(time) for time in times):
        return None, None
    values = []
    for name, time in zip(TIMES, times, strict=True):
        # JSON's true is no number, nor is its null.
        value = parse_number(str(time))
        if value is None or not (math.isfinite(value) and value >= 0):
            problems.append(f'{name} "{time}" is not a number of seconds from 0 on')
            return None, None
        values.append(value)
    if values[1] < values[0]:
        problems.append(f"end {times[1]} is before start {times[0]}")
    return values


def check_problems(file):
    """Raises SlowFastExtError with all that is wrong with the file."""
    if file.problems:
        raise SlowFastExtError(summary_of_bad_rows(file.path, file.problems))
    if not file.rows:
        raise SlowFastExtError(f"{file.path}: holds no labels")


PATHS = ("path", "video", "video_path", "file", "filename", "frame_dir", "video_id", "id", "name")
LABELS = ("labels", "label", "classes", "class", "activities", "actions", "tags")
KINETICS = ("youtube_id", "time_start", "time_end")


def place_of(header, names):
    """The place in `header` of the first of `names` that it has, None where it has none."""
    return next((header.index(name) for name in names if name in header), None)


def named_columns(rows):
    """
    The (line, fields) of a file with a header without the columns that it does not name, as
    pandas' index and the empty ones that spreadsheets leave at the right.
    """
    header = rows[0][1]
    kept = [place for place, name in enumerate(header) if name]
    return [
        # Fields beyond the header stay: they are told as wrong.
        (line, [row[place] for place in kept if place < len(row)] + row[len(header) :])
        for line, row in rows
    ]


def other_columns(header, rows):
    """{place: [values]} of the columns that hold neither paths nor times."""
    known = {place_of(header, PATHS), *(place_of(header, [name]) for name in TIMES)}
    return {
        place: [row[place] for _, row in rows[1:] if place < len(row)]
        for place in range(len(header))
        if place not in known
    }


def _records(file, names, rows):
    """Yields (place, fields by lower-case name) of the rows with as many fields as `names`."""
    twice = [name for name, count in Counter(map(str.lower, names)).items() if count > 1]
    if twice:
        raise SlowFastExtError(f"{file.path}: the column {twice[0]} stands twice in the header")
    for line, row in rows:
        where = f"{file.path}:{line}"
        # A row may end in commas, and leave out times at its end.
        missing = [name.lower() for name in names[len(row) :]]
        if any(row[len(names) :]) or set(missing) - set(TIMES):
            file.problems.append(f"{where}: {len(row)} fields where the header has {len(names)}")
            continue
        row = row + [""] * len(missing)
        yield where, dict(zip(map(str.lower, names), row, strict=False))


def _split_name(file, header, needed=()):
    """The split column's name in `header` (lower case), or "" where none is wanted."""
    for name in needed:
        if name not in header:
            raise SlowFastExtError(
                f"{file.path}: the header has no column {name}; it is {','.join(header)}"
            )
    name = (file.split_column or "").lower()
    if name and name not in header:
        raise SlowFastExtError(
            f"{file.path}: no column {file.split_column} for --split-column; the columns are "
            f"{', '.join(header)}"
        )
    return name


def read_labels(file, rows):
    file.form = "path,labels[,start,end]"
    names = ["path", "labels", *TIMES][: len(rows[0][1])]
    if place_of([name.lower() for name in rows[0][1]], PATHS) is not None:
        names, rows = rows[0][1], rows[1:]
    header = [name.lower() for name in names]
    path, labels = (header[place_of(header, known)] for known in (PATHS, LABELS))
    split = _split_name(file, header, [name for name in TIMES if set(TIMES) & set(header)])
    used = {path, labels, *TIMES, split}
    file.unused = [name for name in names if name.lower() not in used]
    for where, row in _records(file, names, rows):
        times = [row.get(name, "") for name in TIMES]
        file.add(where, row[path], row[labels].split(";"), times, side=row.get(split, ""))


def read_binary(file, rows):
    file.form = "a column of 0 and 1 for each label"
    names = rows[0][1]
    header = [name.lower() for name in names]
    path = header[place_of(header, PATHS)]
    split = _split_name(file, header, [name for name in TIMES if set(TIMES) & set(header)])
    values = {header[place]: column for place, column in other_columns(header, rows).items()}
    values.pop(split, None)
    for name, column in values.items():
        if not set(column) & {"0", "1"}:
            file.problems.append(
                f'{file.path}:{rows[0][0]}: unknown column "{name}": it holds no 0 or 1 but '
                f'"{next(iter(column), "")}"; remove it, or name it by --split-column'
            )
    shown = {name.lower(): name for name in names}
    classes = [name for name, column in values.items() if set(column) & {"0", "1"}]
    file.declared = [" ".join(shown[name].split()) for name in classes]
    for where, row in _records(file, names, rows[1:]):
        bad = [name for name in classes if row[name] not in ("0", "1")]
        if bad:
            file.problems += [f'{where}: {n} is "{row[n]}": it must be 0 or 1' for n in bad]
            continue
        labels = [shown[name] for name in classes if row[name] == "1"]
        times = [row.get(name, "") for name in TIMES]
        file.add(where, row[path], labels, times, side=row.get(split, ""))


def read_kinetics(file, rows):
    """A clip is a file of its own, ID_000010_000020, or a part of the video ID."""
    file.form = "Kinetics' CSV"
    names = rows[0][1]
    header = [name.lower() for name in names]
    split = _split_name(file, header, ["label"])
    used = {"label", *KINETICS, split}
    file.unused = [name for name in names if name.lower() not in used]
    for where, row in _records(file, names, rows[1:]):
        youtube_id, *times = (row[name] for name in KINETICS)
        start, end = seconds_of(times, [])
        name = youtube_id
        if start is not None:
            clip = f"{youtube_id}_{int(start):06d}_{int(end):06d}"
            if file.media.has(clip):
                name, times = clip, ("", "")
        more = {"side": row.get(split, ""), "source": youtube_id}
        file.add(where, name, [row["label"]], times, **more)


def read_activitynet(file, text):
    """
    Adds the rows of {"database": {ID: {"annotations": [{"label": ..., "segment": [0.5, 2]}]}}}.

    An annotation without a segment is about the whole video; a video without annotations shows
    no activity. The video is looked up as ID or as v_ID.

    Raises:
        SlowFastExtError: not JSON, or without such a database, or a key stands twice.
    """
    file.form = "ActivityNet's JSON"
    database = _database(file.path, text)
    _check_split_key(file, database)
    for video_id, video in database.items():
        key = f"{file.path}: database.{video_id}"
        annotations = video.get("annotations") if isinstance(video, dict) else None
        if not isinstance(annotations, list):
            file.problems.append(f"{key}: has no list of annotations")
            continue
        more = {"side": str(video.get(file.split_column, ""))}
        name = video_id
        if not file.media.has(name) and file.media.has(f"v_{name}"):
            name = f"v_{name}"
        if not annotations:
            file.add(key, name, [], **more)
        for number, annotation in enumerate(annotations):
            _add(file, f"{key}.annotations[{number}]", name, annotation, more)


def _database(path, text):
    def unique(pairs):
        # Python would keep the last and say nothing.
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                raise SlowFastExtError(f'{path}: the key "{shortened(key)}" stands {count} times')
        return dict(pairs)

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if hasattr(error, "lineno") else ""
        raise SlowFastExtError(f"{path}{line}: not JSON ({error})") from error
    database = data.get("database") if isinstance(data, dict) else None
    if not isinstance(database, dict) or not database:
        raise SlowFastExtError(
            f'{path}: JSON, but not of a known form: {{"database": {{ID: {{"annotations": '
            '[{"label": NAME, "segment": [START, END]}]}}} is expected'
        )
    return database


def _check_split_key(file, database):
    keys = {key for video in database.values() if isinstance(video, dict) for key in video}
    if file.split_column and file.split_column not in keys:
        raise SlowFastExtError(
            f"{file.path}: no video has the key {file.split_column} for --split-column; the keys "
            f"are {', '.join(sorted(keys))}"
        )


def _add(file, key, name, annotation, more):
    label = annotation.get("label") if isinstance(annotation, dict) else None
    if not isinstance(label, str) or not label.strip():
        file.problems.append(f"{key}: has no label")
        return
    segment = annotation.get("segment", ["", ""])
    if not isinstance(segment, list) or len(segment) != 2:
        file.problems.append(f"{key}.segment: must be [START, END] in seconds, not {segment}")
        return
    file.add(key, name, [label], segment, **more)


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
