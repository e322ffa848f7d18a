"""Checkpoints: written whole or not at all, read without executing anything in them."""

import io
import os
import re

import torch
import yaml

from slowfast_ext.engine import distributed
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import open_atomically, pathmgr

# Keys that may differ between the run that wrote a checkpoint and the one that goes on from
# it: they change where and how fast it computes and what it reports, not what it learns.
_MAY_DIFFER = (
    "ACTIVITY.TABLE_ROW",
    "AVA",
    "BENCHMARK",
    "DATA_LOADER",
    "DEMO",
    "DIST_BACKEND",
    "LOG_MODEL_INFO",
    "LOG_PERIOD",
    "NUM_GPUS",
    "OUTPUT_DIR",
    "SHARD_ID",
    "TENSORBOARD",
    "TEST",
    "TRAIN.AUTO_RESUME",
    "TRAIN.CHECKPOINT_PERIOD",
    "TRAIN.ENABLE",
    "TRAIN.EVAL_PERIOD",
)


def checkpoint_path(output_dir, stage, epoch):
    """Where the stage's state after `epoch` (counted from 1) lies; upstream's name for training."""
    prefix = "" if stage == "train" else f"{stage}_"
    return os.path.join(output_dir, "checkpoints", f"checkpoint_{prefix}epoch_{epoch:05d}.pyth")


def best_checkpoint_path(output_dir, stage):
    """Where the state of the stage's best evaluation lies."""
    prefix = "" if stage == "train" else f"{stage}_"
    return os.path.join(output_dir, "checkpoints", f"checkpoint_{prefix}best.pyth")


def set_aside(output_dir):
    """Renames what an earlier run left, so that nothing goes on from it or tests it by mistake."""
    folder = os.path.join(output_dir, "checkpoints")
    if not distributed.is_main_process() or not pathmgr.isdir(folder):
        return
    for name in pathmgr.ls(folder):
        if name.startswith("checkpoint_") and name.endswith(".pyth"):
            earlier = os.path.join(folder, f"earlier_{name}")
            if pathmgr.exists(earlier):
                pathmgr.rm(earlier)
            pathmgr.mv(os.path.join(folder, name), earlier)


def last_checkpoint(output_dir, stage):
    """The path of the stage's newest checkpoint, None where there is none."""
    folder = os.path.join(output_dir, "checkpoints")
    prefix = "" if stage == "train" else f"{stage}_"
    pattern = re.compile(rf"checkpoint_{prefix}epoch_\d+\.pyth")
    names = pathmgr.ls(folder) if pathmgr.isdir(folder) else []
    names = sorted(name for name in names if pattern.fullmatch(name))
    return os.path.join(folder, names[-1]) if names else None


def save_checkpoint(path, state):
    """Writes a dict of tensors, numbers and text such that it appears whole or not at all."""
    # Serialised in memory first: the zip writer turns a full disk into an error of its own.
    content = io.BytesIO()
    torch.save(state, content)
    with open_atomically(path, "wb") as stream:
        stream.write(content.getbuffer())


def check_same_config(path, state, cfg, stage):
    """
    Refuses to go on from a checkpoint that was trained with other settings.

    Raises:
        SlowFastExtError: names the keys that differ.
    """
    ignored = _MAY_DIFFER + (("TUNE",) if stage == "train" else ())
    theirs, ours = _settings(path, state), _flat(yaml.safe_load(cfg.dump()))
    # A key that only one of them has belongs to the other version of PySlowFast.
    different = [
        f"{key} {theirs[key]!r} (now {ours[key]!r})"
        for key in sorted(theirs.keys() & ours.keys())
        if theirs[key] != ours[key] and not _is_below(key, ignored)
    ]
    if different:
        raise SlowFastExtError(
            f"{path} was trained with {', '.join(different)}: choose another OUTPUT_DIR, or "
            "start anew there with TRAIN.AUTO_RESUME False"
        )


def _settings(path, state):
    """The flat settings that a checkpoint was trained with."""
    try:
        settings = yaml.safe_load(state["cfg"])
    except (KeyError, AttributeError, yaml.YAMLError):
        settings = None
    if not isinstance(settings, dict):
        raise SlowFastExtError(f"{path}: does not say with which settings it was trained")
    return _flat(settings)


def _flat(tree, prefix=""):
    """{"A": {"B": 1}} -> {"A.B": 1}."""
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def _is_below(key, prefixes):
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)
