"""Action Genome's files to objects.csv, on files of the official form made here."""

import argparse
import os
import pickle

import numpy as np
import pytest

from slowfast_ext.commands import prepare_charades
from slowfast_ext.commands.data_arguments import prepare_charades_arguments
from slowfast_ext.datasets.lists import read_class_names
from slowfast_ext.datasets.object_boxes import read_objects
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings
from slowfast_ext.datasets.synthetic.videos import write_video
from slowfast_ext.datasets.video_file import VideoInfo
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.action_genome import (
    Box,
    VideoBoxes,
    object_classes,
    object_files,
    place_boxes,
    read_action_genome,
)
from tests.commands.test_prepare_charades import annotate

SIZE = 32


def annotated(name, box, visible=True):
    return {
        "class": name,
        "bbox": box,
        "attention_relationship": ["looking_at"],
        "visible": visible,
        "metadata": {"tag": "", "set": "train"},
    }


def persons(*boxes):
    return {
        "bbox": np.array(boxes, dtype=np.float32).reshape(-1, 4),
        "bbox_score": np.full(len(boxes), 0.75, dtype=np.float32),
        "bbox_size": (SIZE, SIZE),
        "bbox_mode": "xyxy",
    }


@pytest.fixture
def folder(tmp_path):
    objects = {
        "AAAAA.mp4/000003.png": [
            annotated("cup/glass/bottle", (8, 0, 16, 40)),
            annotated("dish", None, visible=False),
        ],
        "AAAAA.mp4/009999.png": [annotated("bed", (0, 0, 4, 4))],
        "ZZZZZ.mp4/000001.png": [annotated("bag", (0, 0, 4, 4))],
    }
    people = {
        "AAAAA.mp4/000003.png": persons((0, 0, 16, 32)),
        "AAAAA.mp4/000005.png": persons(),
    }
    (tmp_path / "object_bbox_and_relationship.pkl").write_bytes(pickle.dumps(objects))
    (tmp_path / "person_bbox.pkl").write_bytes(pickle.dumps(people))
    return tmp_path


INFO = VideoInfo(30, 24.0, SIZE, SIZE, None)
LISTED = {"AAAAA", "BBBBB"}


def test_pixels_become_fractions_and_frames_keep_their_numbers(folder):
    annotated_boxes = read_action_genome(str(folder))
    rows, counts = place_boxes(annotated_boxes, {"AAAAA": INFO}, LISTED)
    for name, text in object_files(object_classes(annotated_boxes, LISTED), rows).items():
        (folder / name).write_text(text)
    names = read_class_names(str(folder / "object_classes.txt"))
    assert names == ["person", "bed", "cup/glass/bottle"]
    found = read_objects(str(folder / "objects.csv"), names)
    assert list(found) == ["AAAAA"]
    assert found["AAAAA"].frames.tolist() == [2, 2]
    assert found["AAAAA"].classes.tolist() == [2, 0]
    # The first reaches below the frame and is cut off there.
    np.testing.assert_allclose(found["AAAAA"].boxes, [[0.25, 0, 0.75, 1], [0, 0, 0.5, 1]])
    assert counts == {
        "boxes": 2,
        "videos": 1,
        "outside": 1,
        "videos_without": 1,
        "other_videos": 1,
        "other_size": {},
    }
    assert len(read_objects(str(folder / "objects.csv"), names, 0.8)["AAAAA"].frames) == 1


def test_a_box_lies_in_a_frame_that_the_video_has():
    boxes = [Box(frame, "bed", (0, 0, 8, 8), 1.0) for frame in (0, 1, 30, 31)]
    rows, counts = place_boxes({"AAAAA": VideoBoxes(boxes, set())}, {"AAAAA": INFO}, LISTED)
    assert [row[1] for row in rows] == [1, 30] and counts["outside"] == 2


def test_boxes_of_frames_of_another_size_are_left_out_by_name():
    def video(*sizes):
        return VideoBoxes([Box(1, "bed", (0, 0, 8, 8), 1.0)], set(sizes))

    wide = VideoInfo(30, 24.0, 16, SIZE, None)
    infos = {"AAAAA": INFO, "BBBBB": wide}
    found = {"AAAAA": video((SIZE, SIZE)), "BBBBB": video((SIZE, 16))}
    rows, counts = place_boxes(found, infos, LISTED)
    assert [row[0] for row in rows] == ["AAAAA", "BBBBB"] and not counts["other_size"]
    found["BBBBB"] = video((16, SIZE))
    rows, counts = place_boxes(found, infos, LISTED)
    assert [row[0] for row in rows] == ["AAAAA"] and counts["videos_without"] == 1
    reason = "is 32 x 16, its boxes are of 16 x 32 pixels"
    assert counts["other_size"] == {"BBBBB": reason}
    with pytest.raises(SlowFastExtError, match=f"none of its boxes .*: BBBBB {reason}"):
        place_boxes({"BBBBB": found["BBBBB"]}, infos, LISTED)


@pytest.fixture
def command(folder):
    """A function that runs the command on two videos, of which one does not open."""
    annotate(folder / "annotations", {"AAAAA": ("", "2.00")}, {"BBBBB": ("", "2.00")})
    settings = SyntheticSettings(size=SIZE, num_train=1, num_test=1)
    name = write_video(str(folder), settings, "train", 0)[0][0]
    os.rename(folder / name, folder / "AAAAA.mp4")
    (folder / "BBBBB.mp4").write_bytes(b"no video")
    words = ["--annotations", folder / "annotations", "--videos", folder, "--out", folder / "out"]
    parser = argparse.ArgumentParser()
    prepare_charades_arguments(parser)

    def run(*more):
        prepare_charades.run(parser.parse_args([*map(str, words), *more]))

    return run


@pytest.mark.parametrize("name", ["object_classes.txt", "objects.csv"])
def test_objects_of_others_are_not_written_over(folder, command, name):
    """Through the command; a second run of its own may write over the first's."""
    (folder / "out").mkdir()
    (folder / "out" / name).write_text("mine")
    with pytest.raises(SlowFastExtError, match=f"{name} is a file that this command has not"):
        command("--action-genome", str(folder))
    assert [path.name for path in (folder / "out").iterdir()] == [name]
    (folder / "out" / name).unlink()
    command("--action-genome", str(folder))
    command("--action-genome", str(folder))
    assert read_class_names(str(folder / "out" / "object_classes.txt"))[0] == "person"


def test_boxes_of_a_detector_are_kept(folder, command, capsys):
    """Of the same classes and the same form; the command says so where they are no concern."""
    command("--action-genome", str(folder))
    objects = folder / "out" / "objects.csv"
    detected = objects.read_text() + "AAAAA,4,bed,0.1,0.1,0.2,0.2,0.9\n"
    objects.write_text(detected)
    (folder / "out" / "train.csv").unlink()
    with pytest.raises(SlowFastExtError, match="objects.csv holds other boxes .* move it away"):
        command("--action-genome", str(folder))
    assert objects.read_text() == detected and not (folder / "out" / "train.csv").exists()
    assert "was left as it is" not in capsys.readouterr().out
    command()
    assert f"{objects} was left as it is" in capsys.readouterr().out
    assert objects.read_text() == detected


class Hostile:
    def __reduce__(self):
        import os

        return os.mkdir, ("executed",)


def written(folder, objects=None, people=None):
    """Writes one of the two files anew."""
    name = "person_bbox.pkl" if objects is None else "object_bbox_and_relationship.pkl"
    content = people if objects is None else objects
    (folder / name).write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return folder / name


@pytest.mark.parametrize(
    "content,sentence",
    [
        (pickle.dumps(Hostile()), "nothing in it was executed"),
        (b"", "nothing in it was executed"),
        ([1], "holds no dict"),
        ({}, "holds no dict"),
        *(
            ({tag: []}, f"entry {tag!r}: is not named as a frame")
            for tag in (3, b"A.mp4/1.png", ("A.mp4", "1.png"), "A.mp4/x.png", "A/000001.png")
        ),
        ({"A.mp4/1_0.png": []}, "is not named as a frame"),
        ({"A.mp4/\u0661.png": []}, "is not named as a frame"),
        ({"../A.mp4/1.png": []}, "is not named as a frame"),
        ({f"A.mp4/{'9' * 5000}.png": []}, "999...: is not named as a frame"),
        ({"A.mp4/1.png": None}, "entry 'A.mp4/1.png': is not a list of objects"),
        ({"A.mp4/1.png": [5]}, "has no bbox"),
        ({"A.mp4/1.png": [{"class": "cup"}]}, "has no bbox"),
        ({"A.mp4/1.png": [{"class": "cup", "bbox": (0, 0, 1, 1)}]}, "has no visible"),
    ],
)
def test_other_files_are_refused_by_name(folder, monkeypatch, content, sentence):
    monkeypatch.chdir(folder)
    path = written(folder, objects=content)
    with pytest.raises(SlowFastExtError) as error:
        read_action_genome(str(folder))
    assert str(path) in str(error.value) and sentence in str(error.value)
    assert len(str(error.value)) < 999
    assert not (folder / "executed").exists()


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "box",
    [(1, 2), (1, 2, 3, NAN), (1, 2, 3, INFINITE), (10**400, 0, 1, 1), (10**400, 0.5, 1, 1), "1234"]
    + [["1", "2", "3", "4"], [[1], [2], [3], [4, 5]], 5, {"x": 1}, (1, 2, 3, None), (True,) * 4],
)
def test_boxes_are_four_finite_numbers(folder, box):
    path = written(folder, objects={"A.mp4/1.png": [annotated("cup", box)]})
    with pytest.raises(SlowFastExtError) as error:
        read_action_genome(str(folder))
    assert f"{path}: entry 'A.mp4/1.png': bbox is " in str(error.value)
    assert str(error.value).endswith("must be 4 finite numbers") and len(str(error.value)) < 500


@pytest.mark.parametrize("name", [5, None, ["cup"], "", " cup", "cup ", "a\nb", "\ud800"])
def test_classes_are_names(folder, name):
    path = written(folder, objects={"A.mp4/1.png": [annotated(name, (0, 0, 1, 1))]})
    with pytest.raises(SlowFastExtError) as error:
        read_action_genome(str(folder))
    assert f"{path}: entry 'A.mp4/1.png': class is {name!r}" in str(error.value)


@pytest.mark.parametrize(
    "change,sentence",
    [
        ({"bbox": None}, "bbox is None"),
        ({"bbox": "1234"}, "bbox is '1234'"),
        ({"bbox": 5}, "bbox is 5"),
        ({"bbox": np.zeros((1, 3))}, "must be 1 x 4 finite numbers"),
        ({"bbox": np.full((1, 4), NAN)}, "must be 1 x 4 finite numbers"),
        ({"bbox_score": np.array([NAN])}, "bbox_score is [nan], and must be 1 finite numbers"),
        ({"bbox_score": np.zeros(0)}, "must be 1 finite numbers"),
        ({"bbox_score": [[1, 2]]}, "must be 1 finite numbers"),
        ({"bbox_score": [95.0]}, "bbox_score is [95.0], and must be within 0..1"),
        ({"bbox_score": [-0.5]}, "bbox_score is [-0.5], and must be within 0..1"),
        ({"bbox_mode": "xywh"}, "bbox_mode is 'xywh', \"xyxy\" is expected"),
        ({"bbox_mode": ["xyxy"]}, "bbox_mode is ['xyxy']"),
        ({"bbox_size": (1,)}, "bbox_size is (1,), and must be 2 finite numbers"),
    ],
)
def test_persons_of_another_form_are_refused(folder, change, sentence):
    entry = {**persons((0, 0, 16, 32)), **change}
    path = written(folder, people={"A.mp4/1.png": entry, "A.mp4/2.png": 5})
    with pytest.raises(SlowFastExtError) as error:
        read_action_genome(str(folder))
    assert f"{path}: 2 bad rows" in str(error.value)
    assert f"{path}: entry 'A.mp4/1.png': {sentence}" in str(error.value) or sentence[:4] == "must"
    assert sentence in str(error.value) and "entry 'A.mp4/2.png': has no bbox" in str(error.value)


def test_persons_need_no_score_mode_or_size(folder):
    written(folder, people={"A.mp4/1.png": {"bbox": [(0, 0, 16, 32)]}, "A.mp4/2.png": {"bbox": []}})
    assert read_action_genome(str(folder))["A"].boxes == [Box(1, "person", (0, 0, 16, 32), 1.0)]


def test_nothing_is_written_before_all_is_checked(folder, command):
    written(folder, people={"AAAAA.mp4/000001.png": persons((0, 0, NAN, 32))})
    with pytest.raises(SlowFastExtError, match="bbox"):
        command("--action-genome", str(folder))
    written(folder, objects={"Z.mp4/1.png": []})
    written(folder, people={"Z.mp4/1.png": persons((0, 0, 16, 32))})
    with pytest.raises(SlowFastExtError, match="none of its boxes lies in these videos"):
        command("--action-genome", str(folder))
    assert not (folder / "out").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SlowFastExtError, match="object_bbox_and_relationship.pkl: cannot be read"):
        read_action_genome(str(tmp_path))
