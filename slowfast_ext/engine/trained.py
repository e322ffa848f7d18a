"""The network that a test takes: which checkpoint, and its weights."""

from slowfast_ext import upstream
from slowfast_ext.config import compare
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.checkpoint import History
from slowfast_ext.engine.weights import load_weights, read_checkpoint, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed


def network_to_test(cfg):
    """The checkpoint's path, its network, what was loaded (a sentence) and its History."""
    path, checkpoint_type = checkpoint_to_test(cfg)
    network = upstream.model_class(cfg.MODEL.MODEL_NAME)(cfg)
    state = read_weights(path, checkpoint_type)
    advice = "set them as they were"
    if not cfg.TEST.CHECKPOINT_FILE_PATH and path == cfg.TRAIN.CHECKPOINT_FILE_PATH:
        advice = (
            f"training starts from it, and {cfg.OUTPUT_DIR}/checkpoints has no {_stage(cfg)} "
            "checkpoint yet; train first"
        )
    compare.check_same_network(path, state, cfg, advice)
    loaded = load_weights(network, path, state["model_state"], complete=True)
    history = History()
    history.update(path, state)
    return path, network, loaded, history


def trained_network(cfg):
    """The network that a test would take, on its device, in evaluation."""
    _, network, _, _ = network_to_test(cfg)
    return network.to(distributed.device(cfg)).eval()


def checkpoint_to_test(cfg):
    """
    TEST.CHECKPOINT_FILE_PATH, else the last of OUTPUT_DIR, else TRAIN.CHECKPOINT_FILE_PATH.

    Returns:
        tuple[str, str]: the path and its type, as TEST.CHECKPOINT_TYPE.

    Raises:
        SlowFastExtError: there is none, or the one in OUTPUT_DIR is of another config.
    """
    if cfg.TEST.CHECKPOINT_FILE_PATH:
        return cfg.TEST.CHECKPOINT_FILE_PATH, cfg.TEST.CHECKPOINT_TYPE
    stage = _stage(cfg)
    path = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, stage)
    if path:
        compare.check_tested_config(path, read_checkpoint(path), cfg, stage)
        return path, "pytorch"
    if cfg.TRAIN.CHECKPOINT_FILE_PATH:
        return cfg.TRAIN.CHECKPOINT_FILE_PATH, cfg.TRAIN.CHECKPOINT_TYPE
    raise SlowFastExtError(
        f"there is nothing to test: {cfg.OUTPUT_DIR}/checkpoints has no {stage} checkpoint and "
        "TEST.CHECKPOINT_FILE_PATH is empty; train first, or name a checkpoint there"
    )


def _stage(cfg):
    """The stage whose checkpoints in OUTPUT_DIR a test takes."""
    return "tune" if cfg.TUNE.ENABLE else "train"
