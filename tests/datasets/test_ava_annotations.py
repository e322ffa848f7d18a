"""Reading AVA's files: what the rows become, and how bad ones are named."""

import os

import numpy as np
import pytest

from slowfast_ext.datasets import ava_annotations as ava
from slowfast_ext.errors import SlowFastExtError

BOX = ".1,.2,.3,.4"


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


# Read at once, and row by row: blanks around a name are read only in the second way.
@pytest.mark.parametrize("name", ["a", " a "])
def test_ground_truth(write, name):
    rows = ava.read_ground_truth(
        write(f"{name},0902,{BOX},5\na,902,{BOX},7,0\n\nb,3\nb,904.0,{BOX},5,p:1\r\n")
    )
    assert rows["video"].tolist() == ["a", "a", "b", "b"]
    assert rows["second"].tolist() == [902, 902, 3, 904]
    assert rows["action"].tolist() == [5, 7, ava.NO_ACTION, 5]
    boxes = rows[ava.BOX].to_numpy()
    np.testing.assert_array_equal(boxes[[0, 1, 3]], np.tile([0.1, 0.2, 0.3, 0.4], (3, 1)))
    assert np.isnan(boxes[2]).all()


@pytest.mark.parametrize("name", ["a", " a "])
def test_detections(write, name):
    rows = ava.read_detections(write(f"{name},0902,{BOX},5,-.25\nb,3\nb,3,.5,.2,.4,.2,9,7e1"))
    assert rows["video"].tolist() == ["a", "b"]
    assert rows["second"].tolist() == [902, 3]
    assert rows["score"].tolist() == [-0.25, 70]
    assert rows[ava.BOX].to_numpy()[1].tolist() == [0.5, 0.2, 0.4, 0.2]
    assert list(rows.index) == [0, 1]


@pytest.mark.parametrize("name", ["a", " a "])
def test_person_boxes_with_without_and_with_an_empty_action(write, name):
    text = f"{name},0902,{BOX},.5\na,902,{BOX},5,.6\na,902,{BOX},,.7\na,902,{BOX},-1,.8"
    rows = ava.read_person_boxes(write(text))
    assert rows["action"].tolist() == [ava.NO_ACTION, 5, ava.NO_ACTION, ava.NO_ACTION]
    assert rows["score"].tolist() == [0.5, 0.6, 0.7, 0.8]
    assert rows["video"].tolist() == ["a"] * 4


def test_exclusions(write):
    rows = ava.read_exclusions(write("a,0902\r\nb,1\r\n"))
    assert list(rows.columns) == ava.KEYFRAME
    assert rows["second"].tolist() == [902, 1]
    assert ava.read_exclusions(write("")).empty


def test_floats_are_python_s_own(write):
    numbers = np.random.default_rng(0).random((200, 5)).tolist()
    text = "\n".join(f"v,1,{','.join(map(repr, n[:4]))},1,{n[4]!r}" for n in numbers)
    rows = ava.read_detections(write(text))
    assert rows[[*ava.BOX, "score"]].to_numpy().tolist() == numbers


def test_finite_corners_whose_sum_is_not(write):
    rows = ava.read_detections(write("a,1,1e308,1e308,1.5e308,1.5e308,1,.5\n"))
    assert rows["x2"].tolist() == [1.5e308]


def test_a_byte_order_mark_and_names_that_look_like_numbers(write):
    rows = ava.read_ground_truth(write(b"\xef\xbb\xbf" + f"007,1,{BOX},1\nNA,1,{BOX},1\n".encode()))
    assert rows["video"].tolist() == ["007", "NA"]


def test_names_that_are_all_numbers_stay_text(write):
    rows = ava.read_ground_truth(write(f"0001,1,{BOX},1\n1,1,{BOX},1\n0,2\n"))
    assert rows["video"].tolist() == ["0001", "1", "0"]
    assert rows["video"].dtype == "category"


@pytest.mark.parametrize("name", ["a", " a "])
def test_a_pipe_is_read_once(name):
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, f"{name},1,{BOX},1,.5\n".encode())
        os.close(write_end)
        assert ava.read_detections(f"/dev/fd/{read_end}")["video"].tolist() == ["a"]
    finally:
        os.close(read_end)


def test_an_empty_file(write):
    assert ava.read_detections(write("")).empty
    for read in (ava.read_ground_truth, ava.read_person_boxes):
        with pytest.raises(SlowFastExtError, match="no rows"):
            read(write(""))


def test_all_bad_rows_are_named_at_once(write):
    bad = {
        "video,sec,x1,y1,x2,y2,act": 'second "sec" is not a number; x1 "x1" is not',
        f"a,9.5,{BOX},5": "the second is not a whole number from 0 on",
        f"a,,{BOX},5": "the second is not a whole number",
        "a,9,.5,.2,.3,.4,5": "x2 < x1 or y2 < y1",
        f"a,9,{BOX},x": 'action "x" is not a number',
        f"a,9,{BOX},1_0": 'action "1_0" is not a number',
        f"a,9,{BOX},-1": "the action is not a class id",
        f"a,9,{BOX},1.5": "the action is not a class id",
        f"a,9,{BOX},5,6,7,8": "10 fields where video,second,x1,y1,x2,y2,action[,person]",
        f",9,{BOX},1": "the video's name is empty",
        f"a,9,{BOX}": "6 fields where",
        "a,9,.1,.2,.3,nan,1": 'y2 "nan" is not a number',
        "a,9,.1,,.3,.4,1": "a corner of the box is not a finite number",
        "a,9,.1,.2,.3,inf,1": "a corner of the box is not a finite number",
    }
    path = write(f"a,9,{BOX},1\n\n" + "\n".join(bad))
    with pytest.raises(SlowFastExtError) as error:
        ava.read_ground_truth(path)
    first, *rows = str(error.value).split("\n")
    assert first == f"{path}: {len(bad)} bad rows; correct or remove:"
    for line, (row, sentence) in enumerate(zip(rows, bad.values(), strict=True), start=3):
        assert row.startswith(f"{path}:{line}: {sentence}")


@pytest.mark.parametrize("row", [f"a,9,{BOX},1,inf", f"a,9,{BOX},1", f"a,9,{BOX},1,.5,.5"])
def test_bad_detections(write, row):
    with pytest.raises(SlowFastExtError, match=r"file.csv:2: "):
        ava.read_detections(write(f"a,1,{BOX},1,.5\n{row}"))


@pytest.mark.parametrize("row", [f"a,9,{BOX},5", f"a,9,{BOX},1,-.1", f"a,9,{BOX},x,.5", "a,9"])
def test_bad_person_boxes(write, row):
    with pytest.raises(SlowFastExtError, match=r"file.csv:2: "):
        ava.read_person_boxes(write(f"a,1,{BOX},1,.5\n{row}"))


@pytest.mark.parametrize("row", ["a", "a,b", "a,1,2", "a,-1"])
def test_bad_exclusions(write, row):
    with pytest.raises(SlowFastExtError, match=r"file.csv:2: "):
        ava.read_exclusions(write(f"a,1\n{row}"))


def test_files_that_are_absent_or_not_text(write, tmp_path):
    with pytest.raises(SlowFastExtError, match="cannot be read"):
        ava.read_detections(str(tmp_path / "none.csv"))
    with pytest.raises(SlowFastExtError, match=r"file.csv:2: not UTF-8"):
        ava.read_detections(write(b"a,1\n\xff,1\n"))


# --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        'item {\n  name: "sit, \'up\'"\n  id: 3\n}\nitem {\n  name: "bend id: 9"\n  id: 1\n}\n',
        "item { id: 3 name: \"sit, 'up'\" }\n# remark\nitem { label_id: 1 name: 'bend id: 9' }",
        """item\n{ name: "sit, 'up'" id: 3 } item: {name: "bend id: 9", id: 1}""",
        "label {\n  name: \"sit, 'up'\"\n  label_id: 3\n  label_type: PERSON_MOVEMENT\n}\n"
        'label { name: "bend id: 9" label_id: 1 }',
        "3: sit, 'up'\n1: bend id: 9\n",
        "3 sit, 'up'\r\n\r\n1,bend id: 9\r\n",
    ],
)
def test_label_maps(write, text):
    names = ava.read_label_map(write(text, "map.pbtxt"))
    assert list(names.items()) == [(1, "bend id: 9"), (3, "sit, 'up'")]


@pytest.mark.parametrize(
    "form", ["{i} {n}", "{i}. {n}", "{i}) {n}", "{i} - {n}", "{i};{n}", '{i},"{n}"', "{i}.0,{n}"]
)
def test_lines_of_ids_and_names(write, form):
    names = {5: "sit, 'up'", 3: "1.5 km run"}
    text = "".join(form.format(i=i, n=name) + "\n" for i, name in names.items())
    assert ava.read_label_map(write(text)) == dict(sorted(names.items()))


def test_a_list_of_names_counts_from_1(write):
    assert ava.read_label_map(write("walk\nfly a kite\n")) == {1: "walk", 2: "fly a kite"}


@pytest.mark.parametrize(
    "text,sentence",
    [
        ("", "no classes"),
        ('item {\n  name: "a"\n}\n', ":1: no id of a class"),
        ('item {\n  name: "a"\n id: 1\n}\nitem {\n  id: 3\n}\n', ":5: no name of a class"),
        ('item {\n name: "a"\n id: 1\n', ":1: the item is not closed by }"),
        ('item {\n name: "a"\n id: 1\nitem {\n name: "b"\n id: 2\n}', ":4: 'item' where the }"),
        ('item {\n name: "a"\n id: 1\n name: "b"\n}', ":4: the item has a second name"),
        ('item {\n name: "a"\n id: 1\n label_id: 2\n}', ":4: the item has a second id"),
        ("item {\n name: a\n id: 1\n}", ":2: the name is not in"),
        ('item { name: "a" id: -1 }', ":1: the id '-1' is not a whole number"),
        ('item { name: "a" id: 1 }\n}', ":2: '}' where 'item {' or 'label {' is expected"),
        ("walk\n}\n", ":2: '}' is neither a class's name"),
        ('name: "a"\nid: 1\n', ":1: 'name: \"a\"' is neither a class's name"),
        ("1 a\nb\n", ":2: no id of a class"),
        ("1 a\n2 b\n1: c", ":3: the class id 1 stands there twice"),
        ("1 a\n2 b\n3 a", ":3: the name 'a' stands there twice"),
        ("a,5\nb,3\n", ":1: 'a,5': the id must stand before the name"),
        ("5\n3\n", ":1: no name of a class"),
        ('["a", "b"]', "is neither a class's name"),
    ],
)
def test_bad_label_maps(write, text, sentence):
    with pytest.raises(SlowFastExtError) as error:
        ava.read_label_map(write(text))
    assert sentence in str(error.value)


def test_the_real_files(real_data):
    folder = real_data / "ava"
    rows = ava.read_ground_truth(folder / "ava_val_v2.1_pose.csv")
    assert (len(rows), rows["video"].nunique()) == (93400, 64)
    assert len(rows[ava.KEYFRAME].drop_duplicates()) == 50029
    assert len(ava.read_ground_truth(folder / "ava_sample.csv")) == 8
    names = ava.read_label_map(folder / "ava_action_list_v2.1_for_activitynet_2018.pbtxt")
    assert (len(names), names[1], max(names)) == (60, "bend/bow (at the waist)", 80)
