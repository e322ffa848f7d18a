"""Charades over PySlowFast's frame lists gives what upstream's own data set gives."""

import os
import pickle
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.datasets import UpstreamDataset
from slowfast_ext.datasets.clips import Sample, network_input
from slowfast_ext.engine.loaders import build_dataset
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from tests.datasets.test_charades import HEADER, frame_rows


@pytest.fixture
def theirs():
    """GitHub main's module of Charades."""
    if not upstream.IS_MAIN:
        pytest.skip("needs GitHub's main of PySlowFast: pyslowfast 1.0 has no Charades")
    return pytest.importorskip("slowfast.datasets.charades")


def stock_config(theirs, folder, crop, **changes):
    path = Path(theirs.__file__).parents[2] / "configs/Charades/SLOWFAST_16x8_R50.yaml"
    if not os.path.exists(path):
        pytest.skip(f"no {path}")
    settings = {
        "MODEL.MODEL_NAME": "ActivityNetwork",
        "MODEL.NUM_CLASSES": 40,
        "BN.NORM_TYPE": "batchnorm",
        "NUM_GPUS": 0,
        "DATA.PATH_TO_DATA_DIR": folder,
        "DATA.PATH_PREFIX": folder / "frames",
        "DATA.NUM_FRAMES": 32,
        "DATA.SAMPLING_RATE": 4,
        "DATA.TRAIN_CROP_SIZE": crop,
        "DATA.TRAIN_JITTER_SCALES": f"[{crop}, {crop}]",
        "DATA.TEST_CROP_SIZE": crop,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return checked_config(str(path), [str(word) for pair in settings.items() for word in pair])


@pytest.fixture(params=[(64, 85), (80, 107), (107, 80)], ids=["as stored", "wide", "high"])
def two_videos(request, tmp_path):
    """Frame lists of a video of coarse noise, reddish, and of one with a label a frame."""
    generator, (height, width) = np.random.default_rng(0), request.param
    folder, num_frames = tmp_path / "frames" / "AAAAA", 190
    folder.mkdir(parents=True)
    for number in range(1, num_frames + 1):
        image = generator.uniform(0, 120, (height // 4, width // 4, 3))
        image[..., 2] += 120
        image = cv2.resize(image, (width, height)).clip(0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"AAAAA-{number:06d}.jpg"), image)
    labels = [",".join(map(str, generator.choice(40, 1 + n % 2))) for n in range(num_frames // 10)]
    labels[3] = labels[7] = labels[8] = ""
    rows = frame_rows("AAAAA", np.repeat(labels, 10), "jpg")
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text(HEADER + rows)
    return tmp_path


def test_the_30_views_are_upstreams(theirs, two_videos):
    cfg = stock_config(theirs, two_videos, crop=64)
    ours, upstreams = build_dataset(cfg, "test"), theirs.Charades(cfg, "test")
    views, labels, *_ = ours[0]
    pathways = [of_pathway[:] for of_pathway in views]
    assert len(upstreams) == len(pathways[0]) == len(pathways[1]) == 30
    std = torch.tensor(cfg.DATA.STD).view(3, 1, 1, 1)
    normalised = network_input(cfg, Sample(pathways), "cpu")[0]
    for view in range(30):
        their_pathways, their_labels, *_ = upstreams[view]
        assert torch.equal(labels.double(), their_labels)
        for our_pathway, their_pathway in zip(normalised, their_pathways, strict=True):
            difference = (our_pathway[view] - their_pathway) * std
            assert difference.abs().max() <= 1 / 255 + 1e-6
    red, green, blue = pathways[1].float().mean((0, 2, 3, 4))
    assert red > green + 100 and red > blue + 100


def test_training_labels_are_upstreams(theirs, two_videos):
    cfg = stock_config(theirs, two_videos, crop=64)
    video, upstreams = build_dataset(cfg, "train").videos[0], theirs.Charades(cfg, "train")
    random.seed(0)
    seen = set()
    for _ in range(30):
        frames = upstreams.get_seq_frames(0)
        upstreams.get_seq_frames = lambda index, frames=frames: frames
        wanted = np.flatnonzero(upstreams[0][1]).tolist()
        del upstreams.get_seq_frames
        assert list(video.labels_between(np.array(frames) / 24)) == wanted
        seen.add(tuple(wanted))
    assert len(seen) > 5


@pytest.mark.parametrize("split", ["test", "val"])
def test_upstreams_own_under_this_engine_gives_the_same_views(theirs, two_videos, split):
    # At rate 3 the middle clip begins at a whole frame.
    views = {"TEST__VIEWS": "[[4, 2, 3], [2, 3, 1]]", "DATA__SAMPLING_RATE": 3}
    ours = build_dataset(stock_config(theirs, two_videos, 64, **views), split)
    cfg = stock_config(theirs, two_videos, 64, DATA__UPSTREAM_DATASETS=True, **views)
    upstreams = build_dataset(cfg, split)
    assert isinstance(upstreams, UpstreamDataset) and not isinstance(ours, UpstreamDataset)
    assert upstreams.video_ids == ours.video_ids and len(upstreams) == 1
    assert os.path.samefile(upstreams.media_path(0), two_videos / "frames" / "AAAAA")
    assert np.array_equal(upstreams.labels, ours.labels)
    assert upstreams.channel_order(cfg) == "RGB"
    (their, our) = (dataset[0] for dataset in (upstreams, ours))
    assert torch.equal(their.labels, our.labels)
    for their_pathway, our_pathway in zip(their.pathways, our.pathways, strict=True):
        assert their_pathway.shape == our_pathway.shape
        assert len(their_pathway) == (9 if split == "test" else 1)
        difference = their_pathway.int() - our_pathway[:].int()
        assert difference.abs().max() <= 1


def test_upstreams_training_clips_follow_from_epoch_and_index(theirs, two_videos):
    cfg = stock_config(theirs, two_videos, 64, DATA__UPSTREAM_DATASETS=True)
    dataset = build_dataset(cfg, "train")
    state, clips = torch.get_rng_state(), [dataset[epoch, 0] for epoch in (0, 0, 1)]
    assert torch.equal(torch.get_rng_state(), state)
    first, again, other = (clip.pathways[1] for clip in clips)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.dtype == torch.uint8 and clips[0].labels.dtype == torch.float32
    # As for a worker that is spawned.
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[0, 0].pathways[1], first)
    tuned = build_dataset(cfg, "tune")
    # By these, features of other rates are told.
    assert tuned.rates == [2, 4, 8]
    assert [part.dataset.cfg.DATA.SAMPLING_RATE for part in tuned.parts] == [2, 4, 8]


def test_a_video_that_upstream_cannot_read_is_named(theirs, two_videos):
    cfg = stock_config(theirs, two_videos, 64, DATA__UPSTREAM_DATASETS=True)
    dataset = build_dataset(cfg, "test")
    dataset.parts[0].dataset._num_retries = 1
    for path in (two_videos / "frames" / "AAAAA").iterdir():
        path.unlink()
    with pytest.raises(SlowFastExtError, match="upstream's Charades cannot read AAAAA: "):
        dataset[0]
