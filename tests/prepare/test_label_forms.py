"""What is wrong with a label file is named by its place, whatever its form."""

import json

import pytest

from tests.prepare.own_labels import refused, run, write_frames, write_videos, written


@pytest.fixture
def folder(tmp_path, write_moving_square):
    write_videos(tmp_path, write_moving_square)
    return tmp_path


HEADER = "path,labels,start,end\n"


@pytest.mark.parametrize(
    "labels,messages",
    [
        (
            HEADER + "a,jump,0,x\nx.mp4,jump,,\nb,jump,2.0,3.0\nb,jump,0.5,0.1\nc,jump\nd\n,run,,",
            [
                'labels.txt:2: end "x" is not a number of seconds from 0 on',
                'labels.txt:3: no video "x.mp4" in videos, did you mean',
                "labels.txt:4: 2 to 3 s, but b.mp4 ends at 1.00 s",
                "labels.txt:5: end 0.1 is before start 0.5",
                "labels.txt:7: 1 fields where the header has 4",
                "labels.txt:8: the path is empty",
            ],
        ),
        ("path,labels,start\na,jump,0\n", ["labels.txt: the header has no column end"]),
        ("path,labels,labels\na,jump,0\n", ["the column labels stands twice in the header"]),
        (
            "path,jump,mood,run\na,1,good,0\nb,2,bad,1\nc,1,bad,\nq,1,bad,0",
            [
                'labels.txt:1: unknown column "mood": it holds no 0 or 1 but "good"',
                'labels.txt:3: jump is "2": it must be 0 or 1',
                'labels.txt:4: run is "": it must be 0 or 1',
                'labels.txt:5: no video "q"',
            ],
        ),
        (
            json.dumps(
                {
                    "database": {
                        "a": {"annotations": [{"label": "x", "segment": [0]}, {"segment": [0, 1]}]},
                        "b": {},
                        "v": {"annotations": []},
                        "c": {"annotations": [{"label": "x", "segment": [0, 9]}]},
                        "d": {"annotations": [{"label": "x;y", "segment": [1, None]}]},
                    }
                }
            ),
            [
                "database.a.annotations[0].segment: must be [START, END] in seconds, not [0]",
                "database.a.annotations[1]: has no label",
                "database.b: has no list of annotations",
                'database.v: no video "v"',
                "database.c.annotations[0]: 0 to 9 s, but c.mp4 ends at 1.00 s",
                'database.d.annotations[0]: label "x;y" holds a ";"; rename it; end "None" is not',
            ],
        ),
        (
            "path,jump,run\na,1\nb,0\n",
            ['labels.txt:1: unknown column "run"', ":2: 2 fields", ":3:"],
        ),
        (HEADER + "a,jump,0,1_0\n", ['labels.txt:2: end "1_0" is not a number of seconds']),
        (
            json.dumps(
                {"database": {"a": {"annotations": [{"label": "x", "segment": [0, True]}]}}}
            ),
            ['database.a.annotations[0]: end "True" is not a number of seconds'],
        ),
        (
            '{"database": {"a": {"annotations": []}, "b": {}, "a": {"annotations": []}}}',
            ['labels.txt: the key "a" stands 2 times'],
        ),
        ('{"database": ' * 100_000, ["labels.txt: not JSON (maximum recursion depth"]),
        (
            json.dumps({"database": {n: {"annotations": [{"label": "\ud800"}]} for n in "ab"}}),
            ["classes.txt would hold a line that is no text in UTF-8: rename what is in '\\ud800'"],
        ),
        ("[1, 2]", ["labels.txt:1: no form that is known"]),
        ('{"database":\n {"a": [}}', ["labels.txt:2: not JSON"]),
        ('{"videos": {}}', ["JSON, but not of a known form"]),
        (
            "label,youtube_id,time_start,time_end\njump,a,0,x\njump,q,0,1\njump,b,0,7\nrun,c,4,1",
            [
                'labels.txt:2: end "x" is not a number',
                'labels.txt:3: no video "q"',
                "labels.txt:4: 0 to 7 s, but b.mp4 ends at 1.00 s",
                "labels.txt:5: end 1 is before start 4",
            ],
        ),
        ("youtube_id,time_start,time_end\na,0,1\n", ["the header has no column label"]),
        ("x/p.mp4 jump\nx/q.mp4 run\n", [f'labels.txt:{n}: no video "x/' for n in (1, 2)]),
        # Another spelling of a video that is there, and what may be a header.
        ("A.avi jump\nb.mp4 run\n", ['labels.txt:1: no video "A.avi" in videos, did you mean a']),
        ("clips what\na run\nb run\n", ['labels.txt:1: no video "clips"']),
        ("what is this,anyway\n1,2\n", ["labels.txt:1: no form that is known; expected is"]),
        ("path,size\na,12\n", ["labels.txt:1: no form that is known"]),
        ("", ["labels.txt: holds no labels"]),
        ("path,labels\n", ["labels.txt: holds no labels"]),
        ("path,labels\na,\nb,\n", ["labels.txt: no video has a label"]),
        ("path,jump\na,0\nb,0\n", ["labels.txt: no video has a label"]),
        ("path,labels\na,jump\n", ["one video cannot be split"]),
        ("original_vido_id video_id frame_id path labels\n", ["no rows after the header"]),
        (
            '{"database": {"b": {"duration": 10, "annotations": []}, "a": {"duration": 10, '
            '"annotations": [{"label": "x", "segment": [0, 1]}]}}}',
            ["labels.txt: database.b: its duration is 10, and b.mp4 lasts 1.00 s: are the times"],
        ),
    ],
)
def test_wrong_labels_are_named_by_their_place(folder, labels, messages):
    found = refused(folder, labels)
    for message in messages:
        assert message in found
    if "bad row" in found:
        assert len(found.split("\n")) == len(messages) + 1, found


@pytest.mark.parametrize(
    "labels",
    [
        "path,labels\na,jump\nq,fly\nx/p.mp4,run\nq,jump\nb,run\n",
        "a.mp4,jump\nb.mp4,run\nq,fly;jump\nx/p.mp4,run\n",
        "q 3 fly jump\na 10 jump\nb 10 run\nx/p.mp4 3 run\n",
        "x/my p.mp4 fly\na.mp4 jump\nb.mp4 run\nq jump\n",
        json.dumps({"q": ["fly"], "a": ["jump"], "b": ["run"], "x/p.mp4": ["run"]}),
    ],
)
def test_videos_that_are_not_there_are_left_out_and_named(folder, labels, capsys):
    run(folder, labels, "--json")
    found, told = capsys.readouterr()
    report = json.loads(found)
    assert sum(report["videos"].values()) == 2
    names = report["videos_not_found"]
    assert names.startswith("2 (") and "q" in names and "p.mp4" in names
    assert report["labels_not_used"] == ["fly"]
    sentence = f"videos that are not in {folder}/videos are left out, with their labels: {names};"
    assert f"{sentence} the first stands at {folder}/labels.txt:" in told
    run(folder, "path,labels\na,jump\nb,run\n", "--json", out="clean")
    report, told = capsys.readouterr()
    assert json.loads(report)["videos_not_found"] == "none" and not told
    assert written(folder) == written(folder, "clean")


def test_wrong_folders_of_frames(folder):
    write_frames(folder, "ab")
    (folder / "frames" / "b" / "000.jpg").write_bytes(b"no image")
    found = refused(folder, "a 9 jump\nb 10 run\nq 10 run\n", videos="frames")
    assert "labels.txt:1: a holds 10 frames, the line says 9" in found
    assert "labels.txt:2: frames/b/000.jpg: not a readable image" in found
    assert 'labels.txt:3: no video "q" in frames' in found


def test_wrong_videos(folder):
    (folder / "videos" / "b.mp4").write_bytes(b"")
    (folder / "videos" / "deep").mkdir()
    (folder / "videos" / "deep" / "a.mp4").write_bytes(b"")
    (folder / "videos" / "deep" / "c.mp4").write_bytes(b"")
    found = refused(folder, "path,labels\nb,jump\nc.mp4,run\nc,run\ndeep/a.mp4,run\n")
    assert "labels.txt:2: videos/b.mp4: the file is empty" in found
    assert 'labels.txt:4: "c" may be c.mp4 or deep/c.mp4: write the path' in found
    assert "labels.txt:5: videos/deep/a.mp4: the file is empty" in found


@pytest.mark.parametrize(
    "labels,message",
    [
        ("path,labels\na,jump\n", "no column side for --split-column; the columns are path, lab"),
        ("path,labels,side\na,jump,left\n", 'labels.txt:2: side is "left": it must be train,'),
        ("path,labels,side\na,x,test\na,y,train\n", 'is in "train", and in "test" at labels.txt:2'),
        ("path,labels,side\na,x,train\nb,,test\n", "no video of test has a label by side"),
        ("a jump\nb run\n", "lines have no columns"),
        ('{"database": {"a": {"annotations": []}}}', "no video has the key side for --split"),
    ],
)
def test_wrong_split_columns(folder, labels, message):
    assert message in refused(folder, labels, "--split-column", "side")


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5000])
def test_what_python_reads_as_no_number_is_a_label(folder, number):
    write_frames(folder, "ab")
    run(folder, f"a {number} jump\nb 10 run\n", videos="frames")
    assert number in written(folder)["classes.txt"].splitlines()
    run(folder, f"path,labels\na,{number}\nb,7\n", videos="frames", out="numbers")
    assert number in written(folder, "numbers")["classes.txt"].splitlines()
