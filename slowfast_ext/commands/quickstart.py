"""The main job on data that it makes itself: the paper's head beside upstream's."""

import functools
import json
import time

from slowfast_ext.commands import run_net as engine
from slowfast_ext.commands.arguments import INIT_METHOD
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.extract import extract
from slowfast_ext.engine.launch import launch, refuse_torchrun
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import CONFIGS, pathmgr


def run(args):
    """The main job once; prints the table that README.md shows."""
    refuse_torchrun("quickstart")
    started = time.monotonic()
    print(table(run_heads("output/synthetic")))
    print(f"{(time.monotonic() - started) / 60:.1f} minutes")


def run_heads(output_dir, data_dir="build/synthetic", options=()):
    """
    Trains a backbone, extracts the features that it gives, and on them trains upstream's head,
    log-mean-exp pooling, the paper's head and the extended one, the paper's with what
    EXTENDED_FROZEN.yaml adds, with the same seed and schedule but for learning rates; tunes the
    last two, and tests with 30 views of mixed rates.

    Args:
        output_dir (str): the backbone and each head get a folder in it.
        data_dir (str): of the synthetic videos; the backbone's lie beside it.
        options (sequence[str]): KEY VALUE pairs for all runs.

    Returns:
        dict[str, dict]: what results.json holds, by head.
    """
    pretraining = _config(
        "PRETRAIN_SLOWFAST", f"{output_dir}/pretraining", f"{data_dir}_parts", options
    )
    backbone = checkpoint.checkpoint_path(
        pretraining.OUTPUT_DIR, "train", pretraining.SOLVER.MAX_EPOCH
    )
    on_backbone = [*options, "TRAIN.CHECKPOINT_FILE_PATH", backbone]
    features = f"{output_dir}/features"
    # In float32 and with as many clips as epochs all is learned as from videos.
    on_backbone += ["FEATURES.PATH", features, "FEATURES.DTYPE", "float32"]
    pool, lse, papers, extended = (
        _config(f"{name}_FROZEN", f"{output_dir}/{name.lower()}_head", data_dir, on_backbone)
        for name in ("POOL", "LSE", "ACTIVITY", "EXTENDED")
    )
    launch(pretraining, INIT_METHOD, engine.run)
    from_videos = papers.clone()
    from_videos.FEATURES.PATH = ""
    names = ["train", "tune", "val", "test"]
    launch(from_videos, INIT_METHOD, functools.partial(extract, folder=features, names=names))
    tested = {
        "upstream's head": pool,
        "log-mean-exp": lse,
        "the paper's head": config_before_tuning(papers),
        "the paper's head, tuned": papers,
        "the extended head": config_before_tuning(extended),
        "the extended head, tuned": extended,
    }
    # What is tested alone was trained with what is tuned.
    for cfg in sorted(tested.values(), key=lambda cfg: cfg.TRAIN.ENABLE, reverse=True):
        launch(cfg, INIT_METHOD, engine.run)
    return {name: read_results(cfg) for name, cfg in tested.items()}


def _config(name, output_dir, data_dir, options):
    folders = ["OUTPUT_DIR", output_dir, "DATA.PATH_TO_DATA_DIR", data_dir]
    return checked_config(str(CONFIGS / "Synthetic" / f"{name}.yaml"), [*options, *folders])


def read_results(cfg):
    """What a test left in results.json; raises SlowFastExtError where that is something else."""
    path = f"{cfg.OUTPUT_DIR}/results.json"
    try:
        with pathmgr.open(path) as stream:
            results = json.load(stream)
        return {**results, "config": dict(results["config"]), "mAP": results["mAP"]}
    except (ValueError, KeyError, TypeError) as error:
        raise SlowFastExtError(
            f"{path}: is no test's results: remove it, and test again"
        ) from error


def config_before_tuning(cfg):
    """A test of what `cfg` had trained before it tuned, beside its own results."""
    # A test takes the tuned network where there is one: this one names the trained.
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
        f"{'head':<25}{'mAP':>8}{'weighted':>10}",
    ]
    for name, head_results in results.items():
        lines.append(f"{name:<25}{head_results['mAP']:>8.3f}{head_results['weighted_mAP']:>10.3f}")
    return "\n".join(lines)
