"""Videos to look at: all frames of one with their times, and H.264 that plays everywhere."""

import contextlib
from fractions import Fraction

import av
import cv2
import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import open_atomically, pathmgr, require_writable

# Frames that are decoded at once.
_CHUNK = 8
# Text on smaller pictures cannot be read.
_LEAST_WIDTH = 640
# Ticks of the file's clock in a frame: frames that are not evenly spaced keep their times.
_TICKS = 100
_QUALITY = {"crf": "20", "preset": "veryfast"}


def picture_size(height, width, wanted_height=0, wanted_width=0):
    """
    The size that a frame is shown in: even, as H.264 needs it.

    Args:
        wanted_height (int), wanted_width (int): 0: as the other one and the frame's shape say;
            both 0: the frame's own size, or at least 640 pixels wide.
    Returns:
        (int, int): height and width.
    """
    if wanted_height and not wanted_width:
        wanted_width = width * wanted_height / height
    wanted_width = wanted_width or max(width, _LEAST_WIDTH)
    wanted_height = wanted_height or height * wanted_width / width
    return max(2, 2 * round(wanted_height / 2)), max(2, 2 * round(wanted_width / 2))


def all_images(reader):
    """Yields (number, RGB image) of every frame of an opened video."""
    for start in range(0, reader.info.length, _CHUNK):
        numbers = range(start, min(start + _CHUNK, reader.info.length))
        yield from zip(numbers, reader.read(numbers), strict=True)


def resized(image, height, width):
    """An image, height x width x 3, that lies in memory pixel by pixel, as OpenCV draws on it."""
    image = np.ascontiguousarray(image)
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


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

    Images are uint8 arrays, height x width x 3, RGB, both sizes even; seconds, rising, is when
    each is shown: frames that are not spaced by `fps` keep their times.
    """
    # 1001: NTSC's 30000/1001 stays exact.
    rate = Fraction(fps).limit_denominator(1001)
    tick = 1 / (rate * _TICKS)
    with (
        open_atomically(path, "wb") as stream,
        # faststart: the index comes first, so that a browser plays the file while it loads.
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
        # The encoder holds frames back until it is told that no more come.
        container.mux(video.encode())
