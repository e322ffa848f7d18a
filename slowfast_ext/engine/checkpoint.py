"""Checkpoints in an OUTPUT_DIR: their names, writing them whole, the history that they carry."""

import io
import itertools
import logging
import os
import re
from dataclasses import dataclass, field

import torch

from slowfast_ext.engine.weights import read_checkpoint, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import is_local, open_atomically, pathmgr

logger = logging.getLogger(__name__)

_CHECKPOINT = re.compile(r"checkpoint_.*\.pyth")


def checkpoint_path(output_dir, stage, epoch):
    """Where the stage's state after `epoch` (counted from 1) lies; upstream's name for training."""
    return os.path.join(output_dir, "checkpoints", f"{_prefix(stage)}epoch_{epoch:05d}.pyth")


def best_checkpoint_path(output_dir, stage):
    """Where the state of the stage's best evaluation lies."""
    return os.path.join(output_dir, "checkpoints", f"{_prefix(stage)}best.pyth")


def _prefix(stage):
    return "checkpoint_" if stage == "train" else f"checkpoint_{stage}_"


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
    own = os.path.join(output_dir, "checkpoints")
    # A link may lead there under another name; a store's names have no links.
    own, path = (os.path.realpath(p) if is_local(p) else p for p in (own, path))
    folder, name = os.path.split(path)
    return folder == own and bool(_CHECKPOINT.fullmatch(name))


def last_checkpoint(output_dir, stage):
    """The path of the stage's newest checkpoint, None where there is none."""
    folder = os.path.join(output_dir, "checkpoints")
    pattern = re.compile(rf"{_prefix(stage)}epoch_\d+\.pyth")
    names = pathmgr.ls(folder) if pathmgr.isdir(folder) else []
    last = max(filter(pattern.fullmatch, names), default=None)
    return last and os.path.join(folder, last)


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


@dataclass
class History:
    """
    Attributes:
        epochs (dict[str, tuple[int, int]]): stage -> epochs behind the network, of how many.
        skipped (dict[str, str]): video id -> reason of the broken videos.
        curves (dict[str, list]): stage -> of each epoch [number from 1, mean loss, last learning
            rate of the backbone, val mAP]; None where there is none.
        class_names (list[str] | None): of the network's outputs; None: not known.
        positives (list[int] | None): how many rows of the training's labels have each of them.
    """

    epochs: dict = field(default_factory=dict)
    skipped: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)
    class_names: list | None = None
    positives: list | None = None

    def update(self, path, state):
        """Adds what a checkpoint tells, if anything; raises SlowFastExtError where it is broken."""
        try:
            self.skipped.update(state.get("skipped", {}))
            for stage, (done, total) in state.get("epochs", {}).items():
                self.epochs[stage] = (int(done), int(total))
            for stage, points in state.get("curves", {}).items():
                self.curves[stage] = [
                    [int(epoch), *(None if v is None else float(v) for v in (loss, rate, mean_ap))]
                    for epoch, loss, rate, mean_ap in points
                ]
            if self.class_names is None:
                self.class_names = stored_class_names(path, state)
            if self.positives is None and state.get("positives") is not None:
                self.positives = [int(count) for count in state["positives"]]
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise SlowFastExtError(
                f"{path}: its 'epochs', 'skipped', 'curves' or 'positives' is damaged ({error})"
            ) from error

    def state(self):
        """The entries of a checkpoint."""
        curves = {stage: list(points) for stage, points in self.curves.items()}
        found = {"epochs": dict(self.epochs), "skipped": dict(self.skipped), "curves": curves}
        lists = {"class_names": self.class_names, "positives": self.positives}
        return found | {name: list(value) for name, value in lists.items() if value is not None}

    def add_point(self, stage, epoch, loss, learning_rate, mean_ap):
        """Adds an epoch, counted from 1, to the stage's curve."""
        # A run that goes on from an earlier checkpoint does the epochs behind it again.
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


def stored_class_names(path, state):
    """The names in what a checkpoint holds, None in those without; raises SlowFastExtError."""
    names = state.get("class_names")
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SlowFastExtError(f"{path}: its 'class_names' is damaged: it must list texts")
    return names


class Start:
    """
    The checkpoint that a training goes on from, which is read once: its classes order the labels,
    its tensors are checked before anything is written, and then they are loaded.

    Attributes:
        path (str): this run's own last, else TRAIN.CHECKPOINT_FILE_PATH; empty where there is none.
        is_own (bool): it is this run's own.
    """

    def __init__(self, cfg):
        own = []
        if cfg.TRAIN.AUTO_RESUME or not cfg.TRAIN.ENABLE:
            own = [last_checkpoint(cfg.OUTPUT_DIR, stage) for stage in ("tune", "train")]
        self.path = next(filter(None, own), cfg.TRAIN.CHECKPOINT_FILE_PATH)
        self.is_own = self.path in own
        self._type = None if self.is_own else cfg.TRAIN.CHECKPOINT_TYPE
        self._state = None

    def look(self):
        """What it holds, which stays in memory until it is taken; raises SlowFastExtError."""
        if self._state is None:
            self._state = self._read(self.path, self._type)
        return self._state

    def take(self, path, checkpoint_type=None):
        """
        What the checkpoint `path` holds, read before where it is this one; the type is that of
        TRAIN.CHECKPOINT_TYPE, None for one of this run's own. Raises SlowFastExtError.
        """
        if path != self.path:
            return self._read(path, checkpoint_type)
        state, self._state = self.look(), None
        return state

    @staticmethod
    def _read(path, checkpoint_type):
        return read_weights(path, checkpoint_type) if checkpoint_type else read_checkpoint(path)

    def class_names(self):
        """The names of its classes; None where there are none, or it cannot be read."""
        try:
            return stored_class_names(self.path, self.look()) if self.path else None
        except SlowFastExtError:
            return None  # What is wrong with it is said where it is loaded.
