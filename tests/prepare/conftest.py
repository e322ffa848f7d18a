"""What the tests of the commands share."""

import av
import numpy as np
import pytest

SQUARE = (230, 60, 150)


@pytest.fixture
def write_moving_square():
    """
    A function that writes a video of dark noise in which a pink square of 16 columns moves to
    the right, 2 columns a frame; it starts again at the left where it reaches the right.
    """

    def write(path, num_frames, fps=30, width=96, height=64, seed=0):
        random = np.random.default_rng(seed)
        background = random.integers(0, 60, (height, width, 3), dtype=np.uint8)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=fps, options={"g": "12", "crf": "10"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(num_frames):
                image = background.copy()
                left = (2 * number) % (width - 16)
                image[height // 4 : -height // 4, left : left + 16] = SQUARE
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(stream.encode())

    return write
