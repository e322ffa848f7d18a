"""
Reading CSV files: a table of their fields, and all their bad rows at once, each with its line.

A reader opens a table, says which columns it needs, tells the table what is wrong with its rows
and lets it refuse them all together:

    table = read_table(path)
    table.require(["activity", "threshold"], "activity,threshold")
    table.tell(~table.rows["activity"].isin(names), "{} is unknown", "activity")
    table.check()
"""

import csv
import io
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.text import decode, parse_number, read_bytes, shortened, summary_of_bad_rows

# Floats as Python's own, since a last digit moves a box over a threshold; later pandas does so
# by itself and warns of the argument.
_PANDAS = tuple(map(int, pd.__version__.split(".")[:2]))
_EXACT_FLOATS = {} if _PANDAS >= (3, 1) else {"float_precision": "round_trip"}


def read_rows(path):
    """Reads a CSV file as (line number, fields stripped of blanks) pairs, no blank rows."""
    return rows_of_text(path, decode(path, read_bytes(path)))


def rows_of_text(path, text, delimiter=","):
    """The rows of a file's text, as of `read_rows`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
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


def read_table(path, header=None):
    """
    Reads a CSV file of texts.

    Args:
        path (str): the file.
        header (list or None): names of the columns of a file without a header.
    Returns:
        Table: its rows are not checked yet.
    Raises:
        SlowFastExtError: not readable, or no CSV file.
    """
    return _row_by_row(path, read_bytes(path), header)


def read_large_table(path, check, numbers, header=None):
    """
    Reads a CSV file of numbers, which may have millions of rows, in one go. Only a file in which
    something is wrong, or unusual, is read row by row, to say where.

    Args:
        path (str), header (list or None): as `read_table`.
        check (callable): requires columns of the Table that it gets, and tells what is wrong.
        numbers (collection): names of the columns that hold numbers.
    Returns:
        Table: checked; texts in its rows are categories where it was read in one go.
    Raises:
        SlowFastExtError: not readable, no CSV file, or bad rows, all of which it names.
    """
    # Once, since a pipe cannot be read twice.
    data = read_bytes(path)
    try:
        table = _at_once(path, data, header, numbers)
        check(table)
    except _NeedsLines:
        table = _row_by_row(path, data, header, numbers)
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
        rows (DataFrame): by column texts, or float64 in columns of numbers; NaN where a field is
            empty, or no number.
        lengths (int array): how many fields each row has; empty ones at its end do not count
            past the columns of a header.
        lines (int array or None): where each row begins; None: not known.
        fields (list or None): the fields of each row, as they stand in the file.
        header_line (int): where the header begins.
    """

    path: str
    header: list
    rows: pd.DataFrame
    lengths: np.ndarray
    lines: np.ndarray | None = None
    fields: list | None = None
    header_line: int = 1
    _bad: dict = field(default_factory=dict)

    def __iter__(self):
        """Yields (line, the row's texts by column)."""
        for line, fields in zip(self.lines, self.fields, strict=True):
            yield line, dict(zip(self.header, fields, strict=False))

    def require(self, needed, form, hint=""):
        """
        Tells of rows that end before a needed field, or go on past the columns, and drops them.

        Args:
            needed (sequence[str]): columns that must be there.
            form (str): what the header must be, for messages.
            hint (str): what to do with a row that goes on past the columns.
        Raises:
            SlowFastExtError: a needed column is missing, or any column stands twice.
        """
        header, where = self.header, f"{self.path}:{self.header_line}"
        missing = [name for name in needed if name not in header]
        twice = next((name for name in header if name and header.count(name) > 1), None)
        if missing or twice:
            self._need_lines()
        if missing:
            raise SlowFastExtError(
                f"{where}: the header has no column {' and no column '.join(missing)}; "
                f"it must be {form}, and is {shortened(','.join(header))}"
            )
        if twice:
            raise SlowFastExtError(f"{where}: the header has the column {shortened(twice)} twice")
        shortest = 1 + max(map(header.index, needed))
        fits = (self.lengths >= shortest) & (self.lengths <= len(header))
        if fits.all():
            return
        self._need_lines()
        for place in np.flatnonzero(~fits):
            what = f"{self.lengths[place]} fields where the header has {len(header)}"
            is_long = hint and self.lengths[place] > len(header)
            self.add(self.lines[place], [f"{what}: {hint}" if is_long else what])
        self.rows = self.rows[fits].reset_index(drop=True)
        self.lines, self.lengths = self.lines[fits], self.lengths[fits]
        self.fields = [fields for fields, fit in zip(self.fields, fits, strict=True) if fit]

    def numbers(self, names):
        """Columns of texts as float64 [rows, columns]: NaN where a field is empty or no number."""
        texts = self.rows[names].to_numpy()
        values = [text and parse_number(text) for text in texts.ravel()]
        return np.array(values, float).reshape(texts.shape)

    def not_numbers(self, name):
        """Where a column of numbers holds something else: bool array."""
        if self.fields is None:
            # pandas has refused what is no number.
            return np.zeros(len(self.rows), bool)
        place = self.header.index(name)
        is_filled = np.array([bool(fields[place]) for fields in self.fields], bool)
        return is_filled & self.rows[name].isna().to_numpy()

    def tell(self, wrong, sentence, quoted=None):
        """
        Tells what is wrong with rows.

        Args:
            wrong (bool array): which ones.
            sentence (str): what is wrong.
            quoted (hashable or None): the column whose text takes the place of the sentence's {}.
        """
        places = np.flatnonzero(wrong)
        if len(places):
            self._need_lines()
        for place in places:
            text = "" if quoted is None else self.fields[place][self.header.index(quoted)]
            self.add(self.lines[place], [sentence.replace("{}", shortened(text), 1)])

    def _need_lines(self):
        if self.fields is None:
            raise _NeedsLines

    def add(self, line, sentences):
        """Tells what is wrong with the row of a line, if anything is."""
        if sentences:
            self._bad.setdefault(line, []).extend(sentences)

    def problems(self):
        """list[(int, list[str])]: lines of bad rows, and what is wrong with each."""
        return sorted(self._bad.items())

    def rows_of(self, column, names, unknown, remedy=""):
        """
        The one row of each name, in a table that must have no other rows.

        Args:
            column (str): holds the names.
            names (sequence[str]): which there must be.
            unknown (str): what is said of another name.
            remedy (str): ends the message where anything is wrong.
        Returns:
            int array: the rows' places, in the order of `names`.
        Raises:
            SlowFastExtError: bad rows, all of them, and names that have no good row.
        """
        found = self.rows[column]
        self.tell(~found.isin(names), f'"{{}}" {unknown}', column)
        self.tell(found.duplicated(), '"{}" has a row already', column)
        good = found[~np.isin(self.lines, list(self._bad))]
        places = dict(zip(good, good.index, strict=True))
        missing = [name for name in names if name not in places]
        self.check([f'{self.path}: no row for "{name}"' for name in missing], remedy)
        return np.array([places[name] for name in names])

    def check(self, others=(), remedy=""):
        """
        Raises SlowFastExtError that names all bad rows and `others`, further problems, and ends
        with a remedy.
        """
        bad = [f"{self.path}:{line}: {'; '.join(wrong)}" for line, wrong in self.problems()]
        if bad := [*bad, *others]:
            raise SlowFastExtError(f"{summary_of_bad_rows(self.path, bad)}\n{remedy}".rstrip())


def _row_by_row(path, data, header, numbers=()):
    """A Table that knows its lines and its fields as they stand in the file."""
    records, header_line, width = rows_of_text(path, decode(path, data)), 1, 0
    if header is None:
        header_line, header = records.pop(0) if records else (1, [])
        width = len(header)
    lines, fields, lengths = [], [], []
    for line, row in records:
        filled = max(place for place, text in enumerate(row, start=1) if text)
        lines.append(line)
        lengths.append(max(filled, min(len(row), width)))
        fields.append(row + [""] * (len(header) - len(row)))
    texts = [[text or None for text in row[: len(header)]] for row in fields]
    rows = pd.DataFrame(texts, columns=header, dtype=object)
    table = Table(path, header, rows, np.array(lengths, int), np.array(lines), fields, header_line)
    for name in set(numbers).intersection(header):
        rows[name] = table.numbers([name])[:, 0]
    return table


def _at_once(path, data, header, numbers):
    """A Table as pandas reads it; raises _NeedsLines where it does not take all for granted."""
    stream = io.BytesIO(data)
    try:
        # pandas ends a text at a NUL character.
        if b"\0" in data:
            raise ValueError("NUL character")
        if header is None:
            reader = csv.reader(line.decode("utf-8-sig") for line in stream)
            header = next([text.strip() for text in row] for row in reader if row)
        fields = _pandas_fields(stream, header, numbers)
    except (ValueError, StopIteration, csv.Error, pd.errors.ParserWarning) as error:
        raise _NeedsLines from error
    lengths = np.zeros(len(fields), int)
    for place in fields:
        lengths[fields[place].notna()] = place + 1
    fields.columns = [*header, None]
    if not lengths.all():
        # Rows of commas alone are blank, too.
        fields, lengths = fields[lengths > 0].reset_index(drop=True), lengths[lengths > 0]
    return Table(path, header, fields, lengths)


def _pandas_fields(stream, header, numbers):
    """DataFrame of a stream's fields by place: categories and floats, both NaN where empty."""
    types = ["float64" if name in numbers else str for name in header]
    # One field more than a row may have shows the rows that are too long.
    places = list(range(len(header) + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        fields = pd.read_csv(
            stream,
            header=None,
            names=places,
            index_col=False,
            dtype=dict(zip(places, [*types, "category"], strict=True)),
            keep_default_na=False,
            na_values={place: [""] for place in places},
            **_EXACT_FLOATS,
        )
    for place in [place for place, kind in enumerate(types) if kind is str]:
        # Not in the same step, which would infer a type: 0001 would become the number 1.
        fields[place] = fields[place].astype("category")
        if any(name != name.strip() for name in fields[place].cat.categories):
            raise ValueError("blanks around a text")
    return fields
