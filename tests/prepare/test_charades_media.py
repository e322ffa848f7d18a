"""Folders of frames that are not as the official ones are told apart."""

import json
import shutil

import cv2
import numpy as np
import pytest

from tests.commands.test_prepare_charades import TEST, TRAIN, annotate, run

KINDS = "missing", "unreadable", "misnumbered", "shorter_than_annotated", "longer_than_annotated"


@pytest.fixture
def frames(tmp_path):
    """Two seconds of frames; DDDDD is annotated shorter, EEEEE longer."""
    annotate(tmp_path / "annotations")
    image = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    for video_id in (*TRAIN, *TEST):
        folder = tmp_path / "frames" / video_id
        folder.mkdir(parents=True)
        for number in range(1, 49):
            frame(folder, number).write_bytes(image)
    return tmp_path


def frame(folder, number):
    return folder / f"{folder.name}-{number:06d}.jpg"


def test_frames(frames, capsys):
    frame(frames / "frames" / "CCCCC", 1).write_bytes(b"no image")
    (frames / "frames" / "AAAAA" / ".hidden.jpg").write_bytes(b"")
    run(frames, "--json", media="--frames")
    splits = json.loads(capsys.readouterr().out)["splits"]
    assert list(splits["train"]["unreadable"]) == ["CCCCC"]
    assert splits["train"]["misnumbered"] == {} and splits["test"]["misnumbered"] == {}
    assert splits["test"]["shorter_than_annotated"] == {"EEEEE": 2.0}
    assert splits["test"]["longer_than_annotated"] == {"DDDDD": 2.0}
    assert f"\n{frames}/frames/BBBBB,,,\n" in (frames / "out" / "train.csv").read_text()


def remove(*numbers):
    return lambda folder: [frame(folder, number).unlink() for number in numbers]


def add(name):
    return lambda folder: shutil.copy(frame(folder, 1), folder / name)


FRAME_FAULTS = {
    "a hole": (
        remove(*range(10, 30)),
        "misnumbered",
        "/AAAAA: 20 frames are missing before the last, AAAAA-000010.jpg first",
    ),
    "no first": (remove(1), "misnumbered", "1 frames are missing before the last, AAAAA-000001"),
    "counted from 0": (add("AAAAA-000000.jpg"), "misnumbered", "1 other than such frames: AAAAA-0"),
    "another image": (add("cover.jpg"), "misnumbered", "holds 1 other than such frames: cover.jpg"),
    "a frame of another": (add("BBBBB-000001.jpg"), "misnumbered", "frames: BBBBB-000001.jpg"),
    "a number twice": (add("AAAAA-0000001.jpg"), "misnumbered", "frames: AAAAA-0000001.jpg"),
    "another file": (add("Thumbs.db"), "misnumbered", "holds 1 other than such frames: Thumbs.db"),
    "a folder": (lambda f: frame(f, 49).mkdir(), "misnumbered", "frames: AAAAA-000049.jpg"),
    "a link": (lambda f: frame(f, 49).symlink_to("no"), "misnumbered", "frames: AAAAA-000049.jpg"),
    "an empty frame": (
        lambda folder: frame(folder, 20).write_bytes(b""),
        "unreadable",
        "/AAAAA: 1 frames are empty, AAAAA-000020.jpg first",
    ),
    "a last frame cut off": (
        lambda folder: frame(folder, 48).write_bytes(frame(folder, 48).read_bytes()[:99]),
        "unreadable",
        "/AAAAA-000048.jpg: not a readable image",
    ),
    "no frame": (remove(*range(1, 49)), "unreadable", "holds no frame AAAAA-000001.jpg"),
    "no folder": (
        lambda folder: [shutil.rmtree(folder), folder.write_text("x")],
        "unreadable",
        "/AAAAA: not a readable folder of frames (Not a directory)",
    ),
    "half the rate": (remove(*range(13, 49)), "shorter_than_annotated", "0.5"),
    "twice the rate": (
        lambda folder: [add(frame(folder, number).name)(folder) for number in range(49, 97)],
        "longer_than_annotated",
        "4.0",
    ),
}


@pytest.mark.parametrize("name", FRAME_FAULTS)
def test_frames_that_are_not_the_official_ones(frames, capsys, name):
    damage, kind, sentence = FRAME_FAULTS[name]
    damage(frames / "frames" / "AAAAA")
    run(frames, "--json", media="--frames")
    train = json.loads(capsys.readouterr().out)["splits"]["train"]
    assert {key: list(train[key]) for key in KINDS if train[key]} == {kind: ["AAAAA"]}
    assert sentence in str(train[kind]["AAAAA"])
    run(frames, media="--frames")
    assert sentence in capsys.readouterr().out or "annotated" in kind
