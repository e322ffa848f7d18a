"""Pictures of the study: mAP by the activities' speed, and what Corr learned."""

import os

import numpy as np

from projects.study.results import SPEEDS
from slowfast_ext.utils.paths import open_atomically

SPEEDS_FILE, CORRELATION_FILE = "study_speeds.png", "study_correlation.png"


def write_plots(result, folder):
    """
    Draws what the object of `run_study` holds of tables 3c and 3d and of Corr.

    Args:
        folder (str): is made; gets SPEEDS_FILE and CORRELATION_FILE.
    """
    from matplotlib.figure import Figure

    tables = [table for table in ("3c", "3d") if table in result["titles"]]
    if tables:
        figure = Figure(figsize=(5.5 * len(tables), 3.8), layout="constrained")
        for axes, table in zip(
            figure.subplots(1, len(tables), squeeze=False)[0], tables, strict=True
        ):
            _draw_speeds(axes, result, table)
        _save(figure, os.path.join(folder, SPEEDS_FILE))
    if "matrices" in result:
        matrices = result["matrices"]
        figure = Figure(figsize=(3.3 * len(matrices), 3.4), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(matrices)), matrices, strict=True):
            _draw_matrix(axes, name, matrices[name])
        _save(figure, os.path.join(folder, CORRELATION_FILE))


def _draw_speeds(axes, result, table):
    rows = [row for row in result["rows"] if row["table"] == table]
    width = 0.8 / len(rows)
    for place, row in enumerate(rows):
        metrics = [row["metrics"][name] for name in ("mAP", *SPEEDS)]
        at = [i + (place - (len(rows) - 1) / 2) * width for i in range(len(metrics))]
        means = [100 * metric["mean"] for metric in metrics]
        axes.bar(at, means, width, label=row["row"])
        for x, metric in zip(at, metrics, strict=True):
            seeds = [100 * seed_value for seed_value in metric["per_seed"]]
            axes.plot([x] * len(seeds), seeds, ".", color="black", markersize=3)
    axes.set_xticks(range(1 + len(SPEEDS)), ["all", *SPEEDS])
    axes.set_ylabel("mAP in percent; dots: seeds")
    axes.set_title(f"Table {table}, synthetic video")
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3)


def _draw_matrix(axes, name, matrix):
    shown = np.array(matrix)
    # The diagonal is above the rest in most of them, and would hide it.
    np.fill_diagonal(shown, np.nan)
    image = axes.imshow(shown)
    axes.figure.colorbar(image, ax=axes, shrink=0.7)
    axes.set_title("P(k | j) of the generator" if name == "truth" else name)
    axes.set_xticks(range(0, len(matrix), 2))
    axes.set_yticks(range(0, len(matrix), 2))
    axes.set_xlabel("activity k")
    axes.set_ylabel("activity j")


def _save(figure, path):
    with open_atomically(path, "wb") as stream:
        figure.savefig(stream, format="png", dpi=110)
