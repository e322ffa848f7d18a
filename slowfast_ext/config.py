"""Every key that the project adds to PySlowFast's, and the checks before anything is built."""

import difflib
import re
import traceback

import torch
import yaml
from fvcore.common.config import CfgNode

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import HEAD_REGISTRY, ActivityNetwork
from slowfast_ext.models.backbones import feature_channels
from slowfast_ext.paths import has_store


def add_slowfast_ext_config(cfg):
    """Adds the project's keys, with the paper's values as defaults, to an upstream config."""
    # --- The network -----------------------------------------------------------------
    cfg.ACTIVITY = CfgNode()
    # Upstream's model class; empty: derived from MODEL.ARCH.
    cfg.ACTIVITY.BACKBONE = ""
    # The head, by its name in HEAD_REGISTRY.
    cfg.ACTIVITY.HEAD = "ActivityHead"
    # "default", or "as_printed": the paper's equations as they stand (docs/METHOD.md).
    cfg.ACTIVITY.FORM = "default"
    # K, the number of observations.
    cfg.ACTIVITY.NUM_OBSERVATIONS = 64
    # C', the channels of an observation and of an activity's features.
    cfg.ACTIVITY.DIM = 128
    # n, the groups of the observations' linear maps (eq. 13).
    cfg.ACTIVITY.GROUPS = 32
    # "shared": one classifier for all activities (eq. 9); "per_activity": one for each.
    cfg.ACTIVITY.CLASSIFIER = "shared"
    # Table 3c: with activity-specific features, or from the pooled map.
    cfg.ACTIVITY.ACTIVITY_FEATURES = True
    # Table 3c: with the second output, from correlated features.
    cfg.ACTIVITY.CORRELATION = True
    # The mask's source, in the form of a training list; empty: the training list itself.
    cfg.ACTIVITY.COOCCURRENCE_FILE = ""
    # The head's learning rate over the backbone's.
    cfg.ACTIVITY.LR_MULT = 1.0
    # The row of the paper's tables that a config reproduces; goes into results.json.
    cfg.ACTIVITY.TABLE_ROW = ""

    # --- Speed-invariant tuning (sec. 3.6) ---------------------------------------------
    cfg.TUNE = CfgNode()
    # After training, freeze the backbone and tune the head on clips of mixed rates.
    cfg.TUNE.ENABLE = False
    # Each clip's sampling rate is drawn from these.
    cfg.TUNE.RATES = [2, 4, 8]
    # I, the number of tuning iterations.
    cfg.TUNE.MAX_ITER = 10000
    # The first learning rate; it falls along half a cosine to zero.
    cfg.TUNE.BASE_LR = 0.0035

    # --- Testing -----------------------------------------------------------------------
    # Views of one video, each (sampling rate, clips, crops); empty: upstream's
    # NUM_ENSEMBLE_VIEWS x NUM_SPATIAL_CROPS at DATA.SAMPLING_RATE.
    cfg.TEST.VIEWS = []

    # --- Data --------------------------------------------------------------------------
    # A training clip's labels: of the segments it touches ("clip") or all of its video's.
    cfg.DATA.TRAIN_LABELS = "clip"
    # Frames per second of folders of frames: what turns their frame numbers into seconds.
    cfg.DATA.FRAME_FOLDER_FPS = 24.0
    # Go on without the videos that cannot be decoded; results.json counts them.
    cfg.DATA.SKIP_BROKEN_VIDEOS = False

    # --- The synthetic data set: each switch takes one property away ---------------------
    cfg.SYNTHETIC = CfgNode()
    # Training and test videos.
    cfg.SYNTHETIC.NUM_TRAIN = 400
    cfg.SYNTHETIC.NUM_TEST = 120
    # Pixels of a side of their frames.
    cfg.SYNTHETIC.SIZE = 96
    cfg.SYNTHETIC.SEED = 0
    # Activities act at different places at once.
    cfg.SYNTHETIC.SEVERAL_PLACES = True
    # There are slow, normal and fast activities.
    cfg.SYNTHETIC.SEVERAL_SPEEDS = True
    # Some activities occur together, others exclude each other.
    cfg.SYNTHETIC.CORRELATED = True
    # Things move that are no activity.
    cfg.SYNTHETIC.DISTRACTORS = True
    return cfg


# Upstream's switches whose work the engine here does not do: refused, not ignored.
_NOT_DONE_HERE = {
    "AUG.ENABLE": False,
    "DEMO.ENABLE": False,
    "DETECTION.ENABLE": False,
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
_AT_LEAST_ZERO = ("DATA_LOADER.NUM_WORKERS", "RNG_SEED", "SOLVER.BASE_LR", "TUNE.BASE_LR")


def load_config(path, options=()):
    """
    Defaults, then a YAML file (chained by `_BASE_`), then KEY VALUE pairs; checked.

    Args:
        path (str | None): the YAML file.
        options (sequence[str]): KEY, VALUE, KEY, VALUE, ...

    Returns:
        CfgNode: NUM_GPUS -1 is replaced by the number of GPUs that this machine has.

    Raises:
        SlowFastExtError: one sentence naming the key, the value and the rule.
    """
    cfg = add_slowfast_ext_config(upstream.base_config())
    if path is not None:
        _merge(cfg, lambda: cfg.merge_from_file(path), path)
    if len(options) % 2:
        raise SlowFastExtError(f"options are pairs of KEY VALUE: '{options[-1]}' has no value")
    _merge(cfg, lambda: cfg.merge_from_list(list(options)), "command line")
    if cfg.NUM_GPUS == -1:
        cfg.NUM_GPUS = torch.cuda.device_count()
    check_config(cfg)
    return cfg


def _merge(cfg, merge, source):
    """Runs one of CfgNode's merges and says in a sentence what it does not like."""
    try:
        merge()
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise SlowFastExtError(f"{source}: cannot read {error.filename}") from error
    except yaml.YAMLError as error:
        raise SlowFastExtError(f"{source}: not YAML: {' '.join(str(error).split())}") from error
    except (KeyError, AssertionError) as error:
        raise SlowFastExtError(f"{source}: {_unknown_key(cfg, str(error))}") from error
    except (ValueError, SyntaxError, AttributeError, TypeError) as error:
        raise SlowFastExtError(f"{source}: {' '.join(str(error).split())}") from error


def _all_keys(cfg, prefix=""):
    """Every dotted key of the config, sections included."""
    for name, value in cfg.items():
        yield prefix + name
        if isinstance(value, CfgNode):
            yield from _all_keys(value, f"{prefix}{name}.")


def _unknown_key(cfg, message):
    """Turns yacs's message about a key into one with the nearest valid key."""
    found = re.search(r"[Nn]on-existent (?:config )?key: ([\w.]+)", message)
    if not found:
        return message.strip("'\"")
    key = found.group(1)
    return f"unknown key {key}{nearest(key, list(_all_keys(cfg)))}"


def nearest(word, words):
    """`; did you mean X?`, or nothing where no known word is near."""
    # A right name in a wrong section is as common as a misspelt one.
    last = word.rsplit(".", 1)[-1]
    close = [known for known in words if known.rsplit(".", 1)[-1] == last]
    close = close or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


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
    if cfg.ACTIVITY.LR_MULT <= 0:
        _refuse(cfg, "ACTIVITY.LR_MULT", "must be above 0")
    channels, groups = feature_channels(cfg), cfg.ACTIVITY.GROUPS
    if channels % groups:
        _refuse(cfg, "ACTIVITY.GROUPS", f"must divide the backbone's {channels} channels")
    if cfg.ACTIVITY.DIM % groups:
        _refuse(cfg, "ACTIVITY.DIM", f"must be a multiple of ACTIVITY.GROUPS, {groups}")


def _check_frames(cfg):
    for key in ("DATA.MEAN", "DATA.STD"):
        if len(upstream.get_key(cfg, key)) != 3:
            _refuse(cfg, key, "must have one number for each of R, G and B")
    scales = cfg.DATA.TRAIN_JITTER_SCALES
    if len(scales) != 2 or not cfg.DATA.TRAIN_CROP_SIZE <= scales[0] <= scales[1]:
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
    try:
        upstream.get_epoch_lr(0.0, cfg)
        upstream.get_epoch_lr(cfg.SOLVER.MAX_EPOCH - 0.5, cfg)
    except Exception as error:  # Upstream's schedules check nothing themselves.
        raise SlowFastExtError(
            f"SOLVER.LR_POLICY is {cfg.SOLVER.LR_POLICY!r}: upstream's schedule cannot be "
            f"computed from it, SOLVER.STEPS, LRS and MAX_EPOCH ({error!r})"
        ) from error


def _check_buildable(cfg):
    """Sends a clip without content through the network, on torch's device without memory."""
    try:
        with torch.device("meta"), torch.no_grad():
            network = ActivityNetwork(cfg).eval()
            size = cfg.DATA.TRAIN_CROP_SIZE
            clip = torch.empty(3, cfg.DATA.NUM_FRAMES, size, size)
            network([pathway[None] for pathway in upstream.pack_pathways(cfg, clip)])
    except SlowFastExtError:
        raise
    except Exception as error:  # Upstream's constructors assert, or fail anyhow.
        source = traceback.extract_tb(error.__traceback__)[-1]
        raise SlowFastExtError(
            "the network cannot be built from the keys of MODEL, RESNET, SLOWFAST, NONLOCAL, "
            f"DATA.NUM_FRAMES and DATA.TRAIN_CROP_SIZE: {str(error) or source.line}"
        ) from error
