"""
The learning rates of a table's heads, on a seed that is in no table.

    python -m projects.study.learning_rates --only peer,decoder [--rates 0.002 0.005] [--seed 7]

prints the mAP in percent of every row at each rate, `SOLVER.BASE_LR` of its recipe put aside; of
table "whole" at each rate of the whole network, whose head was trained at its own before. rows.py
has the best.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from projects.study.cache import Cache
from projects.study.experiment import Experiment
from projects.study.miniature import FOLDER
from projects.study.rows import TITLES, rows_of
from projects.study.workers import Task, run_tasks
from slowfast_ext.commands.tables import chosen_tables
from slowfast_ext.errors import exit_with_sentence

sys.path.insert(0, str(Path(__file__).parents[2]))


def at_rate(row, rate):
    """A Row whose head, or whose whole network where that is trained, has this learning rate."""
    if row.whole_rate is not None:
        return replace(row, whole_rate=rate)
    options = (*row.recipe.options, "SOLVER.BASE_LR", rate)
    return replace(row, recipe=replace(row.recipe, options=options))


def compare(experiment, rows, rates):
    """{row: its mAP at each of the rates}."""
    tried = [at_rate(row, rate) for row in rows for rate in rates]
    ((scores, _),) = run_tasks([Task(experiment, tuple(tried))])
    found = iter(scores)
    return {row: [next(found).metrics["mAP"] for _ in rates] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--only", required=True, metavar="peer,decoder")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.001, 0.002, 0.005])
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    rows = rows_of(chosen_tables(args.only, list(TITLES)))
    found = compare(Experiment(Cache(FOLDER), args.seed), rows, args.rates)
    print("".ljust(44), *(f"{rate:>8g}" for rate in args.rates))
    for row, scores in found.items():
        print(f"{row.table}: {row.name}".ljust(44), *(f"{100 * score:8.1f}" for score in scores))


if __name__ == "__main__":
    with exit_with_sentence():
        main()
