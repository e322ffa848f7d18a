"""What an evaluation leaves: `results.json` and a table to read."""

import importlib.metadata
import importlib.util
import json
import math
import os
import platform
from collections.abc import Mapping
from datetime import datetime, timezone

import numpy as np

import slowfast_ext
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import open_atomically

# --- results.json ---------------------------------------------------------------------


def mean_figures(metrics):
    """The means of MultilabelMetrics or AvaMetrics, by their names in `results.json`."""
    return {"mAP": metrics.mean, "weighted_mAP": metrics.weighted}


def numbers_of(figures):
    """
    {name: number, or None} of the figures, or entries of results.json, that are one number: what
    tables, logs, curves and pages show of them.
    """
    return {
        name: value
        for name, value in figures.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }


def results_object(
    task,
    metrics,
    class_names,
    protocol,
    counts,
    row="",
    config=None,
    class_ids=None,
    figures=None,
):
    """
    What `results.json` holds: fractions, not percent, and nothing that strict JSON lacks.

    Args:
        task (str), protocol (dict), counts (dict): what was evaluated, and how.
        metrics (MultilabelMetrics): of A activities.
        class_names (list[str]), class_ids (list[int]): A; ids are else their places from 0.
        row (str): ACTIVITY.TABLE_ROW.
        config (CfgNode or dict): the whole configuration, if there is one.
        figures (dict): of an Evaluator; None: `mean_figures`.

    Returns:
        dict: of dict, list, str, int, float, bool and None only; NaN is None. Its `date` is
            the time of this call: UTC, ISO 8601, to the second.

    Raises SlowFastExtError where the number of names differs from that of the activities.
    """
    if len(class_names) != len(metrics.positives):
        raise SlowFastExtError(
            f"{len(class_names)} class names for scores of {len(metrics.positives)} activities"
        )
    ids = class_ids or range(len(class_names))
    columns = (ids, class_names, metrics.average_precision, metrics.positives)
    # Ids of a data set may have gaps, as AVA's have.
    per_class = [
        {"id": class_id, "name": name, "ap": precision, "positives": positives}
        for class_id, name, precision, positives in zip(*columns, strict=True)
    ]
    return plain(
        {
            "task": task,
            **(mean_figures(metrics) if figures is None else figures),
            "per_class": per_class,
            "counts": counts,
            "protocol": protocol,
            "row": row,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "config": config or {},
            "versions": installed_versions(),
        }
    )


def write_results(path, results):
    """Writes the object to `path` as strict JSON."""
    text = json.dumps(plain(results), indent=2, allow_nan=False, ensure_ascii=False)
    with open_atomically(path) as stream:
        stream.write(text + "\n")


def installed_versions():
    """The versions that a result depends on, by name; None for what is not installed."""
    return {
        "python": platform.python_version(),
        "torch": _distribution_version("torch"),
        "numpy": _distribution_version("numpy"),
        # A checkout may run without being installed.
        "slowfast_ext": _distribution_version("slowfast-ext")
        or getattr(slowfast_ext, "__version__", None),
        "pyslowfast": _pyslowfast_version(),
    }


def _distribution_version(name):
    """The version of an installed distribution, None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pyslowfast_version():
    """`main`, the version of PyPI's package, or None where there is no PySlowFast."""
    try:
        spec = importlib.util.find_spec("slowfast")
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    # A clone of main on PYTHONPATH has no version of its own and may hide an installed
    # 1.0, so the files decide: 1.0 has models/model_builder.py in this one's place.
    folders = spec.submodule_search_locations or []
    if any(os.path.isfile(os.path.join(folder, "models", "build.py")) for folder in folders):
        return "main"
    return _distribution_version("pyslowfast")


def plain(value):
    """`value` in the types of strict JSON: configs, tuples and numpy's types turned plain."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    return str(value)


# --- The table for people -------------------------------------------------------------


def by_falling_precision(results):
    """`per_class` of results.json, highest AP first; equal ones by id, those without one last."""
    return sorted(results["per_class"], key=lambda c: (c["ap"] is None, -(c["ap"] or 0)))


def per_class_table(results):
    """
    An aligned text table of results.json's object, without a final newline: classes by falling AP,
    those without positives last, the means; fractions with four decimals.
    """
    rows = [
        (c["name"], number_text(c["ap"], "no positives: no AP"), str(c["positives"]))
        for c in by_falling_precision(results)
    ]
    means = [
        (name.replace("_", " "), number_text(value), "")
        for name, value in numbers_of(results).items()
    ]
    lines = _aligned([("class", "AP", "positives"), *rows, *means])
    scored = sum(c["ap"] is not None for c in results["per_class"])
    if scored < len(rows):
        lines.append(
            f"mAP is over the {scored} of {len(rows)} classes with positives here; the others "
            "are left out of it"
        )
    return "\n".join(lines)


def number_text(value, otherwise="none"):
    """A fraction with four decimals, a whole number as it is, `otherwise` where there is none."""
    if value is None:
        return otherwise
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _aligned(rows):
    """Rows of three texts as lines: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        f"{name:<{widths[0]}}  {middle:>{widths[1]}}  {last:>{widths[2]}}".rstrip()
        for name, middle, last in rows
    ]
