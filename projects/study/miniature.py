"""`python -m slowfast_ext tables --miniature`: the paper's tables in small, on synthetic video."""

import json
import os

from projects.study.cache import Cache
from projects.study.experiment import BACKBONE_RATES, PARTS, Experiment
from projects.study.plots import CORRELATION_FILE, SPEEDS_FILE, write_plots
from projects.study.report import control_text, study_text
from projects.study.results import correlation_summary, difference, summarise
from projects.study.rows import CONTROLS, TITLES, has_complete_head, rows_of, rows_of_control
from projects.study.workers import Task, run_tasks
from slowfast_ext.errors import SlowFastExtError, require_packages
from slowfast_ext.evaluation.results import installed_versions
from slowfast_ext.utils.paths import require_writable, require_writable_in

FOLDER = "build/miniature"


def run(
    tables,
    seeds,
    without=None,
    backbone_rates=BACKBONE_RATES,
    fresh=False,
    as_json=False,
    plots=None,
):
    """
    Computes what the cache does not have, and prints tables or one JSON object.

    Args:
        tables (list[str]): of TITLES; where `without` is given, the control decides instead.
        seeds (list[int]): at least 0, each once.
        without (str | None): a key of CONTROLS: the generator's property to switch off.
        backbone_rates (sequence[int]): sampling rates that the backbone is trained at.
        fresh (bool): compute everything but the videos anew.
        as_json (bool): print JSON alone.
        plots (str | None): a folder that gets pictures of 3c, 3d and Corr; None: none are drawn.

    Raises:
        SlowFastExtError: a seed is negative or stands twice, a rate is below 1, a folder cannot
            be written, `tables` give no picture, or matplotlib, which draws, is not installed.
    """
    if plots is not None:
        if not has_complete_head(rows_of(tables)):
            raise SlowFastExtError(
                "--plots draws 3c, 3d and the complete head's Corr: none is in these tables"
            )
        require_packages("--plots", ["matplotlib"])
        require_writable_in(plots, (SPEEDS_FILE, CORRELATION_FILE), "--plots")
    if min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise SlowFastExtError(
            f"--seeds {' '.join(map(str, seeds))}: must be different numbers from 0 up"
        )
    if min(backbone_rates) < 1:
        raise SlowFastExtError("--backbone-rates: must be whole numbers from 1 up")

    for part in PARTS:
        require_writable(os.path.join(FOLDER, part, "file"), "--miniature")
    cache = Cache(FOLDER, fresh)

    def tasks_of(rows, switched_off=None):
        experiments = (Experiment(cache, seed, switched_off, backbone_rates) for seed in seeds)
        return [Task(experiment, tuple(rows)) for experiment in experiments]

    if without:
        result, as_text = run_control(tasks_of, without), control_text
    else:
        result, as_text = run_study(tasks_of, tables), study_text
    result |= {"seeds": seeds, "backbone_rates": list(backbone_rates)}
    result["versions"] = installed_versions()
    if plots is not None:
        write_plots(result, plots)
    print(json.dumps(result, indent=2, allow_nan=False) if as_json else as_text(result))


def run_study(tasks_of, tables):
    """
    The rows of `tables`, their differences and, with the complete head, what Corr learned.

    Args:
        tasks_of (callable): rows -> their Tasks, one a seed.
    """
    rows = rows_of(tables)
    outcomes = run_tasks(tasks_of(rows))
    lines, differences = summarise(rows, _by_row(rows, outcomes))
    result = {"titles": {table: TITLES[table] for table in tables}, "rows": lines}
    result["differences"] = differences
    parts = [seed_parts for _, seed_parts in outcomes if seed_parts is not None]
    if parts:
        result["correlation"], result["matrices"] = correlation_summary(parts)
    return result


def run_control(tasks_of, without):
    """Rows and their differences that must vanish without a property, with it and without it."""
    rows = rows_of_control(without)
    by_name = {(row.table, row.name): row for row in rows}
    tasks = tasks_of(rows)
    outcomes = run_tasks([*tasks, *tasks_of(rows, without)])
    parts = {"with_property": outcomes[: len(tasks)], "without_property": outcomes[len(tasks) :]}
    result = {"without": without}
    for name, part_outcomes in parts.items():
        scores = _by_row(rows, part_outcomes)
        differences = [
            difference(by_name[table, row], by_name[table, other], scores)
            for table, row, other in CONTROLS[without][1]
        ]
        result[name] = {"rows": summarise(rows, scores)[0], "differences": differences}
    return result


def _by_row(rows, outcomes):
    """{row: [its Score with each seed]} of what `run_tasks` gave."""
    return {row: [scores[i] for scores, _ in outcomes] for i, row in enumerate(rows)}
