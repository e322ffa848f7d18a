"""Synthetic videos in frames that are wider than high, so that a clip has three crops."""

import av
import numpy as np

from benchmarks.reading import frames_of
from slowfast_ext.datasets.synthetic.videos import FPS

SHAPE = 16 / 9
"""Width over height, as most videos'."""


def write_wide(source, target):
    """
    Sets each test video of a folder in a wider frame, at a random place; its borders go on.

    Args:
        source, target (Path): folders as `MultiLabelVideos` reads them; `target` gets
            `classes.txt`, `test.csv` and the videos.
    """
    random = np.random.default_rng(0)
    for name in ("classes.txt", "test.csv"):
        (target / name).write_text((source / name).read_text())
    rows = (target / "test.csv").read_text().splitlines()[1:]
    for name in dict.fromkeys(line.partition(",")[0] for line in rows):
        (target / name).parent.mkdir(exist_ok=True)
        encode(widened(frames_of(source / name), random.random()), target / name)


def widened(frames, place):
    """Frames, L x H x W x 3, set in wider ones: at the left for `place` 0, at the right for 1."""
    height, width = frames.shape[1:3]
    further = round(height * SHAPE / 2) * 2 - width
    left = round(place * further)
    return np.pad(frames, ((0, 0), (0, 0), (left, further - left), (0, 0)), mode="edge")


def encode(frames, path):
    """H.264 in MP4."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "18"})
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode())
