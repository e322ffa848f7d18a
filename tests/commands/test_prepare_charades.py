"""From Charades' official files to lists, on a stand-in tree."""

import argparse
import json
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from slowfast_ext.commands import prepare_charades
from slowfast_ext.commands.data_arguments import prepare_charades_arguments
from slowfast_ext.datasets.lists import Segment, read_class_names, read_list
from slowfast_ext.errors import SlowFastExtError, exit_with_sentence

CLASSES = [
    "Holding a phone/camera",
    "Tidying up a towel/s, then sitting",
    "Wash a dish; or dishes",
    "Someone is laughing",
    *(f"Doing thing {index}" for index in range(4, 157)),
]
HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
# Actions, length: a segment past the end, one that even starts there, a class twice, and, as
# in the official files, one that ends before it starts.
TRAIN = {
    "AAAAA": ("c001 0.50 2.40;c000 0.00 1.00;c002 2.20 2.60;c001 0.25 0.00", "2.00"),
    "BBBBB": ("", "2.00"),
    "CCCCC": ("c000 0.00 2.00", "2.00"),
}
TEST = {"DDDDD": ("c003 0.10 0.90", "0.95"), "EEEEE": ("c003 0.00 2.00", "9.50")}


def annotate(folder, train=None, test=None, classes=CLASSES):
    folder.mkdir(exist_ok=True)
    for split, videos in (("train", train or TRAIN), ("test", test or TEST)):
        rows = [
            f'{video_id},S1,Kitchen,6,7,Yes,"A person, at home.",phone;cup,"He said ""no"".",'
            f"{actions},{length}"
            for video_id, (actions, length) in videos.items()
        ]
        text = "\n".join([HEADER, *rows]) + "\n"
        (folder / f"Charades_v1_{split}.csv").write_text(text, encoding="utf-8")
    names = "".join(f"c{index:03d} {name} \n" for index, name in enumerate(classes))
    (folder / "Charades_v1_classes.txt").write_text(names, encoding="utf-8")


def write_video(path, num_frames=48):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(num_frames):
            image = np.full((48, 64, 3), 3 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def tree(tmp_path):
    annotate(tmp_path / "annotations")
    videos = tmp_path / "videos"
    videos.mkdir()
    for video_id in (*TRAIN, *TEST, "ZZZZZ"):
        write_video(videos / f"{video_id}.mp4")
    (videos / "CCCCC.mp4").write_bytes((videos / "CCCCC.mp4").read_bytes()[:900])
    return tmp_path


def run(tree, *words, media="--videos"):
    parser = argparse.ArgumentParser()
    prepare_charades_arguments(parser)
    words = [str(word) for word in words]
    folders = ["--annotations", str(tree / "annotations")]
    if "--annotations-only" not in words:
        folders += ["--out", str(tree / "out")]
        if media:
            folders += [media, str(tree / media.strip("-"))]
    prepare_charades.run(parser.parse_args(folders + words))


def refused(tree, *words, **options):
    with pytest.raises(SlowFastExtError) as caught:
        run(tree, *words, **options)
    return str(caught.value).replace(f"{tree}/", "")


def test_lists(tree, capsys):
    run(tree)
    out, videos = tree / "out", tree / "videos"
    assert (out / "classes.txt").read_text() == "\n".join(CLASSES) + "\n"
    assert (out / "train.csv").read_text() == (
        "path,labels,start,end\n"
        f"{videos}/AAAAA.mp4,1,0.5,2.0\n"
        f"{videos}/AAAAA.mp4,0,0.0,1.0\n"
        f"{videos}/AAAAA.mp4,2,2.0,2.0\n"
        f"{videos}/AAAAA.mp4,1,0.0,0.25\n"
        f"{videos}/BBBBB.mp4,,,\n"
        f"{videos}/CCCCC.mp4,0,0.0,2.0\n"
    )
    read = read_list(str(out / "train.csv"), read_class_names(str(out / "classes.txt")), str(out))
    assert [video.labels for video in read] == [(0, 1, 2), (), (0,)]
    assert read[0].segments[2] == Segment((2,), 2.0, 2.0)
    shown = capsys.readouterr().out
    assert yaml.safe_load(shown)["out"] == str(out)
    assert f"{videos}/CCCCC.mp4: " in shown and "SKIP_BROKEN_VIDEOS" in shown
    run(tree)


def test_counts_as_json(tree, capsys):
    run(tree, "--json")
    report = json.loads(capsys.readouterr().out)
    reason = report["splits"]["train"]["unreadable"].pop("CCCCC")
    assert reason.startswith(f"{tree}/videos/CCCCC.mp4: ")
    assert report == {
        "classes": 157,
        "splits": {
            "train": {
                "videos": 3,
                "videos_without_actions": 1,
                "labels_per_video": {"mean": 4 / 3, "max": 3},
                "rarest_class": {"id": 3, "name": CLASSES[3], "videos": 0},
                "most_frequent_class": {"id": 0, "name": CLASSES[0], "videos": 2},
                "segments": 5,
                "segments_past_length": 2,
                "segments_reversed": 1,
                "missing": [],
                "unreadable": {},
                "misnumbered": {},
                "shorter_than_annotated": {},
                "longer_than_annotated": {},
            },
            "test": {
                "videos": 2,
                "videos_without_actions": 0,
                "labels_per_video": {"mean": 1.0, "max": 1},
                "rarest_class": {"id": 0, "name": CLASSES[0], "videos": 0},
                "most_frequent_class": {"id": 3, "name": CLASSES[3], "videos": 2},
                "segments": 2,
                "segments_past_length": 0,
                "segments_reversed": 0,
                "missing": [],
                "unreadable": {},
                "misnumbered": {},
                "shorter_than_annotated": {"EEEEE": 2.0},
                "longer_than_annotated": {"DDDDD": 2.0},
            },
        },
        "media_in_no_split": 1,
        "out": str(tree / "out"),
    }


def test_annotations_alone(tree, capsys):
    run(tree, "--annotations-only", "--json")
    report = json.loads(capsys.readouterr().out)
    train = report["splits"]["train"]
    assert train["segments_past_length"] == 2 and "missing" not in train
    run(tree, "--annotations-only")
    shown = yaml.safe_load(capsys.readouterr().out)
    assert "reversed ones turned round" in shown.pop("notes")[0]
    assert shown == report
    assert not (tree / "out").exists()


def test_missing_media_are_named_and_nothing_is_written(tree, capsys):
    (tree / "videos" / "AAAAA.mp4").unlink()
    (tree / "videos" / "DDDDD.mp4").write_bytes(b"")
    with pytest.raises(SystemExit) as caught, exit_with_sentence():
        run(tree, "--json")
    shown = capsys.readouterr()
    assert caught.value.code == 2
    assert "lacks 2 (AAAAA, DDDDD): nothing was written" in shown.err
    report = json.loads(shown.out)
    assert [report["splits"][name]["missing"] for name in ("train", "test")] == [
        ["AAAAA"],
        ["DDDDD"],
    ]
    assert not (tree / "out").exists()


@pytest.mark.parametrize(
    "words,media,message",
    [
        (["--frames", "x"], "--videos", "given together"),
        (["--annotations-only", "--videos", "x", "--frames", "x"], None, "given together"),
        ([], None, "neither --videos nor --frames"),
        (["--annotations-only", "--videos", "x"], None, "--videos and --annotations-only"),
        (["--annotations-only", "--frames", "x"], None, "--frames and --annotations-only"),
        (["--annotations-only", "--out", "x"], None, "--out and --annotations-only"),
        ([], "--nowhere", "no such folder"),
        (["--out", ""], "--videos", "--out is empty: name a folder"),
        (["--out", "/proc/xx"], "--videos", "--out: /proc/xx/classes.txt cannot be written"),
        (["--annotations", ""], "--videos", "--annotations is empty: name a folder"),
        (["--frames", ""], "--videos", "--frames is empty: name a folder"),
        (["--action-genome", ""], "--videos", "--action-genome is empty: name a folder"),
    ],
)
def test_arguments_that_do_not_go_together(tree, words, media, message):
    if media == "--nowhere":
        words, media = ["--videos", tree / "nowhere"], None
    assert message in refused(tree, *words, media=media)
    assert not (tree / "out").exists()


@pytest.mark.parametrize(
    "name,text,own_classes",
    [
        ("classes.txt", "run\njump\n", False),
        ("train.csv", "original_vido_id video_id frame_id path labels\n", True),
        # A list of other videos, whose classes are written elsewhere.
        ("test.csv", "path,labels,start,end\na.mp4,run,,\n", False),
    ],
)
def test_nothing_of_others_is_written_over(tree, name, text, own_classes):
    out = tree / "out"
    out.mkdir()
    if own_classes:
        (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (out / name).write_text(text)
    before = sorted(path.name for path in out.iterdir())
    assert f"out/{name} is a file that this command has not written" in refused(tree)
    assert (out / name).read_text() == text
    assert sorted(path.name for path in out.iterdir()) == before


def test_out_takes_files_before_any_video_is_opened(tree, monkeypatch):
    monkeypatch.setattr(prepare_charades, "read_annotations", None)
    (tree / "file").write_text("mine")
    assert "is a file" in refused(tree, "--out", tree / "file")
    assert "file is a file" in refused(tree, "--out", tree / "file" / "x")
    (tree / "link").symlink_to("nowhere/x")
    assert "link is a link to nothing" in refused(tree, "--out", tree / "link")
    for name in ("classes.txt", "test.csv", "objects.csv"):
        (tree / name / name).mkdir(parents=True)
        words = ["--out", tree / name, "--action-genome", tree]
        assert f"--out: {name}/{name} is a folder" in refused(tree, *words)


def test_nothing_else_imports_what_prepares():
    """Data flows one way: what reads lists knows nothing of what wrote them."""
    package = Path(prepare_charades.__file__).parents[1]
    users = {
        path.name
        for room in ("utils", "config", "models", "datasets", "evaluation", "engine")
        for path in (package / room).rglob("*.py")
        if "from slowfast_ext.prepare" in path.read_text(encoding="utf-8")
    }
    assert users == set()
