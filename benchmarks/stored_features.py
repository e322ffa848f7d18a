"""
What stored features save: a tuning step and a 30-view test of SlowFast-R50 at 32 x 224 x 224.

    python -m benchmarks.stored_features [--repeats 1] [--gigabytes 100]

A step of batch 8 and the test of a video, each from the videos and from features in float16, with
reading; the files are read from the disk, not from the system's memory of them. Extraction is
beside the same views' plain test. With --gigabytes, in place of that: the peak memory of a process
that tunes from so many features, which lie in files that are one and the same on the disk.
"""

import math
import os
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.networks import R50, config
from benchmarks.reading import video_folder
from benchmarks.timing import (
    DATA,
    alternate,
    benchmark_parser,
    ratio_row,
    report,
    require_equal,
    row,
)
from slowfast_ext.datasets.clips import Sample, collate
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.stored_maps import (
    FORMAT,
    MapFolder,
    Split,
    backbone_digest,
    settings_of,
)
from slowfast_ext.engine import loaders
from slowfast_ext.engine.extract import extract
from slowfast_ext.engine.scoring import video_scores
from slowfast_ext.engine.train import tuning_stage
from slowfast_ext.engine.trainer import Trainer
from slowfast_ext.evaluation.rate_weights import plain_combination
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.models.backbones import map_shape
from slowfast_ext.models.inference import inference
from slowfast_ext.upstream import register_dataset

BATCH, CLIPS = 8, 10
CPU = torch.device("cpu")


def settings(root, features=""):
    """The config of a tuning and a test on the folder's videos."""
    options = {
        **R50,
        "DATA.PATH_TO_DATA_DIR": root,
        "DATA.NUM_FRAMES": 32,
        "DATA.TRAIN_CROP_SIZE": 224,
        "TRAIN.DATASET": "MultiLabelVideos",
        "TEST.DATASET": "MultiLabelVideos",
        "TRAIN.ENABLE": False,
        "TRAIN.BATCH_SIZE": BATCH,
        "TEST.BATCH_SIZE": 2,
        "ACTIVITY.FREEZE_BACKBONE": True,
        "TRAIN.CHECKPOINT_FILE_PATH": f"{root}/random.pyth",
        "TEST.CHECKPOINT_FILE_PATH": "",
        "TUNE.MAX_ITER": 1,
        "FEATURES.PATH": features,
        "DATA_LOADER.NUM_WORKERS": 0,
    }
    return config("Charades/TABLE3D_RATES_2_4_8", options)


def write_videos(root, video):
    """A training list of as many videos as a batch has, and a network with random weights."""
    rows = ["path,labels"]
    for number in range(BATCH):
        shutil.copy(video, f"{root}/{number}.mp4")
        rows.append(f"{number}.mp4,c{number:03d}")
    Path(root, "train.csv").write_text("\n".join(rows) + "\n")
    torch.manual_seed(0)
    Path(root, "random.pyth").touch()
    network = ActivityNetwork(settings(root))
    torch.save({"model_state": network.state_dict()}, f"{root}/random.pyth")
    return network.eval()


def forget(folder):
    """Takes the folder's files out of the system's memory."""
    for path in Path(folder).rglob("*.npz"):
        with open(path, "rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def step_of(cfg, network):
    """A function that reads a batch and takes a tuning step on it."""
    dataset = loaders.build_dataset(cfg, "tune")
    loader = loaders.training_loader(cfg, dataset)
    trainer = Trainer(cfg, tuning_stage(cfg, len(loader)), network, loader)
    source = dataset if dataset.maps is None else dataset.maps
    first = trainer.stage.first_epoch

    def step():
        if dataset.maps is not None:
            forget(cfg.FEATURES.PATH)
        network.train()
        trainer.step(collate([source[first, index] for index in range(BATCH)]), "step")

    return step


def test_of(cfg, network, scores, name):
    """A function that tests one video whole and puts its scores under the name."""
    dataset = loaders.build_dataset(cfg, "test")
    source = dataset if dataset.maps is None else dataset.maps

    def test():
        if dataset.maps is not None:
            forget(cfg.FEATURES.PATH)
        network.eval()
        with inference(cfg, network, CPU):
            scores[name] = video_scores(cfg, network, source[0], plain_combination(cfg))

    return test


# --- Memory -------------------------------------------------------------------------------------


@register_dataset
class OneVideoManyTimes(MultiLabelVideos):
    """A list whose items are all its first one, so that their features may be one file."""

    number = 1

    def read_videos(self, path, check_files=True):
        return super().read_videos(path, check_files)[:1] * self.number


def peak_memory(root, network, gigabytes):
    """(gigabytes of features, gigabytes that this process took at most) after 40 tuning steps."""
    cfg, folder = settings(root), f"{root}/features"
    cfg.TRAIN.DATASET, cfg.TUNE.MAX_ITER = OneVideoManyTimes.__name__, 40
    shape = map_shape(cfg, network.backbone)[:4]
    clip = Sample([torch.zeros(shape)], torch.zeros(cfg.MODEL.NUM_CLASSES))
    OneVideoManyTimes.number = math.ceil(gigabytes * 1e9 / (CLIPS * 2 * math.prod(shape)))
    split = Split("tune", loaders.build_dataset(cfg, "tune"))
    description = {"format": FORMAT, "dtype": "float16", "settings": settings_of(cfg)}
    description["backbone"] = backbone_digest(network)
    description["splits"] = {"tune": split.facts(cfg) | {"clips": CLIPS}}
    maps = MapFolder(folder, description)
    maps.write()
    facts, first = maps.facts_of_items("tune", split.dataset)(0), maps.item_path("tune", 0)
    maps.write_item(first, facts, {f"clip{number}": clip for number in range(CLIPS)})
    for index in range(1, len(split.dataset)):
        os.link(first, maps.item_path("tune", index))
    cfg.FEATURES.PATH = folder
    loader = loaders.training_loader(cfg, loaders.build_dataset(cfg, "tune"))
    trainer = Trainer(cfg, tuning_stage(cfg, len(loader)), network, loader)
    print(f"{sum(1 for _step in trainer.learn(0))} steps on {len(split.dataset)} videos")
    size = sum(path.stat().st_size for path in Path(folder).rglob("*.npz"))
    return size / 1e9, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main():
    parser = benchmark_parser(__doc__, repeats=1)
    parser.add_argument("--gigabytes", type=float)
    parser.add_argument("--video", type=Path, default=DATA / "videos" / "test.mp4")
    args = parser.parse_args()
    with video_folder([args.video]) as root:
        network, folder = write_videos(root, args.video), f"{root}/features"
        if args.gigabytes:
            size, peak = peak_memory(root, network, args.gigabytes)
            what = f"memory of tuning on {size:.1f} GB of features, GB"
            return report("stored_features", [row(what, "", [peak], most=2)])
        videos = settings(root)
        scores = {}
        tests = {"videos": test_of(videos, network, scores, "videos")}
        start = time.perf_counter()
        extract(videos, folder, ["test"])
        extraction = time.perf_counter() - start
        extract(videos, folder, ["tune"])
        stored = settings(root, folder)
        tests["features"] = test_of(stored, network, scores, "features")
        seconds = alternate(tests, args.repeats)
        difference = np.abs(scores["videos"] - scores["features"]).max()
        note = require_equal("scores", difference, 2e-3)
        test = ratio_row("a 30-view test", "videos", seconds, "features", "videos", note, least=50)
        beside = {"extraction": [extraction], "test": [min(seconds["videos"])]}
        rows = [test, ratio_row("extraction", "the test", beside, "extraction", "test", least=0.95)]
        steps = {"videos": step_of(videos, network), "features": step_of(stored, network)}
        seconds = alternate(steps, args.repeats)
        name = f"a tuning step, batch {BATCH}"
        rows.insert(0, ratio_row(name, "videos", seconds, "features", "videos", least=50))
    report("stored_features", rows)


if __name__ == "__main__":
    main()
