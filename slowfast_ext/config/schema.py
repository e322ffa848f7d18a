"""The rules on single keys of a config."""

import math

from fvcore.common.config import CfgNode

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError

# Upstream's switches whose work the engine here does not do: refused, not ignored, where they
# are set away from upstream's default.
_NOT_DONE_HERE = (
    "AUG.ENABLE",
    "AVA.TEST_FORCE_FLIP",
    "AVA.TRAIN_USE_COLOR_AUGMENTATION",
    "DATA.COLOR_RND_GRAYSCALE",
    "DATA.DUMMY_LOAD",
    "DATA.SSL_COLOR_JITTER",
    "DATA.TRAIN_JITTER_ASPECT_RELATIVE",
    "DATA.TRAIN_JITTER_FPS",
    "DATA.TRAIN_JITTER_MOTION_SHIFT",
    "DATA.TRAIN_JITTER_SCALES_RELATIVE",
    "DATA.USE_OFFSET_SAMPLING",
    "DEMO.CLIP_VIS_SIZE",
    "DEMO.DETECTRON2_CFG",
    "DEMO.GT_BOXES",
    "DEMO.INPUT_FORMAT",
    "DEMO.NUM_CLIPS_SKIP",
    "DEMO.SLOWMO",
    "MASK.ENABLE",
    "MIXUP.ENABLE",
    "MODEL.DETACH_FINAL_FC",
    "MODEL.FP16_ALLREDUCE",
    "MULTIGRID.LONG_CYCLE",
    "MULTIGRID.SHORT_CYCLE",
    "SOLVER.LARS_ON",
    "SOLVER.LAYER_DECAY",
    "TASK",
    "TENSORBOARD.CONFUSION_MATRIX.ENABLE",
    "TENSORBOARD.HISTOGRAM.ENABLE",
    "TENSORBOARD.MODEL_VIS.ENABLE",
    "TENSORBOARD.WRONG_PRED_VIS.ENABLE",
    "TEST.NUM_TEMPORAL_CLIPS",
    "TRAIN.CHECKPOINT_IN_INIT",
    "TRAIN.KILL_LOSS_EXPLOSION_FACTOR",
    "VIS_MASK.ENABLE",
)

# Keys whose value is one of a few words.
_CHOICES = {
    "AVA.TEST_CROP": ("full", "centre"),
    "ACTIVITY.CSN_FORM": ("ip", "ir"),
    "ACTIVITY.FORM": ("default", "as_printed"),
    "ACTIVITY.CLASSIFIER": ("shared", "per_activity"),
    # A test of main's sub_batchnorm needs its statistics gathered first.
    "BN.NORM_TYPE": ("batchnorm", "sync_batchnorm"),
    "DATA.ENSEMBLE_METHOD": ("sum", "max"),
    "DATA.PATHS_OUTSIDE": ("none", "absolute", "any"),
    "DATA.TRAIN_LABELS": ("clip", "video"),
    "DEMO.VIS_MODE": ("thres", "top-k"),
    "MODEL.HEAD_ACT": ("sigmoid", "softmax"),
    "SOLVER.OPTIMIZING_METHOD": ("sgd", "adam", "adamw") if upstream.IS_MAIN else ("sgd", "adam"),
    "MODEL.LOSS_FUNC": ("bce", "bce_logit", "cross_entropy"),
    "TRAIN.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
    "TEST.CHECKPOINT_TYPE": ("pytorch", "caffe2"),
    "VOLLEYBALL.TASK": ("persons", "clip", "group"),
    "TEST.PRECISION": ("float32", "bfloat16"),
}

MOST_FRAMES = 10_000
"""Frames of a clip, from one to the next, clips of a video: more is a mistake."""

MOST_PIXELS = 8192
"""Pixels of a side: more is a mistake."""

# Whole numbers that count something, and their largest values.
_COUNTS = {
    "ACTIVITY.DIM": math.inf,
    "ACTIVITY.GROUPS": math.inf,
    "ACTIVITY.NUM_OBSERVATIONS": math.inf,
    "BN.NUM_BATCHES_PRECISE": math.inf,
    "DATA.NUM_FRAMES": MOST_FRAMES,
    "DATA.SAMPLING_RATE": MOST_FRAMES,
    "DATA.TEST_CROP_SIZE": MOST_PIXELS,
    "DATA.TRAIN_CROP_SIZE": MOST_PIXELS,
    "LOG_PERIOD": math.inf,
    "MODEL.NUM_CLASSES": math.inf,
    "NUM_SHARDS": math.inf,
    "SLOWFAST.ALPHA": math.inf,
    "SLOWFAST.BETA_INV": math.inf,
    "SOLVER.MAX_EPOCH": math.inf,
    "SYNTHETIC.NUM_TEST": math.inf,
    "SYNTHETIC.NUM_TRAIN": math.inf,
    "SYNTHETIC.SIZE": MOST_PIXELS,
    "TEST.BATCH_SIZE": math.inf,
    "TRAIN.BATCH_SIZE": math.inf,
    "TRAIN.CHECKPOINT_PERIOD": math.inf,
    "TRAIN.EVAL_PERIOD": math.inf,
    "TUNE.MAX_ITER": math.inf,
}

# Numbers of which none may be negative.
_AT_LEAST_ZERO = (
    "BN.WEIGHT_DECAY",
    "DATA.TARGET_FPS",
    "DEMO.DISPLAY_HEIGHT",
    "DEMO.DISPLAY_WIDTH",
    "DATA_LOADER.NUM_WORKERS",
    "OBJECTS.NUM_CLASSES",
    "RNG_SEED",
    "SOLVER.BASE_LR",
    "SOLVER.COSINE_END_LR",
    "SOLVER.WARMUP_EPOCHS",
    "SOLVER.WARMUP_START_LR",
    "SOLVER.WEIGHT_DECAY",
    "VOLLEYBALL.PERSONS_WEIGHT",
)

# Numbers that must be above 0.
_ABOVE_ZERO = ("ACTIVITY.LR_MULT", "BN.EPSILON", "DATA.FRAME_FOLDER_FPS", "TUNE.BASE_LR")


def refuse(cfg, key, rule):
    """Raises the SlowFastExtError that the key's value breaks a rule: "must be ..."."""
    raise SlowFastExtError(f"{key} is {upstream.get_key(cfg, key)!r}: it {rule}")


def require_clips_alone(cfg, why):
    """Raises SlowFastExtError, which says `why`, where a network takes persons or objects too."""
    for key, off in (("DETECTION.ENABLE", False), ("OBJECTS.NUM_CLASSES", 0)):
        if upstream.get_key(cfg, key) != off:
            refuse(cfg, key, f"must be {off}: {why}")


def all_keys(cfg, prefix=""):
    """Every dotted key of the config, sections included."""
    for name, value in cfg.items():
        yield prefix + name
        if isinstance(value, CfgNode):
            yield from all_keys(value, f"{prefix}{name}.")


def check_values(cfg, defaults):
    """No empty value where there was one, no number that is not finite, no text with NUL."""
    for key in all_keys(defaults):
        value, default = upstream.get_key(cfg, key), upstream.get_key(defaults, key)
        # Upstream's way to say all of them, with BN.GLOBAL_SYNC.
        may_be_empty = key == "BN.NUM_SYNC_DEVICES"
        if value is None and default is not None and not may_be_empty:
            refuse(cfg, key, f"must not be empty; its default is {default!r}")
        # Some of main's own defaults are infinite.
        is_default = value == default
        if isinstance(value, float) and not is_default and not math.isfinite(value):
            refuse(cfg, key, "must be a finite number")
        if isinstance(value, str) and "\0" in value:
            refuse(cfg, key, "must not contain the character NUL")


def check_keys(cfg):
    """
    Checks each key for itself; one that this PySlowFast does not have passes.

    Raises:
        SlowFastExtError: one sentence naming the key, the value and the rule.
    """
    for key, most in _COUNTS.items():
        value = upstream.get_key(cfg, key)
        if value < 1:
            refuse(cfg, key, "must be at least 1")
        if value > most:
            refuse(cfg, key, f"must be at most {most}")
    for key in _AT_LEAST_ZERO:
        if upstream.get_key(cfg, key) < 0:
            refuse(cfg, key, "must not be negative")
    for key in _ABOVE_ZERO:
        value = upstream.get_key(cfg, key)
        if value is not None and not value > 0:
            refuse(cfg, key, "must be above 0")
    for key, choices in _CHOICES.items():
        if upstream.get_key(cfg, key) not in choices:
            refuse(cfg, key, f"must be one of {', '.join(choices)}")
    defaults = upstream.base_config()
    for key in _NOT_DONE_HERE:
        off = upstream.get_key(defaults, key)
        if upstream.get_key(cfg, key) != off:
            refuse(cfg, key, f"is not done by this engine: set it to {off!r}")
    for key in upstream.unhonoured_keys(cfg):
        refuse(cfg, key, "needs GitHub's main of PySlowFast, and pyslowfast 1.0 is installed")


def is_count(number, most=math.inf):
    """True for a whole number of at least 1."""
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most


def is_number(number):
    """True for a finite number."""
    return isinstance(number, (int, float)) and math.isfinite(number)
