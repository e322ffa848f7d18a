"""Checkpoints: written whole or not at all, read without executing anything in them."""

import io
import itertools
import logging
import math
import os
import re
from dataclasses import dataclass, field

import torch

from slowfast_ext.config import compare
from slowfast_ext.engine.optimizer import load_optimizer
from slowfast_ext.engine.weights import load_weights, read_checkpoint, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import is_local, open_atomically, pathmgr

_CHECKPOINT = re.compile(r"checkpoint_.*\.pyth")


def checkpoint_path(output_dir, stage, epoch):
    """Where the stage's state after `epoch` (counted from 1) lies; upstream's name for training."""
    prefix = "" if stage == "train" else f"{stage}_"
    return os.path.join(output_dir, "checkpoints", f"checkpoint_{prefix}epoch_{epoch:05d}.pyth")


def best_checkpoint_path(output_dir, stage):
    """Where the state of the stage's best evaluation lies."""
    prefix = "" if stage == "train" else f"{stage}_"
    return os.path.join(output_dir, "checkpoints", f"checkpoint_{prefix}best.pyth")


def set_aside(output_dir):
    """Renames what an earlier run left, so that nothing goes on from it or tests it by mistake."""
    folder = os.path.join(output_dir, "checkpoints")
    if not distributed.is_main_process() or not pathmgr.isdir(folder):
        return
    names = pathmgr.ls(folder)
    # What was set aside before stays: each time has its own number.
    numbers = (f"earlier_{number}_" for number in itertools.count(1))
    prefix = next(p for p in numbers if not any(name.startswith(p) for name in names))
    for name in filter(_CHECKPOINT.fullmatch, names):
        pathmgr.mv(os.path.join(folder, name), os.path.join(folder, prefix + name))


def is_set_aside(output_dir, path):
    """True where set_aside would rename `path`."""
    folder, name = os.path.split(os.path.realpath(path) if is_local(path) else path)
    own = os.path.join(output_dir, "checkpoints")
    own = os.path.realpath(own) if is_local(own) else own
    return folder == own and bool(_CHECKPOINT.fullmatch(name))


def last_checkpoint(output_dir, stage):
    """The path of the stage's newest checkpoint, None where there is none."""
    folder = os.path.join(output_dir, "checkpoints")
    prefix = "" if stage == "train" else f"{stage}_"
    pattern = re.compile(rf"checkpoint_{prefix}epoch_\d+\.pyth")
    names = pathmgr.ls(folder) if pathmgr.isdir(folder) else []
    names = sorted(name for name in names if pattern.fullmatch(name))
    return os.path.join(folder, names[-1]) if names else None


def save_checkpoint(path, state):
    """Writes a dict of tensors, numbers and text such that it appears whole or not at all."""
    # Serialised in memory first: the zip writer turns a full disk into an error of its own.
    content = io.BytesIO()
    torch.save(state, content)
    with open_atomically(path, "wb") as stream:
        stream.write(content.getbuffer())


def save_again(saved, path, state):
    """Gives what stands in `saved` a second name, or writes it again where that cannot be."""
    partial = f"{path}.partial-{os.getpid()}"
    try:
        os.link(saved, partial)
        os.replace(partial, path)
    except OSError:  # A store, or a file system without links.
        save_checkpoint(path, state)


logger = logging.getLogger(__name__)


@dataclass
class History:
    """
    Attributes:
        epochs (dict[str, tuple[int, int]]): stage -> epochs behind the network, of how many.
        skipped (dict[str, str]): video id -> reason of the broken videos.
        curves (dict[str, list]): stage -> of each epoch [number from 1, mean loss, last learning
            rate of the backbone, val mAP]; None where there is none.
    """

    epochs: dict = field(default_factory=dict)
    skipped: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)

    def update(self, path, state):
        """
        Adds what the checkpoint `path` tells; files of other projects tell nothing.

        Raises:
            SlowFastExtError: it tells it in another form.
        """
        try:
            self.skipped.update(state.get("skipped", {}))
            for stage, (done, total) in state.get("epochs", {}).items():
                self.epochs[stage] = (int(done), int(total))
            for stage, points in state.get("curves", {}).items():
                self.curves[stage] = [_point(*point) for point in points]
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise SlowFastExtError(
                f"{path}: its 'epochs', 'skipped' or 'curves' is damaged ({error})"
            ) from error

    def state(self):
        """The entries of a checkpoint."""
        curves = {stage: list(points) for stage, points in self.curves.items()}
        return {"epochs": dict(self.epochs), "skipped": dict(self.skipped), "curves": curves}

    def add_point(self, stage, epoch, loss, learning_rate, mean_ap):
        """Adds an epoch, counted from 1, to the stage's curve; one done again takes its place."""
        before = [point for point in self.curves.get(stage, []) if point[0] < epoch]
        self.curves[stage] = [*before, [epoch, loss, learning_rate, mean_ap]]

    def __str__(self):
        """As `train epoch 3 of 3, tune epoch 2 of 2`."""
        return ", ".join(
            f"{stage} epoch {done} of {total}" for stage, (done, total) in self.epochs.items()
        )

    def warn_of_unfinished(self, path):
        """Logs a warning where a stage of what `path` holds did not come to its end."""
        if any(done < total for done, total in self.epochs.values()):
            logger.warning(f"{path} is not of the last epoch: {self}")


def _point(epoch, *values):
    """An epoch of a curve; raises TypeError or ValueError where that is none."""
    loss, learning_rate, mean_ap = (None if v is None else float(v) for v in values)
    return [int(epoch), loss, learning_rate, mean_ap]


def resume(fitting):
    """
    Loads into a Fitting what there is to go on from.

    Returns:
        int: the first epoch to do, counted from 0.

    Raises:
        SlowFastExtError: a checkpoint is damaged, or of another config or network.
    """
    cfg, stage = fitting.cfg, fitting.stage
    path = last_checkpoint(cfg.OUTPUT_DIR, stage.name)
    if path and (cfg.TRAIN.AUTO_RESUME or not cfg.TRAIN.ENABLE):
        state = read_checkpoint(path)
        compare.check_same_config(path, state, cfg, stage.name)
        return _load_all(fitting, path, state, "remove it to go on from an earlier one")
    if stage.name == "train":
        return _start_training(fitting, cfg.TRAIN.CHECKPOINT_FILE_PATH)
    if not cfg.TRAIN.ENABLE:
        _start_tuning(fitting)
    return 0


def _start_tuning(fitting):
    """Takes the network that an earlier run trained."""
    cfg = fitting.cfg
    trained = last_checkpoint(cfg.OUTPUT_DIR, "train")
    if trained:
        state = read_checkpoint(trained)
        compare.check_same_config(trained, state, cfg, "train")
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
    fitting.network.set_cooccurrence(fitting.cooccurrence)
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
    loaded = load_weights(
        fitting.network,
        path,
        weights,
        clear_patterns=cfg.TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN,
        inflate=cfg.TRAIN.CHECKPOINT_INFLATE,
    )
    fitting.network.set_cooccurrence(fitting.cooccurrence)
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
