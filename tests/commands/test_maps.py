"""`python -m slowfast_ext maps`, with a network of random weights."""

import dataclasses

import cv2
import numpy as np
import pytest

from slowfast_ext.datasets.clips import read_clips
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.models.backbones import input_facts
from slowfast_ext.predict.predictor import window_scores
from slowfast_ext.visualization import maps as visualization_maps
from slowfast_ext.visualization.maps import KINDS, VideoMaps, maps_of
from tests.commands.test_demo import decoded
from tests.helpers import CONFIG, NAMES, pairs


@pytest.fixture
def maps(run_folder, tmp_path, command):
    """`maps(words before, options)` -> exit code, standard output, error."""

    def run(*videos, options=()):
        words = ["maps", *videos, "--cfg", CONFIG, "--out", tmp_path / "shown", *options]
        words += ["--checkpoint", run_folder / "output" / "checkpoints" / "random.pyth"]
        words += [*pairs(run_folder), "OUTPUT_DIR", tmp_path / "run"]
        return command(*words)

    return run


def test_pictures_and_videos_of_both_kinds(maps, run_folder, tmp_path):
    code, shown, _ = maps(
        run_folder / "videos" / "0.mp4", options=["--activities", f"{NAMES[2]};0", "--at", "1.9"]
    )
    assert code == 0
    for kind in ("attention", "evidence"):
        path = tmp_path / "shown" / f"0_{kind}"
        assert f"{path}.png and {path}.mp4" in shown
        assert cv2.imread(f"{path}.png").shape[1] == 210 + 8 * 154
        images, facts = decoded(f"{path}.mp4")
        assert len(images) == 60 and facts["fps"] == 30
        assert (facts["codec"], facts["seconds"]) == ("h264", pytest.approx(2))


@pytest.mark.parametrize("chosen", [None, [2, 0]])
def test_a_window_is_read_once_and_passes_once(run_folder, tmp_path, chosen):
    """Its scores and its maps are those of the window by itself."""
    words = [*pairs(run_folder), "TEST.WHOLE_FRAME", "True"]
    path = run_folder / "output" / "checkpoints" / "random.pyth"
    cfg = checked_config(CONFIG, [*words, "TEST.CHECKPOINT_FILE_PATH", str(path)])
    network, passed, read = trained_network(cfg), [], []
    features = network.features
    network.features = lambda inputs, *further: (
        passed.append(len(inputs[0])) or features(inputs, *further)
    )
    with open_video(run_folder / "videos" / "0.mp4") as reader:
        decode = reader.read
        reader.read = lambda frames, *size: (
            read.append((len(frames), size)) or decode(frames, *size)
        )
        found = VideoMaps(cfg, network, reader, NAMES, chosen)
        if chosen:
            paths = {kind: str(tmp_path / kind) for kind in KINDS}
            found.write_grids(paths)
            found.write_videos(paths)
        frames = found.windows.frames
        assert sum(passed) == len(frames) == 2
        assert sum(number for number, size in read if size) == len(np.unique(frames))
        scores = window_scores(cfg, network, reader, found.windows)
        shown = chosen or np.argsort(-scores.max(0), kind="stable").tolist()
        np.testing.assert_allclose(found.scores, scores[:, shown], atol=1e-6)
        for window in (1, 0):
            batch = read_clips(cfg, reader, frames[window : window + 1], whole_frame=True)
            alone = maps_of(cfg, network, batch)[0].at_frames(8)
            for kind in KINDS:
                wanted = alone.kinds[kind][shown]
                np.testing.assert_allclose(found.maps(window).kinds[kind], wanted, atol=1e-4)


def test_a_network_of_squares_sees_whole_frames_squeezed(run_folder, monkeypatch):
    path = run_folder / "output" / "checkpoints" / "random.pyth"
    cfg = checked_config(CONFIG, [*pairs(run_folder), "TEST.CHECKPOINT_FILE_PATH", str(path)])
    network, sizes = trained_network(cfg), []
    facts = dataclasses.replace(input_facts(cfg), square_only=True)
    monkeypatch.setattr(visualization_maps, "input_facts", lambda cfg: facts)
    features = network.features
    network.features = lambda inputs, *further: (
        sizes.append(inputs[0].shape[-2:]) or features(inputs, *further)
    )
    with open_video(run_folder / "videos" / "0.mp4") as reader:
        assert reader.info.width > reader.info.height
        VideoMaps(cfg, network, reader, NAMES)
    assert set(sizes) == {(32, 32)}


@pytest.mark.parametrize(
    "options,sentence",
    [
        (["--activities", "rum"], "'rum' is neither the name nor the id of a class; did you"),
        (["--activities", "xyz"], "'xyz' is neither the name nor the id of a class; there are "),
        (["--activities", ";"], "--activities names none"),
        (["--out", ""], "--out is empty: name a folder"),
        (["--at", "2.5"], "--at is 2.5"),
        (["--at", "soon"], "--at is soon"),
        (["ACTIVITY.HEAD", "PoolHead"], "ACTIVITY.HEAD is PoolHead"),
    ],
)
def test_wrong_arguments_end_with_a_sentence(maps, run_folder, tmp_path, options, sentence):
    code, _, error = maps(run_folder / "videos" / "0.mp4", options=options)
    assert code == 2 and sentence in error
    assert not (tmp_path / "shown").exists() or not list((tmp_path / "shown").iterdir())


def test_where_nothing_can_be_written_nothing_is_scored(maps, run_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "slowfast_ext.commands.maps.trained_network", lambda cfg: pytest.fail("too late")
    )
    (tmp_path / "shown").write_text("")
    code, _, error = maps(run_folder / "videos" / "0.mp4")
    assert code == 2 and "--out" in error and "shown is a file" in error


def test_one_video_at_a_time(maps):
    code, _, error = maps(__file__, __file__)
    assert code == 2 and "2 videos are given: name one" in error
