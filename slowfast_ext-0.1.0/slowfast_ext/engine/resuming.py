"""What a stage of learning goes on from, or starts from."""

import logging
import math

from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.optimizer import load_optimizer
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.weights import load_weights, read_checkpoint, read_weights

logger = logging.getLogger(__name__)

MASK = "head.correlation.mask"
"""The name of the co-occurrence mask in a network's state."""


def resume(fitting):
    """
    Loads into a Fitting what there is to go on from.

    Returns:
        int: the first epoch to do, counted from 0.

    Raises:
        SlowFastExtError: a checkpoint is damaged, or of another config or network.
    """
    cfg, stage = fitting.cfg, fitting.stage
    path = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, stage.name)
    if path and (cfg.TRAIN.AUTO_RESUME or not cfg.TRAIN.ENABLE):
        state = read_checkpoint(path)
        checkpoint.check_same_config(path, state, cfg, stage.name)
        return _load_all(fitting, path, state, "remove it to go on from an earlier one")
    if stage.name == "train":
        return _start_training(fitting, cfg.TRAIN.CHECKPOINT_FILE_PATH)
    if not cfg.TRAIN.ENABLE:
        _start_tuning(fitting)
    return 0


def _start_tuning(fitting):
    """Takes the network that an earlier run trained."""
    cfg = fitting.cfg
    trained = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, "train")
    if trained:
        state = read_checkpoint(trained)
        checkpoint.check_same_config(trained, state, cfg, "train")
        _load_network(fitting, trained, state)
    elif cfg.TRAIN.CHECKPOINT_FILE_PATH:
        trained = cfg.TRAIN.CHECKPOINT_FILE_PATH
        state, _ = _start_from(fitting, trained)
    else:
        raise SlowFastExtError(
            f"there is nothing to tune: {cfg.OUTPUT_DIR} has no trained checkpoint, "
            "TRAIN.ENABLE is False and TRAIN.CHECKPOINT_FILE_PATH is empty"
        )
    fitting.history.update(trained, state)
    fitting.history.warn_of_unfinished(trained)


def _start_training(fitting, path):
    """Starts from TRAIN.CHECKPOINT_FILE_PATH, with its epoch and optimizer where they fit."""
    if not path:
        return 0
    state, is_same_network = _start_from(fitting, path)
    if fitting.cfg.TRAIN.CHECKPOINT_EPOCH_RESET or not is_same_network:
        return 0
    advice = "take its weights alone with TRAIN.CHECKPOINT_EPOCH_RESET True"
    first = _load_all(fitting, path, state, advice, any_length=True)
    if first >= fitting.num_epochs:
        raise SlowFastExtError(
            f"{path} has {first} epochs behind it and SOLVER.MAX_EPOCH is {fitting.num_epochs}: "
            f"{advice}"
        )
    return first


def _start_from(fitting, path):
    """Loads a file's weights; returns what it holds and if all its tensors are the network's."""
    cfg, own = fitting.cfg, fitting.network.state_dict()
    state = read_weights(path, cfg.TRAIN.CHECKPOINT_TYPE)
    weights = state["model_state"]
    if MASK in own:
        # The mask is counted from this run's labels, not taken from another's.
        weights[MASK] = own[MASK]
    loaded = load_weights(
        fitting.network,
        path,
        weights,
        clear_patterns=cfg.TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN,
        inflate=cfg.TRAIN.CHECKPOINT_INFLATE,
    )
    logger.info(f"{fitting.stage.name}: {loaded}")
    shapes, own = ({n: v.shape for n, v in tensors.items()} for tensors in (weights, own))
    return state, shapes == own


def _load_network(fitting, path, state):
    try:
        fitting.network.load_state_dict(state["model_state"])
    except RuntimeError as error:
        raise SlowFastExtError(f"{path}: these are weights of another network") from error


def _load_all(fitting, path, state, advice, any_length=False):
    """The network, the optimizer and the counters; returns the next epoch."""
    logger.info(f"{fitting.stage.name}: going on from {path}")
    _load_network(fitting, path, state)
    try:
        load_optimizer(fitting.optimizer, state["optimizer_state"])
        scaler_state = state.get("scaler_state", {}) or fitting.scaler.state_dict()
        fitting.scaler.load_state_dict(scaler_state)
        fitting.best = _checked_best(state.get("best_mAP", -1.0))
        fitting.history.update(path, state)
        return _checked_epoch(state["epoch"], math.inf if any_length else fitting.num_epochs) + 1
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
        raise SlowFastExtError(
            f"{path}: is not a state that this run can go on from ({error}); {advice}"
        ) from error


def _checked_epoch(epoch, num_epochs):
    if not isinstance(epoch, int) or not 0 <= epoch < num_epochs:
        raise ValueError(f"its epoch, counted from 0, is {epoch} of {num_epochs}")
    return epoch


def _checked_best(best):
    if not isinstance(best, (int, float)) or not math.isfinite(best):
        raise ValueError(f"its best_mAP is {best}")
    return float(best)
