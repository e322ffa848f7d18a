"""A network of random weights, and videos for it."""

from pathlib import Path

import av
import numpy as np

CONFIG = str(Path(__file__).parents[2] / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml")
NAMES = ["run", "jump", "wave"]


def pairs(folder):
    """The KEY VALUE pairs of the run."""
    options = {
        "MODEL.NUM_CLASSES": len(NAMES),
        "DATA.PATH_TO_DATA_DIR": folder / "lists",
        "DATA.TRAIN_JITTER_SCALES": "[32, 40]",
        "DATA.TRAIN_CROP_SIZE": 32,
        "DATA.TEST_CROP_SIZE": 32,
        "TRAIN.DATASET": "MultiLabelVideos",
        "TEST.BATCH_SIZE": 2,
        "NUM_GPUS": 0,
        "OUTPUT_DIR": folder / "output",
    }
    return [str(word) for pair in options.items() for word in pair]


def write_noise(path, num_frames, seed, fps=30, width=48, height=32):
    """A video in which every frame has a colour of its own."""
    random = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"g": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(num_frames):
            image = np.empty((height, width, 3), np.uint8)
            image[:] = random.integers(0, 256, 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())


def f1_at(threshold, scores, labels):
    """F1 of the scores that reach a threshold, by its definition."""
    predicted = scores >= threshold
    true = (predicted & labels).sum()
    return 2 * true / (predicted.sum() + labels.sum())
