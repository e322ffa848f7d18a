"""A label file's content as its readers look at it: text, JSON, XML or tables, read once."""

import contextlib
import csv
import io
import re
import unicodedata
from functools import cached_property

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_columns import plain
from slowfast_ext.prepare.label_json import parse_json
from slowfast_ext.prepare.label_tables import Table, named_table
from slowfast_ext.utils.tables import rows_of_text
from slowfast_ext.utils.text import decode, read_bytes
from slowfast_ext.utils.xml_tree import parse_xml

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class Content:
    """
    What a file holds; each view of it is made when a reader first asks, and once.

    Args:
        path (str): the file.

    Attributes:
        data (bytes)
        text (str): of UTF-8, or of UTF-16 behind a byte-order mark.

    Raises:
        SlowFastExtError: not readable; by `text`, `json` and `xml`: not such.
    """

    def __init__(self, path):
        self.path, self.data, self._tables = path, read_bytes(path), {}

    @property
    def is_archive(self):
        """True for spreadsheets (.xlsx), which are zip archives."""
        return self.data.startswith(b"PK\x03\x04")

    @cached_property
    def text(self):
        if not self.data.startswith(_UTF_16):
            return unicodedata.normalize("NFC", decode(self.path, self.data))
        try:
            return unicodedata.normalize("NFC", self.data.decode("utf-16"))
        except UnicodeDecodeError as error:
            raise SlowFastExtError(
                f"{self.path}: begins as UTF-16 text and is none; save the file as UTF-8"
            ) from error

    @cached_property
    def json(self):
        """The parsed JSON, or lines of it, of a text that begins as such; else None."""
        if self.is_archive or not re.match(r"\s*(\{|\[\s*[][{\d\"])", self.text):
            return None
        return parse_json(self.path, self.text)

    @cached_property
    def xml(self):
        """The root element (utils.xml_tree) of a text that begins as XML, else None."""
        if self.is_archive or not self.text.lstrip().startswith("<"):
            return None
        return parse_xml(self.path, self.text)

    def table(self, *columns):
        """
        The Table below a first line that has all of these columns.

        Args:
            columns (str): names as `label_columns.plain` writes them.
        Returns:
            Table or None: by the first of tab, semicolon, comma and bar that parts them; a
                spreadsheet's sheets of equal columns, where openpyxl is installed.
        Raises:
            SlowFastExtError: sheets that have all of these columns differ in others.
        """
        if self.is_archive:
            return self._sheet(columns)
        for delimiter in "\t;,|":
            if set(columns) <= set(map(plain, self._header(delimiter))):
                return self._table(delimiter)
        return None

    @cached_property
    def _sheets(self):
        """{title: Table} of a spreadsheet's sheets with rows, or None."""
        try:
            import openpyxl
        except ImportError:
            return None
        try:
            book = openpyxl.load_workbook(io.BytesIO(self.data), read_only=True, data_only=True)
            rows_of = {
                sheet.title: [
                    ["" if v is None else str(v).strip() for v in row] for row in sheet.values
                ]
                for sheet in book.worksheets
            }
        except Exception:  # openpyxl raises whatever its parts do for what is no spreadsheet.
            return None
        tables = {}
        for title, rows in rows_of.items():
            shown = self.path if len(rows_of) == 1 else f"{self.path} ({title})"
            where = [(f"{shown}:{n}", row) for n, row in enumerate(rows, 1) if any(row)]
            if where:
                tables[title] = named_table(where[0][1], where[1:])
        return tables

    def _sheet(self, columns):
        """The rows of all sheets that have these columns, such as an observation each."""
        tables = {
            title: table
            for title, table in (self._sheets or {}).items()
            if set(columns) <= set(map(plain, table.names))
        }
        first = next(iter(tables), None)
        for title, table in tables.items():
            if table.names != tables[first].names:
                raise SlowFastExtError(
                    f"{self.path}: the sheets {first} and {title} have other columns: save each "
                    "as a file"
                )
        rows = [row for table in tables.values() for row in table.rows]
        return Table(tables[first].names, rows) if tables else None

    def _header(self, delimiter):
        first = self.text.lstrip()[:100_000]
        try:
            return next(csv.reader(first.splitlines()[:1], delimiter=delimiter), [])
        except csv.Error:
            return []

    def _table(self, delimiter):
        if delimiter not in self._tables:
            (_, header), *rows = rows_of_text(self.path, self.text, delimiter)
            rows = [(f"{self.path}:{line}", row) for line, row in rows]
            self._tables[delimiter] = named_table(header, rows)
        return self._tables[delimiter]


@contextlib.contextmanager
def as_written_by(file, tool, where=""):
    """Says in one sentence, with its place, that a part is not as the tool writes it."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise SlowFastExtError(
            f"{where or file.path}: is not as {tool} writes it ({type(error).__name__}: {error})"
        ) from error
