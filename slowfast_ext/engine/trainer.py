"""One stage of learning: its steps, its epochs, its checkpoints, going on from them."""

import copy
import logging
import math
from typing import NamedTuple

import numpy as np
import torch
from fvcore.nn.precise_bn import get_bn_modules, update_bn_stats

from slowfast_ext.config import compare
from slowfast_ext.datasets import clips
from slowfast_ext.datasets.class_names import names_of_outputs
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.averaging import averaged_network
from slowfast_ext.engine.checkpoint import History, Start
from slowfast_ext.engine.losses import build_loss, over_known
from slowfast_ext.engine.mixing import Mixing
from slowfast_ext.engine.not_finite import require_finite_weights, stop_at_loss
from slowfast_ext.engine.optimizer import (
    build_optimizer,
    clip_gradients,
    load_optimizer,
    set_learning_rate,
)
from slowfast_ext.engine.progress import Progress
from slowfast_ext.engine.scoring import evaluate
from slowfast_ext.engine.tensorboard import TensorBoard, waited_for
from slowfast_ext.engine.weights import load_start
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.results import number_text, numbers_of
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import place_of, require_same_place

logger = logging.getLogger(__name__)


class Step(NamedTuple):
    """One optimizer step of this process: its number in the stage, from 0, and what came of it."""

    number: int
    loss: float | None  # None: there was nothing to learn from.
    learning_rate: float
    num_clips: int
    seconds_waited: float  # Until the loader gave them.


class Trainer:
    """
    One stage of learning, resumable at the ends of its epochs.

    Every random draw follows from (seed, epoch, index) or from a seed set at the start of
    an epoch, so a run that was killed and started again ends with the same weights, bit by
    bit on the CPU.

    Args:
        cfg (CfgNode): of the run.
        stage (Stage): what this stage does differently.
        network (ActivityNetwork): at its start, or as the stage before left it.
        loader (Batches): of the stage's clips.
        evaluator (Evaluator): of the validation set; None where `run` is not called.
        history (History): of the stages so far; is updated.
        draw_view (callable | None): as of TensorBoard.
        start (Start | None): what the run goes on from, where it was read before.
    """

    def __init__(
        self, cfg, stage, network, loader, evaluator=None, history=None, draw_view=None, start=None
    ):
        self.cfg, self.stage, self.network, self.loader = cfg, stage, network, loader
        self.evaluator, self.history = evaluator, history or History()
        self.start = start or Start(cfg)
        self.num_epochs = math.ceil(stage.num_iterations / len(loader))
        if stage.freeze_backbone:
            network.freeze_backbone()
        self.model = distributed.wrap_network(cfg, network)
        decay = cfg.SOLVER.EMA
        self.average = averaged_network(network, decay) if decay else None
        self.optimizer = build_optimizer(stage.cfg, self.model)
        self.scaler = torch.amp.GradScaler("cuda", enabled=cfg.TRAIN.MIXED_PRECISION)
        self.loss_function = build_loss(cfg, lambda: loader.labels).to(distributed.device(cfg))
        self.mixing = Mixing(cfg) if cfg.MIXUP.ENABLE else None
        self.board = TensorBoard(cfg, stage.name, draw_view)
        self.best = -1.0  # The mAP of the best evaluation so far; nan is above nothing.
        # Counted from this run's labels, and not taken from weights of another run.
        self.cooccurrence = copy.deepcopy(network.cooccurrence)

    @property
    def tested_network(self):
        """What is validated, tested and tuned: the network or, with SOLVER.EMA, its average."""
        return self.average.module if self.average else self.network

    def run(self):
        """Runs the epochs that are still to do; leaves the network as it is to be tested."""
        self.place = place_of(self.cfg.OUTPUT_DIR)
        first = self.resume()
        maps = self.loader.maps
        if maps is not None:
            maps.check_network(self.network)
        if self.stage.name == "train" and not self.cfg.TRAIN.AUTO_RESUME:
            checkpoint.set_aside(self.cfg.OUTPUT_DIR)
        if first >= self.num_epochs:
            logger.info(f"{self.stage.name}: {first} epochs, finished before; nothing to do")
        for epoch in range(first, self.num_epochs):
            self.run_epoch(epoch)
        if self.average:
            self.network.load_state_dict(self.tested_network.state_dict())
        self.board.close()

    def run_epoch(self, epoch):
        """Learns in the epoch, counted from 0; evaluates and saves where that is due."""
        number, options = epoch + 1, self.cfg.TRAIN
        is_last = number == self.num_epochs
        is_save = is_last or number % options.CHECKPOINT_PERIOD == 0
        is_eval = is_last or number % options.EVAL_PERIOD == 0
        loss, learning_rate = self._report(epoch, self.learn(epoch))
        if is_save or is_eval:
            self._update_precise_batch_norm()
            # Each process has batch-norm statistics of its own: validated is what is saved.
            distributed.share_buffers(self.tested_network)
        mean_ap = self._evaluate(epoch) if is_eval else None
        self.history.add_point(self.stage.name, number, loss, learning_rate, mean_ap)
        paths = []
        # The best first: the epoch's own checkpoint already says that this one is there.
        if is_eval and mean_ap > self.best:
            self.best = mean_ap
            paths.append(checkpoint.best_checkpoint_path(self.cfg.OUTPUT_DIR, self.stage.name))
        if is_save:
            paths.append(checkpoint.checkpoint_path(self.cfg.OUTPUT_DIR, self.stage.name, number))
        if paths:
            self.save(epoch, paths)

    # --- Learning -----------------------------------------------------------------------

    def learn(self, epoch):
        """Learns from the batches of an epoch, counted from 0; yields each Step when it is done."""
        stage, length = self.stage, len(self.loader)
        self.loader.start_epoch(stage.first_epoch + epoch)
        if self.mixing:
            self.mixing.start_epoch(stage.first_epoch + epoch)
        seed_epoch(self.cfg.RNG_SEED, stage.first_epoch + epoch)
        self.model.train()
        numbers = range(epoch * length, min((epoch + 1) * length, stage.num_iterations))
        # A tuning's last epoch may have fewer iterations than the loader has batches.
        for number, (items, waited) in zip(numbers, waited_for(self.loader), strict=False):
            where = f"{self._name(epoch)}, iteration {number - epoch * length + 1}"
            # Every video of the batch may be broken and skipped.
            if not items and distributed.world_size() > 1:
                raise SlowFastExtError(f"{where}: all videos are broken")
            learning_rate = stage.learning_rate(number, length)
            set_learning_rate(self.optimizer, learning_rate)
            loss = self.step(clips.collate(items), where) if items else None
            yield Step(number, loss, learning_rate, len(items), waited)

    def step(self, batch, where):
        """
        One step of the optimizer on a Sample of clips -> the loss, a number. Where that is not
        finite, what led to it is saved, and SlowFastExtError raised.
        """
        inputs, given = self.inputs(batch)
        if self.mixing:
            # What the labels are of, should the loss not be finite.
            batch = batch._replace(labels=self.mixing(inputs, batch.labels), pathways=inputs)
        with torch.autocast("cuda", torch.float16, enabled=self.cfg.TRAIN.MIXED_PRECISION):
            outputs = self.model(inputs, **given)
            loss = self.loss(batch, outputs)
        value = loss.item()  # Waits for the GPU, so that a bad loss is seen before it spreads.
        if not math.isfinite(value):
            stop_at_loss(self, where, value, batch, outputs)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        # Clipping limits the gradients themselves, not their multiples by the scale.
        self.scaler.unscale_(self.optimizer)
        clip_gradients(self.cfg, self.network)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average:
            self.average.update_parameters(self.network)
        return value

    def inputs(self, batch):
        """A Sample of clips -> the network's input and what it is given beside it."""
        return clips.network_input(self.cfg, batch, distributed.device(self.cfg))

    def loss(self, batch, outputs):
        """The task's loss, summed over the outputs; for groups with persons both, weighted."""
        if batch.person_labels is None:
            # Clips are as many in each process, what is known of them is not.
            differ = distributed.world_size() > 1 and self.loader.has_unknown
            loss_of = summed if batch.boxes is None and not differ else _weighted
            return loss_of(self.loss_function, outputs, batch.labels)
        groups, persons = outputs
        person_loss = _weighted(self.loss_function, persons, batch.person_labels)
        group_loss = summed(self.loss_function, groups, batch.labels)
        return group_loss + self.cfg.VOLLEYBALL.PERSONS_WEIGHT * person_loss

    # --- Around an epoch ----------------------------------------------------------------

    def _name(self, epoch):
        return f"{self.stage.name} epoch {epoch + 1}/{self.num_epochs}"

    def _report(self, epoch, steps):
        """Shows an epoch's steps; returns their mean loss over all processes and the last rate."""
        length, losses, learning_rate = len(self.loader), [], None
        total = min(length, self.stage.num_iterations - epoch * length)
        self.board.start_epoch()
        with Progress(self._name(epoch), total, self.cfg.LOG_PERIOD) as progress:
            for step in steps:
                learning_rate = step.learning_rate
                progress.step(loss=step.loss, learning_rate=learning_rate)
                rates = {"head": learning_rate * self.cfg.ACTIVITY.LR_MULT}
                if not self.stage.freeze_backbone:
                    rates = {"backbone": learning_rate, **rates}
                self.board.add_step(step, rates)
                losses += [step.loss] * (step.loss is not None)
        losses = [value for part in distributed.gather(losses) for value in part]
        return (sum(losses) / len(losses) if losses else None), learning_rate

    def _update_precise_batch_norm(self):
        """BN.USE_PRECISE_STATS: statistics over many batches at fixed weights, as upstream's."""
        if not self.cfg.BN.USE_PRECISE_STATS or not get_bn_modules(self.model):
            return
        number = min(self.cfg.BN.NUM_BATCHES_PRECISE, len(self.loader))
        for model in (self.model, *([self.average.module] if self.average else [])):
            batches = (clips.collate(items) for items in self.loader.endless())
            update_bn_stats(model.train(), (self.inputs(batch)[0] for batch in batches), number)

    def _evaluate(self, epoch):
        """Logs the figures of one centre view a video, and returns its mAP."""
        evaluation = evaluate(self.evaluator, self.tested_network, "val")
        figures = ", ".join(
            f"{name.replace('_', ' ')} {number_text(value)}"
            for name, value in numbers_of(evaluation.figures).items()
        )
        logger.info(f"{self.stage.name} epoch {epoch + 1}: val {figures}")
        last = min((epoch + 1) * len(self.loader), self.stage.num_iterations) - 1
        self.board.add_maps(last, self.tested_network, self.evaluator.dataset)
        self.board.add_evaluation(last, evaluation, self.evaluator.dataset.class_names)
        return evaluation.metrics.mean

    # --- Checkpoints ----------------------------------------------------------------------

    def save(self, epoch, paths):
        """
        Writes the state after an epoch, counted from 0, under one name or several; raises
        SlowFastExtError where a weight is not finite, and the checkpoints before stay.
        """
        for broken in distributed.gather(self.loader.broken_videos()):
            self.history.skipped.update(broken)
        self.history.epochs[self.stage.name] = (epoch + 1, self.num_epochs)
        # In every process, so that none waits for one that has ended.
        require_finite_weights(self.network, f"{self.stage.name} epoch {epoch + 1}")
        if not distributed.is_main_process():
            return
        require_same_place(self.cfg.OUTPUT_DIR, self.place)
        state = {
            "epoch": epoch,
            "model_state": self.tested_network.state_dict(),
            "optimizer_state": self.optimizer.state_dict(),
            "scaler_state": self.scaler.state_dict(),
            "best_mAP": self.best,
            **self.history.state(),
            "cfg": self.cfg.dump(),
        }
        if self.average:
            # What learning goes on from; whoever tests takes model_state, and knows nothing of it.
            state["unaveraged_state"] = self.network.state_dict()
            state["num_averaged"] = self.average.n_averaged.item()
        checkpoint.save_checkpoint(paths[0], state)
        for path in paths[1:]:
            checkpoint.save_again(paths[0], path, state)

    def resume(self):
        """
        Loads what there is to go on from: the stage's own last checkpoint, else the network that
        was trained before, else TRAIN.CHECKPOINT_FILE_PATH.

        Returns the first epoch to do, counted from 0. Raises SlowFastExtError where a checkpoint is
        damaged, or of another config or network.
        """
        cfg, name = self.cfg, self.stage.name
        path = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, name)
        if path and (cfg.TRAIN.AUTO_RESUME or not cfg.TRAIN.ENABLE):
            advice = "remove it to go on from an earlier one"
            return self._go_on(path, self._read_own(path, name), advice, self.num_epochs)
        if name == "train" and cfg.TRAIN.CHECKPOINT_FILE_PATH:
            return self._start_training(cfg.TRAIN.CHECKPOINT_FILE_PATH)
        if name == "tune" and not cfg.TRAIN.ENABLE:
            self._start_tuning()
        return 0

    def _start_training(self, path):
        """Starts from TRAIN.CHECKPOINT_FILE_PATH, with its epoch and optimizer where they fit."""
        state = self._load_start()
        theirs, own = (
            {name: value.shape for name, value in tensors.items()}
            for tensors in (state["model_state"], self.network.state_dict())
        )
        # An optimizer of other tensors has nothing to say of these.
        if self.cfg.TRAIN.CHECKPOINT_EPOCH_RESET or theirs != own:
            return 0
        advice = "take its weights alone with TRAIN.CHECKPOINT_EPOCH_RESET True"
        try:
            stored = checkpoint.stored_class_names(path, state)
            names_of_outputs(self.cfg, path, stored, self.history.class_names)
        except SlowFastExtError as error:
            raise SlowFastExtError(f"{error}; or {advice}") from error
        first = self._go_on(path, state, advice, math.inf)
        for network in (self.network, self.tested_network):
            network.set_cooccurrence(self.cooccurrence)
        if first >= self.num_epochs:
            raise SlowFastExtError(
                f"{path} has {first} epochs behind it and SOLVER.MAX_EPOCH is {self.num_epochs}: "
                f"{advice}"
            )
        return first

    def _start_tuning(self):
        """Takes the network that an earlier run trained."""
        cfg = self.cfg
        path = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, "train")
        if path:
            state = self._read_own(path, "train")
            _load(self.network, path, state["model_state"])
        elif cfg.TRAIN.CHECKPOINT_FILE_PATH:
            path = cfg.TRAIN.CHECKPOINT_FILE_PATH
            state = self._load_start()
        else:
            raise SlowFastExtError(
                f"there is nothing to tune: {cfg.OUTPUT_DIR} has no trained checkpoint, "
                "TRAIN.ENABLE is False and TRAIN.CHECKPOINT_FILE_PATH is empty"
            )
        self.history.update(path, state)
        self.history.warn_of_unfinished(path)

    def _read_own(self, path, stage_name):
        """What a checkpoint of OUTPUT_DIR holds, which must be of this config."""
        state = self.start.take(path)
        compare.check_same_config(path, state, self.cfg, stage_name)
        return state

    def _load_start(self):
        """Loads what fits of TRAIN.CHECKPOINT_FILE_PATH; returns what the file holds."""
        options = self.cfg.TRAIN
        state = self.start.take(options.CHECKPOINT_FILE_PATH, options.CHECKPOINT_TYPE)
        loaded = load_start(self.cfg, self.network, state)
        self.network.set_cooccurrence(self.cooccurrence)
        logger.info(f"{self.stage.name}: {loaded}")
        return state

    def _go_on(self, path, state, advice, num_epochs):
        """Loads network, optimizer and counters; returns the next epoch, of `num_epochs`."""
        logger.info(f"{self.stage.name}: going on from {path}")
        _load(self.network, path, state.get("unaveraged_state", state["model_state"]))
        if self.average:
            _load(self.tested_network, path, state["model_state"])
        try:
            if self.average:
                self.average.n_averaged.fill_(int(state.get("num_averaged", 0)))
            load_optimizer(self.optimizer, state["optimizer_state"])
            # Upstream's files have no scaler's state, and one that is off has an empty one.
            self.scaler.load_state_dict(state.get("scaler_state", {}) or self.scaler.state_dict())
            epoch, best = state["epoch"], state.get("best_mAP", -1.0)
            if not isinstance(best, (int, float)) or not math.isfinite(best):
                raise ValueError(f"its best_mAP is {best}")
            if not isinstance(epoch, int) or not 0 <= epoch < num_epochs:
                raise ValueError(f"its epoch, counted from 0, is {epoch} of {num_epochs}")
            self.history.update(path, state)
        except (KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
            raise SlowFastExtError(
                f"{path}: is not a state that this run can go on from ({error}); {advice}"
            ) from error
        self.best = float(best)
        return epoch + 1


def _load(network, path, weights):
    try:
        # All or nothing: a run that goes on has its own tensors, each of them.
        network.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        raise SlowFastExtError(f"{path}: these are weights of another network") from error


def summed(loss, outputs, labels):
    """The loss of the known labels, summed over the outputs."""
    # Autocast's half precision serves the network, not the loss.
    return sum(over_known(loss, logits.float(), labels) for logits in outputs)


def _weighted(loss, outputs, labels):
    """`summed`, such that the mean over processes is that over all known labels."""
    # A process may have no person: its loss is 0 then, with a gradient of 0 for each parameter,
    # since DistributedDataParallel waits for all of them.
    value = summed(loss, outputs, labels) if len(labels) else sum(o.sum() for o in outputs)
    return value * distributed.weight_of(int((labels >= 0).sum()))


def seed_epoch(seed, epoch):
    """Seeds torch (dropout) for an epoch, differently in each process."""
    # Mixed by numpy: sums such as seed + epoch would give different runs the same draws.
    sequence = np.random.SeedSequence([seed, epoch, distributed.rank()])
    torch.manual_seed(int(sequence.generate_state(1)[0]))
