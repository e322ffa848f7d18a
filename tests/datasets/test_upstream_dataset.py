"""Upstream's Kinetics, which decodes video files, under this engine."""

import pytest
import torch
import torchvision

from slowfast_ext import upstream
from slowfast_ext.datasets.upstream_dataset import UpstreamDataset
from slowfast_ext.engine.loaders import build_dataset
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import write_noise

can_decode = not upstream.IS_MAIN or hasattr(torchvision.io, "_probe_video_from_memory")


@pytest.fixture
def cfg(tmp_path):
    """Two videos of the labels 2 and 0, in upstream's lists."""
    lines = []
    for number, label in enumerate((2, 0)):
        write_noise(tmp_path / f"{number}.mp4", 20, seed=number)
        lines.append(f"{tmp_path / f'{number}.mp4'} {label}\n")
    for split in ("train", "val", "test"):
        (tmp_path / f"{split}.csv").write_text("".join(lines))
    words = ["TRAIN.DATASET", "Kinetics", "TEST.DATASET", "Kinetics", "NUM_GPUS", "0"]
    words += ["DATA.PATH_TO_DATA_DIR", str(tmp_path), "MODEL.NUM_CLASSES", "3"]
    words += ["MODEL.MODEL_NAME", "ActivityNetwork", "MODEL.ARCH", "c2d"]
    words += ["MODEL.LOSS_FUNC", "bce", "MODEL.HEAD_ACT", "sigmoid", "RESNET.DEPTH", "50"]
    words += ["DATA.INPUT_CHANNEL_NUM", "[3]", "DATA.SAMPLING_RATE", "1", "DATA.NUM_FRAMES", "4"]
    words += ["DATA.TRAIN_JITTER_SCALES", "[32, 40]", "DATA.TRAIN_CROP_SIZE", "32"]
    words += ["DATA.TEST_CROP_SIZE", "32", "TEST.VIEWS", "[[1, 2, 3]]"]
    return checked_config(None, words)


@pytest.mark.skipif(not can_decode, reason="main's Kinetics does not decode with this torchvision")
def test_kinetics_gives_all_views_of_a_video_and_clips_by_epoch(cfg):
    dataset = build_dataset(cfg, "test")
    assert isinstance(dataset, UpstreamDataset) and len(dataset) == 2
    assert dataset.labels.tolist() == [[0, 0, 1], [1, 0, 0]]
    first, second = dataset[0], dataset[1]
    assert first.labels.tolist() == [0, 0, 1] and second.labels.tolist() == [1, 0, 0]
    (views,) = first.pathways
    assert views.dtype == torch.uint8 and views.shape == (6, 3, 4, 32, 32)
    assert not torch.equal(views, second.pathways[0])
    training = build_dataset(cfg, "train")
    clips = [training[epoch, 1] for epoch in (0, 0, 1)]
    assert torch.equal(clips[0].pathways[0], clips[1].pathways[0])
    assert not torch.equal(clips[0].pathways[0], clips[2].pathways[0])
    assert clips[2].labels.tolist() == [1, 0, 0]


@pytest.mark.skipif(can_decode, reason="it decodes here")
def test_kinetics_that_cannot_decode_is_refused(cfg):
    with pytest.raises(SlowFastExtError, match=r"torchvision \S+ does not have: take TRAIN"):
        build_dataset(cfg, "test")
