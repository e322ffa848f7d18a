"""
The paper's head over upstream's RoI head on a synthetic stand-in for AVA, by seed.

    python -m projects.study.ava_margins [--seeds 1 2 3 4 5] [--frozen]

writes the movies, prepares them, trains both heads on the same narrow SlowFast with the same
schedule, tunes the paper's, tests at the rates 2, 4 and 8, and prints mAP by the official
script. The SlowFast learns with each head from nothing; with --frozen it is trained beforehand,
on whole videos of one actor, and stays as it is. Finished runs are kept under build/.
"""

import importlib
import os
import sys
from pathlib import Path

from projects.study.ava_stand_in import CLASSES, write_stand_in
from projects.study.margins import seeds_parser, summary
from slowfast_ext.__main__ import build_parser
from slowfast_ext.commands import run_net as engine
from slowfast_ext.commands.quickstart import config_before_tuning, read_results
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import exit_with_sentence

sys.path.insert(0, str(Path(__file__).parents[2]))

CONFIG, FROZEN_CONFIG, PRETRAINING_CONFIG = (
    f"configs/Synthetic/{name}.yaml"
    for name in ("ACTIVITY_SLOWFAST", "ACTIVITY_FROZEN", "PRETRAIN_SLOWFAST")
)
NUM_TRAIN, NUM_VAL = 100, 40
DILATION = {"RESNET.SPATIAL_DILATIONS": "[[1, 1], [1, 1], [1, 1], [2, 2]]"}
DETECTION = {
    "DETECTION.ENABLE": "True",
    "TRAIN.DATASET": "ava",
    "TEST.DATASET": "ava",
    "MODEL.NUM_CLASSES": str(len(CLASSES)),
    "TEST.VIEWS": "[[4, 1, 1], [8, 1, 1], [2, 1, 1]]",
    **DILATION,
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
        importlib.import_module(args.module).run(args)
    return ava_keys(out)


def ava_keys(out):
    """The AVA keys of a tree that `prepare ava` wrote."""
    return {
        "AVA.FRAME_DIR": f"{out}/frames",
        "AVA.FRAME_LIST_DIR": f"{out}/frame_lists",
        "AVA.ANNOTATION_DIR": f"{out}/annotations",
    }


def pretrain(folder, seed, options=()):
    """Trains the backbone on videos of one actor, which have no boxes; returns its weights."""
    pairs = {**DILATION, "RNG_SEED": str(seed), "SYNTHETIC.SEED": str(seed)}
    pairs |= {"DATA.PATH_TO_DATA_DIR": f"{folder}/parts", "OUTPUT_DIR": f"{folder}/pretraining"}
    pairs |= dict(options)
    cfg = checked_config(PRETRAINING_CONFIG, _words(pairs))
    engine.run(cfg)
    return checkpoint.checkpoint_path(cfg.OUTPUT_DIR, "train", cfg.SOLVER.MAX_EPOCH)


def run_heads(folder, keys, seed, weights=None):
    """
    Trains and tests both heads, on a frozen backbone where its `weights` are given.

    Returns:
        list[float]: mAP of upstream's, the paper's, the paper's tuned.
    """
    pairs = {**DETECTION, **keys, "RNG_SEED": str(seed)}
    if weights is not None:
        pairs["TRAIN.CHECKPOINT_FILE_PATH"] = weights
    config = CONFIG if weights is None else FROZEN_CONFIG
    pool = {"ACTIVITY.HEAD": "RoIPoolHead", "TUNE.ENABLE": "False"}
    pool = checked_config(config, _words({**pairs, **pool, "OUTPUT_DIR": f"{folder}/pool_head"}))
    activity = checked_config(config, _words({**pairs, "OUTPUT_DIR": f"{folder}/activity_head"}))
    for cfg in (pool, activity, config_before_tuning(activity)):
        engine.run(cfg)
    tested = (pool, config_before_tuning(activity), activity)
    return [read_results(cfg)["mAP"] for cfg in tested]


def _words(pairs):
    return [word for pair in pairs.items() for word in pair]


def main():
    parser = seeds_parser(__doc__)
    parser.add_argument("--frozen", action="store_true")
    args = parser.parse_args()
    margins = []
    for seed in args.seeds:
        folder = f"build/ava_margins/{seed}"
        keys = prepare(folder, seed, NUM_TRAIN, NUM_VAL)
        weights = pretrain(folder, seed) if args.frozen else None
        heads = f"{folder}/frozen" if args.frozen else folder
        upstreams, papers, tuned = run_heads(heads, keys, seed, weights)
        margins.append(tuned - upstreams)
        print(f"seed {seed}: {upstreams:.3f} {papers:.3f} {tuned:.3f} margin {margins[-1]:+.3f}")
    print(summary(margins))


if __name__ == "__main__":
    with exit_with_sentence():
        main()
