"""Reading labels from CSV files with a header, for `slowfast_ext.prepare.label_forms`."""

from collections import Counter

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_file import TIMES, seconds_of

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
