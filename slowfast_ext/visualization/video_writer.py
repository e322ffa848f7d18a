"""Writing H.264 in MP4 that plays everywhere, one frame after the other."""

import contextlib
from fractions import Fraction

import av

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import open_atomically, pathmgr, require_writable

# Ticks of the file's clock in a frame: frames that are not evenly spaced keep their times.
_TICKS = 100
_QUALITY = {"crf": "20", "preset": "veryfast"}


def check_mp4(path, key):
    """Raises SlowFastExtError where `path`, which `key` gives, cannot be written as an MP4 file."""
    if not path.lower().endswith(".mp4"):
        raise SlowFastExtError(f"{key} is {path!r}: it must be the name of an .mp4 file to write")
    if pathmgr.isdir(path):
        raise SlowFastExtError(f"{key} {path} is a folder: name an .mp4 file")
    require_writable(path, key)


@contextlib.contextmanager
def open_mp4(path, fps, width, height):
    """
    A context manager that gives `write(image, seconds)`; the file appears whole or not at all.

    Images are uint8 arrays, height x width x 3, RGB; seconds, rising, is when each is shown.

    Args:
        fps (float): frames per second; frames that are spaced otherwise keep their times.
        width (int), height (int): pixels, even.
    """
    rate = Fraction(fps).limit_denominator(1001)
    tick = 1 / (rate * _TICKS)
    with (
        open_atomically(path, "wb") as stream,
        av.open(stream, "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        video = container.add_stream("libx264", rate=rate, options=_QUALITY)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = tick

        def write(image, seconds):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base, frame.pts = tick, round(Fraction(seconds) / tick)
            container.mux(video.encode(frame))

        yield write
        container.mux(video.encode())
