"""Small runs, small videos, and commands within this process: what several test modules share."""

import contextlib
import importlib
from pathlib import Path
from unittest import mock

import av
import numpy as np
import torch

from slowfast_ext import upstream
from slowfast_ext.models import csn

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
CONFIG = str(CONFIGS / "Synthetic" / "ACTIVITY_SLOWFAST.yaml")

# The configs' networks with the one block a stage that shallow_networks() leaves.
SHALLOW = {"RESNET.NUM_BLOCK_TEMP_KERNEL": "[[1, 1], [1, 1], [1, 1], [1, 1]]"}
# A job small enough for tests: a narrow and shallow SlowFast on a few synthetic videos.
TINY = {
    **SHALLOW,
    "SYNTHETIC.NUM_TRAIN": "6",
    "SYNTHETIC.NUM_TEST": "3",
    "SYNTHETIC.SIZE": "32",
    "DATA.TRAIN_JITTER_SCALES": "[32, 40]",
    "DATA.TRAIN_CROP_SIZE": "32",
    "DATA.TEST_CROP_SIZE": "32",
    "DATA_LOADER.NUM_WORKERS": "0",
    "SOLVER.MAX_EPOCH": "3",
    "TRAIN.BATCH_SIZE": "2",
    "TRAIN.CHECKPOINT_PERIOD": "1",
    "TEST.VIEWS": "[[4, 1, 2], [2, 1, 1]]",
    "TUNE.MAX_ITER": "4",
    "LOG_PERIOD": "1",
    "NUM_GPUS": "0",
}

# configs/Charades/ and configs/AVA/ have these, of other libraries' networks and no row's.
OTHER_LIBRARIES = (
    "SWIN3D_B_ACTIVITY",
    "VIDEOMAE_B_ACTIVITY",
    "VIDEOPRISM_L_FROZEN_ACTIVITY",
    "VJEPA2_L_FROZEN_ACTIVITY",
)

# The activities of the run whose weights are random.
NAMES = ["run", "jump", "wave"]


@contextlib.contextmanager
def shallow_networks():
    """
    Within it the ResNets and CSNs of depth 50 have one block a stage instead of 3, 4, 6 and 3:
    what trains, resumes and tests them goes the same ways in a third of the time.
    """
    builder = importlib.import_module(upstream.model_class("SlowFast").__module__)
    depths = (builder._MODEL_STAGE_DEPTH, csn.BLOCKS)
    with contextlib.ExitStack() as stack:
        for blocks in depths:
            stack.enter_context(mock.patch.dict(blocks, {50: (1, 1, 1, 1)}))
        yield


def pairs(folder):
    """The KEY VALUE pairs of the run of random weights that the fixture `run_folder` makes."""
    options = {
        **SHALLOW,
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


def write_video(path, images, fps, **options):
    """An H.264 file of the images, arrays of (height, width, 3) in RGB."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"g": "12", **options})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())


def write_noise(path, num_frames, seed, fps=30, width=48, height=32):
    """A video in which every frame has a colour of its own."""
    colours = np.random.default_rng(seed).integers(0, 256, (num_frames, 1, 1, 3))
    write_video(path, np.tile(colours.astype(np.uint8), (1, height, width, 1)), fps)


def f1_at(threshold, scores, labels):
    """F1 of the scores that reach a threshold, by its definition."""
    predicted = scores >= threshold
    true = (predicted & labels).sum()
    return 2 * true / (predicted.sum() + labels.sum())


def weights(output_dir, name="checkpoint_epoch_00003.pyth"):
    """The weights of one of a run's checkpoints, by name."""
    return torch.load(output_dir / "checkpoints" / name, weights_only=True)["model_state"]


def assert_equal(first, second):
    """The two dictionaries hold the same tensors, to the bit."""
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
