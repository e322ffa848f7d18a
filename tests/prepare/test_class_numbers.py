"""Labels that are numbers get names from a file, in the usual forms of such files."""

import pytest

from tests.prepare.forms.reading import read, refusal, spans, write_videos


@pytest.fixture
def folder(tmp_path):
    write_videos(tmp_path)
    return tmp_path


NAMES = ("run", "high jump", "wave")
LABELS = "a.mp4,0\nb.mp4,2,1\n"


@pytest.mark.parametrize(
    "names",
    [
        "0 run\n1 high jump\n2 wave\n3 rest\n",
        "run,0\nhigh jump,1\nwave,2\nrest,3\n",
        "id,name\n0,run\n1,high jump\n2,wave\n",
        "name\tid\nrun\t0\nhigh jump\t1\nwave\t2\n",
        '{"run": 0, "high jump": 1, "wave": 2}',
        '{"0": "run", "1": "high jump", "2": "wave"}',
        "run\nhigh jump\nwave\n",
        "".join(f'item {{\n name: "{n}"\n id: {i}\n}}\n' for i, n in enumerate(NAMES)),
    ],
)
def test_names(folder, names):
    (folder / "names").write_text(names)
    file = read(folder, "x.csv", LABELS, class_names=str(folder / "names"))
    assert [row[:2] for row in spans(file)] == [("a.mp4", "run"), ("b.mp4", "wave;high jump")]


def test_names_alone_count_from_where_the_numbers_say(folder):
    path = str(folder / "names")
    (folder / "names").write_text("run\njump\nwave\n")
    three = LABELS.replace("0", "3")
    assert spans(read(folder, "x.csv", three, class_names=path))[0][1] == "wave"
    # A column called value may hold them, too, when it is named.
    options = {"class_names": path, "label_columns": ["value"]}
    value = "path,value\na.mp4,0\nb.mp4,2\n"
    assert [row[1] for row in spans(read(folder, "x.csv", value, **options))] == ["run", "wave"]
    found = refusal(folder, "x.csv", "a.mp4,1\nb.mp4,2,1\n", class_names=path)
    assert "names: do the names count from 0 or from 1? Write each as NUMBER NAME" in found


def test_three_numbers_with_names_are_classes(folder):
    (folder / "names").write_text("3 run\n7 jump\n9 wave\n")
    text = "a.mp4,3,7,9\nb.mp4,3,7,9\n"
    assert "or name the ids by --class-names" in refusal(folder, "x.csv", text)
    file = read(folder, "x.csv", text, class_names=str(folder / "names"))
    assert file.rows[0].labels == ("run", "jump", "wave")


@pytest.mark.parametrize(
    "names,message",
    [
        ("0 run\n1 jump\n", "x.csv: class 2 has no name in names, whose classes are 0 to 1"),
        ("0 run\n0 jump\n", "names: class 0 stands there twice"),
        ("0 run\n1 Run\n2 wave\n", "names: classes 0 and 1 are both called Run"),
        ("0,run,12\n1,jump,3\n2,wave,4\n", "names: 0,run,12: keep a number and a name, without"),
        ("", "names: no classes"),
        ("{", "names: not JSON of {NAME: NUMBER}"),
        ('{"run": []}', "names: not JSON of {NAME: NUMBER} (not numbers of classes)"),
        ("0 run\njump\n", "names:2: no id of a class"),
    ],
)
def test_wrong_names(folder, names, message):
    (folder / "names").write_text(names)
    assert message in refusal(folder, "x.csv", LABELS, class_names=str(folder / "names"))
