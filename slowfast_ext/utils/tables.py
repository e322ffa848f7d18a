"""
Reading CSV files: a table of their fields, and all their bad rows at once, each with its line.

A reader opens a table, says which columns it needs, tells the table what is wrong with its rows
and lets it refuse them all together:

    table = read_table(path)
    table.require(["activity", "threshold"], "activity,threshold")
    table.tell(~table.rows["activity"].isin(names), "{} is unknown", "activity")
    table.check()
"""

import contextlib
import csv
import io
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import open_atomically
from slowfast_ext.utils.text import decode, parse_number, read_bytes, shortened, summary_of_bad_rows

# Floats as Python's own, since a last digit moves a box over a threshold; later pandas does so
# by itself and warns of the argument.
_PANDAS = tuple(map(int, pd.__version__.split(".")[:2]))
_EXACT_FLOATS = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}


def read_table(path, header=None, is_number=lambda name: False, check=None):
    """
    Reads a CSV file. With `check` it may have millions of rows: pandas reads them in one go, and
    only where something is wrong, or unusual, they are read again row by row, to say where.

    Args:
        path (str): the file.
        header (list or None): names of the columns of a file without a header.
        is_number (callable): a column's name -> whether it holds numbers.
        check (callable or None): gets the Table, requires its columns and tells what is wrong.
    Returns:
        Table: checked, where `check` is given.
    Raises:
        SlowFastExtError: not readable, no CSV file, or what the check has found.
    """
    # Once, since a pipe cannot be read twice.
    data = read_bytes(path)
    if check is None:
        return _row_by_row(path, data, header, is_number)
    with contextlib.suppress(_NeedsLines):
        table = _at_once(path, data, header, is_number)
        check(table)
        return table
    table = _row_by_row(path, data, header, is_number)
    check(table)
    table.check()
    return table


class _NeedsLines(Exception):
    """Something is wrong with a table, or unusual, and the lines of its rows are not known."""


@dataclass(eq=False)
class Table:
    """
    The rows of a CSV file that are not blank.

    Args:
        path (str): the file.
        header (list): names of the columns.
        rows (DataFrame): texts, "" where a row has none; float64 in columns of numbers, NaN where
            a row has none. The index is the line where a row begins.
        lengths (int array): how many fields each row has; empty ones at its end do not count
            past the columns of a header.
        texts (DataFrame or None): what stands in the file; None: it, and the lines, are not known.
        header_line (int): where the header begins.
    """

    path: str
    header: list
    rows: pd.DataFrame
    lengths: np.ndarray
    texts: pd.DataFrame | None = None
    header_line: int = 1
    _bad: dict = field(default_factory=dict)

    def __iter__(self):
        """Yields (line, the row's texts by column)."""
        for line, *row in self.texts.itertuples(name=None):
            yield line, dict(zip(self.header, row, strict=True))

    def require(self, needed, form, hint=""):
        """
        Tells of rows that end before a needed field, or go on past the columns, and drops them.

        `form` says in messages what the header must be, `hint` what to do with a row that is too
        long. Raises SlowFastExtError where a needed column is missing, or any column stands twice.
        """
        header, where = self.header, f"{self.path}:{self.header_line}"
        missing = [name for name in needed if name not in header]
        if missing:
            self._need_lines()
            raise SlowFastExtError(
                f"{where}: the header has no column {' and no column '.join(missing)}; "
                f"it must be {form}, and is {shortened(','.join(header))}"
            )
        twice = next((name for name in header if name and header.count(name) > 1), None)
        if twice is not None:
            self._need_lines()
            raise SlowFastExtError(f"{where}: the header has the column {shortened(twice)} twice")
        shortest = 1 + max(map(header.index, needed))
        fits = (self.lengths >= shortest) & (self.lengths <= len(header))
        for length in set(self.lengths[~fits]):
            what = f"{length} fields where the header has {len(header)}"
            is_long = hint and length > len(header)
            self.tell(self.lengths == length, f"{what}: {hint}" if is_long else what)
        if not fits.all():
            self.rows, self.texts = self.rows[fits], self.texts[fits]
            self.lengths = self.lengths[fits]

    def tell(self, wrong, sentence, quoted=None):
        """
        Tells that rows are `wrong`, a bool array, by a sentence whose {} the text of the column
        `quoted` takes the place of.
        """
        if not np.any(wrong):
            return
        self._need_lines()
        for place in np.flatnonzero(wrong):
            text = "" if quoted is None else self.texts[quoted].iloc[place]
            self.add(self.rows.index[place], [sentence.replace("{}", shortened(text), 1)])

    def _need_lines(self):
        if self.texts is None:
            raise _NeedsLines

    def add(self, line, sentences):
        """Tells what is wrong with the row of a line, if anything is."""
        if sentences:
            self._bad.setdefault(line, []).extend(sentences)

    def problems(self):
        """list[(int, list[str])]: lines of bad rows, and what is wrong with each."""
        return sorted(self._bad.items())

    def check(self, others=(), remedy=""):
        """Raises SlowFastExtError on bad rows and `others`, which ends with the remedy."""
        bad = [f"{self.path}:{line}: {'; '.join(wrong)}" for line, wrong in self.problems()]
        if bad := [*bad, *others]:
            raise SlowFastExtError(f"{summary_of_bad_rows(self.path, bad)}\n{remedy}".rstrip())

    def rows_of(self, names, unknown, remedy=""):
        """
        The rows of these names, which the first column holds, each once and no others.

        Returns a DataFrame of the other columns, by the names in their order. `unknown` is said of
        another name, `remedy` ends the message. Raises SlowFastExtError for bad rows, all of them,
        and names that have no good row.
        """
        column = self.header[0]
        found = self.rows[column]
        self.tell(~found.isin(names), f'"{{}}" {unknown}', column)
        self.tell(found.duplicated(), '"{}" has a row already', column)
        good = set(found[~found.index.isin(list(self._bad))])
        self.check([f'{self.path}: no row for "{n}"' for n in names if n not in good], remedy)
        return self.rows.set_index(column).loc[list(names)]


# --- Two ways of reading --------------------------------------------------------------


def rows_of_text(path, text, delimiter=",", quotes_behind_blanks=True):
    """
    A CSV file's text as (line number, fields stripped of blanks) pairs, no blank rows.

    `quotes_behind_blanks` says whether a quote begins a field also behind blanks, which people
    write behind a comma, or is one of the field's letters, as it is to pandas.
    """
    options = {"delimiter": delimiter, "skipinitialspace": quotes_behind_blanks}
    reader = csv.reader(io.StringIO(text, newline=""), **options)
    rows, line = [], 1
    try:
        for row in reader:
            fields = [text.strip() for text in row]
            # Spreadsheets leave rows of commas alone.
            if any(fields):
                rows.append((line, fields))
            line = reader.line_num + 1
    except csv.Error as error:
        raise SlowFastExtError(f"{path}:{reader.line_num}: not a CSV file ({error})") from error
    return rows


def _row_by_row(path, data, header, is_number):
    """A Table that knows its lines, and its texts as they stand in the file."""
    text, header_line, width = decode(path, data), 1, 0
    records = rows_of_text(path, text, quotes_behind_blanks=False)
    if header is None:
        header_line, header = records.pop(0) if records else (1, [])
        width = len(header)
    lines, texts, lengths = [], [], []
    for line, row in records:
        filled = max(place for place, text in enumerate(row, start=1) if text)
        lines.append(line)
        lengths.append(max(filled, min(len(row), width)))
        texts.append((row + [""] * len(header))[: len(header)])
    texts = pd.DataFrame(texts, lines, range(len(header)), dtype=object)
    rows = texts.copy()
    for place in np.flatnonzero([is_number(name) for name in header]):
        # What is no number is None, which becomes NaN.
        rows[place] = np.array([parse_number(text) for text in texts[place]], float)
    rows.columns = texts.columns = header
    return Table(path, header, rows, np.array(lengths, int), texts, header_line)


def _at_once(path, data, header, is_number):
    """A Table as pandas reads it; raises _NeedsLines where it does not take all for granted."""
    stream = io.BytesIO(data)
    try:
        # pandas ends a text at a NUL character.
        if b"\0" in data:
            raise ValueError("NUL character")
        if header is None:
            reader = csv.reader(line.decode("utf-8-sig") for line in stream)
            header = next([text.strip() for text in row] for row in reader if row)
        types = ["float64" if is_number(name) else str for name in header]
        rows = _pandas_fields(stream, types)
    except (ValueError, StopIteration, csv.Error, pd.errors.ParserWarning) as error:
        raise _NeedsLines from error
    lengths = np.zeros(len(rows), int)
    for place in rows:
        lengths[rows[place].notna()] = place + 1
    for place in [place for place, kind in enumerate(types) if kind is str]:
        # Not in the same step, which would infer a type: 0001 would become the number 1.
        texts = rows[place].astype("category")
        rows[place] = texts.cat.add_categories([""]).fillna("") if texts.hasnans else texts
        if any(text != text.strip() for text in texts.cat.categories):
            raise _NeedsLines
    rows.columns = [*header, None]
    if not lengths.all():
        # Rows of commas alone are blank, too.
        rows, lengths = rows[lengths > 0], lengths[lengths > 0]
    return Table(path, header, rows, lengths)


def _pandas_fields(stream, types):
    """DataFrame of a stream's fields by place, NaN where empty."""
    # One field more than a row may have shows the rows that are too long.
    places = list(range(len(types) + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            stream,
            header=None,
            names=places,
            index_col=False,
            dtype=dict(zip(places, [*types, "category"], strict=True)),
            keep_default_na=False,
            na_values={place: [""] for place in places},
            **_EXACT_FLOATS,
        )


def write_rows(path, rows):
    """Writes rows as a CSV file, whole or not at all."""
    with open_atomically(path) as stream:
        stream.write(csv_text(rows))


def csv_text(rows):
    """The text of a CSV file of these rows."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()
