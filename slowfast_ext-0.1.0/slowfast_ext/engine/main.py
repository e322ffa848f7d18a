"""The command line of run_net.py."""

import argparse
import os
import re

from slowfast_ext import datasets  # noqa: F401  (registers the data sets)
from slowfast_ext.config import load_config
from slowfast_ext.engine.distributed import launch
from slowfast_ext.engine.test import test
from slowfast_ext.engine.train import train
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import is_local, require_writable

_CONFIG_KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Za-z0-9_]+)*")


def parse_arguments(arguments=None):
    """
    Upstream's arguments.

    Returns:
        Namespace: `cfg_files`, `shard_id`, `num_shards`, `init_method` and `opts`, the
            KEY VALUE pairs, with or without upstream's `--opts` before them.
    """
    parser = argparse.ArgumentParser(prog="run_net.py", description=__doc__)
    parser.add_argument("--cfg", dest="cfg_files", nargs="+", required=True, metavar="YAML")
    parser.add_argument("--shard_id", type=int, default=0, help="number of this machine")
    parser.add_argument("--num_shards", type=int, default=1, help="number of machines")
    parser.add_argument("--init_method", default="tcp://localhost:9999")
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE")
    args, rest = parser.parse_known_args(arguments)
    # argparse lets --cfg swallow the pairs behind it: a key looks like no file name.
    keys = [i for i, word in enumerate(args.cfg_files) if _is_key(word)]
    first = keys[0] if keys else len(args.cfg_files)
    args.opts = args.cfg_files[first:] + rest + args.opts
    args.cfg_files = args.cfg_files[:first]
    if not args.cfg_files or any(word.startswith("--") for word in args.opts):
        unknown = [word for word in args.opts if word.startswith("--")]
        raise SlowFastExtError(f"unknown argument {unknown[0]}" if unknown else "--cfg has no file")
    return args


def _is_key(word):
    return bool(_CONFIG_KEY.fullmatch(word)) and not word.endswith((".yaml", ".yml"))


def main(arguments=None):
    """Runs each config in turn: trains, tunes, tests, whatever it enables."""
    args = parse_arguments(arguments)
    shards = ["NUM_SHARDS", str(args.num_shards), "SHARD_ID", str(args.shard_id)]
    configs = [load_config(path, args.opts + shards) for path in args.cfg_files]
    _check_outputs(args.cfg_files, configs)
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


def run(cfg):
    """What one process of one config does."""
    if not (cfg.TRAIN.ENABLE or cfg.TUNE.ENABLE or cfg.TEST.ENABLE):
        raise SlowFastExtError("TRAIN.ENABLE, TUNE.ENABLE and TEST.ENABLE are all False")
    if cfg.TRAIN.ENABLE or cfg.TUNE.ENABLE:
        train(cfg)
    if cfg.TEST.ENABLE:
        test(cfg)
