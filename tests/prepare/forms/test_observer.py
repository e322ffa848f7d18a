"""Observer's event logs."""

import io

import pytest

from tests.prepare.tool_files import TRUTH, observer

HEADER = "Observation,Subject,Behavior,Modifier_1,Event_Type,Time_Relative_sf,Duration_sf\n"


def test_states_points_and_modifiers(read):
    text = HEADER + "a,cow,run,fast,State start,1.5,2\na,dog,call,,Point,2,0\n"
    text += "a,cow,run,fast,State stop,3.5,0\n"
    assert read(text) == [("a.mp4", "run", 1.5, 3.5), ("a.mp4", "call", 2, 2)]
    assert read.file.unused == ["Modifier_1"]
    assert read(text, label_columns=["Behavior", "Modifier_1"])[0][1] == "run;fast"
    assert "no column x for --label-columns; the columns are Observation, " in (
        read.refusal(text, label_columns=["Behavior", "x"])
    )
    assert read(text, subjects=["dog"]) == [("a.mp4", "call", 2, 2)]


@pytest.mark.parametrize(
    "row,message",
    [
        ("a,cow,run,,Begin,1,2", 'labels:2: Event_Type "Begin" is neither State start'),
        ("a,cow,run,,State start,x,2", 'labels:2: Time_Relative_sf "x" or Duration_sf "2"'),
        ("a,cow,run,,State start,1,", 'Duration_sf "" is not a number'),
        ("q,cow,run,,Point,1,0", 'labels:2: no video "q"'),
    ],
)
def test_wrong_rows(read, row, message):
    assert message in read.refusal(HEADER + row)


def test_text_of_utf_16(read):
    assert len(read(observer().encode("utf-16"))) == len(TRUTH)
    assert "begins as UTF-16 text and is none" in read.refusal(b"\xff\xfea")


def test_spreadsheets(read):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [HEADER.strip().split(","), ["a", "cow", "run", None, "State start", 1.5, 2]]:
        book.active.append(row)

    def saved():
        stream = io.BytesIO()
        book.save(stream)
        return stream.getvalue()

    assert read(saved(), "x.xlsx") == [("a.mp4", "run", 1.5, 3.5)]
    # A sheet for each observation, and one of notes.
    book.create_sheet("notes").append(["by", "me"])
    sheet = book.create_sheet("b")
    for row in [HEADER.strip().split(","), ["b", "cow", "eat", None, "Point", 2, 0]]:
        sheet.append(row)
    assert read(saved(), "x.xlsx") == [("a.mp4", "run", 1.5, 3.5), ("b.mp4", "eat", 2, 2)]
    sheet["F2"] = "late"
    assert "x.xlsx (b):2: Time_Relative_sf" in read.refusal(saved(), "x.xlsx")
    sheet["D1"] = "Modifier_2"
    assert "x.xlsx: the sheets Sheet and b have other columns: save each as a file" in (
        read.refusal(saved(), "x.xlsx")
    )
