"""`python -m slowfast_ext maps`, with a network of random weights."""

import cv2
import pytest

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
    code, _, error = maps("a.mp4", "b.mp4")
    assert code == 2 and "2 videos are given: name one" in error
