"""Person boxes of keyframes, by a detector of torchvision's with random weights."""

import argparse
import csv
import json
import urllib.error

import av
import numpy as np
import pytest
import torch
import yaml
from torchvision.models import detection

from slowfast_ext.commands import prepare_boxes
from slowfast_ext.commands.data_arguments import prepare_boxes_arguments
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare import person_detectors

NUM_CLASSES = 3


def network(**options):
    torch.manual_seed(3)
    return detection.fasterrcnn_mobilenet_v3_large_fpn(
        weights=None, weights_backbone=None, num_classes=NUM_CLASSES, **options
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(network().state_dict(), path)
    return path


@pytest.fixture
def tree(tmp_path, write_moving_square):
    (tmp_path / "videos").mkdir()
    write_moving_square(tmp_path / "videos" / "a.mp4", 100)
    return tmp_path


def run(tree, *words):
    parser = argparse.ArgumentParser()
    prepare_boxes_arguments(parser)
    folders = ["--videos", str(tree / "videos"), "--out", str(tree / "out" / "boxes.csv")]
    prepare_boxes.run(parser.parse_args(folders + [str(word) for word in words]))


def refused(tree, *words):
    with pytest.raises(SlowFastExtError) as caught:
        run(tree, *words)
    return str(caught.value).replace(f"{tree}/", "")


def rows_of(tree):
    with open(tree / "out" / "boxes.csv", newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


class StandInDetector:
    """Finds the square of each frame; the score is the number of frames so far in hundredths."""

    def __init__(self, weights, min_score):
        self.num_frames = 0

    def __call__(self, frames):
        found = []
        for frame in frames:
            self.num_frames += 1
            columns = np.flatnonzero(frame[frame.shape[0] // 2, :, 0] > 140)
            box = np.array([[columns[0], 16.0, columns[-1] + 1, frame.shape[0] + 1.0]])
            found.append((box, np.array([self.num_frames / 100])))
        return found


@pytest.fixture
def stand_in(monkeypatch):
    """Replaces the network, which is slow; the list gets each detector that is loaded."""
    loaded = []

    def load(*args):
        loaded.append(StandInDetector(*args))
        return loaded[-1]

    monkeypatch.setattr(prepare_boxes, "load_detector", load)
    return loaded


def test_boxes_are_torchvisions(tree, weights, write_moving_square, capsys):
    write_moving_square(tree / "videos" / "a.mp4", 70, width=64)
    run(tree, "--weights", weights, "--min-score", "0.3", "--json")
    expected = []
    with av.open(str(tree / "videos" / "a.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    model = network(box_score_thresh=0.3).eval()
    image = torch.from_numpy(frames[60]).permute(2, 0, 1) / 255
    with torch.no_grad():
        found = model([image])[0]
    for box, label, score in zip(found["boxes"], found["labels"], found["scores"], strict=True):
        if label == 1:
            expected.append((*(box / 64).tolist(), score.item()))
    rows = rows_of(tree)
    assert expected and [row[:2] for row in rows] == [["a", "0902"]] * len(expected)
    assert {row[6] for row in rows} == {""}
    found = np.array([row[2:6] + row[7:] for row in rows], dtype=float)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert found.min() >= 0 and found.max() <= 1 and found[:, 4].min() >= 0.3
    report = json.loads(capsys.readouterr().out)
    assert (report["keyframes"], report["boxes"]) == (1, len(rows))


def test_form_of_the_rows(tree, stand_in, capsys):
    run(tree)
    assert (tree / "out" / "boxes.csv").read_text() == (
        "a,0902,0.4167,0.25,0.5833,1.0,,0.010000\na,0903,0.2083,0.25,0.375,1.0,,0.020000\n"
    )
    report = yaml.safe_load(capsys.readouterr().out)
    counts = {"videos": 1, "computed_now": 1, "keyframes": 2, "boxes": 2}
    assert {name: report[name] for name in counts} == counts


def test_start_takes_every_second(tree, stand_in, write_moving_square, capsys):
    write_moving_square(tree / "videos" / "b.mkv", 25)
    run(tree, "--start", "7")
    assert [row[:2] for row in rows_of(tree)] == [
        *(["a", second] for second in ("0007", "0008", "0009", "0010")),
        ["b", "0007"],
    ]


def test_a_video_without_keyframes_is_named(tree, stand_in, write_moving_square, capsys):
    write_moving_square(tree / "videos" / "b.mkv", 25)
    run(tree)
    assert "1 videos have no keyframe, b first" in capsys.readouterr().out


def test_finished_videos_are_not_computed_again(tree, stand_in, write_moving_square, capsys):
    write_moving_square(tree / "videos" / "b.mp4", 100)
    whole = (tree / "videos" / "b.mp4").read_bytes()
    (tree / "videos" / "b.mp4").write_bytes(whole[:900])
    message = refused(tree)
    assert "boxes.csv is not written" in message and "videos/b.mp4: " in message
    assert not (tree / "out" / "boxes.csv").exists()
    (tree / "videos" / "b.mp4").write_bytes(whole)
    run(tree, "--json")
    assert json.loads(capsys.readouterr().out)["computed_now"] == 1
    assert [row[0] for row in rows_of(tree)] == ["a", "a", "b", "b"]
    run(tree)
    assert [detector.num_frames for detector in stand_in] == [2, 2]


def test_a_stopped_run_leaves_no_half_file(tree, monkeypatch):
    def load(*args):
        def detect(frames):
            raise KeyboardInterrupt

        return detect

    monkeypatch.setattr(prepare_boxes, "load_detector", load)
    with pytest.raises(KeyboardInterrupt):
        run(tree)
    assert not [path for path in tree.rglob("*") if "boxes.csv" in path.name and path.is_file()]


def test_other_settings_are_not_mixed(tree, stand_in, monkeypatch):
    monkeypatch.setattr(person_detectors, "default_detector", lambda: "torchvision")
    run(tree)
    message = refused(tree, "--min-score", "0.5", "--start", "0")
    assert "a.json was found with min_score 0.05 (now 0.5), start None (now 0)" in message
    (tree / "new.pth").write_text("other weights")
    assert "weights torchvision (now sha256:" in refused(tree, "--weights", tree / "new.pth")


def test_a_part_of_others_is_named(tree, stand_in):
    run(tree)
    part = tree / "out" / "boxes.csv.parts" / "a.json"
    settings = {"settings": json.loads(part.read_text())["settings"]}
    for changes in ({}, {"seconds": [1], "boxes": [[1, 2]]}, {"settings": [1]}, {"boxes": []}):
        part.write_text(json.dumps({**settings, **changes}))
        assert "a.json is not a file that this command has written" in refused(tree)


def test_a_file_of_others_is_not_written_over(tree, stand_in):
    (tree / "out").mkdir()
    (tree / "out" / "boxes.csv").write_text("a,0902,0,0,1,1,,0.9\n")
    assert "this command has not written" in refused(tree)


@pytest.mark.parametrize(
    "words,message",
    [
        (["--min-score", "5"], "--min-score 5 is not from 0 to 1"),
        (["--start", "-1"], "--start -1 is below 0"),
        (["--weights", "nowhere.pth"], "nowhere.pth: no such file"),
        (["--videos", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_wrong_arguments(tree, words, message, monkeypatch):
    monkeypatch.setattr(person_detectors, "default_detector", lambda: "torchvision")
    assert message in refused(tree, *words)


def test_folder_of_videos(tree, stand_in, write_moving_square):
    (tree / "videos" / "a.mkv").write_bytes(b"x")
    assert "have one name" in refused(tree)
    (tree / "videos" / "a.mkv").rename(tree / "videos" / "a, b.mkv")
    assert "cannot hold" in refused(tree)
    for path in (tree / "videos").iterdir():
        path.unlink()
    assert "videos holds no videos" in refused(tree)


def test_weights_that_do_not_fit(tree, monkeypatch):
    monkeypatch.setattr(person_detectors, "default_detector", lambda: "torchvision")
    for name in ("text.pth", "text.pkl"):
        (tree / name).write_text("no weights")
    assert "text.pth: not a readable file of weights" in refused(
        tree, "--weights", tree / "text.pth"
    )
    assert "not installed" in refused(tree, "--weights", tree / "text.pkl")
    torch.save({"fc.weight": torch.zeros(2, 3)}, tree / "other.pth")
    assert "are of none of torchvision's" in refused(tree, "--weights", tree / "other.pth")


@pytest.mark.parametrize("name", person_detectors._TORCHVISION_NETWORKS)
def test_the_network_is_found_by_its_weights(name):
    with torch.device("meta"):
        state = getattr(detection, name)(
            weights=None, weights_backbone=None, num_classes=91
        ).state_dict()
    fitting = [
        other
        for other in person_detectors._TORCHVISION_NETWORKS
        if person_detectors._fits(other, state)
    ]
    assert fitting == [name]


def test_without_any_weights_one_sentence(tree, monkeypatch):
    def fail(*args, **kwargs):
        raise urllib.error.URLError("no internet")

    monkeypatch.setattr(person_detectors, "default_detector", lambda: "torchvision")
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setenv("TORCH_HOME", str(tree / "cache"))
    message = refused(tree)
    assert "detectron2 is not installed, and torchvision cannot download" in message
    assert "--weights FILE" in message and "\n" not in message
