"""Where windows lie, and what the network is given of them."""

import numpy as np
import pytest
import torch

from slowfast_ext.datasets.lists import Segment, Video
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.video_file import VideoInfo
from slowfast_ext.datasets.windows import list_windows, window_seconds
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.predict.predictor import window_scores
from tests.helpers import CONFIG, pairs


@pytest.fixture
def cfg(run_folder):
    """Windows of 8 frames, every 4th at 30 a second: 29 frames from the first to the last."""
    return checked_config(CONFIG, pairs(run_folder))


def info(length, fps=30.0, times=None):
    return VideoInfo(length, fps, 32, 48, np.arange(length) / fps if times is None else times)


def test_a_windows_length(cfg):
    assert window_seconds(cfg) == pytest.approx(8 * 4 / 30)


def test_windows_lie_around_the_middles_of_their_spans(cfg):
    windows = list_windows(cfg, info(300), 2.5)
    assert windows.spans.tolist() == [[0.0, 2.5], [2.5, 5.0], [5.0, 7.5], [7.5, 10.0]]
    # The middles are at 1.25, 3.75, 6.25 and 8.75 s: frames 37.5, 112.5, ...
    for frames, middle in zip(windows.frames, (37.5, 112.5, 187.5, 262.5), strict=True):
        assert np.diff(frames).tolist() == [4] * 7
        assert frames.mean() == pytest.approx(middle, abs=1)


def test_windows_at_the_ends_are_moved_inwards(cfg):
    windows = list_windows(cfg, info(90), 0.5)
    assert len(windows.frames) == 6
    assert windows.frames[0].tolist() == list(range(0, 29, 4))
    assert windows.frames[-1].tolist() == list(range(61, 90, 4))


@pytest.mark.parametrize(
    "length,every,expected",
    [
        (75, 1.0, [[0, 1], [1, 2], [2, 2.5]]),
        (75, 2.5, [[0, 2.5]]),
        (75, 100.0, [[0, 2.5]]),
        # Ten times 0.1 is not quite 1 in binary: no eleventh window.
        (30, 0.1, [[i / 10, (i + 1) / 10] for i in range(10)]),
    ],
)
def test_spans_cover_the_video(cfg, length, every, expected):
    spans = list_windows(cfg, info(length), every).spans
    np.testing.assert_allclose(spans, expected, atol=1e-9)
    assert spans[0, 0] == 0 and spans[-1, 1] == pytest.approx(length / 30)


def test_labels_of_windows(cfg):
    """By their middles, 0.25, 0.75, ...; what lies between two middles is in one window."""
    segments = [
        Segment((0,)),
        Segment((1,), 0.2, 1.3),
        Segment((2,), 0.8, 0.8),
        Segment((3,), 0.8, 1.1),
        Segment((2, 3), 1.98, 2.1),
    ]
    labels = list_windows(cfg, info(60), 0.5).labels_of(segments, 5)
    expected = [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 0, 1, 1, 0]]
    assert labels.astype(int).tolist() == expected


def test_a_window_whose_middle_is_in_an_unknown_span_does_not_know_its_labels(cfg):
    unknown = (Segment((0, 1), 0.7, 1.3), Segment((2,)))
    video = Video("v", (Segment((0,), 1.2, 1.3), Segment((2,), 0.2, 0.3)), unknown=unknown)
    targets = list_windows(cfg, info(60), 0.5).targets_of(video, 4)
    expected = [[0, 0, 1, 0], [-1, -1, -1, 0], [1, -1, -1, 0], [0, 0, -1, 0]]
    assert targets.tolist() == expected


@pytest.mark.parametrize("length", [1, 5, 28])
def test_a_video_shorter_than_a_window_repeats_its_frames(cfg, length):
    windows = list_windows(cfg, info(length), 1.0)
    assert windows.frames.shape == (1, 8)
    assert windows.frames.min() == 0 and windows.frames.max() == length - 1
    # The same number too few before as after.
    assert abs((windows.frames == 0).sum() - (windows.frames == length - 1).sum()) <= (length > 1)


def test_frame_rates(cfg):
    """60 stored frames a second; a video that is still for 5 s; a folder of frames."""
    assert np.diff(list_windows(cfg, info(600, 60.0), 5.0).frames[0]).tolist() == [8] * 7
    times = np.concatenate([np.arange(60) / 30, 7 + np.arange(60) / 30])
    still = list_windows(cfg, info(120, times=times), 1.0)
    assert still.spans[-1, 1] == pytest.approx(9)
    assert still.frames[5].mean() == pytest.approx(59, abs=1)
    folder = list_windows(cfg, VideoInfo(48, None, 32, 48, None), 1.0)
    assert folder.spans.tolist() == [[0, 1], [1, 2]]


class Spy(torch.nn.Module):
    """Instead of a network: the mean colour of a window, and how many it was given."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, inputs):
        self.sizes.append(len(inputs[0]))
        return inputs[1].mean(dim=(2, 3, 4))


def test_windows_are_scored_by_their_own_frames(cfg, run_folder):
    """Against all frames of the video read at once, and without more windows than a batch."""
    spy = Spy()
    with open_video(str(run_folder / "videos" / "0.mp4")) as reader:
        windows = list_windows(cfg, reader.info, 0.4)
        scores = window_scores(cfg, spy, reader, windows)
        everything = reader.read(range(60), 32)[:, :, 8:40].astype(np.float64)
    assert spy.sizes == [2, 2, 1]
    for row, frames in zip(scores, windows.frames, strict=True):
        mean = everything[frames].mean(axis=(0, 1, 2)) / 255
        np.testing.assert_allclose(row, (mean - cfg.DATA.MEAN) / cfg.DATA.STD, atol=1e-5)


def test_no_more_frames_are_held_than_those_of_a_batch(cfg, run_folder):
    """However long the video is."""
    with open_video(str(run_folder / "videos" / "0.mp4")) as reader:
        held = []
        read = reader.read
        reader.read = lambda frames, size: held.append(len(frames)) or read(frames, size)
        for every in (0.5, 0.05):
            window_scores(cfg, Spy(), reader, list_windows(cfg, reader.info, every))
    assert len(held) == 2 + 20 and max(held) <= 2 * 8
