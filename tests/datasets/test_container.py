"""Of several tracks the video is read; sound with a cover is none."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from slowfast_ext.datasets.container import VIDEO_ENDINGS
from slowfast_ext.datasets.video import open_video
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.own_media import OwnMedia
from tests.datasets.odd_files import FPS, MUXERS, VIDEO, numbers_read, write
from tests.robustness.odd_videos import SIZE, picture, write_plain

LENGTH = 20
COVER, PREVIEW, FULL = "cover", "preview", "full"


def mark(stream, disposition):
    try:
        stream.disposition = disposition
    except TypeError:  # PyAV 17 takes the number.
        stream.disposition = disposition.value


def write_tracks(path, kinds, disposition=None, sound=False):
    """Writes a track for each kind; disposition: (track, Disposition)."""
    form = MUXERS.get(path.suffix[1:])
    with av.open(str(path), "w", format=form) as container:
        streams = [_add(container, kind) for kind in kinds]
        if disposition:
            for number, stream in enumerate(streams):
                mark(stream, disposition[1] if number == disposition[0] else Disposition(0))
        audio = container.add_stream("aac", rate=32000, layout="mono") if sound else None
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 32000), np.float32), "fltp", "mono")
            silence.sample_rate = 32000
            container.mux(audio.encode(silence))
            container.mux(audio.encode())
        for kind, stream in zip(kinds, streams, strict=True):
            # A preview has another number, and every second frame alone in "few".
            numbers = {COVER: [255], "few": range(0, LENGTH, 4)}.get(kind, range(LENGTH))
            for number in numbers:
                image = picture(VIDEO if kind != PREVIEW else 3, number)
                if kind == FULL:
                    image = np.pad(image, ((0, SIZE), (0, 2 * SIZE), (0, 0)))
                coded = av.VideoFrame.from_ndarray(image, format="rgb24")
                coded.pts, coded.time_base = number, Fraction(1, FPS)
                container.mux(stream.encode(coded))
            container.mux(stream.encode())
    return path


def _add(container, kind):
    stream = container.add_stream("mjpeg" if kind == COVER else "mpeg4", rate=FPS)
    stream.pix_fmt = "yuvj420p" if kind == COVER else "yuv420p"
    scale = 2 if kind == FULL else 1
    stream.width, stream.height = scale * 2 * SIZE, scale * SIZE
    return stream


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "avi", "nut"])
@pytest.mark.parametrize("kinds", [(COVER, "video"), ("video", COVER), ("few", "video")])
def test_a_cover_or_a_short_preview_is_not_the_video(tmp_path, ending, kinds):
    path = write_tracks(tmp_path / f"x.{ending}", kinds)
    with open_video(path) as video:
        assert numbers_read(video) == list(range(LENGTH))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_cover_that_is_marked_is_not_the_video(tmp_path, ending, place):
    kinds = [COVER, "video"] if place == 0 else ["video", COVER]
    path = tmp_path / f"x.{ending}"
    write_tracks(path, kinds, (place, Disposition.attached_pic))
    with open_video(path) as video:
        assert numbers_read(video) == list(range(LENGTH))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_larger_or_the_default_of_equal_tracks(tmp_path, ending):
    # MP4's writer makes the first one the default.
    path = write_tracks(tmp_path / "large.mkv", [PREVIEW, FULL])
    with open_video(path) as video:
        assert (video.info.height, video.info.width) == (2 * SIZE, 4 * SIZE)
    path = write_tracks(tmp_path / f"default.{ending}", [FULL, "video"], (1, Disposition.default))
    with open_video(path) as video:
        assert numbers_read(video) == list(range(LENGTH))
        # Reading again, from the start, keeps to the track.
        assert numbers_read(video) == list(range(LENGTH))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
@pytest.mark.parametrize("marked", [False, True])
def test_sound_with_a_cover_is_no_video(tmp_path, ending, marked):
    disposition = (0, Disposition.attached_pic) if marked else None
    path = write_tracks(tmp_path / f"x.{ending}", [COVER], disposition, sound=True)
    with pytest.raises(SlowFastExtError, match="holds sound and (a picture, and )?no video"):
        open_video(path)


@pytest.mark.parametrize(
    "ending", [".MTS", ".m2ts", ".mts", ".M2T", ".VOB", ".ogv", ".3g2", ".264"]
)
def test_videos_are_found_by_every_ending(tmp_path, ending):
    assert ending.lower() in VIDEO_ENDINGS
    (tmp_path / f"a{ending}").write_bytes(b"x")
    assert OwnMedia(str(tmp_path)).find("a") == (f"a{ending}", None)


def test_flash_is_not_read(tmp_path):
    """Its reader marks no frame as one to start at."""
    write(tmp_path / "a.swf", range(4), "flv")
    with pytest.raises(SlowFastExtError, match="holds no video of a format that is read"):
        open_video(tmp_path / "a.swf")
    assert ".swf" not in VIDEO_ENDINGS


def test_what_is_found_by_its_ending_is_opened(tmp_path):
    """The content says what a file is, whatever its ending."""
    for ending in VIDEO_ENDINGS:
        write_plain(tmp_path / f"a{ending}", VIDEO, length=1)
        with open_video(tmp_path / f"a{ending}") as video:
            assert video.info.length == 1
