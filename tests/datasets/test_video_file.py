"""Videos that are odd are read as they are shown; broken ones are named."""

import av
import cv2
import numpy as np
import pytest

from slowfast_ext.datasets import views
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.video_file import VideoInfo
from slowfast_ext.errors import SlowFastExtError
from tests.robustness import odd_videos
from tests.robustness.odd_videos import BROKEN, READABLE, moments_of, numbers_in, write_odd

VIDEO = 173


@pytest.mark.parametrize("kind", READABLE)
def test_odd_videos_are_read_frame_by_frame(tmp_path, kind):
    with open_video(tmp_path / write_odd(tmp_path, kind, VIDEO)) as video:
        images = video.read(range(video.info.length))
        moments = moments_of(kind)
        assert [numbers_in(image) for image in images] == [(VIDEO, n) for n in range(len(moments))]
        assert video.info.times == pytest.approx(np.array(moments) / odd_videos.FPS, abs=2e-3)
        assert images.shape[1:3] == (video.info.height, video.info.width)
        clip = views.clip_of_video(video.info, 8, 4, 24, 0.5)
    # Around the middle of the video, every 4th of 24 moments a second.
    due = moments[-1] / 2 - 14 + 4 * np.arange(8)
    shown = [sum(moment <= due_moment + 0.01 for moment in moments) - 1 for due_moment in due]
    # An even video has a frame at the nearest moment instead.
    tolerance = 1 if moments == list(range(len(moments))) else 0
    assert np.abs(clip - np.clip(shown, 0, None)).max() <= tolerance


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_videos_are_named(tmp_path, kind):
    name = write_odd(tmp_path, kind, VIDEO)
    with pytest.raises(SlowFastExtError, match=name), open_video(tmp_path / name) as video:
        video.read([video.info.length // 2])


# All eight ways in which a camera may be held, as (a, b, u, c, d, v).
@pytest.mark.parametrize(
    "matrix",
    [(a, b, 0, c, d, 0) for a, b, c, d in ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1))]
    + [(0, -1, 0, 1, 0, 0)],
)
def test_rotations_are_those_of_opencv(tmp_path, matrix):
    path = tmp_path / "x.mp4"
    odd_videos.write_plain(path, VIDEO)
    odd_videos.turn_in_header(path, matrix)
    capture = cv2.VideoCapture(str(path))
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    expected = capture.read()[1][..., ::-1]
    capture.release()
    with open_video(path) as video:
        image = video.read([0])[0]
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 4


def test_a_slanted_video_is_refused(tmp_path):
    odd_videos.write_plain(tmp_path / "x.mp4", VIDEO)
    odd_videos.turn_in_header(tmp_path / "x.mp4", (1, 1, 0, -1, 1, 0))
    with pytest.raises(SlowFastExtError, match="at a slant"):
        open_video(tmp_path / "x.mp4")


def info(times):
    times = np.array(times, float)
    return VideoInfo(len(times), 30.0, 8, 8, times)


def test_uneven_videos_are_sampled_by_time():
    """One second of 50 frames, then nine of 5.5: half of the frames, a tenth of the time."""
    times = np.concatenate([np.arange(50) / 50, np.linspace(1, 10, 50)])
    distance = 10 / 99
    frames = views.clip_of_video(info(times), 10, 30, 30, 0.5)
    moments = (100 - (9 / distance + 1)) / 2 * distance + np.arange(10)
    expected = [max(np.flatnonzero(times <= moment + 1e-3)) for moment in np.clip(moments, 0, 10)]
    assert frames.tolist() == expected
    assert np.diff(times[frames])[1:] == pytest.approx(np.ones(8), abs=0.2)
    # By number where the rate counts stored frames.
    assert np.diff(views.clip_of_video(info(times), 10, 4, 0, 0.5)).tolist() == [4] * 9


def test_even_videos_are_sampled_by_number_however_times_are_rounded():
    times = np.round(np.arange(300) / 30, 3)
    frames = views.clip_of_video(info(times), 8, 4, 30, 0.3)
    assert frames.tolist() == views.clip_frames(300, 8, 4.0, 0.3).tolist()


@pytest.mark.parametrize(
    "numbers,message",
    [
        ((1, 2, 4, 5), "frames are missing between 000002.png and 000004.png (1 in all)"),
        ((0, 5, 10, 30), "frames are missing between 000010.png and 000030.png (3 in all)"),
        ((3, 4, 5), None),
        ((0, 10, 20), None),
        ((0, 33, 67, 100), None),
        ((7, 9), None),
    ],
)
def test_holes_in_folders_of_frames(tmp_path, numbers, message):
    for number in numbers:
        cv2.imwrite(str(tmp_path / f"{number:06d}.png"), np.zeros((8, 8, 3), np.uint8))
    if message is None:
        with open_video(tmp_path) as video:
            assert video.info.length == len(numbers)
        return
    with pytest.raises(SlowFastExtError) as caught:
        open_video(tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "codec,samples,size", [(b"ima4", 25600, 13600), (b"MAC6", 360000, 60000), (b"sowt", 3000, 6000)]
)
def test_old_sound_counts_more_samples_than_bytes(tmp_path, codec, samples, size):
    odd_videos.write_plain(tmp_path / "x.mov", VIDEO)
    odd_videos.add_old_sound(tmp_path / "x.mov", codec, samples, bytes(size))
    with av.open(str(tmp_path / "x.mov")) as container:
        assert len(container.streams.audio) == 1
    with open_video(tmp_path / "x.mov") as video:
        images = video.read(range(video.info.length))
    assert [numbers_in(image) for image in images] == [(VIDEO, n) for n in range(len(images))]
