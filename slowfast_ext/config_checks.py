"""What is checked of a config before anything is built or written."""

import math
import traceback

import torch
from fvcore.common.config import CfgNode

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import HEAD_REGISTRY, ActivityNetwork
from slowfast_ext.models.backbones import backbone_name, feature_channels
from slowfast_ext.paths import has_store, pathmgr

# Upstream's switches whose work the engine here does not do: refused, not ignored.
_NOT_DONE_HERE = {
    "AUG.ENABLE": False,
    "AVA.TEST_FORCE_FLIP": False,
    "AVA.TRAIN_USE_COLOR_AUGMENTATION": False,
    "DEMO.ENABLE": False,
    "MASK.ENABLE": False,
    "MIXUP.ENABLE": False,
    "MODEL.DETACH_FINAL_FC": False,
    "MULTIGRID.LONG_CYCLE": False,
    "MULTIGRID.SHORT_CYCLE": False,
    "SOLVER.LARS_ON": False,
    "SOLVER.LAYER_DECAY": 1.0,
    "TASK": "",
}

# Keys whose value is one of a few words.
_CHOICES = {
    "AVA.TEST_CROP": ("full", "centre"),
    "ACTIVITY.CSN_FORM": ("ip", "ir"),
    "ACTIVITY.FORM": ("default", "as_printed"),
    "ACTIVITY.CLASSIFIER": ("shared", "per_activity"),
    "DATA.ENSEMBLE_METHOD": ("sum", "max"),
    "DATA.TRAIN_LABELS": ("clip", "video"),
    "MODEL.HEAD_ACT": ("sigmoid", "softmax"),
    "SOLVER.OPTIMIZING_METHOD": ("sgd", "adam", "adamw") if upstream.IS_MAIN else ("sgd", "adam"),
    "MODEL.LOSS_FUNC": ("bce", "bce_logit", "cross_entropy"),
    "TRAIN.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
    "TEST.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
}

# Whole numbers that count something.
_AT_LEAST_ONE = (
    "ACTIVITY.DIM",
    "ACTIVITY.GROUPS",
    "ACTIVITY.NUM_OBSERVATIONS",
    "DATA.NUM_FRAMES",
    "DATA.SAMPLING_RATE",
    "DATA.TEST_CROP_SIZE",
    "DATA.TRAIN_CROP_SIZE",
    "LOG_PERIOD",
    "MODEL.NUM_CLASSES",
    "NUM_SHARDS",
    "SOLVER.MAX_EPOCH",
    "SYNTHETIC.NUM_TEST",
    "SYNTHETIC.NUM_TRAIN",
    "TEST.BATCH_SIZE",
    "TRAIN.BATCH_SIZE",
    "TRAIN.CHECKPOINT_PERIOD",
    "TRAIN.EVAL_PERIOD",
    "TUNE.MAX_ITER",
)


# Numbers of which none may be negative.
_AT_LEAST_ZERO = (
    "DATA_LOADER.NUM_WORKERS",
    "OBJECTS.NUM_CLASSES",
    "RNG_SEED",
    "SOLVER.BASE_LR",
)


def all_keys(cfg, prefix=""):
    """Every dotted key of the config, sections included."""
    for name, value in cfg.items():
        yield prefix + name
        if isinstance(value, CfgNode):
            yield from all_keys(value, f"{prefix}{name}.")


def check_values(cfg, defaults):
    """No empty value where there was one, no number that is not finite."""
    for key in all_keys(defaults):
        value, default = upstream.get_key(cfg, key), upstream.get_key(defaults, key)
        if value is None and default is not None:
            _refuse(cfg, key, f"must not be empty; its default is {default!r}")
        # Some of main's own defaults are infinite.
        is_default = value == default
        if isinstance(value, float) and not is_default and not math.isfinite(value):
            _refuse(cfg, key, "must be a finite number")


def check_config(cfg):
    """
    Checks everything that can be known before anything is built or written.

    Raises:
        SlowFastExtError: one sentence naming the key, the value and the rule.
    """
    for key in _AT_LEAST_ONE:
        if upstream.get_key(cfg, key) < 1:
            _refuse(cfg, key, "must be at least 1")
    for key in _AT_LEAST_ZERO:
        if upstream.get_key(cfg, key) < 0:
            _refuse(cfg, key, "must not be negative")
    if not cfg.TUNE.BASE_LR > 0:
        _refuse(cfg, "TUNE.BASE_LR", "must be above 0")
    for key, choices in _CHOICES.items():
        if upstream.get_key(cfg, key) not in choices:
            _refuse(cfg, key, f"must be one of {', '.join(choices)}")
    for key, off in _NOT_DONE_HERE.items():
        if upstream.get_key(cfg, key) not in (off, None):
            _refuse(cfg, key, f"is not done by this engine: set it to {off!r}")
    for key in upstream.unhonoured_keys(cfg):
        _refuse(cfg, key, "needs GitHub's main of PySlowFast, and pyslowfast 1.0 is installed")
    if not has_store(cfg.OUTPUT_DIR):
        _refuse(cfg, "OUTPUT_DIR", "needs a handler for its store, registered with iopath")
    if pathmgr.exists(cfg.OUTPUT_DIR) and not pathmgr.isdir(cfg.OUTPUT_DIR):
        _refuse(cfg, "OUTPUT_DIR", "is a file, and must be a folder")
    _check_network(cfg)
    _check_frames(cfg)
    _check_views(cfg)
    _check_processes(cfg)
    _check_schedule(cfg)
    _check_buildable(cfg)


def _refuse(cfg, key, rule):
    raise SlowFastExtError(f"{key} is {upstream.get_key(cfg, key)!r}: it {rule}")


def _check_network(cfg):
    if cfg.MODEL.MODEL_NAME != "ActivityNetwork":
        _refuse(cfg, "MODEL.MODEL_NAME", "must be ActivityNetwork for this engine")
    pathways = cfg.MODEL.SINGLE_PATHWAY_ARCH + cfg.MODEL.MULTI_PATHWAY_ARCH
    if cfg.MODEL.ARCH not in pathways:
        _refuse(cfg, "MODEL.ARCH", f"must be one of {', '.join(pathways)}")
    if cfg.ACTIVITY.HEAD not in HEAD_REGISTRY:
        heads = [name for name, _ in HEAD_REGISTRY]
        _refuse(cfg, "ACTIVITY.HEAD", f"must be one of {', '.join(heads)}")
    if not 0 <= cfg.MODEL.DROPOUT_RATE < 1:
        _refuse(cfg, "MODEL.DROPOUT_RATE", "must lie in [0, 1)")
    wanted = "softmax" if cfg.MODEL.LOSS_FUNC == "cross_entropy" else "sigmoid"
    if wanted != cfg.MODEL.HEAD_ACT:
        _refuse(cfg, "MODEL.HEAD_ACT", f"must be {wanted} for the loss {cfg.MODEL.LOSS_FUNC}")
    if cfg.ACTIVITY.HEAD == "RoIPoolHead" and not cfg.DETECTION.ENABLE:
        _refuse(cfg, "ACTIVITY.HEAD", "needs DETECTION.ENABLE True: PoolHead is the one for clips")
    if cfg.DETECTION.ENABLE and cfg.OBJECTS.NUM_CLASSES:
        _refuse(cfg, "OBJECTS.NUM_CLASSES", "must be 0 with DETECTION.ENABLE")
    if cfg.ACTIVITY.FREEZE_BACKBONE and cfg.TRAIN.ENABLE and not cfg.TRAIN.CHECKPOINT_FILE_PATH:
        rule = "needs a trained backbone: set TRAIN.CHECKPOINT_FILE_PATH"
        _refuse(cfg, "ACTIVITY.FREEZE_BACKBONE", rule)
    if cfg.ACTIVITY.LR_MULT <= 0:
        _refuse(cfg, "ACTIVITY.LR_MULT", "must be above 0")
    if cfg.SLOWFAST.BETA_INV < 1:
        _refuse(cfg, "SLOWFAST.BETA_INV", "must be at least 1")
    # Says which backbones there are, where this one is none of them.
    upstream.model_class(backbone_name(cfg))
    channels, groups = feature_channels(cfg), cfg.ACTIVITY.GROUPS
    if channels % groups:
        _refuse(cfg, "ACTIVITY.GROUPS", f"must divide the backbone's {channels} channels")
    if cfg.ACTIVITY.DIM % groups:
        _refuse(cfg, "ACTIVITY.DIM", f"must be a multiple of ACTIVITY.GROUPS, {groups}")


def _check_frames(cfg):
    for key in ("DATA.MEAN", "DATA.STD"):
        numbers = upstream.get_key(cfg, key)
        if len(numbers) != 3 or not all(_is_number(number) for number in numbers):
            _refuse(cfg, key, "must have one number for each of R, G and B")
    if min(cfg.DATA.STD) <= 0:
        _refuse(cfg, "DATA.STD", "must be above 0")
    if cfg.DATA.TARGET_FPS < 0:
        _refuse(cfg, "DATA.TARGET_FPS", "must not be negative")
    scales = cfg.DATA.TRAIN_JITTER_SCALES
    is_pair = len(scales) == 2 and all(_is_count(scale) for scale in scales)
    if not is_pair or not cfg.DATA.TRAIN_CROP_SIZE <= scales[0] <= scales[1]:
        _refuse(
            cfg,
            "DATA.TRAIN_JITTER_SCALES",
            "must be two sizes, smallest first, not below DATA.TRAIN_CROP_SIZE",
        )


def _check_views(cfg):
    if not cfg.TUNE.RATES or any(not _is_count(rate) for rate in cfg.TUNE.RATES):
        _refuse(cfg, "TUNE.RATES", "must be sampling rates, whole numbers of at least 1")
    for view in cfg.TEST.VIEWS:
        is_triple = isinstance(view, (list, tuple)) and len(view) == 3
        if not is_triple or any(not _is_count(number) for number in view):
            _refuse(cfg, "TEST.VIEWS", "must list (rate, clips, crops), whole numbers from 1 up")
    if not cfg.TEST.VIEWS:
        for key in ("TEST.NUM_ENSEMBLE_VIEWS", "TEST.NUM_SPATIAL_CROPS"):
            if upstream.get_key(cfg, key) < 1:
                _refuse(cfg, key, "must be at least 1")


def _is_count(number):
    return isinstance(number, int) and not isinstance(number, bool) and number >= 1


def _is_number(number):
    return isinstance(number, (int, float)) and math.isfinite(number)


def _check_processes(cfg):
    gpus = torch.cuda.device_count()
    if not 0 <= cfg.NUM_GPUS <= gpus:
        _refuse(cfg, "NUM_GPUS", f"must lie in 0..{gpus}, the GPUs of this machine (0: CPU)")
    if not 0 <= cfg.SHARD_ID < cfg.NUM_SHARDS:
        _refuse(cfg, "SHARD_ID", f"must lie in 0..NUM_SHARDS-1, {cfg.NUM_SHARDS - 1}")
    for key in ("TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE"):
        if cfg.NUM_GPUS and upstream.get_key(cfg, key) % cfg.NUM_GPUS:
            _refuse(cfg, key, f"must be a multiple of NUM_GPUS, {cfg.NUM_GPUS}")
    if not cfg.NUM_GPUS and cfg.TRAIN.MIXED_PRECISION:
        # torch 2.14's bfloat16 3D convolutions on the CPU give gradients that are not finite.
        _refuse(cfg, "TRAIN.MIXED_PRECISION", "needs GPUs")
    if not cfg.NUM_GPUS and cfg.BN.NORM_TYPE == "sync_batchnorm":
        _refuse(cfg, "BN.NORM_TYPE", "needs GPUs: set batchnorm for the CPU")


def _check_schedule(cfg):
    for key in ("SOLVER.CLIP_GRAD_VAL", "SOLVER.CLIP_GRAD_L2NORM"):
        limit = upstream.get_key(cfg, key)
        if limit is not None and not (_is_number(limit) and limit > 0):
            _refuse(cfg, key, "must be a number above 0, or None for no clipping")
    try:
        upstream.get_epoch_lr(0.0, cfg)
        upstream.get_epoch_lr(cfg.SOLVER.MAX_EPOCH - 0.5, cfg)
    except Exception as error:  # Upstream's schedules check nothing themselves.
        raise SlowFastExtError(
            f"SOLVER.LR_POLICY is {cfg.SOLVER.LR_POLICY!r}: upstream's schedule cannot be "
            f"computed from it and the rest of SOLVER: {_reason(error)}"
        ) from error


def _check_buildable(cfg):
    """Sends a clip without content through the network, on torch's device without memory."""
    try:
        with torch.device("meta"), torch.no_grad():
            network = ActivityNetwork(cfg).eval()
            size = cfg.DATA.TRAIN_CROP_SIZE
            clip = torch.empty(3, cfg.DATA.NUM_FRAMES, size, size)
            boxes = {"boxes": torch.zeros(1, 5)} if cfg.DETECTION.ENABLE else {}
            network([pathway[None] for pathway in upstream.pack_pathways(cfg, clip)], **boxes)
    except SlowFastExtError:
        raise
    except Exception as error:  # Upstream's constructors assert, or fail anyhow.
        raise SlowFastExtError(
            "the network cannot be built from the keys of MODEL, RESNET, SLOWFAST, NONLOCAL, "
            f"DATA.NUM_FRAMES and DATA.TRAIN_CROP_SIZE: {_reason(error)}"
        ) from error


def _reason(error):
    """What an error says or, where a bare assertion says nothing, its line."""
    return str(error) or traceback.extract_tb(error.__traceback__)[-1].line
