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
    both, tests with 30 views of mixed rates, and prints the table.

    Args:
        options (sequence[str]): KEY VALUE pairs for all runs.
    """
    started = time.monotonic()
    rows = []
    for name, config in (("upstream's", "POOL_SLOWFAST"), ("the paper's", "ACTIVITY_SLOWFAST")):
        cfg = load_config(str(CONFIGS / f"{config}.yaml"), options)
        launch(cfg, INIT_METHOD, run)
        untuned = config_before_tuning(cfg)
        launch(untuned, INIT_METHOD, run)
        for tuning, tested in (("", untuned), (", tuned", cfg)):
            with pathmgr.open(f"{tested.OUTPUT_DIR}/results.json") as stream:
                rows.append((name + tuning, json.load(stream)))
    print(table(rows))
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")


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


def table(rows):
    """(head, results) pairs -> the table that README.md shows."""
    protocol, counts = rows[0][1]["protocol"], rows[0][1]["counts"]
    lines = [
        f"Synthetic, {counts['videos']} test videos, {protocol['num_views']} views each",
        f"{'head':<20}{'mAP':>8}{'weighted':>10}",
    ]
    for name, results in rows:
        lines.append(f"{name:<20}{results['mAP']:>8.3f}{results['weighted_mAP']:>10.3f}")
    return "\n".join(lines)
