"""`prepare volleyball` on a tree with every quirk of the data set, and on real moments."""

import csv
import importlib
import json
import shutil

import cv2
import numpy as np
import pytest
import yaml

from slowfast_ext.__main__ import build_parser
from slowfast_ext.datasets.lists import read_class_names, read_list
from slowfast_ext.datasets.volleyball_annotations import ACTIONS, GROUPS, read_moments
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.volleyball_tree import SPLITS
from tests import volleyball_tree


def command(*words):
    args = build_parser().parse_args(["prepare", "volleyball", *map(str, words)])
    importlib.import_module(args.module).run(args)


@pytest.fixture
def root(tmp_path):
    volleyball_tree.write_tree(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def report(root, tmp_path, capsys):
    command("--root", root, "--out", tmp_path / "out", "--json")
    return json.loads(capsys.readouterr().out)


def some(counts):
    return {name: count for name, count in counts.items() if count}


def test_the_official_split_is_of_all_55_videos():
    assert [len(SPLITS[name]) for name in ("train", "val", "test")] == [24, 15, 16]
    assert sorted(video for videos in SPLITS.values() for video in videos) == list(range(55))


def test_annotations_are_counted(report):
    train, val, test = (report["splits"][name] for name in ("train", "val", "test"))
    assert (train["videos"], train["moments"], train["boxes"]) == (2, 4, 9)
    assert (val["videos"], val["moments"], val["boxes"]) == (0, 0, 0)
    assert (test["videos"], test["moments"], test["boxes"]) == (1, 2, 3)
    assert some(train["groups"]) == volleyball_tree.GROUPS["train"]
    assert some(train["actions"]) == volleyball_tree.ACTIONS["train"]
    assert train["near_duplicate_boxes"] == 1
    spelled = {"l-pass": 1, "l-spike": 1, "R_WINPOINT": 1, "r-pass": 1}
    assert report["group_labels_respelled"] == spelled
    assert len(report["videos_missing"]) == 52
    assert report["tracklets"] == {"moments": 1, "boxes": 2}


def test_frames_are_found_wherever_they_lie(report, root, tmp_path):
    frames = report["frames"]
    misplaced = [root / "videos" / name for name in ("1/120/160", "3/30/30")]
    assert frames["misplaced_folders"] == list(map(str, misplaced))
    assert (frames["missing"], frames["unreadable"]) == ([], [])
    assert frames["sizes"] == {"64x36": 6}
    assert frames["boxes_outside_frame"] == 2
    assert frames["moments_of_other_than_41_frames"] == 1
    assert frames["stray_folders"] == 1
    assert frames["folders_without_annotation"] == 1
    listed = {found.moment.target: found for found in read_moments(tmp_path / "out" / "train.csv")}
    assert listed[160].path == str(misplaced[0])
    ranges = {target: (found.first, found.last) for target, found in listed.items()}
    # Not beyond 20 frames, nor over a gap.
    assert ranges == {120: (100, 140), 160: (140, 180), 30: (10, 50), 70: (60, 75)}


def test_lists_hold_every_box_as_annotated(report, tmp_path):
    first = read_moments(tmp_path / "out" / "train.csv")[0].moment
    assert GROUPS[first.group] == "r_spike"
    assert [ACTIONS[a] for a in first.actions] == ["waiting", "spiking", "spiking", "blocking"]
    wanted = [[5, 10, 9, 18], [10, 10, 16, 22], [10, 10, 16, 23], [40, 8, 45, 17]]
    np.testing.assert_array_equal(first.boxes, wanted)
    assert [m.moment.target for m in read_moments(tmp_path / "out" / "test.csv")] == [90, 95]
    assert not (tmp_path / "out" / "val.csv").exists()


def test_the_lists_are_multi_label_lists_too(report, tmp_path):
    names = read_class_names(tmp_path / "out" / "classes.txt")
    videos = read_list(tmp_path / "out" / "train.csv", names, "")
    found = {names[label] for label in videos[0].labels}
    assert found == {"waiting", "spiking", "blocking"}


def test_all_bad_lines_of_all_files_are_named(root):
    (root / "videos" / "1" / "annotations.txt").write_text(
        "120.jpg r_spyke 5 10 4 8 waiting\n"
        "160.jpg l-pass 6 9 4 9 diving 44 10 5 9 standin\n"
        "x.jpg l-pass 6 9 4 9\n"
        "161.jpg l-pass 6 9 -4 9 digging\n"
        "161.jpg l-pass 6 9 4 9 digging\n"
        "161.jpg l-pass 6 9 4 9 digging\n"
        "162.jpg l-pass nan 9 4 9 digging 6 9 4 inf digging\n"
        f"{'9' * 5000}.jpg l-pass 6 9 4 {'x' * 5000} digging\n"
    )
    (root / "videos" / "4" / "annotations.txt").write_text("9.jpg\n")
    with pytest.raises(SlowFastExtError) as error:
        command("--root", root, "--annotations-only")
    message = str(error.value)
    path = root / "videos" / "1" / "annotations.txt"
    assert f'{path}:1: unknown group activity "r_spyke", did you mean "r_spike"?' in message
    assert f'{path}:2: unknown action "diving"' in message
    assert 'unknown action "standin", did you mean "standing"?' in message
    assert f'{path}:3: "x.jpg" is not the name of a frame' in message
    assert "4 fields of players where each has five" in message
    assert f'{path}:4: the box "6 9 -4 9" of player 1 is not X Y W H' in message
    assert f"{path}:6: frame 161 stands in line 5 already" in message
    assert f"{root}/videos/4/annotations.txt:1: unknown group activity" in message
    assert f'{path}:7: the box "nan 9 4 9" of player 1 is not X Y W H in pixels; the box' in message
    assert f'{path}:8: "{"9" * 77}..." is not the name of a frame' in message
    assert len(message) < 3000
    assert "8 bad rows" in message


@pytest.mark.parametrize("box", ["1.7e308 9 1.7e308 9", "1e9 9 1e-9 9"])
def test_boxes_without_a_finite_extent_are_named(root, box):
    (root / "videos" / "4" / "annotations.txt").write_text(f"90.jpg r-pass {box} digging\n")
    with pytest.raises(SlowFastExtError, match="txt:1: the box .* of player 1 is not X Y W H"):
        command("--root", root, "--annotations-only")


def test_an_empty_file_of_annotations_is_named(root):
    (root / "videos" / "4" / "annotations.txt").write_text("\n")
    with pytest.raises(SlowFastExtError, match="4/annotations.txt: holds no moments"):
        command("--root", root, "--annotations-only")


def test_bad_tracklets_are_named(root):
    path = root / "volleyball_tracking_annotation" / "1" / "120" / "120.txt"
    path.write_text("0 5 10 9 18 119 0 0 1 sleeping\n0 5 10\n")
    with pytest.raises(SlowFastExtError, match=r"120.txt:1: unknown action(.|\n)*120.txt:2: not"):
        command("--root", root, "--annotations-only")


def test_missing_and_broken_frames_are_named_and_nothing_is_written(root, tmp_path, capsys):
    shutil.rmtree(root / "videos" / "4" / "95")
    (root / "videos" / "1" / "120" / "120.jpg").write_bytes(b"")
    with pytest.raises(SlowFastExtError) as error:
        command("--root", root, "--out", tmp_path / "out")
    assert f"{root}/videos/4/95" in str(error.value)
    assert "120/120.jpg: not a readable image" in str(error.value)
    report = yaml.safe_load(capsys.readouterr().out)
    test = report["splits"]["test"]
    assert (test["videos"], test["moments"]) == (1, 2)
    assert report["frames"]["missing"] == [f"{root}/videos/4/95"]
    # Of many the first, and how many more there are.
    assert len(report["videos_missing"]) == 21 and report["videos_missing"][-1] == "... and 32 more"
    assert not (tmp_path / "out").exists()


def test_frames_of_several_shapes_are_refused(root, tmp_path):
    path = root / "videos" / "4" / "95" / "95.jpg"
    cv2.imwrite(str(path), np.zeros((36, 36, 3), np.uint8))
    with pytest.raises(SlowFastExtError, match=r"several shapes \(64x36 5, 36x36 1\)"):
        command("--root", root, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_others_are_not_written_over(root, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train.csv").write_text("path,labels\n")
    with pytest.raises(SlowFastExtError, match="has not written"):
        command("--root", root, "--out", tmp_path / "out")


def test_a_second_run_writes_the_same(report, root, tmp_path):
    before = (tmp_path / "out" / "train.csv").read_bytes()
    command("--root", root, "--out", tmp_path / "out")
    assert (tmp_path / "out" / "train.csv").read_bytes() == before


def test_a_folder_without_videos(tmp_path):
    with pytest.raises(SlowFastExtError, match="holds none of the videos"):
        command("--root", tmp_path, "--annotations-only")
    with pytest.raises(SlowFastExtError, match="--out is missing"):
        command("--root", tmp_path)


def test_real_moments(real_data, tmp_path, capsys):
    """Against the lines of the file, read by hand."""
    command("--root", real_data / "volleyball", "--out", tmp_path, "--json")
    counts = json.loads(capsys.readouterr().out)["splits"]["train"]
    assert (counts["moments"], counts["boxes"]) == (2, 24)
    assert some(counts["groups"]) == {"r_spike": 1, "l_pass": 1}
    lines = (real_data / "volleyball" / "39" / "annotations.txt").read_text().split("\n")
    with open(tmp_path / "train.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["persons"] for row in rows] == [" ".join(line.split()[2:]) for line in lines[:2]]
    assert [(row["first"], row["last"]) for row in rows] == [("29880", "29889"), ("29900", "29909")]
