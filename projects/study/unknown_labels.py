"""
Half of the training labels hidden: taken for unknown, or for absent; mAP by seed.

    python -m slowfast_ext quickstart
    python -m projects.study.unknown_labels [--seeds 1 2 3 4 5]

The paper's head on the quickstart's frozen backbone. Which labels are hidden is drawn by the seed,
each (video, activity) with probability one half; mAP is of one centre view of the test's videos, of
which all is known.
"""

import numpy as np
import torch

from projects.study.margins import seeds_parser
from projects.study.stored_runs import tested_metrics
from slowfast_ext.engine import loaders
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import exit_with_sentence
from slowfast_ext.evaluation.intervals import interval

CONFIG = "configs/Synthetic/ACTIVITY_FROZEN.yaml"
WORDS = "FEATURES.PATH output/synthetic/features FEATURES.DTYPE float32 LOG_PERIOD 1000"
# What the hidden labels are replaced with.
ROWS = {"all known": None, "half unknown": -1.0, "half taken for absent": 0.0}


class HidingMaps:
    """Stored maps whose training clips have some labels, `hidden` [V x A], replaced."""

    def __init__(self, maps, hidden, value):
        self.maps, self.hidden, self.value = maps, torch.from_numpy(hidden), value

    def __getattr__(self, name):
        return getattr(self.maps, name)

    def __getitem__(self, key):
        sample = self.maps[key]
        return sample._replace(labels=sample.labels.masked_fill(self.hidden[key[1]], self.value))


def mean_precision(value, seed):
    """mAP of a head that was trained with hidden labels replaced by a value of ROWS."""
    cfg = checked_config(CONFIG, [*WORDS.split(), "NUM_GPUS", "0", "RNG_SEED", str(seed)])
    train_set, val_set = (loaders.build_dataset(cfg, split) for split in ("train", "val"))
    if value is not None:
        train_set.maps.ready(clips=True)  # By the lists as they are.
        hidden = np.random.default_rng(seed).random(train_set.labels.shape) < 0.5
        train_set.labels[hidden] = value
        train_set.maps = HidingMaps(train_set.maps, hidden, value)
    return tested_metrics(cfg, train_set, val_set, "val").mean


def main():
    seeds, found = seeds_parser(__doc__).parse_args().seeds, {}
    for row, value in ROWS.items():
        found[row] = [mean_precision(value, seed) for seed in seeds]
        by_seed = " ".join(f"{mean:.3f}" for mean in found[row])
        print(f"{row:<22} {by_seed}  mean {np.mean(found[row]):.3f}")
    pairs = zip(found["half unknown"], found["half taken for absent"], strict=True)
    mean, low, high = interval([unknown - absent for unknown, absent in pairs])
    of_seeds = "" if low is None else f", 95 % interval [{low:+.3f}, {high:+.3f}]"
    print(f"unknown minus absent {mean:+.3f}{of_seeds}")


if __name__ == "__main__":
    with exit_with_sentence():
        main()
