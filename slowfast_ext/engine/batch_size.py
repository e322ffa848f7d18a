"""How many clips a step takes on however many GPUs, and what follows for learning rates."""

import math
import os
from fractions import Fraction

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError


def num_processes(cfg):
    """Processes of this machine, and of all: torchrun's, else one for each GPU."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    local = max(cfg.NUM_GPUS, 1)
    return local, local * cfg.NUM_SHARDS


def batch_size_per_process(cfg, key):
    """
    TRAIN.BATCH_SIZE or TEST.BATCH_SIZE of each process.

    As upstream has it, the keys mean one machine's batch, shared evenly by its processes. With
    TRAIN.FIT_BATCH_SIZE an uneven share is rounded up, and TRAIN.BATCH_SIZE is all machines'.

    Raises:
        SlowFastExtError: the processes do not share the batch evenly.
    """
    size, (local, world) = upstream.get_key(cfg, key), num_processes(cfg)
    if cfg.TRAIN.FIT_BATCH_SIZE:
        return math.ceil(size / (world if key == "TRAIN.BATCH_SIZE" else local))
    if size % local:
        raise SlowFastExtError(f"{key} is {size}: it must be a multiple of the {local} processes")
    return size // local


def growth(cfg):
    """The clips of a step over TRAIN.BATCH_SIZE, a Fraction; 1 without TRAIN.FIT_BATCH_SIZE."""
    if not cfg.TRAIN.FIT_BATCH_SIZE:
        return Fraction(1)
    clips = batch_size_per_process(cfg, "TRAIN.BATCH_SIZE") * num_processes(cfg)[1]
    return Fraction(clips, cfg.TRAIN.BATCH_SIZE)


def scaled_solver(cfg):
    """
    A copy of the config whose learning rates are times `growth`, and iterations divided by it.

    The linear rule: as many clips are seen as with TRAIN.BATCH_SIZE, each with the same weight.
    """
    scaled, factor = cfg.clone(), growth(cfg)
    for name in ("BASE_LR", "WARMUP_START_LR", "COSINE_END_LR"):
        scaled.SOLVER[name] *= float(factor)
    scaled.TUNE.BASE_LR *= float(factor)
    for section in (scaled.TRAIN, scaled.TUNE):
        section.MAX_ITER = math.ceil(section.MAX_ITER / factor)
    return scaled


def batch_sentence(cfg):
    """What a step takes and how fast is learnt, for the log."""
    size, (_, world) = batch_size_per_process(cfg, "TRAIN.BATCH_SIZE"), num_processes(cfg)
    rates = scaled_solver(cfg)
    text = f"clips of a step: {size * world}, {size} for each process"
    if cfg.AUG.ENABLE and cfg.AUG.NUM_SAMPLE > 1:
        text += f", each augmented {cfg.AUG.NUM_SAMPLE} times"
    if growth(cfg) != 1:
        text += (
            f": the next multiple above TRAIN.BATCH_SIZE {cfg.TRAIN.BATCH_SIZE}, and learning "
            f"rates are {growth(cfg)} times the config's"
        )
    return (
        f"{text}; SOLVER.BASE_LR {rates.SOLVER.BASE_LR:.4g}, TUNE.BASE_LR {rates.TUNE.BASE_LR:.4g}"
    )
