"""Tables of labels below a header: CSV files of any separator, and JSON's records."""

import re
from collections import Counter
from dataclasses import dataclass, replace

from slowfast_ext.datasets.container import VIDEO_ENDINGS
from slowfast_ext.datasets.lists import ALL_LABELS
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import (
    UNDECIDED,
    actions_of,
    combination_in,
    flag,
    labels_in,
    seconds,
    separator_of,
)
from slowfast_ext.prepare.label_columns import (
    LABELS,
    PATHS,
    SOURCES,
    SPANS,
    SPLITS,
    SUBJECTS,
    absent_in,
    check_videos,
    flags_by_name,
    further_labels,
    grouped_number,
    path_column,
    place_of,
    plain,
    refuse_nameless_times,
    time_columns,
)
from slowfast_ext.utils.tables import rows_of_text
from slowfast_ext.utils.text import shortened

KINETICS = ("youtube_id", "time_start", "time_end")


@dataclass
class Table:
    """
    Rows below a header.

    Args:
        names (list[str]): of the columns.
        rows (list[(str, list)]): each row's place, for messages, and its fields.
    """

    names: list
    rows: list

    def column(self, place):
        """The fields of a column, of the rows that have it."""
        return [row[place] for _, row in self.rows if place < len(row)]


def rows_of(path, text, media):
    """
    The rows of a text with separators: (line, fields stripped of blanks), no blank lines.

    Returns:
        list or None: by the first of comma, tab, semicolon and bar that gives a header with a
            column of videos, or videos in the first column; None where none does.
    """
    # Excel's own way to say the separator.
    text = re.sub(r"^sep=.\r?\n", "\n", text)
    for delimiter in ",\t;|":
        rows = rows_of_text(path, text, delimiter)
        if not rows:
            return None
        header, below = rows[0][1], [row for _, row in rows[1:]]
        if len(header) == 1 or not any(header[1:]):
            continue
        if set(KINETICS) <= set(map(str.lower, header)) or is_header(header, below, media):
            return rows
        if any(media.has(row[0]) for _, row in rows):
            return rows
        place = path_column(header, below, media)
        if place is not None:
            raise SlowFastExtError(
                f"{path}:{rows[0][0]}: the videos stand in column {place + 1} and no header names "
                "the columns: write one above, with path, labels, start and end over theirs"
            )
    return None


def rows_of_one_video(file, text):
    """
    The rows, as `rows_of` gives them, of a table of labels and times that names no videos and is
    therefore about the video that is called as the file is; None of any other text.
    """
    if not file.media.has(file.own_name):
        return None
    for delimiter in ",\t;|":
        rows = rows_of_text(file.path, text, delimiter)
        if rows and not rows[0][1][0]:
            # pandas' index.
            rows = [(line, row[1:]) for line, row in rows]
        header = [plain(name) for name in rows[0][1]] if rows else []
        below = [row for _, row in rows[1:]]
        if set(LABELS) & set(header) and path_column(header, below, file.media) is None:
            columns = {p: [r[p] for r in below if p < len(r)] for p in range(len(header))}
            if time_columns(file.path, rows[0][1], columns):
                return [(n, [file.own_name if i else "path", *r]) for i, (n, r) in enumerate(rows)]
    return None


def is_header(first, below, media):
    """True where the first row names the columns: it names no videos, bar `video` for video.mp4."""
    place = path_column(first, below, media)
    # A path with its ending names no column, also where there is no such video.
    if place is None or first[place].lower().endswith(VIDEO_ENDINGS):
        return False
    others = [field for n, field in enumerate(first) if n != place or plain(field) not in PATHS]
    return not any(field and media.has(field) for field in others)


def read_with_header(file, rows):
    """Reads what `rows_of` gives where it has a header; False where it has none."""
    header = rows[0][1]
    where = [(f"{file.path}:{line}", row) for line, row in rows]
    if set(KINETICS) <= set(map(str.lower, header)):
        _read_kinetics(file, named_table(header, where[1:]))
    elif is_header(header, [row for _, row in rows[1:]], file.media):
        # pandas leaves an index without a name, which may be the videos.
        place = path_column(header, [row for _, row in rows[1:]], file.media)
        header = [name or ("path" if n == place else "") for n, name in enumerate(header)]
        read_table(file, named_table(header, where[1:]), where[0][0])
    else:
        return False
    return True


def named_table(header, rows):
    """
    The Table without the columns that its header does not name, as pandas' index and the empty
    ones that spreadsheets leave at the right.
    """
    kept = [place for place, name in enumerate(header) if name]
    for place in range(1, len(header)):
        where = next(
            (w for w, row in rows if not header[place] and any(row[place : place + 1])), ""
        )
        if where:
            raise SlowFastExtError(f"{where}: a field in column {place + 1}, which has no name")
    # Fields beyond the header stay: they are told as wrong.
    rows = [(w, [row[p] for p in kept if p < len(row)] + row[len(header) :]) for w, row in rows]
    return Table([header[place] for place in kept], rows)


def fields_of(file, table, may_miss=()):
    """Yields (place, fields) of the rows with as many as the header; those at `may_miss` may go."""
    names = table.names
    # What a cut file's last row leaves out was not left out by anybody.
    cut = table.rows[-1][0] if table.rows and file.ends_early else None
    twice = [name for name, count in Counter(map(plain, names)).items() if name and count > 1]
    if twice:
        raise SlowFastExtError(f"{file.path}: the column {twice[0]} stands twice in the header")
    for where, row in table.rows:
        # A row may end in separators, and leave out times at its end.
        missing = set(range(len(row), len(names)))
        if any(row[len(names) :]) or missing - set(() if where == cut else may_miss):
            file.problems.append(f"{where}: {len(row)} fields where the header has {len(names)}")
        else:
            yield where, row[: len(names)] + [""] * len(missing)


# --- A table with a header ------------------------------------------------------------


@dataclass
class Columns:
    """
    What a table's columns mean, by their places.

    Args:
        video (int): the column of paths.
        labels (list[int]): of labels, or of 0 and 1 for a label each.
        is_binary (bool): the latter.
        times (TimeColumns or None): None where rows are about whole videos.
        side (int or None): says train or test.
        source (int or None): says what a video was cut from.
        length (int or None): says how long the video is.
        subject (int or None): says who does it.
        unknown (int or None): names labels of which it is unknown whether they happen; * are all.
    """

    video: int
    labels: list
    is_binary: bool
    times: object = None
    side: int | None = None
    source: int | None = None
    length: int | None = None
    subject: int | None = None
    unknown: int | None = None

    def more(self, row):
        """A row's further fields of LabelRow."""
        places = {"side": self.side, "source": self.source, "subject": self.subject}
        return {name: row[place] for name, place in places.items() if place is not None}


def read_table(file, table, header_at):
    """
    Reads a table with a column of videos and one of labels, or one of 0 and 1 for each label.

    Args:
        file (LabelFile): gets the rows.
        table (Table)
        header_at (str): the header's place, for messages.
    Raises:
        SlowFastExtError: no labels' column, or one that seems to hold times and is not read.
    """
    columns = _columns_of(file, table)
    cells = [cell for place in columns.labels for cell in table.column(place) if cell]
    has_actions = bool(cells) and all(map(actions_of, cells)) and not columns.is_binary
    if not has_actions:
        columns.times = _times(file, table, columns)
    if columns.labels and not columns.is_binary:
        _check_presence(file, table, columns.labels)
    if columns.is_binary:
        file.form = "a column of 0 and 1 for each label"
        _read_binary(file, table, columns, header_at)
    elif has_actions:
        file.form = "Charades' actions"
        _read_actions(file, table, columns)
    else:
        file.form = "path,labels[,start,end]"
        _read_labels(file, table, columns, cells)
    used = {columns.video, *columns.labels, columns.source, columns.subject, columns.unknown}
    used |= {columns.side} if file.split_column else set()
    used |= {columns.times.start, columns.times.end} if columns.times else set()
    if not file.label_columns and (more := further_labels(table.names, used)):
        raise SlowFastExtError(
            f"{file.path}: {', '.join(more)}: labels, too? --label-columns names all that are"
        )
    file.unused = [name for place, name in enumerate(table.names) if place not in used]


def _columns_of(file, table):
    header = [plain(name) for name in table.names]
    places = {name: place for place, name in reversed(list(enumerate(header)))}
    rows = [row for _, row in table.rows]
    video = path_column(table.names, rows, file.media)
    check_videos(file.path, table.names, rows, video, file.media)
    side = _side_place(file, table)
    labels = [places[name] for name in LABELS if name in places][:1]
    if file.label_columns:
        labels = [place_of(file.path, table.names, name) for name in file.label_columns]
    if not labels or file.label_columns:
        is_binary = all(map(_is_binary, map(table.column, labels)))
    else:
        is_binary = False
    sources = [places[name] for name in SOURCES if name in places]
    others = {"source": next(iter(sources), None), "length": places.get("length")}
    if labels and not is_binary:
        others["subject"] = next((places[name] for name in SUBJECTS if name in places), None)
        others["unknown"] = places.get("unknown")
    return Columns(video, labels, is_binary, None, side, **others)


def _check_presence(file, table, labels):
    """Raises SlowFastExtError where a column says of the rows' labels that some do not happen."""
    for place in {*range(len(table.names))} - {*labels}:
        name = table.names[place]
        if no := absent_in(name, table.column(place)):
            raise SlowFastExtError(
                f'{file.path}: {name} is "{no[0]}" in {len(no)} rows, as of labels that do not '
                "happen: leave these rows out, or take the column away"
            )


def _is_binary(fields):
    return bool(fields) and all(isinstance(f, str) and flag(f) is not None for f in fields)


def _side_place(file, table):
    """The column that says train or test: the one that is named, or one called so."""
    if file.split_column:
        return place_of(file.path, table.names, file.split_column, "--split-column")
    named = [place for place, name in enumerate(table.names) if plain(name) in SPLITS]
    return named[0] if named else None


def _times(file, table, columns):
    known = {columns.video, columns.side, columns.source, columns.length, *columns.labels}
    others = {p: table.column(p) for p in range(len(table.names)) if p not in known}
    times = time_columns(file.path, table.names, others)
    if times is None:
        refuse_nameless_times(file.path, table.names, others, table.column(columns.video))
    fields = [str(f) for p in (times.start, times.end) for f in others[p]] if times else []
    if times and (field := grouped_number(fields, times.scale)):
        raise SlowFastExtError(
            f'{file.path}: {table.names[times.start]}: is "{field}" '
            f"{re.sub('[.,]', '', field)}, or a number with decimals? Write thousands without "
            "separators, and decimals behind a point"
        )
    return times


def _read_rows(file, table, columns, labels_of, **more):
    """
    Adds each row with the labels that `labels_of(where, row)` gives, None leaves it out, and `more`
    fields of LabelRow.
    """
    times = columns.times
    base = None
    if times and times.scale is None:
        base = file.fact("frame_base", f"{table.names[times.start]} counts frames")
    for where, row in fields_of(file, table, (times.start, times.end) if times else ()):
        labels = labels_of(where, row)
        if labels is not None:
            span = (row[times.start], row[times.end]) if times else ("", "")
            what = (where, row[columns.video], labels, span)
            if base is None:
                file.add(*what, times.scale if times else 1, **columns.more(row), **more)
            else:
                file.add_frames(*what, base, **columns.more(row), **more)


def _read_labels(file, table, columns, cells):
    if len(cells) == len(table.rows) > 1 and cells[0] == "1" and len(set(map(str, cells))) == 1:
        raise SlowFastExtError(
            f'{file.path}: {table.names[columns.labels[0]]} is "1" in every row, as a flag beside '
            "names is: name the column of labels by --label-columns"
        )
    if columns.unknown is not None:
        # One rule for both: a column of single labels says nothing of the other's separator.
        cells = cells + [c for c in table.column(columns.unknown) if c not in ("", ALL_LABELS)]
    if table.names == SPANS:
        file.separator = file.separator or ";"
    separator = file.separator or separator_of(cells)
    if separator == UNDECIDED:
        example = next(cell for cell in cells if isinstance(cell, str) and "," in cell)
        raise SlowFastExtError(
            f'{file.path}: "{shortened(example)}" is one label or several: --separator "," parts '
            'labels at commas, --separator ";" keeps them whole'
        )
    found = None if file.separator else combination_in(cells, separator)
    if found:
        label, joint = found
        raise SlowFastExtError(
            f'{file.path}: "{shortened(label)}" is one label or several, whose parts are labels '
            f'too: --separator "{joint}" parts labels there, --separator ";" keeps them whole'
        )

    def labels_of(_, row):
        return [label for place in columns.labels for label in labels_in(row[place], separator)]

    _read_rows(file, table, columns, labels_of)
    if columns.unknown is not None:
        _read_unknown(file, table, columns, separator)


def _read_unknown(file, table, columns, separator):
    """Adds a row of unknown labels for each row that names some in the column of these."""
    # Rows with too few fields are told of where their labels are read.
    whole = [(where, row) for where, row in table.rows if len(row) == len(table.names)]
    named = [(where, row) for where, row in whole if row[columns.unknown]]

    def unknown_of(_, row):
        text = row[columns.unknown]
        return [] if text == ALL_LABELS else labels_in(text, separator)

    _read_rows(file, replace(table, rows=named), columns, unknown_of, unknown=True)


def _read_binary(file, table, columns, header_at):
    if not columns.labels:
        columns.labels = _binary_places(file, table, columns, header_at)
    names = {place: table.names[place] for place in columns.labels}
    file.declared = [" ".join(name.split()) for name in names.values()]

    def labels_of(where, row):
        bad = [place for place in names if flag(row[place]) is None]
        file.problems += [f'{where}: {names[p]} is "{row[p]}": it must be 0 or 1' for p in bad]
        return None if bad else [name for place, name in names.items() if flag(row[place])]

    _read_rows(file, table, columns, labels_of)


def _binary_places(file, table, columns, header_at):
    """The columns of 0 and 1 of a table of which nobody says which they are."""
    times = columns.times
    known = {columns.video, columns.side if file.split_column else None}
    known |= {times.start, times.end} if times else set()
    places = [place for place in range(len(table.names)) if place not in known]
    with_flags = [p for p in places if any(flag(f) is not None for f in table.column(p))]
    if not with_flags:
        raise SlowFastExtError(
            f"{header_at}: no form that is known: no column is called labels or holds 0 and 1; "
            f"name those of labels by --label-columns, of {', '.join(table.names)}"
        )
    flags = flags_by_name(table.names[place] for place in with_flags)
    if flags:
        rest = [table.names[place] for place in with_flags if table.names[place] not in flags]
        raise SlowFastExtError(
            f"{file.path}: {', '.join(flags)}: seem to be flags of a program, not what happens: "
            f"name the columns of labels, --label-columns {','.join(rest) or 'A,B'}"
        )
    for place in set(places) - set(with_flags):
        file.problems.append(
            f'{header_at}: unknown column "{table.names[place]}": it holds no 0 or 1 but '
            f'"{next(iter(table.column(place)), "")}"; write 0 and 1 where it is a label, or name '
            "the columns of labels by --label-columns"
        )
    return with_flags


def _read_actions(file, table, columns):
    """Charades' actions; their times may be swapped, or lie after the video's length."""
    for where, row in fields_of(file, table):
        length = seconds(row[columns.length]) if columns.length is not None else None
        more = columns.more(row)
        actions = [action for place in columns.labels for action in actions_of(row[place]) or ()]
        for label, *span in actions:
            span = sorted(span if length is None else [min(time, length) for time in span])
            file.add(where, row[columns.video], [label], span, **more)
        if not actions:
            file.add(where, row[columns.video], [], **more)


def _read_kinetics(file, table):
    """A clip is a file of its own, ID_000010_000020, or a part of the video ID."""
    file.form = "Kinetics' CSV"
    header = [name.lower() for name in table.names]
    if "label" not in header:
        raise SlowFastExtError(
            f"{file.path}: the header has no column label; it is {','.join(header)}"
        )
    side = _side_place(file, table)
    used = {"label", *KINETICS, header[side] if file.split_column else ""}
    file.unused = [name for name in table.names if name.lower() not in used]
    may_miss = [header.index(name) for name in KINETICS[1:]]
    for where, row in fields_of(file, table, may_miss):
        fields = dict(zip(header, row, strict=True))
        name, *times = (fields[key] for key in KINETICS)
        start, end = map(seconds, times)
        more = {"side": "" if side is None else row[side], "source": name}
        if start is not None and end is not None:
            clip = f"{name}_{int(start):06d}_{int(end):06d}"
            if file.media.has(clip):
                name, times = clip, ("", "")
        file.add(where, name, [fields["label"]], times, **more)
