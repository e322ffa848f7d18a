"""The network that a test takes: which checkpoint, read once, and its weights."""

from typing import NamedTuple

from slowfast_ext import upstream
from slowfast_ext.config import compare
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.checkpoint import History
from slowfast_ext.engine.weights import load_weights, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed

_AS_THEY_WERE = "set them as they were"


class Trained(NamedTuple):
    """
    A trained network.

    Attributes:
        path (str): of its checkpoint.
        network (ActivityNetwork): on its device, in evaluation.
        loaded (str): what was loaded, for the log.
        history (History): of its training.
    """

    path: str
    network: object
    loaded: str
    history: History


def trained_network(cfg):
    """The network that a test would take, on its device, in evaluation."""
    return network_to_test(cfg).network


def network_to_test(cfg):
    """
    TEST.CHECKPOINT_FILE_PATH, else the last of OUTPUT_DIR, else TRAIN.CHECKPOINT_FILE_PATH.

    Returns:
        Trained

    Raises:
        SlowFastExtError: there is none, it cannot be read, or it is of another config or network.
    """
    test, train, stage = cfg.TEST, cfg.TRAIN, "tune" if cfg.TUNE.ENABLE else "train"
    if test.CHECKPOINT_FILE_PATH:
        path = test.CHECKPOINT_FILE_PATH
        return build_trained(cfg, path, read_weights(path, test.CHECKPOINT_TYPE))
    path = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, stage)
    if path:
        state = read_weights(path, "pytorch")
        compare.check_tested_config(path, state, cfg, stage)
        return build_trained(cfg, path, state)
    if train.CHECKPOINT_FILE_PATH:
        path = train.CHECKPOINT_FILE_PATH
        advice = (
            f"training starts from it, and {cfg.OUTPUT_DIR}/checkpoints has no {stage} "
            "checkpoint yet; train first"
        )
        return build_trained(cfg, path, read_weights(path, train.CHECKPOINT_TYPE), advice)
    raise SlowFastExtError(
        f"there is nothing to test: {cfg.OUTPUT_DIR}/checkpoints has no {stage} checkpoint and "
        "TEST.CHECKPOINT_FILE_PATH is empty; train first, or name a checkpoint there"
    )


def build_trained(cfg, path, state, advice=_AS_THEY_WERE):
    """
    Args:
        path (str): for messages.
        state (dict): what the checkpoint holds, as `read_weights` gives it.
        advice (str): what to do where the config is of another network.

    Returns:
        Trained

    Raises:
        SlowFastExtError: it is of another network than the config's.
    """
    compare.check_same_network(path, state, cfg, advice)
    network = upstream.model_class(cfg.MODEL.MODEL_NAME)(cfg)
    loaded = load_weights(network, path, state["model_state"], complete=True)
    history = History()
    history.update(path, state)
    return Trained(path, network.to(distributed.device(cfg)).eval(), loaded, history)
