"""
Losses and samplings where some activities are rare: mAP of head, middle and tail, by seed.

    python -m slowfast_ext quickstart
    for SEED in 0 1; do python -m slowfast_ext extract --cfg configs/Synthetic/LONG_TAIL.yaml \
        --out build/long_tail_$SEED/maps --splits train,test \
        SYNTHETIC.SEED $SEED DATA.PATH_TO_DATA_DIR build/long_tail_$SEED; done
    python -m projects.study.long_tail [--seeds 1 2 3 4 5]

The quickstart trains the backbone. Each row's learning rate is the best of RATES, by mAP, on the
set of SYNTHETIC.SEED 1 with RNG_SEED 1; the table is of the set of seed 0. Finished runs are kept
in build/long_tail_0/runs.json.
"""

import functools
import json
from pathlib import Path

import numpy as np

from projects.study.margins import seeds_parser
from projects.study.stored_runs import tested_metrics
from slowfast_ext.engine import loaders
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import exit_with_sentence
from slowfast_ext.evaluation.intervals import interval
from slowfast_ext.evaluation.multilabel import frequency_groups
from slowfast_ext.utils.paths import open_atomically

CONFIG = "configs/Synthetic/LONG_TAIL.yaml"
FOLDER = "build/long_tail_{seed}"
RATES = (0.001, 0.002, 0.005)
ROWS = {
    "BCE": "",
    "rare videos repeated": "TRAIN.REPEAT_THRESHOLD 0.3",
    "positives weighted": "LOSS.POS_WEIGHT 10",
    "asymmetric": "MODEL.LOSS_FUNC asymmetric",
    "equalization": "MODEL.LOSS_FUNC equalization",
    "focal": "MODEL.LOSS_FUNC focal",
    "weights averaged": "SOLVER.EMA 0.99",
}
COLUMNS = ("mAP", "head", "middle", "tail")


class LongTail:
    """A set and its stored maps, which are read from the disk once; `seed` is SYNTHETIC.SEED."""

    def __init__(self, seed):
        folder = FOLDER.format(seed=seed)
        self.options = ["SYNTHETIC.SEED", str(seed), "DATA.PATH_TO_DATA_DIR", folder]
        self.options += ["FEATURES.PATH", f"{folder}/maps", "NUM_GPUS", "0", "LOG_PERIOD", "1000"]
        cfg = checked_config(CONFIG, self.options)
        self.train, self.test = (loaders.build_dataset(cfg, split) for split in ("train", "test"))
        for dataset in (self.train, self.test):
            dataset.maps._read = functools.cache(dataset.maps._read)

    def figures(self, words, learning_rate, seed):
        """One head, trained and tested: {name of COLUMNS: mAP}."""
        own = ["SOLVER.BASE_LR", str(learning_rate), "RNG_SEED", str(seed)]
        cfg = checked_config(CONFIG, [*self.options, *words.split(), *own])
        metrics = tested_metrics(cfg, self.train, self.test, "test")
        positives = (self.train.labels > 0).sum(0)
        groups = frequency_groups(metrics.average_precision, positives)
        return {"mAP": metrics.mean, **{group["group"]: group["mAP"] for group in groups}}


def table(figures):
    """{row: figures of each seed} -> the table, differences from the first row seed by seed."""
    first = next(iter(figures.values()))
    lines = [f"{'row':<24}" + "".join(f"{name:>8}" for name in COLUMNS) + "  tail minus the first"]
    for row, of_seeds in figures.items():
        means = [100 * np.mean([found[name] for found in of_seeds]) for name in COLUMNS]
        pairs = zip(of_seeds, first, strict=True)
        mean, low, high = interval([100 * (a["tail"] - b["tail"]) for a, b in pairs])
        gain = f"  {mean:+.1f} [{low:+.1f}, {high:+.1f}]" if low is not None else f"  {mean:+.1f}"
        lines.append(f"{row:<24}" + "".join(f"{value:8.1f}" for value in means) + gain)
    return "\n".join(lines)


class Runs:
    """Figures of runs, each computed once: kept in `path` by set, settings, rate and seed."""

    def __init__(self, path):
        self.path, self.found = Path(path), {}
        if self.path.exists():
            self.found = json.loads(self.path.read_text())
        self.set_of = functools.cache(LongTail)

    def figures(self, videos, row, learning_rate, seed):
        """As `LongTail.figures`, of the set of seed `videos` and a row of ROWS."""
        key = f"{videos} {ROWS[row]} {learning_rate} {seed}"
        if key not in self.found:
            figures = self.set_of(videos).figures(ROWS[row], learning_rate, seed)
            self.found[key] = figures
            with open_atomically(str(self.path)) as stream:
                json.dump(self.found, stream, indent=1)
        return self.found[key]


def main():
    seeds = seeds_parser(__doc__).parse_args().seeds
    runs, figures = Runs(f"{FOLDER.format(seed=0)}/runs.json"), {}
    for row in ROWS:
        held_out = {rate: runs.figures(1, row, rate, 1)["mAP"] for rate in RATES}
        best = max(held_out, key=held_out.get)
        print(f"{row}: " + ", ".join(f"{rate} {mean:.3f}" for rate, mean in held_out.items()))
        figures[row] = [runs.figures(0, row, best, seed) for seed in seeds]
    print(table(figures))


if __name__ == "__main__":
    with exit_with_sentence():
        main()
