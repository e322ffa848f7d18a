"""From AVA's official files to PySlowFast's tree, on a stand-in tree."""

import argparse
import json
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest
import yaml
from slowfast.datasets import ava_dataset

from slowfast_ext import upstream
from slowfast_ext.commands import prepare_ava
from slowfast_ext.commands.data_arguments import prepare_ava_arguments
from slowfast_ext.config.load import load_config
from slowfast_ext.datasets.ava import Ava
from slowfast_ext.datasets.ava_frames import Clock, read_clock
from slowfast_ext.errors import SlowFastExtError, exit_with_sentence
from slowfast_ext.prepare import ava_frames
from slowfast_ext.utils.paths import CONFIGS

LABEL_MAP = "ava_action_list_v2.1_for_activitynet_2018.pbtxt"
CLASSES = {1: "bend/bow (at the waist)", 12: "stand", 80: "watch (a person)"}
# Boxes with 2, 1 and 3 labels, one row twice; 2 and 13 are not evaluated; the last second is
# after the video's end.
TRAIN = """\
one,0902,0.100,0.100,0.500,0.900,12,0
one,0902,0.100,0.100,0.500,0.900,80,0
one,0902,0.600,0.100,0.900,0.900,12,1
one,0903,0.100,0.100,0.500,0.900,12,0
one,0903,0.100,0.100,0.500,0.900,12,0
one,0903,0.100,0.100,0.500,0.900,80,0
one,0903,0.100,0.100,0.500,0.900,2,0
two.b,0902,0.000,-0.010,1.000,1.000,13,0
two.b,0905,0.000,0.000,1.010,1.000,12,0
"""
# Seconds that AVA does not use, and a keyframe without actions.
ODD = "one,0901,0.100,0.100,0.500,0.900,12,0\nfour,1799,0.1,0.1,0.5,0.9,12,0\nfour,0903\n"
VAL = "three,0902,0.100,0.200,0.300,0.400,1,0\nthree,0903,0.100,0.200,0.300,0.400,1,0\n"
EXCLUDED = {"train": "one,0902\none,1000\n", "val": "three,0904\n"}
PERSONS = "three,0902,0.1,0.2,0.3,0.4,,0.9\nthree,0903,0.1,0.2,0.3,0.4,,0.8\n"
OTHER_PERSONS = "other,0902,0.1,0.2,0.3,0.4,,0.9\nthree,0901,0.1,0.2,0.3,0.4,,0.9\n"


def annotate(folder, train=TRAIN, val=VAL, persons=PERSONS):
    folder.mkdir(exist_ok=True)
    (folder / "ava_val_predicted_boxes.csv").unlink(missing_ok=True)
    (folder / "ava_train_v2.1.csv").write_text(train)
    (folder / "ava_val_v2.1.csv").write_text(val)
    for split, text in EXCLUDED.items():
        (folder / f"ava_{split}_excluded_timestamps_v2.1.csv").write_text(text)
    items = [f'item {{\n  name: "{name}"\n  id: {n}\n}}\n' for n, name in CLASSES.items()]
    (folder / LABEL_MAP).write_text("".join(items))
    if persons:
        (folder / "ava_val_predicted_boxes.csv").write_text(persons)


@pytest.fixture
def tree(tmp_path, write_moving_square):
    annotate(tmp_path / "annotations")
    (tmp_path / "videos").mkdir()
    for name in ("one.mp4", "two.b.mkv", "three.mp4", "four.mp4"):
        write_moving_square(tmp_path / "videos" / name, 100)
    return tmp_path


def run(tree, *words, media="--videos"):
    parser = argparse.ArgumentParser()
    prepare_ava_arguments(parser)
    words = ["--version", "2.1", *(str(word) for word in words)]
    if "--annotations" not in words:
        words += ["--annotations", str(tree / "annotations")]
    if "--annotations-only" not in words:
        words += ["--out", str(tree / "out")] if "--out" not in words else []
        words += [media, str(tree / media.strip("-"))] if media else []
    prepare_ava.run(parser.parse_args(words))


def refused(tree, *words, **options):
    with pytest.raises(SlowFastExtError) as caught:
        run(tree, *words, **options)
    return str(caught.value).replace(f"{tree}/", "")


def test_counts(tree, capsys):
    run(tree, "--annotations-only", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["version"] == "2.1" and report["classes"] == 3 and not report["files_missing"]
    assert report["splits"]["train"] == {
        "videos": 2,
        "keyframes": 4,
        "boxes": 5,
        "boxes_by_number_of_labels": {"1": 3, "2": 1, "3": 1},
        "labels_per_box": 8 / 5,
        "labels_used": 4,
        "labels_used_and_evaluated": 2,
        "boxes_of_labels_not_evaluated": 2,
        "rarest_class": {"id": 1, "name": CLASSES[1], "boxes": 0},
        "most_frequent_class": {"id": 12, "name": "stand", "boxes": 4},
        "boxes_outside_frame": 2,
        "rows_outside_902_to_1798": 0,
        "excluded_timestamps": 2,
        "rows_at_excluded_timestamps": 3,
        "person_boxes": None,
    }
    assert report["splits"]["val"]["person_boxes"] == {
        "boxes": 2,
        "score_above_0.8": 1,
        "boxes_outside_frame": 0,
        "boxes_outside_902_to_1798": 0,
        "boxes_of_other_videos": 0,
        "videos_without_boxes": 0,
    }
    run(tree, "--annotations-only")
    assert yaml.safe_load(capsys.readouterr().out) == report
    assert not (tree / "out").exists()


def test_the_tree(tree, capsys):
    run(tree, "--json")
    report, out = json.loads(capsys.readouterr().out), tree / "out"
    lines = (out / "frame_lists" / "train.csv").read_text().splitlines()
    assert lines[0] == "original_vido_id video_id frame_id path labels" and len(lines) == 201
    assert lines[1] == 'one 0 0 one/one_000001.jpg ""'
    assert lines[200] == 'two.b 1 99 two.b/two.b_000100.jpg ""'
    assert {p.name for p in (out / "frames").iterdir()} == {"one", "two.b", "three"}
    assert len(list((out / "frames" / "two.b").iterdir())) == 100
    for path in (tree / "annotations").iterdir():
        assert (out / "annotations" / path.name).read_bytes() == path.read_bytes()
    assert report["splits"]["train"]["frames"] == 200
    assert report["splits"]["train"]["shorter_than_annotated"] == ["two.b"]
    assert report["splits"]["val"]["shorter_than_annotated"] == []
    assert report["media_in_no_split"] == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_pyslowfast_reads_the_tree(tree, capsys, split):
    """Rows that it would stop at are in the official files, and not in the copies."""
    annotate(tree / "annotations", train=TRAIN + ODD, persons=PERSONS + OTHER_PERSONS)
    run(tree, "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["splits"]["train"]["rows_outside_902_to_1798"] == 2
    assert report["splits"]["val"]["person_boxes"]["boxes_of_other_videos"] == 1
    cfg = upstream.base_config()
    for key, value in report["config"]["AVA"].items():
        assert key in cfg.AVA
        cfg.AVA[key] = value
    cfg.AVA.DETECTION_SCORE_THRESH = 0.5
    cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE = 4, 2
    # Ours has taken its place in the registry.
    dataset = ava_dataset.Ava(cfg, split)
    expected = {"train": (["one", "two.b"], [100, 100], 4, 5), "test": (["three"], [100], 2, 2)}
    videos, frames, keyframes, num_boxes = expected[split]
    assert dataset._video_idx_to_name == videos
    assert [len(paths) for paths in dataset._image_paths] == frames
    assert (len(dataset), dataset._num_boxes_used) == (keyframes, num_boxes)
    assert dataset._image_paths[0][60].endswith(f"/{videos[0]}/{videos[0]}_000061.jpg")
    assert dataset._keyframe_indices[0] == (0, 0, 902, 60)


def test_finished_videos_are_not_extracted_again(tree, capsys, monkeypatch):
    whole = (tree / "videos" / "two.b.mkv").read_bytes()
    (tree / "videos" / "two.b.mkv").write_bytes(whole[:300])
    message = refused(tree)
    assert "no lists were written, for 1 (two.b) cannot be read" in message
    assert "videos/two.b.mkv: " in message
    assert not (tree / "out" / "frame_lists").exists()
    assert not (tree / "out" / "frames" / "two.b").exists()
    (tree / "videos" / "two.b.mkv").write_bytes(whole)
    extracted, extract = [], ava_frames.extract_frames
    monkeypatch.setattr(
        ava_frames, "extract_frames", lambda *args: (extracted.append(args[0]), extract(*args))
    )
    run(tree)
    run(tree)
    assert extracted == [str(tree / "videos" / "two.b.mkv")]
    assert (tree / "out" / "frame_lists" / "val.csv").exists()


def test_frames_of_ones_own(tree, capsys):
    run(tree)
    shutil.move(tree / "out" / "frames", tree / "frames")
    shutil.rmtree(tree / "out")
    capsys.readouterr()
    run(tree, "--json", media="--frames")
    config = json.loads(capsys.readouterr().out)["config"]["AVA"]
    assert config["FRAME_DIR"] == str(tree / "frames")
    assert config["TRAIN_GT_BOX_LISTS"] == ["ava_train_v2.1.csv"]
    assert not (tree / "out" / "frames").exists()
    lines = (tree / "out" / "frame_lists" / "train.csv").read_text().splitlines()
    assert lines[1] == f'one 0 0 {tree}/frames/one/one_000001.jpg ""'
    (tree / "frames" / "one" / "one_000003.jpg").unlink()
    assert "frames/one has 99 frames, but not 000003" in refused(tree, media="--frames")


def test_frames_of_ones_own_need_no_keys_but_the_configs(tree, monkeypatch):
    """As in docs/AVA.md: `--out data/ava`, then a config as it stands."""
    run(tree, "--out", tree / "first")
    shutil.move(tree / "first" / "frames", tree / "frames")
    run(tree, "--out", tree / "data" / "ava", media="--frames")
    monkeypatch.chdir(tree)
    cfg = load_config(str(CONFIGS / "AVA" / "CSN_152_V2.1.yaml"), ["NUM_GPUS", "0"])
    dataset = Ava(cfg, "train")
    assert dataset[0, 0].pathways[-1].shape == (3, 32, 224, 224)


def test_frames_below_a_folder_with_blanks_need_the_printed_keys(tree):
    run(tree, "--out", tree / "first")
    shutil.move(tree / "first" / "frames", tree / "my frames")
    run(tree, "--frames", tree / "my frames", media=None)
    lines = (tree / "out" / "frame_lists" / "train.csv").read_text().splitlines()
    assert lines[1] == 'one 0 0 one/one_000001.jpg ""'


def test_out_beside_its_own_annotations(tree):
    """PySlowFast's own layout: everything in one folder."""
    run(tree, "--out", tree)
    assert (tree / "annotations" / "ava_train_v2.1.csv").read_text() == TRAIN
    annotate(tree / "annotations", train=TRAIN + ODD)
    assert "ava_train_v2.1.csv has rows or quotes that PySlowFast's" in refused(tree, "--out", tree)
    assert (tree / "annotations" / "ava_train_v2.1.csv").read_text() == TRAIN + ODD


def test_quoted_fields_are_copied_without_quotes(tree):
    def quoted(text):
        rows = (row.split(",") for row in text.splitlines())
        return "".join(",".join(f'"{field}"' for field in row) + "\n" for row in rows)

    annotate(
        tree / "annotations", quoted(TRAIN + ODD), quoted(VAL), quoted(OTHER_PERSONS + PERSONS)
    )
    run(tree)
    for name, text in (("train_v2.1", TRAIN), ("val_v2.1", VAL), ("val_predicted_boxes", PERSONS)):
        assert (tree / "out" / "annotations" / f"ava_{name}.csv").read_text() == text
    label_map = (tree / "annotations" / LABEL_MAP).read_text()
    assert (tree / "out" / "annotations" / LABEL_MAP).read_text() == label_map
    assert "has rows or quotes that" in refused(tree, "--out", tree)


@pytest.mark.parametrize("start", [0, 1, 900])
def test_a_set_of_ones_own(tree, capsys, start):
    """Seconds from 0, 1 or 900 on, videos of any length: 100 frames at 30 a second are 3.3 s."""
    rows = f"one,{start},0,0,0.5,1,1,0\none,{start + 3},0,0,0.5,1,81,0\n"
    persons = f"three,{start + 1},0,0,1,1,,0.9\n"
    annotate(tree / "annotations", rows, f"three,{start + 1},0,0,1,1,1,0\n", persons)
    label_map = (tree / "annotations" / LABEL_MAP).read_text()
    more = label_map + 'item { name: "dig" id: 81 }\n'
    (tree / "annotations" / LABEL_MAP).write_text(more)
    run(tree, "--json", "--start", start)
    report = json.loads(capsys.readouterr().out)
    assert report["config"]["MODEL"] == {"NUM_CLASSES": 81}
    cfg = upstream.base_config()
    cfg.AVA.merge_from_list([w for pair in report["config"]["AVA"].items() for w in pair])
    assert str(tree / "out" / "whole_frames") == cfg.AVA.FRAME_DIR
    clock = read_clock(cfg.AVA.FRAME_LIST_DIR)
    assert clock.first == start and (clock.keyframes == range(902, 1799)) is False
    for name, text in (("ava_train_v2.1.csv", rows), ("ava_val_predicted_boxes.csv", persons)):
        assert (tree / "out" / "annotations" / name).read_text() == text
    # Lists of AVA's own seconds in the same place are AVA's again.
    annotate(tree / "annotations")
    run(tree)
    assert read_clock(cfg.AVA.FRAME_LIST_DIR) == Clock()


def test_a_long_video_of_ones_own_is_extracted_whole(tree, tmp_path):
    """No guess from its length: a movie of more than 1,000 s is not cut at second 900."""
    with av.open(str(tmp_path / "long.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width = stream.height = 16
        stream.time_base = stream.codec_context.time_base = Fraction(1, 30)
        for second in range(0, 1101, 100):
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), second // 5, np.uint8), "rgb24")
            frame.pts, frame.time_base = 30 * second, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    whole = sum(1 for _ in ava_frames._whole_jpegs(str(tmp_path / "long.mp4")))
    cut = sum(1 for _ in ava_frames._jpegs(str(tmp_path / "long.mp4")))
    assert whole > 33_000 and cut < 10_000


@pytest.mark.parametrize(
    "train,persons,words,message",
    [
        ("one,5,10,20,300,400,12,0\n", PERSONS, [], "corners up to 400, as if in pixels"),
        (TRAIN, "three,0902,1,2,30,40,,0.9\n", [], "corners up to 40, as if in pixels"),
        ("one,5,0,0,1,1,12,0\n", PERSONS, [], "as AVA's are, of 1 (one): say with --start"),
        (
            "one,1,0,0,1,1,12,0\n",
            "three,3,0,0,1,1,,1\n",
            ["--start", 2],
            "before --start 2: one,0001",
        ),
        ("one,9,0,0,1,1,12,0\n", None, ["--start", 0], "1 (one,0009 (it ends at 3.3))"),
        ("one,1,0,0,1,1,12,0\n", "x,1,0,0,1,1,,1\n", ["--start", 0], "not in the ground truth"),
        (TRAIN, PERSONS, ["--start", -1], "--start -1 is below 0"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_extracted(tree, train, persons, words, message):
    annotate(tree / "annotations", train, VAL if not words else "three,3,0,0,1,1,1,0\n", persons)
    assert message in refused(tree, *words)
    assert not (tree / "out").exists()


def test_missing_media_are_named_and_nothing_is_written(tree, capsys):
    (tree / "videos" / "one.mp4").unlink()
    (tree / "videos" / "three.mp4").write_bytes(b"")
    with pytest.raises(SystemExit) as caught, exit_with_sentence():
        run(tree, "--json")
    shown = capsys.readouterr()
    assert caught.value.code == 2
    assert "lacks 2 (one, three): nothing was written" in shown.err
    assert json.loads(shown.out)["missing"] == ["one", "three"]
    assert not (tree / "out").exists()


def test_a_split_without_actions(tree, capsys):
    annotate(tree / "annotations", val="three,0902\n", persons=None)
    run(tree, "--json")
    val = json.loads(capsys.readouterr().out)["splits"]["val"]
    assert (val["keyframes"], val["boxes"], val["labels_per_box"]) == (1, 0, 0.0)
    assert val["boxes_by_number_of_labels"] == {} and val["frames"] == 100
    run(tree)
    report = yaml.safe_load(capsys.readouterr().out)
    assert report["files_missing"] == ["ava_val_predicted_boxes.csv"]
    assert "`prepare boxes`" in report["notes"][0]


def test_one_split_alone(tree, capsys):
    for path in (tree / "annotations").glob("ava_train*"):
        path.unlink()
    run(tree, "--json")
    report = json.loads(capsys.readouterr().out)
    assert list(report["splits"]) == ["val"]
    assert report["files_missing"] == [
        "ava_train_v2.1.csv",
        "ava_train_excluded_timestamps_v2.1.csv",
    ]
    assert "TRAIN_LISTS" not in report["config"]["AVA"]
    assert not (tree / "out" / "frame_lists" / "train.csv").exists()


def test_what_is_wrong_with_all_files_at_once(tree):
    annotate(tree / "annotations", train="a b,0902,0.1,0.1,0.5,0.9,81,0\n", val="x,902,0.1\n")
    (tree / "annotations" / LABEL_MAP).unlink()
    message = refused(tree)
    for part in (
        f"annotations/{LABEL_MAP}: cannot be read",
        "ava_train_v2.1.csv: names of videos with blanks or signs: 1 (a b)",
        "ava_train_v2.1.csv: class ids that are not from 1 to 80: 1 (81)",
        "ava_val_v2.1.csv:1: 3 fields",
    ):
        assert part in message
    assert "neither ava_train_v2.2.csv nor" in refused(tree, "--version", "2.2")


@pytest.mark.parametrize(
    "words,media,message",
    [
        (["--frames", "x"], "--videos", "given together"),
        ([], None, "neither --videos nor --frames"),
        (["--videos", "nowhere"], None, "nowhere: no such folder"),
        (["--frames", "nowhere"], None, "nowhere: no such folder"),
        (["--out", ""], "--videos", "--out is empty: name a folder"),
        (["--out", "/proc/xx"], "--videos", "--out: /proc/xx/frame_lists"),
        (["--out", "store://x"], "--videos", "a local folder only"),
    ],
)
def test_arguments_that_do_not_go_together(tree, words, media, message):
    assert message in refused(tree, *words, media=media)
    assert not (tree / "out").exists()


def test_real_annotations(real_data, tmp_path, capsys):
    """The figures were counted with awk."""
    shutil.copy(real_data / "ava" / "ava_val_v2.1_pose.csv", tmp_path / "ava_val_v2.1.csv")
    shutil.copy(real_data / "ava" / LABEL_MAP, tmp_path)
    run(tmp_path, "--annotations-only", "--json", "--annotations", tmp_path)
    val = json.loads(capsys.readouterr().out)["splits"]["val"]
    assert (val["videos"], val["keyframes"], val["boxes"]) == (64, 50029, 93393)
    assert val["boxes_by_number_of_labels"] == {"1": 93386, "2": 7}
    assert val["boxes_outside_frame"] == val["rows_outside_902_to_1798"] == 0
