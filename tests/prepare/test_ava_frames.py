"""AVA's seconds and the frames of a video, on videos whose frames show their number."""

import itertools
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from slowfast_ext.datasets.video_file import VideoFile
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare import ava_frames

ROOT = Path(ava_frames.__file__).parents[2]


def write_numbered(path, times, width=64, height=48):
    """Frame n is grey of level 4·(n % 60), shown at times[n] seconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"g": "12", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 600)
        for number, time in enumerate(times):
            image = np.full((height, width, 3), 4 * (number % 60), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = round(600 * time), Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def shown_in(folder):
    """The numbers of the frames in a folder, by their grey."""
    paths = sorted(folder.iterdir())
    assert [p.name for p in paths] == [
        f"{folder.name}_{n:06d}.jpg" for n in range(1, len(paths) + 1)
    ]
    return [round(cv2.imread(str(path)).mean() / 4) for path in paths]


def extract(path):
    ava_frames.extract_frames(str(path), str(path.parent / "frames" / path.stem), lambda: False)
    return shown_in(path.parent / "frames" / path.stem)


def nearest(times, count):
    return [int(np.argmin(np.abs(np.array(times) - k / 30))) for k in range(count)]


def test_30_fps_stay_as_they_are(tmp_path):
    write_numbered(tmp_path / "a.mp4", np.arange(50) / 30)
    assert extract(tmp_path / "a.mp4") == list(range(50))


@pytest.mark.parametrize("fps", [12, 24, 60])
def test_other_rates_become_30(tmp_path, fps):
    times = np.arange(fps) / fps
    write_numbered(tmp_path / "a.mp4", times)
    assert extract(tmp_path / "a.mp4") == pytest.approx(nearest(times, 30), abs=fps == 12)


def test_uneven_times(tmp_path):
    """A still of half a second, as in variable frame rates."""
    times = [0, 1 / 30, 2 / 30, 3 / 30, 18 / 30, 19 / 30, 20 / 30]
    write_numbered(tmp_path / "a.mp4", times)
    shown = extract(tmp_path / "a.mp4")
    assert shown[:21] == nearest(times, 21) and set(shown[21:]) <= {6}


@pytest.mark.parametrize("size,expected", [((128, 80), (409, 256)), ((360, 640), (256, 455))])
def test_short_side_256(tmp_path, size, expected):
    write_numbered(tmp_path / "a.mp4", [0, 1 / 30], *size)
    extract(tmp_path / "a.mp4")
    image = cv2.imread(str(tmp_path / "frames" / "a" / "a_000001.jpg"))
    assert image.shape[1::-1] == expected


def test_a_movie_starts_at_second_900(tmp_path):
    write_numbered(tmp_path / "movie.mp4", np.arange(1003))
    write_numbered(tmp_path / "cut.mp4", np.arange(902))
    for name, first in (("movie", 0), ("cut", 900)):
        video = VideoFile(str(tmp_path / f"{name}.mp4"))
        assert ava_frames.first_second("", video.info) == first
        video.close()
    # One frame a second here: 30 copies of each.
    images = itertools.islice(ava_frames._jpegs(str(tmp_path / "movie.mp4")), 50)
    shown = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in images]
    shown = [round(image.mean() / 4) for image in shown]
    assert shown[:15] == [0] * 15 and shown[16:45] == [1] * 29 and shown[46:] == [2] * 4


def test_a_killed_run_leaves_no_half_folder(tmp_path):
    write_numbered(tmp_path / "a.mp4", np.arange(40) / 30)
    program = f"""
import itertools, os
from slowfast_ext.prepare import ava_frames
whole = ava_frames._jpegs
def killed(path):
    yield from itertools.islice(whole(path), 5)
    os.kill(os.getpid(), {int(signal.SIGKILL)})
ava_frames._jpegs = killed
ava_frames.extract_all({{"a": {str(tmp_path / "a.mp4")!r}}}, {str(tmp_path / "frames")!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == -signal.SIGKILL
    [partial] = (tmp_path / "frames").iterdir()
    assert ".partial-" in partial.name and len(list(partial.iterdir())) == 5
    assert ava_frames.extract_all({"a": str(tmp_path / "a.mp4")}, str(tmp_path / "frames")) == {}
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["a"]
    assert shown_in(tmp_path / "frames" / "a") == list(range(40))


def test_an_interrupt_ends_all_videos_soon(tmp_path, monkeypatch):
    names = [f"v{number}" for number in range(40)]

    def interrupted(path):
        if path == "v1":
            raise KeyboardInterrupt
        # Endless: only the others' stop ends it.
        yield from itertools.repeat(b"x")

    monkeypatch.setattr(ava_frames, "_jpegs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ava_frames.extract_all({name: name for name in names}, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_one_broken_video_does_not_stop_the_others(tmp_path):
    write_numbered(tmp_path / "a.mp4", np.arange(10) / 30)
    (tmp_path / "b.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:600])
    videos = {name: str(tmp_path / f"{name}.mp4") for name in "ab"}
    problems = ava_frames.extract_all(videos, str(tmp_path / "frames"))
    assert list(problems) == ["b"] and "b.mp4: " in problems["b"]
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["a"]


def test_counting_frames(tmp_path):
    write_numbered(tmp_path / "a.mp4", np.arange(12) / 30)
    extract(tmp_path / "a.mp4")
    frames, folder = tmp_path / "frames", tmp_path / "frames" / "a"
    assert ava_frames.count_frames(str(frames), "a") == 12

    def refused():
        with pytest.raises(SlowFastExtError) as caught:
            ava_frames.count_frames(str(frames), "a")
        return str(caught.value)

    (folder / "a_000012.jpg").write_bytes(b"")
    assert "a_000012.jpg is no readable image" in refused()
    (folder / "a_000005.jpg").unlink()
    assert "has 11 frames, but not 000005" in refused()
    for path in folder.iterdir():
        path.unlink()
    assert "has no frames a_000001.jpg" in refused()
