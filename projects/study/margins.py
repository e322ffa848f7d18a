"""
The quickstart's heads on synthetic video, by seed, and without what the paper's is made for.

    python -m projects.study.margins [--seeds 1 2 3 4 5] [--one-place-one-rate]

prints mAP of every row of the quickstart's table (30 views each), and the margins of the paper's
head and of the extended one, before tuning, over upstream's and over log-mean-exp pooling with
their means. Finished runs are kept under build/.
"""

import argparse
import itertools
import sys
from pathlib import Path

from slowfast_ext.commands.quickstart import run_heads
from slowfast_ext.errors import exit_with_sentence
from slowfast_ext.evaluation.intervals import interval

sys.path.insert(0, str(Path(__file__).parents[2]))

ONE_PLACE_ONE_RATE = [
    *("SYNTHETIC.SEVERAL_PLACES", "False"),
    *("SYNTHETIC.SEVERAL_SPEEDS", "False"),
]


def seeds_parser(doc):
    """An argument parser for a comparison by seed with this docstring, with --seeds."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[1])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    return parser


def summary(margins):
    """The margins of all seeds in words, with Student's 95 % interval."""
    mean, low, high = interval(margins)
    within = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
    return f"mean margin {mean:+.3f}{within}, smallest {min(margins):+.3f}"


def main():
    parser = seeds_parser(__doc__)
    parser.add_argument("--one-place-one-rate", action="store_true")
    args = parser.parse_args()
    switches = ONE_PLACE_ONE_RATE if args.one_place_one_rate else []
    name = "one_place_one_rate" if args.one_place_one_rate else "default"
    found = []
    for seed in args.seeds:
        # A seed of its own for the videos too: the margin should not hang on one set of them.
        options = [*switches, "RNG_SEED", str(seed), "SYNTHETIC.SEED", str(seed)]
        folder = f"build/margins/{name}/{seed}"
        results = run_heads(folder, f"{folder}/videos", options)
        found.append({head: head_results["mAP"] for head, head_results in results.items()})
        cells = ", ".join(f"{head} {score:.3f}" for head, score in found[-1].items())
        print(f"seed {seed}: {cells}", flush=True)
    for ahead, behind in itertools.product(
        ("the paper's head", "the extended head"), ("upstream's head", "log-mean-exp")
    ):
        margins = [scores[ahead] - scores[behind] for scores in found]
        print(f"{ahead} over {behind}: {summary(margins)}")


if __name__ == "__main__":
    with exit_with_sentence():
        main()
