"""VIA 3's segments and attributes."""

import json

import pytest

from tests.prepare import tool_files

ATTRIBUTES = {
    "1": {"aname": "activity", "type": 2, "options": {"0": "run", "1": "jump", "2": "fly"}},
    "2": {"aname": "note", "type": 1, "options": {}},
    "3": {"aname": "side", "type": 3, "options": {"l": "left", "r": "run"}},
}
HEAD = f"# x\n# ATTRIBUTE = {json.dumps(ATTRIBUTES)}\n# CSV_HEADER = metadata_id,file_list,flags,"
HEAD += "temporal_coordinates,spatial_coordinates,metadata\n"


def row(values, times="[1, 2.5]", files='["a.mp4"]', region="[]"):
    cells = ["1_x", files, "0", times, region, json.dumps(values)]
    return ",".join('"{}"'.format(cell.replace('"', '""')) for cell in cells) + "\n"


def test_attributes_and_times(read):
    """Several ids of a checkbox, texts, a moment, the whole file; regions are left out."""
    text = HEAD + row({"1": "0,1"}) + row({"2": "calm"}, "[3]") + row({"3": "l"}, "[]")
    text += row({"1": "0"}, region="[2, 1, 1, 9, 9]") + row({})
    assert read(text) == [
        ("a.mp4", "run;jump", 1, 2.5),
        ("a.mp4", "calm", 3, 3),
        ("a.mp4", "left", None, None),
    ]
    assert [*read.file.unused_rows] == ["a region in an image", "no attribute is set"]
    assert read.file.unused_labels == ["fly", "run"]
    assert read(text, label_columns=["note"]) == [("a.mp4", "calm", 3, 3)]
    assert read.file.unused == ["activity", "side"]
    assert "nothing is called x, for --label-columns; there are activity, note, side" in (
        read.refusal(text, label_columns=["note", "x"])
    )


def test_equal_options_of_two_attributes(read):
    text = HEAD + row({"1": "0", "3": "r"})
    assert [labels for _, labels, *_ in read(text)] == ["activity:run", "side:run"]


@pytest.mark.parametrize(
    "text,message",
    [
        (row({"1": "7"}), 'labels:4: activity has no option "7"'),
        (row({"9": "7"}), 'labels:4: there is no attribute "9"'),
        (row({"1": "0"}, times="[1, 2, 3]"), "labels:4: 3 times: a start and an end are expected"),
        (row({"1": "0"}, times="[2, 1]"), "labels:4: end 1 is before start 2"),
        (row({"1": "0"}, times="5"), "labels:4: file_list, temporal_coordinates"),
        (row({"1": "0"}, times="[1,"), "labels:4: temporal_coordinates is not JSON"),
        (row({"1": "0"}, files='["a.mp4", "b.mp4"]'), "labels:4: is about 2 files"),
        (row({"1": "0"}, files='["q.mp4"]'), 'labels:4: no video "q.mp4"'),
    ],
)
def test_wrong_rows(read, text, message):
    assert message in read.refusal(HEAD + text)


def test_wrong_files(read):
    assert "CSV_HEADER has no metadata" in read.refusal(HEAD.replace(",metadata\n", "\n"))
    project = tool_files.via_project()
    project["metadata"]["1_0"]["vid"] = "z"
    assert "metadata.1_0: is not as VIA 3 writes it (KeyError: 'z')" in read.refusal(
        json.dumps(project)
    )
    project["attribute"] = {"1": {}}
    assert "is not as VIA 3 writes it" in read.refusal(json.dumps(project))
