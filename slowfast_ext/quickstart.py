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


def quickstart(options=()):
    """
    Trains upstream's head and the paper's on the same backbone, schedule and seed, tunes
    the paper's, tests with 30 views of mixed rates, and prints the table.

    Args:
        options (sequence[str]): KEY VALUE pairs for all runs.
    """
    started = time.monotonic()
    pool = load_config(str(CONFIGS / "POOL_SLOWFAST.yaml"), options)
    activity = load_config(str(CONFIGS / "ACTIVITY_SLOWFAST.yaml"), options)
    untuned = config_before_tuning(activity)
    for cfg in (pool, activity, untuned):
        launch(cfg, INIT_METHOD, run)
    tested = {
        "upstream's head": pool,
        "the paper's head": untuned,
        "the paper's, tuned": activity,
    }
    print(table({name: read_results(cfg) for name, cfg in tested.items()}))
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")


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
