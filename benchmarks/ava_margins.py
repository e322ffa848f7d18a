"""
The paper's head over upstream's RoI head on a synthetic stand-in for AVA, by seed.

    python benchmarks/ava_margins.py [--seeds 1 2 3 4 5]

writes the movies, prepares them, trains both heads on the same narrow SlowFast with the same
schedule, tunes the paper's, tests at the rates 2, 4 and 8, and prints mAP by the official
script. Finished runs are kept under build/.
"""

import argparse
import os

from benchmarks.ava_stand_in import CLASSES, write_stand_in
from slowfast_ext import datasets  # noqa: F401  (registers the data sets)
from slowfast_ext.__main__ import build_parser
from slowfast_ext.config import load_config
from slowfast_ext.engine import main as engine
from slowfast_ext.errors import exit_with_sentence
from slowfast_ext.quickstart import config_before_tuning, read_results

CONFIG = "configs/Synthetic/ACTIVITY_SLOWFAST.yaml"
NUM_TRAIN, NUM_VAL = 100, 40
DETECTION = {
    "DETECTION.ENABLE": "True",
    "TRAIN.DATASET": "ava",
    "TEST.DATASET": "ava",
    "MODEL.NUM_CLASSES": str(len(CLASSES)),
    "TEST.VIEWS": "[[4, 1, 1], [8, 1, 1], [2, 1, 1]]",
    "RESNET.SPATIAL_DILATIONS": "[[1, 1], [1, 1], [1, 1], [2, 2]]",
    "DATA.TRAIN_JITTER_SCALES": "[96, 112]",
    "DATA.TRAIN_CROP_SIZE": "96",
    "DATA.TEST_CROP_SIZE": "96",
}


def prepare(folder, seed, num_train, num_val):
    """Writes the stand-in below `folder` and runs `prepare ava` on it; returns the AVA keys."""
    out = os.path.join(folder, "ava")
    if not os.path.exists(os.path.join(out, "frame_lists", "val.csv")):
        videos, annotations = write_stand_in(folder, num_train, num_val, seed)
        words = ["prepare", "ava", "--annotations", annotations, "--videos", videos, "--out", out]
        args = build_parser().parse_args(words)
        args.run(args)
    return ava_keys(out)


def ava_keys(out):
    """The AVA keys of a tree that `prepare ava` wrote."""
    return {
        "AVA.FRAME_DIR": f"{out}/frames",
        "AVA.FRAME_LIST_DIR": f"{out}/frame_lists",
        "AVA.ANNOTATION_DIR": f"{out}/annotations",
    }


def run_heads(folder, keys, seed):
    """Trains and tests both heads; returns mAP of upstream's, the paper's, the paper's tuned."""
    pairs = {**DETECTION, **keys, "RNG_SEED": str(seed)}
    options = [word for pair in pairs.items() for word in pair]
    pool = ["ACTIVITY.HEAD", "RoIPoolHead", "TUNE.ENABLE", "False"]
    pool = load_config(CONFIG, [*options, *pool, "OUTPUT_DIR", f"{folder}/pool_head"])
    activity = load_config(CONFIG, [*options, "OUTPUT_DIR", f"{folder}/activity_head"])
    for cfg in (pool, activity, config_before_tuning(activity)):
        engine.run(cfg)
    tested = (pool, config_before_tuning(activity), activity)
    return [read_results(cfg)["mAP"] for cfg in tested]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    margins = []
    for seed in parser.parse_args().seeds:
        folder = f"build/ava_margins/{seed}"
        keys = prepare(folder, seed, NUM_TRAIN, NUM_VAL)
        upstreams, papers, tuned = run_heads(folder, keys, seed)
        margins.append(tuned - upstreams)
        print(f"seed {seed}: {upstreams:.3f} {papers:.3f} {tuned:.3f} margin {margins[-1]:+.3f}")
    print(f"mean margin {sum(margins) / len(margins):+.3f}, smallest {min(margins):+.3f}")


if __name__ == "__main__":
    with exit_with_sentence():
        main()
