"""What is checked of a config before anything is built or written."""

import contextlib
import io
import logging
import traceback

import torch

from slowfast_ext import upstream
from slowfast_ext.config.load import given_keys, load_config
from slowfast_ext.config.plugins import line_of_plugin
from slowfast_ext.config.rules import MOST_PIXELS, is_count, is_number
from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets.augmentation import check_augmentation
from slowfast_ext.datasets.clips import channel_order
from slowfast_ext.datasets.contract import named_datasets
from slowfast_ext.engine.mixing import check_mixing
from slowfast_ext.engine.optimizer import build_optimizer
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import HEAD_REGISTRY, ActivityNetwork
from slowfast_ext.models.backbones import ShapesAlone, backbone_name, input_facts
from slowfast_ext.models.backbones.contract import check_clip
from slowfast_ext.models.backbones.inputs import take_input
from slowfast_ext.utils.paths import has_store, pathmgr
from slowfast_ext.utils.text import nearest

logger = logging.getLogger(__name__)

# What a mean or deviation, written with fewer digits, may differ.
_SAME_COLOUR = 1e-3


def checked_config(path, options=(), own=None):
    """
    A config that a run may start from: `load_config`, what it leaves open of the network's input as
    the network expects it, then `check_config`.
    """
    cfg = load_config(path, options, own)
    take_input(cfg, given_keys(cfg))
    check_config(cfg)
    return cfg


def check_config(cfg):
    """Raises SlowFastExtError for what can be known before anything is built or written."""
    if not has_store(cfg.OUTPUT_DIR):
        refuse(cfg, "OUTPUT_DIR", "needs a handler for its store, registered with iopath")
    if pathmgr.exists(cfg.OUTPUT_DIR) and not pathmgr.isdir(cfg.OUTPUT_DIR):
        refuse(cfg, "OUTPUT_DIR", "is a file, and must be a folder")
    _check_views(cfg)
    _check_processes(cfg)
    _check_schedule(cfg)
    for dataset in named_datasets(cfg):
        dataset.check_config(cfg)
    check_augmentation(cfg)
    check_mixing(cfg)
    _check_keys_of_network(cfg)
    _check_input(cfg)
    _check_buildable(cfg)


def _check_views(cfg):
    scales = cfg.DATA.TRAIN_JITTER_SCALES
    is_pair = len(scales) == 2 and all(is_count(scale, MOST_PIXELS) for scale in scales)
    if not is_pair or not cfg.DATA.TRAIN_CROP_SIZE <= scales[0] <= scales[1]:
        refuse(
            cfg,
            "DATA.TRAIN_JITTER_SCALES",
            "must be two sizes, smallest first, not below DATA.TRAIN_CROP_SIZE nor above "
            f"{MOST_PIXELS}",
        )
    if cfg.TEST.WHOLE_FRAME and cfg.DETECTION.ENABLE:
        refuse(
            cfg,
            "TEST.WHOLE_FRAME",
            "is for videos as wholes: with DETECTION.ENABLE set AVA.TEST_CROP full",
        )
    if cfg.TEST.RATE_WEIGHTS:
        rates = [rate for rate, _, _ in cfg.TEST.VIEWS]
        if not rates or len(set(rates)) < len(rates):
            refuse(cfg, "TEST.RATE_WEIGHTS", "needs TEST.VIEWS with each rate once")
        if cfg.DETECTION.ENABLE:
            refuse(cfg, "TEST.RATE_WEIGHTS", "is for videos as wholes, not for DETECTION.ENABLE")


def _check_processes(cfg):
    gpus = torch.cuda.device_count()
    if not 0 <= cfg.NUM_GPUS <= gpus:
        refuse(cfg, "NUM_GPUS", f"must lie in 0..{gpus}, the GPUs of this machine (0: CPU)")
    if not 0 <= cfg.SHARD_ID < cfg.NUM_SHARDS:
        refuse(cfg, "SHARD_ID", f"must lie in 0..NUM_SHARDS-1, {cfg.NUM_SHARDS - 1}")
    for key in ("TRAIN.BATCH_SIZE", "TEST.BATCH_SIZE"):
        is_shared = not cfg.NUM_GPUS or upstream.get_key(cfg, key) % cfg.NUM_GPUS == 0
        if not is_shared and not cfg.TRAIN.FIT_BATCH_SIZE:
            rule = f"must be a multiple of NUM_GPUS, {cfg.NUM_GPUS}"
            refuse(cfg, key, f"{rule}, or TRAIN.FIT_BATCH_SIZE True")
    if cfg.TRAIN.FIT_BATCH_SIZE and cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS:
        rule = "must be False with TRAIN.FIT_BATCH_SIZE, whose batch does not grow with machines"
        refuse(cfg, "SOLVER.BASE_LR_SCALE_NUM_SHARDS", rule)
    if not cfg.NUM_GPUS and cfg.TRAIN.MIXED_PRECISION:
        # torch 2.14's bfloat16 3D convolutions on the CPU give gradients that are not finite.
        refuse(cfg, "TRAIN.MIXED_PRECISION", "needs GPUs")
    in_groups = cfg.BN.NORM_TYPE == "sync_batchnorm" and not upstream.get_key(cfg, "BN.GLOBAL_SYNC")
    if in_groups and not cfg.NUM_GPUS:
        rule = "needs GPUs, or BN.GLOBAL_SYNC True BN.NUM_SYNC_DEVICES None: set batchnorm"
        refuse(cfg, "BN.NORM_TYPE", f"{rule} for the CPU")
    devices = cfg.BN.NUM_SYNC_DEVICES
    if in_groups and (devices is None or (devices > 0 and cfg.NUM_GPUS % devices)):
        refuse(cfg, "BN.NUM_SYNC_DEVICES", f"must divide NUM_GPUS, {cfg.NUM_GPUS}")


def _check_schedule(cfg):
    solver = cfg.SOLVER
    # Upstream takes the last rate before the first step, and fails where one is missing.
    if solver.LR_POLICY == "steps_with_relative_lrs":
        steps = solver.STEPS
        if not steps or not all(map(is_number, steps)) or steps[0] != 0 or steps != sorted(steps):
            refuse(cfg, "SOLVER.STEPS", "must be epochs, 0 first, in their order")
        # Stock files have more, which are never reached.
        if len(solver.LRS) < len(steps) or not all(map(is_number, solver.LRS)):
            rule = f"must have a number for each of the {len(steps)} SOLVER.STEPS"
            refuse(cfg, "SOLVER.LRS", rule)
    try:
        upstream.get_epoch_lr(0.0, cfg)
        upstream.get_epoch_lr(solver.MAX_EPOCH - 0.5, cfg)
    except Exception as error:  # Upstream's schedules check nothing themselves.
        raise SlowFastExtError(
            f"SOLVER.LR_POLICY is {solver.LR_POLICY!r}: upstream's schedule cannot be "
            f"computed from it and the rest of SOLVER: {reason(error)}"
        ) from error


# Upstream's architectures that give no map for a head of ours.
_WITHOUT_MAP = ("maskmvit",)

# What upstream's own ResNets can be, by its table.
_DEPTHS = (18, 50, 101) if upstream.IS_MAIN else (50, 101)


def _check_keys_of_network(cfg):
    if cfg.MODEL.MODEL_NAME != "ActivityNetwork":
        refuse(cfg, "MODEL.MODEL_NAME", "must be ActivityNetwork for this engine")
    known = cfg.MODEL.SINGLE_PATHWAY_ARCH + cfg.MODEL.MULTI_PATHWAY_ARCH
    known = [name for name in known if name not in _WITHOUT_MAP]
    if cfg.MODEL.ARCH not in known:
        refuse(cfg, "MODEL.ARCH", f"must be one of {', '.join(known)}")
    if cfg.ACTIVITY.HEAD not in HEAD_REGISTRY:
        heads = [name for name, _ in HEAD_REGISTRY]
        near = nearest(cfg.ACTIVITY.HEAD, heads)
        refuse(cfg, "ACTIVITY.HEAD", f"must be one of {', '.join(heads)}{near}")
    wanted = "softmax" if "cross_entropy" in cfg.MODEL.LOSS_FUNC else "sigmoid"
    if wanted != cfg.MODEL.HEAD_ACT:
        refuse(cfg, "MODEL.HEAD_ACT", f"must be {wanted} for the loss {cfg.MODEL.LOSS_FUNC}")
    if cfg.LOSS.POS_WEIGHT and wanted == "softmax":
        rule = "must be 0.0 for a softmax, whose classes exclude each other"
        refuse(cfg, "LOSS.POS_WEIGHT", rule)
    if cfg.ACTIVITY.HEAD == "RoIPoolHead" and not cfg.DETECTION.ENABLE:
        refuse(cfg, "ACTIVITY.HEAD", "needs DETECTION.ENABLE True: PoolHead is the one for clips")
    if cfg.ACTIVITY.EVIDENCE_RANK and not cfg.ACTIVITY.EVIDENCE:
        refuse(cfg, "ACTIVITY.EVIDENCE_RANK", "needs ACTIVITY.EVIDENCE True, whose rank it is")
    if cfg.ACTIVITY.CONTEXT and not cfg.DETECTION.ENABLE:
        refuse(cfg, "ACTIVITY.CONTEXT", "needs DETECTION.ENABLE True: a clip's head sees all of it")
    if cfg.ACTIVITY.CONTEXT and cfg.ACTIVITY.HEAD == "RoIPoolHead":
        refuse(
            cfg, "ACTIVITY.CONTEXT", "must be False for RoIPoolHead, which pools the boxes alone"
        )
    if cfg.DETECTION.ENABLE and cfg.OBJECTS.NUM_CLASSES:
        refuse(cfg, "OBJECTS.NUM_CLASSES", "must be 0 with DETECTION.ENABLE")
    # Upstream's file is of videos as wholes.
    if cfg.DETECTION.ENABLE and cfg.TEST.SAVE_RESULTS_PATH:
        refuse(cfg, "TEST.SAVE_RESULTS_PATH", "must be empty with DETECTION.ENABLE")
    # Random features, frozen, would train a head without an error.
    if cfg.ACTIVITY.FREEZE_BACKBONE and cfg.TRAIN.ENABLE and not cfg.TRAIN.CHECKPOINT_FILE_PATH:
        rule = "needs a trained backbone: set TRAIN.CHECKPOINT_FILE_PATH"
        refuse(cfg, "ACTIVITY.FREEZE_BACKBONE", rule)
    if cfg.FEATURES.PATH and cfg.TRAIN.ENABLE and not cfg.ACTIVITY.FREEZE_BACKBONE:
        rule = "needs ACTIVITY.FREEZE_BACKBONE True: a backbone that learns has no fixed features"
        refuse(cfg, "FEATURES.PATH", rule)
    # What upstream's constructors assert without a word to people.
    name = backbone_name(cfg)
    input_facts(cfg)  # Raises where there is no such backbone.
    if name in ("SlowFast", "ResNet", "X3D") and cfg.RESNET.DEPTH not in _DEPTHS:
        refuse(cfg, "RESNET.DEPTH", f"must be one of {', '.join(map(str, _DEPTHS))} for {name}")
    pathways = 2 if cfg.MODEL.ARCH in cfg.MODEL.MULTI_PATHWAY_ARCH else 1
    if list(cfg.DATA.INPUT_CHANNEL_NUM) != [3] * pathways:
        rule = f"must be {[3] * pathways} for MODEL.ARCH {cfg.MODEL.ARCH}: R, G and B"
        refuse(cfg, "DATA.INPUT_CHANNEL_NUM", f"{rule} for each pathway")
    alpha = cfg.SLOWFAST.ALPHA
    if pathways == 2 and cfg.DATA.NUM_FRAMES % alpha:
        refuse(cfg, "DATA.NUM_FRAMES", f"must be a multiple of SLOWFAST.ALPHA, {alpha}")


def _check_input(cfg):
    """Refuses clips that the network does not take; warns of what its weights did not learn."""
    facts, name = input_facts(cfg), backbone_name(cfg)
    for size in {cfg.DATA.TRAIN_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE}:
        check_clip(name, facts, cfg.DATA.NUM_FRAMES, size, size)
    rule = f"for {name}, which does not take frames of any height and width"
    if not facts.takes_frames and cfg.TEST.WHOLE_FRAME:
        refuse(cfg, "TEST.WHOLE_FRAME", f"must be False {rule}")
    if not facts.takes_frames and cfg.DETECTION.ENABLE and cfg.AVA.TEST_CROP == "full":
        refuse(cfg, "AVA.TEST_CROP", f"must be square or centre {rule}")
    for key, ours in (("DATA.MEAN", facts.mean), ("DATA.STD", facts.std)):
        theirs = upstream.get_key(cfg, key)
        if max(abs(a - b) for a, b in zip(theirs, ours, strict=True)) > _SAME_COLOUR:
            logger.warning(f"{key} is {theirs}: the weights of {name} expect {list(ours)}")
    # Upstream's networks learn in the order that their YAML sets.
    if ":" in name and channel_order(cfg) != facts.channel_order:
        logger.warning(
            f"DATA.REVERSE_INPUT_CHANNEL is {cfg.DATA.REVERSE_INPUT_CHANNEL} and AVA.BGR "
            f"{cfg.AVA.BGR}: the network is given {channel_order(cfg)}, and the weights of {name} "
            f"expect {facts.channel_order}"
        )


def _check_stride(cfg, stride):
    """Refuses a DETECTION.SPATIAL_SCALE_FACTOR that is not the map's; sets one that was left."""
    stride = int(stride) if stride == int(stride) else stride
    key = "DETECTION.SPATIAL_SCALE_FACTOR"
    if key in given_keys(cfg) and stride != cfg.DETECTION.SPATIAL_SCALE_FACTOR:
        refuse(cfg, key, f"must be {stride}, the stride of the map of {backbone_name(cfg)}")
    cfg.DETECTION.SPATIAL_SCALE_FACTOR = stride


def network_of_shapes(cfg):
    """The network in evaluation on the device meta: shapes alone, no memory, no arithmetic."""
    cfg = cfg.clone()
    if cfg.BN.NUM_SYNC_DEVICES is not None:
        cfg.BN.NUM_SYNC_DEVICES = 1  # main compares it with the processes, here one.
    with torch.device("meta"), torch.no_grad():
        return ActivityNetwork(cfg).eval()


def _check_buildable(cfg):
    """Sends a clip without content through the network, and builds the optimizer."""
    alone = cfg.clone()
    alone.NUM_GPUS = 0  # With more, main's optimizer takes the network for a wrapped one.
    try:
        network = network_of_shapes(alone)
        with torch.device("meta"), torch.no_grad():
            if cfg.DETECTION.ENABLE:
                _check_stride(cfg, network.regions.stride)
            size = cfg.DATA.TRAIN_CROP_SIZE
            clip = torch.empty(3, cfg.DATA.NUM_FRAMES, size, size)
            boxes = {"boxes": torch.zeros(1, 5)} if cfg.DETECTION.ENABLE else {}
            with ShapesAlone():
                network([pathway[None] for pathway in upstream.pack_pathways(cfg, clip)], **boxes)
    except SlowFastExtError:
        raise
    except Exception as error:  # Upstream's constructors assert, or fail anyhow.
        raise SlowFastExtError(
            "the network cannot be built from the keys of MODEL, RESNET, SLOWFAST, NONLOCAL, "
            f"DATA.NUM_FRAMES and DATA.TRAIN_CROP_SIZE: {reason(error)}"
            f"{line_of_plugin(cfg.PLUGINS, error)}"
        ) from error
    solver = cfg.SOLVER
    is_refused = solver.MOMENTUM == 0 or solver.DAMPENING != 0
    if solver.OPTIMIZING_METHOD == "sgd" and solver.NESTEROV and is_refused:
        rule = "needs SOLVER.MOMENTUM above 0 and SOLVER.DAMPENING 0: set it to False"
        refuse(cfg, "SOLVER.NESTEROV", rule)
    try:
        # torch knows best which numbers it takes; main counts the parameters aloud.
        with contextlib.redirect_stdout(io.StringIO()):
            build_optimizer(alone, network)
    except (ValueError, TypeError, IndexError) as error:
        raise SlowFastExtError(
            f"SOLVER.OPTIMIZING_METHOD is {solver.OPTIMIZING_METHOD!r}: torch does not take the "
            f"numbers of SOLVER for it: {error}"
        ) from error


def reason(error):
    """What an error says or, where a bare assertion says nothing, its line."""
    return str(error) or traceback.extract_tb(error.__traceback__)[-1].line
