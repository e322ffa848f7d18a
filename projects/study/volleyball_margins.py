"""
Persons' actions and group activities on a synthetic stand-in for Volleyball, by seed.

    python -m projects.study.volleyball_margins [--seeds 1 2 3 4 5] [--tasks persons s bb]
        [--heads baseline log_mean_exp ours evidence all_added]

writes the moments, prepares them, trains upstream's head, log-mean-exp pooling, the paper's head,
that with ACTIVITY.EVIDENCE and with all of ALL_ADDED with the same schedule on one narrow SlowFast,
which was trained on videos of one actor beforehand and stays as it is, and prints accuracies for
persons' actions, for the group activity from the scene (s) and with the persons (bb): the heads
against the first of them and against the paper's, and bb against s. Finished runs are kept under
build/.
"""

import hashlib
import importlib
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import torch

from projects.study.ava_margins import DILATION, pretrain
from projects.study.margins import seeds_parser, summary
from projects.study.rows import ALL_ADDED
from projects.study.volleyball_stand_in import write_stand_in
from slowfast_ext.__main__ import build_parser
from slowfast_ext.commands import run_net as engine
from slowfast_ext.commands.quickstart import read_results
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import exit_with_sentence
from slowfast_ext.models.network import ActivityNetwork

sys.path.insert(0, str(Path(__file__).parents[2]))

CONFIG = "configs/Synthetic/ACTIVITY_FROZEN.yaml"
BUILD = "build/volleyball_margins"
NUM_TRAIN, NUM_TEST = 240, 120
# One backbone serves all seeds, which are of moments and heads.
BACKBONE_SEED = 1
COMMON = {
    "TRAIN.DATASET": "Volleyball",
    "TEST.DATASET": "Volleyball",
    "MODEL.LOSS_FUNC": "cross_entropy",
    "MODEL.HEAD_ACT": "softmax",
    "TEST.VIEWS": "[[4, 1, 1]]",
    "TUNE.ENABLE": "False",
    "SOLVER.MAX_EPOCH": "20",
    "TRAIN.EVAL_PERIOD": "20",
    **DILATION,
    # Whole frames: of each moment there are two clips, one the other turned round.
    "DATA.TRAIN_JITTER_SCALES": "[96, 96]",
    "DATA.TRAIN_CROP_SIZE": "96",
    "DATA.TEST_CROP_SIZE": "96",
    "DATA.RANDOM_FLIP": "True",
    "DATA_LOADER.NUM_WORKERS": "0",
    "NUM_GPUS": "0",
}
PRETRAINING = {
    "DATA_LOADER.NUM_WORKERS": "0",
    "NUM_GPUS": "0",
}
TASKS = {
    "persons": {"VOLLEYBALL.TASK": "persons", "DETECTION.ENABLE": "True"},
    "s": {"VOLLEYBALL.TASK": "group", "DETECTION.ENABLE": "False"},
    "bb": {"VOLLEYBALL.TASK": "group", "DETECTION.ENABLE": "True"},
}
NUM_CLASSES = {"persons": "9", "s": "8", "bb": "8"}
HEADS = {
    "baseline": {"persons": "RoIPoolHead", "s": "PoolHead", "bb": "RoIPoolHead"},
    "log_mean_exp": dict.fromkeys(TASKS, "LSEPoolHead"),
    "ours": dict.fromkeys(TASKS, "ActivityHead"),
    "evidence": dict.fromkeys(TASKS, "ActivityHead"),
    "all_added": dict.fromkeys(TASKS, "ActivityHead"),
}
FURTHER = {"evidence": {"ACTIVITY.EVIDENCE": "True"}, "all_added": ALL_ADDED}


def prepare(folder, seed, num_train=NUM_TRAIN, num_test=NUM_TEST):
    """Writes the stand-in below `folder`, runs `prepare volleyball`; returns the lists' folder."""
    out = os.path.join(folder, "lists")
    if not os.path.exists(os.path.join(out, "test.csv")):
        root = os.path.join(folder, "volleyball")
        write_stand_in(root, num_train, num_test, seed)
        args = build_parser().parse_args(["prepare", "volleyball", "--root", root, "--out", out])
        importlib.import_module(args.module).run(args)
    return out


@contextmanager
def maps_remembered():
    """
    Lets all networks keep the backbone's map of each clip for each other: what they run on here is
    one backbone that stays as it is, and most of the time.
    """
    maps, compute = {}, ActivityNetwork.backbone_map

    def backbone_map(network, inputs):
        if inputs[-1].is_meta:  # The config's checks run a network without numbers.
            return compute(network, inputs)
        keys = [hashlib.sha1(clip.numpy().tobytes()).digest() for clip in inputs[-1]]
        new = [place for place, key in enumerate(keys) if key not in maps]
        if new:
            new_maps = compute(network, [pathway[new] for pathway in inputs])
            maps.update((keys[place], f) for place, f in zip(new, new_maps, strict=True))
        return torch.stack([maps[key] for key in keys])

    ActivityNetwork.backbone_map = backbone_map
    try:
        yield
    finally:
        ActivityNetwork.backbone_map = compute


def run(folder, lists, head, task, seed, options=()):
    """
    Trains and tests one head on one task.

    Returns:
        dict: what results.json holds.
    """
    pairs = {
        **COMMON,
        **TASKS[task],
        "ACTIVITY.HEAD": HEADS[head][task],
        **FURTHER.get(head, {}),
        "MODEL.NUM_CLASSES": NUM_CLASSES[task],
        "DATA.PATH_TO_DATA_DIR": lists,
        "RNG_SEED": str(seed),
        "OUTPUT_DIR": os.path.join(folder, f"{head}_{task}"),
        **dict(options),
    }
    cfg = checked_config(CONFIG, [word for pair in pairs.items() for word in pair])
    engine.run(cfg)
    return read_results(cfg)


def main():
    parser = seeds_parser(__doc__)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--heads", nargs="+", choices=list(HEADS), default=list(HEADS))
    args = parser.parse_args()
    options = {"TRAIN.CHECKPOINT_FILE_PATH": pretrain(BUILD, BACKBONE_SEED, PRETRAINING)}
    found = []
    for seed in args.seeds:
        folder, begun = f"{BUILD}/{seed}", time.monotonic()
        lists = prepare(folder, seed)
        with maps_remembered():
            accuracies = {
                (head, task): run(folder, lists, head, task, seed, options)["accuracy"]
                for task in args.tasks
                for head in args.heads
            }
        found.append(accuracies)
        cells = ", ".join(f"{head} {task} {a:.3f}" for (head, task), a in accuracies.items())
        print(f"seed {seed} ({time.monotonic() - begun:.0f} s): {cells}", flush=True)
    print_margins(found, args.tasks, args.heads)


def print_margins(found, tasks, heads):
    """The margins over the seeds of the heads over the first of them, and of bb over s."""
    compared = [(head, heads[0]) for head in heads[1:]]
    if "ours" in heads[1:]:
        compared += [(head, "ours") for head in heads if head in FURTHER]
    pairs = [
        (f"{head} over {other}, {task}", (head, task), (other, task))
        for head, other in compared
        for task in tasks
    ]
    if {"s", "bb"} <= set(tasks):
        pairs += [(f"bb over s, {head}", (head, "bb"), (head, "s")) for head in heads]
    for name, ahead, behind in pairs:
        margins = [accuracies[ahead] - accuracies[behind] for accuracies in found]
        print(f"{name}: {summary(margins)}")


if __name__ == "__main__":
    with exit_with_sentence():
        main()
