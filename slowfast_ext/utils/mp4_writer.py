"""Writing videos: H.264 in MP4, which plays everywhere."""

import contextlib
from fractions import Fraction

import av

from slowfast_ext.utils.paths import open_atomically

# Ticks of the file's clock in a frame: frames that are not evenly spaced keep their times.
_TICKS = 100
_QUALITY = {"crf": "20", "preset": "veryfast"}


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
