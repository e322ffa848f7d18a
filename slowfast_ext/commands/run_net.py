"""The command line of run_net.py."""

import logging
import os

from slowfast_ext.commands.arguments import parse_arguments
from slowfast_ext.engine.launch import launch
from slowfast_ext.engine.loaders import worker_deaths_named
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.tensorboard import check_tensorboard
from slowfast_ext.engine.test import test
from slowfast_ext.engine.train import train
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.distributed import is_main_process
from slowfast_ext.utils.paths import is_local, remove_leftovers, require_writable
from slowfast_ext.visualization.demo import check_demo, demo
from slowfast_ext.visualization.maps import draw_view


def main(arguments=None):
    """`run_configs` of the command line, or of a list of its words."""
    run_configs(parse_arguments(arguments))


def run_configs(args):
    """Runs each config in turn: trains, tunes, tests, shows a demo, whatever it enables."""
    shards = ["NUM_SHARDS", str(args.num_shards), "SHARD_ID", str(args.shard_id)]
    configs = [checked_config(path, args.opts + shards) for path in args.cfg_files]
    _check_outputs(args.cfg_files, configs)
    for cfg in configs:
        check_tensorboard(cfg)
    for cfg in configs:
        launch(cfg, args.init_method, run)


def _check_outputs(paths, configs):
    """Each config writes to a place of its own, where something can be written."""
    seen = {}
    for path, cfg in zip(paths, configs, strict=True):
        folder = os.path.realpath(cfg.OUTPUT_DIR) if is_local(cfg.OUTPUT_DIR) else cfg.OUTPUT_DIR
        if folder in seen:
            raise SlowFastExtError(
                f"{seen[folder]} and {path} have one OUTPUT_DIR, {cfg.OUTPUT_DIR}: the second "
                "would go on from the first's checkpoints; start each by itself with its own"
            )
        seen[folder] = path
        require_writable(os.path.join(cfg.OUTPUT_DIR, "results.json"), "OUTPUT_DIR")
        if cfg.TEST.ENABLE and cfg.TEST.SAVE_RESULTS_PATH:
            target = os.path.join(cfg.OUTPUT_DIR, cfg.TEST.SAVE_RESULTS_PATH)
            require_writable(target, "TEST.SAVE_RESULTS_PATH")
        if cfg.DEMO.ENABLE:
            check_demo(cfg)


def run(cfg):
    """What one process of one config does."""
    if not (cfg.TRAIN.ENABLE or cfg.TUNE.ENABLE or cfg.TEST.ENABLE or cfg.DEMO.ENABLE):
        raise SlowFastExtError(
            "TRAIN.ENABLE, TUNE.ENABLE, TEST.ENABLE and DEMO.ENABLE are all False"
        )
    # A full disk is told by the file that matters, not with a traceback for each line of the log.
    logging.raiseExceptions = False
    if is_main_process():
        for folder in ("", "checkpoints", "partial_scores"):
            remove_leftovers(os.path.join(cfg.OUTPUT_DIR, folder))
    with worker_deaths_named():
        if cfg.TRAIN.ENABLE or cfg.TUNE.ENABLE:
            train(cfg, draw_view)
        if cfg.TEST.ENABLE:
            test(cfg)
        if cfg.DEMO.ENABLE and is_main_process():
            demo(cfg)
