"""Charades' annotation files: what is wrong with them is named, all of it at once."""

import pytest

from slowfast_ext.datasets.charades_annotations import read_annotations
from slowfast_ext.errors import SlowFastExtError
from tests.commands.test_prepare_charades import HEADER, annotate


@pytest.fixture
def annotations(tmp_path):
    annotate(tmp_path / "annotations")
    return tmp_path / "annotations"


def refused(annotations):
    with pytest.raises(SlowFastExtError) as caught:
        read_annotations(str(annotations))
    return str(caught.value).replace(f"{annotations.parent}/", "")


def test_all_bad_rows_at_once(annotations):
    annotate(
        annotations,
        train={
            "AAAAA": ("c157 0.00 1.00;c001 1.00", "2.00"),
            "B/B": ("c001 x 1.00;c1 0.00 1.00;c001 0.00 nan", "0"),
            "CCCCC": ("c000 0.00 1.00;", "x"),
            "D": ("", "1,2"),
            "E\u0661": ("c001 0.00 \u0661;c\u0660\u0660\u0661 0.00 1.00", "\u0661"),
            "FFFFF": (f"c001 0.00 {'9' * 400}", "9" * 400),
            "GGGGG": ("c001 0.00 1000000", "999999.99"),
        },
        test={"AAAAA": ("", "1.00")},
        classes=["Holding", "Holding", "12"],
    )
    place = "annotations/Charades_v1_"
    numbers = "start and end must be numbers of seconds from 0 on"
    assert refused(annotations).split("\n") == [
        "annotations: 20 bad rows; correct or remove:",
        f'{place}classes.txt:2: "Holding" stands on line 1 already',
        f'{place}classes.txt:3: "12" is not a name of a class',
        f"{place}classes.txt: 3 classes, where Charades has 157",
        f'{place}train.csv:2: "c157 0.00 1.00": the classes go from c000 to c156',
        f'{place}train.csv:2: "c001 1.00" is not an action such as "c092 11.90 21.20"',
        f'{place}train.csv:3: the id "B/B" is not made of letters and digits',
        f'{place}train.csv:3: length "0" is not a number of seconds above 0',
        f'{place}train.csv:3: "c001 x 1.00": {numbers}',
        f'{place}train.csv:3: "c1 0.00 1.00" is not an action such as "c092 11.90 21.20"',
        f'{place}train.csv:3: "c001 0.00 nan": {numbers}',
        f'{place}train.csv:4: length "x" is not a number of seconds above 0',
        f"{place}train.csv:5: 12 fields where the header has 11",
        f'{place}train.csv:6: the id "E\u0661" is not made of letters and digits',
        f'{place}train.csv:6: length "\u0661" is not a number of seconds above 0',
        f'{place}train.csv:6: "c001 0.00 \u0661": {numbers}',
        f'{place}train.csv:6: "c\u0660\u0660\u0661 0.00 1.00" is not an action such as '
        '"c092 11.90 21.20"',
        f'{place}train.csv:7: length "{"9" * 77}..." is not a number of seconds above 0',
        f'{place}train.csv:7: "c001 0.00 {"9" * 67}...": {numbers}',
        f'{place}train.csv:8: "c001 0.00 1000000": {numbers}',
        f"{place}test.csv:2: AAAAA stands at {place}train.csv:2 already",
    ]


@pytest.mark.parametrize("number", [0, 156, 158])
def test_classes_are_all_of_charades(annotations, number):
    path = annotations / "Charades_v1_classes.txt"
    lines = [f"c{index:03d} Doing thing {index}\n" for index in range(number)]
    path.write_text("".join(lines) or " \n")
    message = f"{number} classes, where Charades has 157" if number else "is empty; lines such as"
    assert f"Charades_v1_classes.txt: {message}" in refused(annotations)


def test_classes_have_no_gap(annotations):
    (annotations / "Charades_v1_classes.txt").write_text("c000 Run\nc002 Jump\n")
    assert 'classes.txt:2: "c002" where c001 is expected' in refused(annotations)


def test_files_that_are_not_the_official_ones(annotations):
    path = annotations / "Charades_v1_test.csv"
    path.write_text("id,actions\n")
    assert "Charades_v1_test.csv:1: the header has no column length" in refused(annotations)
    path.write_text("id,actions,length,id\nAAAAA,,1.00,BBBBB\n")
    assert "Charades_v1_test.csv:1: the header has the column id twice" in refused(annotations)
    path.write_text(HEADER + "\n")
    assert "Charades_v1_test.csv: no rows" in refused(annotations)
    path.unlink()
    assert "Charades_v1_test.csv: cannot be read" in refused(annotations)
