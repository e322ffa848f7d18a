"""Tables: large files as pandas reads them in one go, against the csv module row by row."""

import csv
import io
import math

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import tables
from slowfast_ext.utils.tables import read_table

HEADER = ["name", "x", "y", "note"]


def written(path, rows, end="\n"):
    stream = io.StringIO()
    csv.writer(stream, lineterminator=end).writerows(rows)
    path.write_bytes(stream.getvalue().encode("utf-8-sig"))
    return str(path)


def read(path, monkeypatch, at_once):
    """The table, read in one go or row by row."""
    with monkeypatch.context() as patch:
        patch.setattr(tables, "_row_by_row" if at_once else "_at_once", refuse)
        check = lambda table: table.require(HEADER[:3], "FORM")  # noqa: E731
        return read_table(path, None, "xy".__contains__, check)


def refuse(*_):
    raise tables._NeedsLines


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("seed", range(5))
def test_both_ways_of_reading_give_the_same(tmp_path, monkeypatch, seed, end):
    random = np.random.default_rng(seed)
    texts = ["a", "007", "NA", "b, c", 'quo"te', "two\nlines", "é"]
    rows = [HEADER]
    for _ in range(200):
        x = str(random.choice([repr(random.normal()), "inf", "1e-400", "", "5"]))
        note = str(random.choice(["", "n"]))
        row = [str(random.choice(texts)), x, repr(float(random.normal())), note]
        # Blank rows, rows of commas, rows without the note, and with a comma too many.
        rows += [[[], [""] * 5, row[:3], row, [*row, ""]][random.integers(5)]]
    path = written(tmp_path / "t.csv", rows, end)
    fast, slow = (read(path, monkeypatch, at_once) for at_once in (True, False))
    assert fast.rows["name"].tolist() == slow.rows["name"].tolist()
    for name in ("x", "y"):
        np.testing.assert_array_equal(fast.rows[name].to_numpy(), slow.rows[name].to_numpy())
        kept = [row for row in rows[1:] if any(row)]
        wanted = [float(row[HEADER.index(name)] or "nan") for row in kept]
        np.testing.assert_array_equal(slow.rows[name].to_numpy(), wanted)


def test_lines_are_those_of_the_file_whatever_stands_between(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf\nname,\n\n"a\nb",\r\n , \na,\n "c"\n')
    table = read_table(str(path))
    assert table.header == ["name", ""]
    assert list(table) == [
        (4, {"name": "a\nb", "": ""}),
        (7, {"name": "a", "": ""}),
        (8, {"name": '"c"', "": ""}),
    ]


@pytest.mark.parametrize(
    "row",
    ["a,1,2,n,m", "a,1", "a,x,2,", "a,1_0,2,", "a\0b,1,2,", " a,1,2,", "a,1,2,\n\0,", 'a,"1\n",x'],
)
def test_what_is_unusual_is_read_row_by_row(tmp_path, monkeypatch, row):
    path = tmp_path / "t.csv"
    path.write_text(f"name,x,y,note\nb,1,2,\n{row}\n")
    with pytest.raises(tables._NeedsLines):
        read(str(path), monkeypatch, at_once=True)


def test_all_bad_rows_are_told_in_the_order_of_their_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,x\na,\n\nb\nc,1_0\nd,2,3\ne,{}\nf,5\n")
    table = read_table(str(path), is_number="x".__eq__)
    table.require(["name", "x"], "name,x", "use quotes")
    numbers = table.rows["x"].to_numpy()
    table.tell(np.isnan(numbers), '"{}" is no number', "x")
    table.tell(table.rows["name"] == "e", "name {}", "name")
    with pytest.raises(SlowFastExtError) as caught:
        table.check([f"{path}: more"], "remedy")
    assert str(caught.value).replace(f"{path}", "t.csv").split("\n") == [
        "t.csv: 6 bad rows; correct or remove:",
        't.csv:2: "" is no number',
        "t.csv:4: 1 fields where the header has 2",
        't.csv:5: "1_0" is no number',
        "t.csv:6: 3 fields where the header has 2: use quotes",
        't.csv:7: "{}" is no number; name e',
        "t.csv: more",
        "remedy",
    ]
    assert numbers[-1] == 5 and math.isnan(numbers[0])


def test_one_row_of_each_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,x\nb,1\na,2\n")
    assert read_table(str(path)).rows_of(["a", "b"], "is unknown")["x"].tolist() == ["2", "1"]
    path.write_text("name,x\nb,1\nc,1\nb,1\n")
    with pytest.raises(SlowFastExtError) as caught:
        read_table(str(path)).rows_of(["a", "b"], "is unknown")
    assert str(caught.value).replace(f"{path}", "t.csv").split("\n")[1:] == [
        't.csv:3: "c" is unknown',
        't.csv:4: "b" has a row already',
        't.csv: no row for "a"',
    ]
