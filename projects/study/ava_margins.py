"""
The paper's head over upstream's RoI head on a synthetic stand-in for AVA, by seed.

    python -m projects.study.ava_margins [--seeds 1 2 3 4 5]

writes the movies, prepares them, trains both heads on the same narrow SlowFast with the same
schedule, tunes the paper's, tests at the rates 2, 4 and 8, and prints mAP by the official
script. The SlowFast learns with each head from nothing.

    python -m slowfast_ext quickstart
    python -m projects.study.ava_margins --frozen | --fine-tuned [--rows upstream ours ...]

trains the heads of ROWS on the backbone of the quickstart, which was trained on videos of one
actor: it stays as it is, and maps are stored, or it is trained on with each head. None is tuned.
Persons have four further labels, which depend on the other persons; they are averaged by themselves
too. The learning rate of each row, fine-tuned the backbone's, is the best of HEAD_RATES or
BACKBONE_RATES on seed 7. Finished runs are kept under build/.
"""

import functools
import importlib
import os
import sys
from pathlib import Path

from projects.study.ava_stand_in import CLASSES, INTERACTIONS, write_stand_in
from projects.study.margins import seeds_parser, summary
from projects.study.rows import ALL_ADDED
from slowfast_ext.__main__ import build_parser
from slowfast_ext.commands import compare
from slowfast_ext.commands import run_net as engine
from slowfast_ext.commands.quickstart import config_before_tuning, read_results
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.extract import extract
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
# The quickstart's backbone, as it was trained: without dilation.
ON_BACKBONE = {
    **DETECTION,
    "RESNET.SPATIAL_DILATIONS": "[[1, 1], [1, 1], [1, 1], [1, 1]]",
    "TRAIN.CHECKPOINT_FILE_PATH": "output/synthetic/pretraining/checkpoints/"
    "checkpoint_epoch_00036.pyth",
    "TUNE.ENABLE": "False",
    "NUM_GPUS": "0",
    "MODEL.NUM_CLASSES": str(len(CLASSES + INTERACTIONS)),
}
FROZEN = {**ON_BACKBONE, "FEATURES.CLIPS": "3"}
FINE_TUNED = {
    **ON_BACKBONE,
    "TRAIN.CHECKPOINT_EPOCH_RESET": "True",
    "SOLVER.MAX_EPOCH": "6",
    "TRAIN.EVAL_PERIOD": "6",
    "TRAIN.CHECKPOINT_PERIOD": "6",
    "DATA_LOADER.NUM_WORKERS": "0",
}
# What is compared with the first of them on that backbone.
ROWS = {
    "upstream": {"ACTIVITY.HEAD": "RoIPoolHead"},
    "log-mean-exp": {"ACTIVITY.HEAD": "LSEPoolHead"},
    "ours": {},
    "ours + evidence": {"ACTIVITY.EVIDENCE": "True"},
    "ours + context": {"ACTIVITY.CONTEXT": "True"},
    "ours + both": {"ACTIVITY.EVIDENCE": "True", "ACTIVITY.CONTEXT": "True"},
    "ours + all": {**ALL_ADDED, "ACTIVITY.CONTEXT": "True"},
}
HEAD_RATES, BACKBONE_RATES, RATES_SEED = (0.005, 0.01), (0.0002, 0.0005), 7
# Fine-tuned, a head has the learning rate that was the best on the frozen backbone.
BEST_HEAD_RATES = dict.fromkeys(ROWS, 0.01) | dict.fromkeys(("ours", "ours + context"), 0.005)


def prepare(folder, seed, num_train, num_val, interactions=False):
    """Writes the stand-in below `folder` and runs `prepare ava` on it; returns the AVA keys."""
    out = os.path.join(folder, "ava")
    if not os.path.exists(os.path.join(out, "frame_lists", "val.csv")):
        videos, annotations = write_stand_in(
            folder, num_train, num_val, seed, interactions=interactions
        )
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


def run_heads(folder, keys, seed):
    """
    Trains and tests both heads, each with a backbone that learns with it.

    Returns:
        list[float]: mAP of upstream's, the paper's, the paper's tuned.
    """
    pairs = {**DETECTION, **keys, "RNG_SEED": str(seed)}
    pool = {"ACTIVITY.HEAD": "RoIPoolHead", "TUNE.ENABLE": "False"}
    pool = checked_config(CONFIG, _words({**pairs, **pool, "OUTPUT_DIR": f"{folder}/pool_head"}))
    activity = checked_config(CONFIG, _words({**pairs, "OUTPUT_DIR": f"{folder}/activity_head"}))
    for cfg in (pool, activity, config_before_tuning(activity)):
        engine.run(cfg)
    tested = (pool, config_before_tuning(activity), activity)
    return [read_results(cfg)["mAP"] for cfg in tested]


def _folder(seed):
    """Of a seed's movies, and of its runs on the quickstart's backbone."""
    return f"build/ava_margins/{seed}/interactions"


def _seeded(seed):
    """The keys of a seed's movies, which are written where they are not there, and of its runs."""
    return {**prepare(_folder(seed), seed, NUM_TRAIN, NUM_VAL, True), "RNG_SEED": str(seed)}


@functools.cache
def stored_maps(seed):
    """Writes a seed's movies and their maps where they are not there; the keys to train on them."""
    folder, pairs = _folder(seed), {**FROZEN, **_seeded(seed)}
    cfg = checked_config(FROZEN_CONFIG, _words({**pairs, "OUTPUT_DIR": f"{folder}/maps_output"}))
    extract(cfg, f"{folder}/maps", ("train", "val", "test"))
    return {**pairs, "FEATURES.PATH": f"{folder}/maps"}


def frozen_figures(seed, row, rate):
    """A row of ROWS, trained with a learning rate where that is not done: {label: its AP}."""
    own = {**ROWS[row], "SOLVER.BASE_LR": str(rate), "OUTPUT_DIR": _output(seed, row, rate)}
    return _tested(FROZEN_CONFIG, {**stored_maps(seed), **own})


def fine_tuned_figures(seed, row, rate):
    """The same, trained with its backbone, whose learning rate this is."""
    own = {
        **ROWS[row],
        "SOLVER.BASE_LR": str(rate),
        "SOLVER.WARMUP_START_LR": str(rate / 10),
        "ACTIVITY.LR_MULT": str(BEST_HEAD_RATES[row] / rate),
        "OUTPUT_DIR": _output(seed, row, f"fine_tuned_{rate}"),
    }
    return _tested(CONFIG, {**FINE_TUNED, **_seeded(seed), **own})


def _output(seed, row, name):
    return f"{_folder(seed)}/{row.replace(' ', '_')}/{name}"


def _tested(config, pairs):
    cfg = checked_config(config, _words(pairs))
    compare.mean_ap(cfg)
    return {found["name"]: found["ap"] for found in read_results(cfg)["per_class"]}


def compare_rows(figures_of, rates, seeds, rows):
    """
    Prints the learning rate of each row, chosen on a seed of its own, and mAP by seed.

    Args:
        figures_of (callable): seed, row, rate -> {label: its AP}.
    """
    figures = {}
    for row in rows:
        held_out = {rate: _mean(figures_of(RATES_SEED, row, rate)) for rate in rates}
        best = max(held_out, key=held_out.get)
        print(f"{row}: " + ", ".join(f"{rate} {mean:.3f}" for rate, mean in held_out.items()))
        figures[row] = [figures_of(seed, row, best) for seed in seeds]
    parts = {"all": CLASSES + INTERACTIONS, "their own": CLASSES, "interactions": INTERACTIONS}
    for part, names in parts.items():
        scores = {row: [_mean(found, names) for found in of] for row, of in figures.items()}
        print(f"{part}:\n{compare.table(scores)}")


def _mean(precisions, names=CLASSES + INTERACTIONS):
    return sum(precisions[name] for name in names) / len(names)


def _words(pairs):
    return [word for pair in pairs.items() for word in pair]


def main():
    parser = seeds_parser(__doc__)
    trained_before = parser.add_mutually_exclusive_group()
    trained_before.add_argument("--frozen", action="store_true")
    trained_before.add_argument("--fine-tuned", action="store_true")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    args = parser.parse_args()
    if args.frozen:
        compare_rows(frozen_figures, HEAD_RATES, args.seeds, args.rows)
        return
    if args.fine_tuned:
        compare_rows(fine_tuned_figures, BACKBONE_RATES, args.seeds, args.rows)
        return
    margins = []
    for seed in args.seeds:
        folder = f"build/ava_margins/{seed}"
        keys = prepare(folder, seed, NUM_TRAIN, NUM_VAL)
        upstreams, papers, tuned = run_heads(folder, keys, seed)
        margins.append(tuned - upstreams)
        print(f"seed {seed}: {upstreams:.3f} {papers:.3f} {tuned:.3f} margin {margins[-1]:+.3f}")
    print(summary(margins))


if __name__ == "__main__":
    with exit_with_sentence():
        main()
