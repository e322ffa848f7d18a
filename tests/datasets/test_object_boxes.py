"""Boxes of objects: the file, and where they lie in a crop of a clip."""

import numpy as np
import pytest

from slowfast_ext.datasets.object_boxes import VideoObjects, read_objects
from slowfast_ext.datasets.views import Crop
from slowfast_ext.errors import SlowFastExtError

HEADER = "video,frame,class,x1,y1,x2,y2"


def write(tmp_path, *rows, header=HEADER):
    path = tmp_path / "objects.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


def test_a_file_by_video(tmp_path):
    path = write(tmp_path, "b,3,cup,0,0,0.5,1", "a,1,person,0.25,0,1,1", 'b,1,"cup, big",0,0.5,1,1')
    found = read_objects(path, ["person", "cup", "cup, big"])
    assert sorted(found) == ["a", "b"]
    assert found["b"].frames.tolist() == [2, 0]
    assert found["b"].classes.tolist() == [1, 2]
    np.testing.assert_allclose(found["b"].boxes, [[0, 0, 0.5, 1], [0, 0.5, 1, 1]])


def test_low_scores_are_left_out(tmp_path):
    rows = ("a,1,cup,0,0,1,1,0.7", "b,1,cup,0,0,1,1,0.3", "b,2,cup,0,0,1,1,0.9")
    path = write(tmp_path, *rows, header=HEADER + ",score")
    found = read_objects(path, ["cup"], min_score=0.5)
    assert {video: objects.frames.tolist() for video, objects in found.items()} == {
        "a": [0],
        "b": [1],
    }


@pytest.mark.parametrize(
    "row,sentence",
    [
        ("a,1,spoon,0,0,1,1", "the class is not in object_classes.txt"),
        ("a,0,cup,0,0,1,1", "the frame is not a whole number"),
        ("a,1.5,cup,0,0,1,1", "the frame is not a whole number"),
        ("a,x,cup,0,0,1,1", "the frame is not a whole number"),
        ("a,True,cup,0,0,1,1", "the frame is not a whole number"),
        ("a,1_0,cup,0,0,1,1", "the frame is not a whole number"),
        ("a,1e30,cup,0,0,1,1", "the frame is not a whole number"),
        ("a,9300000000000000000,cup,0,0,1,1", "the frame is not a whole number"),
        ("a,1,cup,0,0,320,240", "fractions of the frame"),
        ("a,1,cup,0.5,0,0.5,1", "the box is not x1 < x2"),
        ("a,1,cup,0,0,nan,1", "the box is not x1 < x2"),
        (",1,cup,0,0,1,1", "the video's id is empty"),
        ("a\0,1,cup,0,0,1,1", "the video's id is empty or holds a NUL"),
        ("a,1,cup,0,0,1", "6 fields where the header has 7"),
        ("a,1,cup,0,0,1,1,9", "8 fields where the header has 7"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, sentence):
    path = write(tmp_path, "a,1,cup,0,0,1,1", row, "a,2,cup,0,0,1,1")
    with pytest.raises(SlowFastExtError) as error:
        read_objects(path, ["cup"])
    assert f"{path}: 1 bad row;" in str(error.value)
    row = str(error.value).splitlines()[1]
    assert row.startswith(f"{path}:3: ") and sentence in row


@pytest.mark.parametrize("score", ["95", "-0.1", "nan", "", "high"])
def test_scores_are_fractions(tmp_path, score):
    path = write(tmp_path, f"a,1,cup,0,0,1,1,{score}", header=HEADER + ",score")
    with pytest.raises(SlowFastExtError, match=":2: the score is not a number from 0 to 1"):
        read_objects(path, ["cup"])


def test_a_row_that_breaks_several_rules_is_one(tmp_path):
    path = write(tmp_path, ",0,spoon,2,0,1,1", "a,0,cup,0,0,1,1")
    with pytest.raises(SlowFastExtError) as error:
        read_objects(path, ["cup"])
    first, *rows = str(error.value).splitlines()
    assert "2 bad rows" in first and len(rows) == 2
    assert rows[0].startswith(f"{path}:2: the video's id is empty")
    assert "; the class is not" in rows[0] and "; the box is not" in rows[0]


def test_lines_are_those_of_the_file(tmp_path):
    row = "a,1,cup,0,0,1,1"
    path = write(tmp_path, row, "", '"b\nc",2,cup,0,0,1,1', row, "a,0,cup,0,0,1,1")
    with pytest.raises(SlowFastExtError, match=r"1 bad row.*\n.*objects\.csv:7: the frame"):
        read_objects(path, ["cup"])


def test_blank_lines_and_trailing_commas_hold_nothing(tmp_path):
    path = write(tmp_path, "a, 2.0 ,cup,0,0,0.5,1,", "", " ", ",,,", "")
    found = read_objects(path, ["cup"])
    assert found["a"].frames.tolist() == [1]
    np.testing.assert_allclose(found["a"].boxes, [[0, 0, 0.5, 1]])


def test_a_file_written_anew_is_read_anew(tmp_path):
    assert list(read_objects(write(tmp_path, "a,1,cup,0,0,1,1"), ["cup"])) == ["a"]
    path = write(tmp_path, "bb,1,cup,0,0,1,1")
    assert list(read_objects(path, ["cup"])) == ["bb"]


@pytest.mark.parametrize(
    "text,sentence",
    [
        ("video,frame,x1,y1,x2,y2\na,1,0,0,1,1\n", "objects.csv:1: .*no column class"),
        (HEADER.encode() + b"\na,1,caf\xe9,0,0,1,1\n", "objects.csv:2: not UTF-8 text"),
        ("", "objects.csv:1: .*no column video"),
        (HEADER + ",x1\na,1,cup,0,0,1,1,9,0\n", "objects.csv:1: .*column x1 twice"),
        (HEADER + "\na,1," + "c" * 200_000 + ",0,0,1,1\n", "objects.csv:2: not a CSV file"),
    ],
)
def test_what_is_no_such_file(tmp_path, text, sentence):
    path = tmp_path / "objects.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SlowFastExtError, match=sentence):
        read_objects(str(path), ["cup"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SlowFastExtError, match=r"none.csv: cannot be read"):
        read_objects(str(tmp_path / "none.csv"), ["cup"])


def in_clip(frames, crop, *objects):
    """`objects`: (frame, x1, y1, x2, y2), in a frame of 100 x 50 pixels."""
    rows = np.array(objects, dtype=np.float64)
    video = VideoObjects(rows[:, 0].astype(int), np.arange(len(rows)), rows[:, 1:])
    return video.in_clip(np.array(frames), crop, 50, 100)


def test_boxes_move_with_the_crop():
    crop = Crop(top=0, left=50, height=50, width=50)
    found = in_clip([4, 8], crop, (4, 0.4, 0.2, 0.75, 0.4), (6, 0, 0, 0.5, 1))
    np.testing.assert_allclose(found.boxes, [[0, 0.2, 0.5, 0.4]], rtol=1e-6)
    assert found.classes.tolist() == [0]


def test_boxes_turn_round_with_the_crop():
    crop = Crop(top=0, left=0, height=50, width=100, flipped=True)
    found = in_clip([0], crop, (0, 0.1, 0.2, 0.3, 0.4))
    np.testing.assert_allclose(found.boxes, [[0.7, 0.2, 0.9, 0.4]], rtol=1e-6)
    pixels = np.arange(100).reshape(1, 1, 100, 1).repeat(50, 1)
    assert crop.cut(pixels)[0, 0, 70:90, 0].tolist() == list(range(29, 9, -1))


def test_objects_of_other_times_are_left_out():
    crop = Crop(0, 0, 50, 100)
    box = (0, 0, 1, 1)
    found = in_clip([4, 4, 8, 12], crop, (3, *box), (4, *box), (10, *box), (12, *box), (13, *box))
    assert found.classes.tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.times, [0, 0.75, 1])


def test_no_objects():
    found = VideoObjects.none().in_clip(np.array([0]), Crop(0, 0, 5, 5), 5, 5)
    assert found.boxes.shape == (0, 4) and len(found.times) == len(found.classes) == 0
