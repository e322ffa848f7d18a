"""The main job on data that it makes itself: the paper's head beside upstream's."""

import json
import time
from pathlib import Path

from slowfast_ext import datasets  # noqa: F401  (registers the data sets)
from slowfast_ext.config import load_config
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.distributed import launch
from slowfast_ext.engine.main import run
from slowfast_ext.paths import pathmgr

CONFIGS = Path(__file__).parents[1] / "configs" / "Synthetic"
INIT_METHOD = "tcp://localhost:9999"


def quickstart():
    """The main job once; prints the table that README.md shows."""
    started = time.monotonic()
    print(table(run_heads("output/synthetic")))
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")


def run_heads(output_dir, options=()):
    """
    Trains upstream's head and the paper's on the same backbone, schedule and seed, tunes
    the paper's, and tests with 30 views of mixed rates.

    Args:
        output_dir (str): each head gets a folder in it.
        options (sequence[str]): KEY VALUE pairs for all runs.

    Returns:
        dict[str, dict]: what results.json holds, by head.
    """
    pool, activity = (
        load_config(
            str(CONFIGS / f"{name}_SLOWFAST.yaml"),
            [*options, "OUTPUT_DIR", f"{output_dir}/{name.lower()}_head"],
        )
        for name in ("POOL", "ACTIVITY")
    )
    untuned = config_before_tuning(activity)
    for cfg in (pool, activity, untuned):
        launch(cfg, INIT_METHOD, run)
    tested = {
        "upstream's head": pool,
        "the paper's head": untuned,
        "the paper's, tuned": activity,
    }
    return {name: read_results(cfg) for name, cfg in tested.items()}


def read_results(cfg):
    """What the test of `cfg` left in results.json."""
    with pathmgr.open(f"{cfg.OUTPUT_DIR}/results.json") as stream:
        return json.load(stream)


def config_before_tuning(cfg):
    """A test of what `cfg` had trained before it tuned, beside its own results."""
    untuned = cfg.clone()
    untuned.TRAIN.ENABLE = False
    untuned.TUNE.ENABLE = False
    untuned.TEST.CHECKPOINT_FILE_PATH = checkpoint.checkpoint_path(
        cfg.OUTPUT_DIR, "train", cfg.SOLVER.MAX_EPOCH
    )
    untuned.OUTPUT_DIR = f"{cfg.OUTPUT_DIR}/before_tuning"
    return untuned


def table(results):
    """{head: results} -> the table that README.md shows."""
    first = next(iter(results.values()))
    lines = [
        f"Synthetic, {first['counts']['videos']} test videos, "
        f"{first['protocol']['num_views']} views each",
        f"{'head':<20}{'mAP':>8}{'weighted':>10}",
    ]
    for name, of_head in results.items():
        lines.append(f"{name:<20}{of_head['mAP']:>8.3f}{of_head['weighted_mAP']:>10.3f}")
    return "\n".join(lines)
