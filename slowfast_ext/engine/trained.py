"""The network that a test takes: which checkpoint, read once, its weights, how it is called."""

from slowfast_ext import upstream
from slowfast_ext.config import compare
from slowfast_ext.datasets import clips
from slowfast_ext.datasets.class_names import names_of_outputs, order_as
from slowfast_ext.datasets.contract import class_names
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.checkpoint import History
from slowfast_ext.engine.weights import load_weights, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed


def scores_of(cfg, network, batch):
    """A batch's probabilities, float64, B x A, or of its persons P x A; within `inference`."""
    inputs, given = clips.network_input(cfg, batch, distributed.device(cfg))
    # float64: sums over views in float32 depend on their order, and make ties.
    return network(inputs, **given).double().cpu().numpy()


def trained_network(cfg, given=None):
    """
    The network that a test would take, on its device, in evaluation.

    Its `class_names` are those of its checkpoint or, of older ones that have none, those `given`
    or of `class_names`; None where there are none.

    Raises:
        SlowFastExtError: as `network_to_test`, or the data set's classes are others.
    """
    listed = given
    try:
        listed = listed or class_names(cfg)
    except SlowFastExtError as error:
        # Videos of any origin need no list of classes.
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
    path, network, _, history = network_to_test(cfg)
    network.class_names = names_of_outputs(cfg, path, history.class_names, listed)
    return network


def network_to_test(cfg, keys=()):
    """
    Takes TEST.CHECKPOINT_FILE_PATH, else the last of OUTPUT_DIR, else TRAIN.CHECKPOINT_FILE_PATH.
    The `keys` must be as they were in its training, beside those that make the network.

    Returns the checkpoint's path and what `build_trained` gives. Raises SlowFastExtError where
    there is none, it cannot be read, or it is of another config or network.
    """
    stage, advice = "tune" if cfg.TUNE.ENABLE else "train", "set them as they were"
    last = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, stage)
    if cfg.TEST.CHECKPOINT_FILE_PATH:
        path = cfg.TEST.CHECKPOINT_FILE_PATH
        state = read_weights(path, cfg.TEST.CHECKPOINT_TYPE)
    elif last:
        path, state = last, read_weights(last, "pytorch")
        compare.check_tested_config(path, state, cfg, stage)
    elif cfg.TRAIN.CHECKPOINT_FILE_PATH:
        path = cfg.TRAIN.CHECKPOINT_FILE_PATH
        state = read_weights(path, cfg.TRAIN.CHECKPOINT_TYPE)
        advice = (
            f"training starts from it, and {cfg.OUTPUT_DIR}/checkpoints has no {stage} "
            "checkpoint yet; train first"
        )
    else:
        raise SlowFastExtError(
            f"there is nothing to test: {cfg.OUTPUT_DIR}/checkpoints has no {stage} checkpoint and "
            "TEST.CHECKPOINT_FILE_PATH is empty; train first, or name a checkpoint there"
        )
    return path, *build_trained(cfg, path, state, advice, keys)


def follow_network(dataset, path, stored):
    """
    Gives a data set the order of a network's outputs, by the names of the classes.

    Args:
        path (str), stored (list[str] or None): the checkpoint and the names in it.

    Raises:
        SlowFastExtError: its classes are others.
    """
    cfg = dataset.cfg
    order_as(dataset, names_of_outputs(cfg, path, stored, dataset.read_class_names(cfg)))


def build_trained(cfg, path, state, advice="set them as they were", keys=()):
    """
    The network of what the checkpoint `path` holds, `state` as of `read_weights`, on its device, in
    evaluation; what was loaded, a sentence; its History. Raises SlowFastExtError, which gives the
    `advice`, where it is of another network than the config's.
    """
    compare.check_same_network(path, state, cfg, advice, keys)
    network = upstream.model_class(cfg.MODEL.MODEL_NAME)(cfg)
    loaded = load_weights(network, path, state["model_state"], complete=True)
    history = History()
    history.update(path, state)
    return network.to(distributed.device(cfg)).eval(), loaded, history
