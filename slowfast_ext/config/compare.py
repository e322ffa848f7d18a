"""A checkpoint's config against this run's."""

import contextlib

import yaml

from slowfast_ext.config.files import read_yaml
from slowfast_ext.errors import SlowFastExtError

# Keys that may differ between the run that wrote a checkpoint and the one that goes on from
# it: they change where and how fast it computes and what it reports, not what it learns.
_MAY_DIFFER = (
    "ACTIVITY.TABLE_ROW",
    "AVA.EXCLUSION_FILE",
    "AVA.FULL_TEST_ON_VAL",
    "AVA.GROUNDTRUTH_FILE",
    "AVA.TEST_CROP",
    "AVA.TEST_LISTS",
    "AVA.TEST_PREDICT_BOX_LISTS",
    "BENCHMARK",
    "DATA.PATHS_OUTSIDE",
    "DATA.SKIP_BROKEN_VIDEOS",
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

# What a test may change of a training besides: how a video's views are cut and combined.
_OF_TESTS = ("DATA.ENSEMBLE_METHOD", "DATA.TEST_CROP_SIZE")

# What makes the network and its inputs what they are. A checkpoint that a test names itself
# may come from any training of them.
_OF_THE_NETWORK = (
    "ACTIVITY",
    "AVA.BGR",
    "DATA.INPUT_CHANNEL_NUM",
    "DATA.MEAN",
    "DATA.REVERSE_INPUT_CHANNEL",
    "DATA.STD",
    "DETECTION",
    "MODEL",
    "NONLOCAL",
    "OBJECTS",
    "RESNET",
    "SLOWFAST",
    "X3D",
)

# Of those, what matters in training alone, or to nothing but names.
_OF_TRAINING = (
    "ACTIVITY.COOCCURRENCE_FILE",
    "ACTIVITY.FREEZE_BACKBONE",
    "ACTIVITY.LR_MULT",
    "ACTIVITY.TABLE_ROW",
    "MODEL.ACT_CHECKPOINT",
    "MODEL.DROPCONNECT_RATE",
    "MODEL.DROPOUT_RATE",
    "MODEL.FC_INIT_STD",
    "MODEL.FROZEN_BN",
    "MODEL.LOSS_FUNC",
    "MODEL.MULTI_PATHWAY_ARCH",
    "MODEL.SINGLE_PATHWAY_ARCH",
    "RESNET.INPLACE_RELU",
    "RESNET.ZERO_INIT_FINAL_BN",
    "RESNET.ZERO_INIT_FINAL_CONV",
)


def check_same_config(path, state, cfg, stage):
    """
    Refuses to go on from a checkpoint that was trained with other settings.

    Raises:
        SlowFastExtError: names the keys that differ.
    """
    advice = "choose another OUTPUT_DIR"
    if cfg.TRAIN.ENABLE:
        advice += ", or start anew there with TRAIN.AUTO_RESUME False"
    elif stage == "train":
        advice += f" with TRAIN.CHECKPOINT_FILE_PATH {path}"
    _refuse_different(path, _different(path, state, cfg, _may_differ(stage)), advice)


def check_tested_config(path, state, cfg, stage):
    """As check_same_config, for a test of what OUTPUT_DIR holds."""
    different = _different(path, state, cfg, _may_differ(stage) + _OF_TESTS)
    advice = f"set them as they were, or test it by name with TEST.CHECKPOINT_FILE_PATH {path}"
    _refuse_different(path, different, advice)


def check_same_network(path, state, cfg, advice):
    """
    Refuses to test a checkpoint whose network, or what it was fed, this config does not make.

    Files of other projects have no settings of ours, and pass.

    Raises:
        SlowFastExtError: names the keys that differ, and gives the `advice`.
    """
    if not isinstance(state.get("cfg"), str) or "ACTIVITY:" not in state["cfg"].splitlines():
        return
    different = {
        key: values
        for key, values in _different(path, state, cfg, _OF_TRAINING).items()
        if _is_below(key, _OF_THE_NETWORK)
    }
    _refuse_different(path, different, advice)


def _may_differ(stage):
    return _MAY_DIFFER + (("TUNE",) if stage == "train" else ())


def _different(path, state, cfg, ignored):
    """{key: (the checkpoint's value, this config's)} where they differ and that is not ignored."""
    theirs, ours = _settings(path, state), flattened(yaml.safe_load(cfg.dump()))
    # A key that only one of them has belongs to the other version of PySlowFast.
    return {
        key: (theirs[key], ours[key])
        for key in sorted(theirs.keys() & ours.keys())
        if theirs[key] != ours[key] and not _is_below(key, ignored)
    }


def _refuse_different(path, different, advice):
    if different:
        pairs = [f"{key} {theirs!r} (now {ours!r})" for key, (theirs, ours) in different.items()]
        raise SlowFastExtError(f"{path} was trained with {', '.join(pairs)}: {advice}")


def _settings(path, state):
    """The flat settings that a checkpoint was trained with."""
    settings, text = None, state.get("cfg")
    with contextlib.suppress(SlowFastExtError):
        settings = read_yaml(path, text) if isinstance(text, str) else None
    if not isinstance(settings, dict):
        raise SlowFastExtError(f"{path}: does not say with which settings it was trained")
    return flattened(settings)


def flattened(tree, prefix=""):
    """{"A": {"B": 1}} -> {"A.B": 1}."""
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat.update(flattened(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _is_below(key, prefixes):
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)
