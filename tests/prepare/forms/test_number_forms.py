"""Forms that know classes by numbers, or by files: temporal localisation, frame lists, folders."""

import json
import shutil

import cv2
import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia
from tests.prepare.forms.reading import read, refusal, spans, write_videos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    write_videos(folder)
    return folder


WANTED = [("a.mp4", "0", 0.5, 1.5), ("a.mp4", "2", 1.0, 4.0)]


@pytest.mark.parametrize("unit", [1, 10, 25])
def test_actions_in_the_unit_of_their_duration(folder, unit):
    """Seconds, frames, or frames of another rate: the duration is the whole video's."""
    actions = [[0, 0.5 * unit, 1.5 * unit], [2.0, unit, 4.5 * unit]]
    data = {
        "a": {"subset": "training", "duration": 4 * unit, "actions": actions},
        "b": {"subset": "testing", "duration": 4 * unit, "actions": []},
    }
    file = read(folder, "x.json", json.dumps(data))
    assert spans(file) == WANTED
    assert {(row.video, row.side) for row in file.rows} == {
        ("a.mp4", "training"),
        ("b.mp4", "testing"),
    }


@pytest.mark.parametrize(
    "video,message",
    [
        ({"actions": []}, "x.json: a: has no list of actions, or no duration above 0"),
        ({"duration": 4, "actions": 3}, "x.json: a: has no list of actions"),
        ({"duration": 4, "actions": [[0, 1]]}, "a.actions[0]: must be [class number, start, end]"),
        ({"duration": 4, "actions": [[0, 2, None]]}, "a.actions[0]: must be [class number"),
        ({"duration": 4, "actions": [[0, 2, 1]]}, "a.actions[0]: end 1.0 is before start 2"),
        ({"duration": 4, "actions": [[True, 0, 1]]}, "a.actions[0]: True is no class's number"),
        ({"duration": 4, "actions": [[1.5, 0, 1]]}, "a.actions[0]: 1.5 is no class's number"),
        ({"duration": 4, "actions": [[-1, 0, 1]]}, 'a.actions[0]: label "-1" is no class'),
    ],
)
def test_wrong_actions_are_told_by_their_place(folder, video, message):
    assert message in refusal(folder, "x.json", json.dumps({"a": video}))


HEAD = "original_vido_id video_id frame_id path labels"


def frame_list(labels_of, head=HEAD, end="", video="a"):
    rows = [f"{video} 0 {n} image/{video}/{n + 1}.jpg {labels_of(n)}{end}" for n in range(40)]
    return "\n".join([head, *rows]) + "\n"


def test_a_list_of_frames(folder):
    """KABR's: neighbouring frames of one class are a segment; of video files, too."""

    def labels_of(n):
        return ",".join([*(["0"] if 5 <= n < 15 else []), *(["2"] if n >= 10 else [])]) or '""'

    file = read(folder, "x.csv", frame_list(labels_of))
    assert spans(file) == [
        ("a.mp4", "0", 0.5, 1.5),
        ("a.mp4", "2", 1.0, 4.0),
    ]
    assert file.form == "a line a frame"


def test_a_list_of_frames_of_one_set_of_labels_is_of_whole_videos(folder):
    """Animal Kingdom's: a sixth column, labels without quotes, frames not padded."""
    frames = folder / "videos" / "K1"
    frames.mkdir()
    for n in range(40):
        cv2.imwrite(str(frames / f"{n + 1}.jpg"), np.zeros((8, 8, 3), np.uint8))
    text = frame_list(lambda n: "7,12", f"{HEAD} type", " train", "K1")
    assert spans(read(folder, "x.csv", text)) == [("K1", "7;12", None, None)]
    shutil.rmtree(frames)


def test_wrong_lists_of_frames(folder):
    text = frame_list(lambda n: "1" if n else "x")
    assert "x.csv:2: the labels x are not class ids" in refusal(folder, "x.csv", text)
    text = frame_list(lambda n: "1").replace("image/a/", "image/q/")
    assert 'x.csv: a: no video "image/q" in' in refusal(folder, "x.csv", text)
    text = "\n".join(frame_list(lambda n: "1").split("\n")[:30])
    assert "x.csv: a: a.mp4 has 40 frames: --frame-rate" in refusal(folder, "x.csv", text)
    assert "x.csv: no rows after the header" in refusal(folder, "x.csv", HEAD + "\n")
    commas = frame_list(lambda n: "1").replace(" ", ",")
    assert "blanks part the fields, not commas" in refusal(folder, "x.csv", commas)


def test_a_file_a_class(folder, tmp_path):
    """MultiTHUMOS' folder."""
    (tmp_path / "Run.txt").write_text("a 0.5 1.5\na 3.50 4\n")
    (tmp_path / "HighJump.txt").write_text("a 1.0 2\nb 0.0 0.5\n")
    media = OwnMedia(str(folder / "videos"))
    file = read_label_file(str(tmp_path), media)
    check_problems(file)
    assert file.form == "a file a class" and file.declared == ["HighJump", "Run"]
    assert spans(file) == [
        ("a.mp4", "HighJump", 1.0, 2.0),
        ("a.mp4", "Run", 0.5, 1.5),
        ("a.mp4", "Run", 3.5, 4.0),
        ("b.mp4", "HighJump", 0.0, 0.5),
    ]
    (tmp_path / "Run.txt").write_text("q 0.5 1.5\na 2.0 1.0\n")
    file = read_label_file(str(tmp_path), media)
    assert file.missing == {"q": f"{tmp_path}/Run.txt:1"}
    with pytest.raises(SlowFastExtError, match="Run.txt:2: end 1.0 is before start 2.0\n.*:1: no"):
        check_problems(file)
    assert "give the folder of these files" in refusal(folder, "x.txt", "a 0.5 1.5\n")


def test_a_file_a_class_and_side(folder, tmp_path):
    """THUMOS' folder: what is ambiguous in a video is unknown there, and no class."""
    (tmp_path / "Run_val.txt").write_text("a  0.5  1.5\n")
    (tmp_path / "Run_test.txt").write_text("b  0.5  1.5\n")
    (tmp_path / "Ambiguous_val.txt").write_text("a  2.5  3.0\n")
    media = OwnMedia(str(folder / "videos"))
    file = read_label_file(str(tmp_path), media)
    assert file.declared == ["Run"]
    assert [(r.video, r.labels, r.start, r.end, r.side, r.unknown) for r in file.rows] == [
        ("a.mp4", (), 2.5, 3.0, "val", True),
        ("b.mp4", ("Run",), 0.5, 1.5, "test", False),
        ("a.mp4", ("Run",), 0.5, 1.5, "val", False),
    ]
    (tmp_path / "Jump.txt").write_text("a 0.5 1.5\n")
    assert read_label_file(str(tmp_path), media).declared[1:] == ["Jump", "Run_test", "Run_val"]


def test_numbers_of_several_moments(folder):
    """Multi-Moments in Time's: a path and ids; a missing first video is no header."""
    file = read(folder, "x.csv", "x/a.mp4,3\ny/b.mp4,4,1\nz/c.mp4,1,2\n")
    assert [(row.video, row.labels) for row in file.rows] == [
        ("a.mp4", ("3",)),
        ("b.mp4", ("4", "1")),
        ("c.mp4", ("1", "2")),
    ]
    file = read(folder, "x.csv", "x/q.mp4,3\ny/b.mp4,4,1\nz/c.mp4,1,2\n")
    assert len(file.rows) == 2 and [*file.missing] == ["x/q.mp4"]
    assert file.unused_labels == ["3"]
