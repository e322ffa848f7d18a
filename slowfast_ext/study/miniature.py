"""`python -m slowfast_ext tables --miniature`: the paper's tables in small, on synthetic video."""

import json
import sys

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.results import installed_versions
from slowfast_ext.study.cache import Cache
from slowfast_ext.study.experiment import Experiment
from slowfast_ext.study.report import control_text, study_text
from slowfast_ext.study.results import correlation_agreement, difference, score, summarise
from slowfast_ext.study.rows import COMPLETE, CONTROLS, TITLES, rows_of, rows_of_control

FOLDER = "build/miniature"


def run(tables, seeds, without=None, fresh=False, as_json=False):
    """
    Computes what the cache does not have, and prints tables or one JSON object.

    Args:
        tables (list[str]): of TITLES; where `without` is given, the control decides instead.
        seeds (list[int]): at least 0, each once.
        without (str | None): a key of CONTROLS: the generator's property to switch off.
        fresh (bool): compute everything but the videos anew.
        as_json (bool): print JSON alone.

    Raises:
        SlowFastExtError: a seed is negative or stands twice.
    """
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise SlowFastExtError(
            f"--seeds {' '.join(map(str, seeds))}: must be different numbers from 0 up"
        )
    cache = Cache(FOLDER, fresh)
    if without:
        result, as_text = run_control(cache, seeds, without), control_text
    else:
        result, as_text = run_study(cache, seeds, tables), study_text
    result = {**result, "seeds": seeds, "versions": installed_versions()}
    print(json.dumps(result, indent=2, allow_nan=False) if as_json else as_text(result))


def run_study(cache, seeds, tables):
    """The rows of `tables`, their differences and, with the complete head, what Corr learned."""
    rows = rows_of(tables)
    experiments = [Experiment(cache, seed) for seed in seeds]
    scores = scores_of(rows, experiments)
    lines, differences = summarise(rows, scores)
    result = {"titles": {table: TITLES[table] for table in tables}, "rows": lines}
    result["differences"] = differences
    if any(row.recipe == COMPLETE for row in rows):
        result["correlation"] = correlation_agreement(experiments)
    return result


def run_control(cache, seeds, without):
    """The differences that must vanish without a property, with it and without it."""
    rows = rows_of_control(without)
    by_name = {(row.table, row.name): row for row in rows}
    result = {"without": without}
    for name, switched_off in (("with_property", None), ("without_property", without)):
        scores = scores_of(rows, [Experiment(cache, seed, switched_off) for seed in seeds])
        result[name] = [
            difference(by_name[table, row], by_name[table, other], scores)
            for table, row, other in CONTROLS[without][1]
        ]
    return result


def scores_of(rows, experiments):
    """{row: [its Score with each seed]}; seed by seed, so that one seed's maps are held at once."""
    scores = {row: [] for row in rows}
    for experiment in experiments:
        for row in rows:
            scores[row].append(score(row, experiment))
        print(f"{experiment.name}: done", file=sys.stderr, flush=True)
    return scores
