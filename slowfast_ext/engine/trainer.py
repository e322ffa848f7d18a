"""One stage of learning: its loop, its checkpoints, going on from them."""

import copy
import logging
import math
import os
from functools import cached_property

import numpy as np
import torch
from fvcore.nn.precise_bn import get_bn_modules, update_bn_stats

from slowfast_ext import upstream
from slowfast_ext.datasets import clips
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.checkpoint import resume
from slowfast_ext.engine.optimizer import build_optimizer, clip_gradients, set_learning_rate
from slowfast_ext.engine.progress import Progress
from slowfast_ext.engine.tensorboard import TensorBoard, waited_for
from slowfast_ext.engine.test import evaluate
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.evaluators import build_evaluator
from slowfast_ext.evaluation.results import number_text, numbers_of
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import place_of, require_same_place

logger = logging.getLogger(__name__)


class Fitting:
    """
    One stage of learning, resumable at the ends of its epochs.

    Every random draw follows from (seed, epoch, index) or from a seed set at the start of
    an epoch, so a run that was killed and started again ends with the same weights, bit by
    bit on the CPU.

    Args:
        history (History): of the stages so far; is updated.
    """

    def __init__(self, cfg, stage, network, loader, val_set, history):
        self.cfg, self.stage, self.network, self.loader = cfg, stage, network, loader
        self.val_set, self.history = val_set, history
        self.num_epochs = math.ceil(stage.num_iterations / len(loader))
        if stage.freeze_backbone:
            network.freeze_backbone()
        self.model = distributed.wrap_network(cfg, network)
        self.optimizer = build_optimizer(stage.cfg, self.model)
        self.scaler = torch.amp.GradScaler("cuda", enabled=cfg.TRAIN.MIXED_PRECISION)
        self.loss = loss_function(cfg)
        self.board = TensorBoard(cfg, stage.name)
        self.best = -1.0
        # It is counted from this run's labels, and not taken from another's weights.
        self.cooccurrence = copy.deepcopy(network.cooccurrence)
        self.place = place_of(cfg.OUTPUT_DIR)

    def run(self):
        """Runs the epochs that are still to do."""
        first = resume(self)
        if self.stage.name == "train" and not self.cfg.TRAIN.AUTO_RESUME:
            checkpoint.set_aside(self.cfg.OUTPUT_DIR)
        if first >= self.num_epochs:
            logger.info(f"{self.stage.name}: {first} epochs, finished before; nothing to do")
        for epoch in range(first, self.num_epochs):
            loss, learning_rate = self._run_epoch(epoch)
            is_last = epoch + 1 == self.num_epochs
            is_save = is_last or (epoch + 1) % self.cfg.TRAIN.CHECKPOINT_PERIOD == 0
            is_eval = is_last or (epoch + 1) % self.cfg.TRAIN.EVAL_PERIOD == 0
            if is_save or is_eval:
                self._update_precise_batch_norm()
            mean_ap = self._evaluate(epoch) if is_eval else None
            is_best = is_eval and mean_ap > self.best
            self.best = max(self.best, mean_ap) if is_eval else self.best
            self.history.add_point(self.stage.name, epoch + 1, loss, learning_rate, mean_ap)
            # The best first: the epoch's own checkpoint already says that this one is there.
            best = checkpoint.best_checkpoint_path(self.cfg.OUTPUT_DIR, self.stage.name)
            self._save(epoch, [best] * is_best + [self._path(epoch)] * is_save)
        self.board.close()

    # --- Checkpoints ------------------------------------------------------------------

    def _path(self, epoch):
        return checkpoint.checkpoint_path(self.cfg.OUTPUT_DIR, self.stage.name, epoch + 1)

    def _save(self, epoch, paths):
        if not paths:
            return
        for broken in distributed.gather(self.loader.broken_videos()):
            self.history.skipped.update(broken)
        self.history.epochs[self.stage.name] = (epoch + 1, self.num_epochs)
        require_finite_weights(self.network, f"{self.stage.name} epoch {epoch + 1}")
        if not distributed.is_main_process():
            return
        require_same_place(self.cfg.OUTPUT_DIR, self.place)
        state = {
            "epoch": epoch,
            "model_state": self.network.state_dict(),
            "optimizer_state": self.optimizer.state_dict(),
            "scaler_state": self.scaler.state_dict(),
            "best_mAP": self.best,
            **self.history.state(),
            "cfg": self.cfg.dump(),
        }
        checkpoint.save_checkpoint(paths[0], state)
        for path in paths[1:]:
            checkpoint.save_again(paths[0], path, state)

    # --- One epoch ---------------------------------------------------------------------

    def _run_epoch(self, epoch):
        """Returns the mean loss, over all processes, and the last learning rate."""
        stage, length = self.stage, len(self.loader)
        self.loader.start_epoch(stage.first_epoch + epoch)
        seed_epoch(self.cfg.RNG_SEED, stage.first_epoch + epoch)
        self.model.train()
        self.board.start_epoch()
        losses = []
        done = epoch * length
        steps = min(length, stage.num_iterations - done)
        name = f"{stage.name} epoch {epoch + 1}/{self.num_epochs}"
        with Progress(name, steps, self.cfg.LOG_PERIOD) as progress:
            batches = waited_for(self.loader)
            for step, (items, waited) in zip(range(steps), batches, strict=False):
                learning_rate = stage.learning_rate(done + step, length)
                set_learning_rate(self.optimizer, learning_rate)
                loss = self._step(items, name, step)
                progress.step(loss=loss, learning_rate=learning_rate)
                rates = self._rates_by_part(learning_rate)
                self.board.add_step(done + step, loss, rates, len(items), waited)
                losses += [loss] * (loss is not None)
        losses = [value for part in distributed.gather(losses) for value in part]
        return (sum(losses) / len(losses) if losses else None), learning_rate

    def _rates_by_part(self, learning_rate):
        """Learning rates of the parts of the network that learn."""
        rates = {"head": learning_rate * self.cfg.ACTIVITY.LR_MULT}
        return rates if self.stage.freeze_backbone else {"backbone": learning_rate, **rates}

    def _step(self, items, name, step):
        """One optimizer step; returns the loss, None where there was nothing to learn from."""
        if not items:
            # Every video of the batch was broken and may be skipped.
            if distributed.world_size() > 1:
                raise SlowFastExtError(f"{name}, iteration {step + 1}: all videos are broken")
            return None
        batch = clips.collate(items)
        device = distributed.device(self.cfg)
        inputs = clips.network_input(self.cfg, batch.pathways, device)
        further = clips.further_input(batch.objects, batch.boxes, device)
        with torch.autocast("cuda", torch.float16, enabled=self.cfg.TRAIN.MIXED_PRECISION):
            outputs = self.model(inputs, **further)
            loss = self._loss_of(batch, outputs)
        value = loss.item()
        if not math.isfinite(value):
            ids = self.loader.video_ids(batch.index.tolist())
            stop_at_loss(self, f"{name}, iteration {step + 1}", value, batch, ids, outputs)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        clip_gradients(self.cfg, self.network)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return value

    def _loss_of(self, batch, outputs):
        """The task's loss, summed over the outputs; for groups with persons both, weighted."""
        if batch.person_labels is None:
            loss_of = _summed if batch.boxes is None else _by_persons
            return loss_of(self.loss, outputs, batch.labels)
        groups, persons = outputs
        of_persons = _by_persons(self.loss, persons, batch.person_labels)
        of_groups = _summed(self.loss, groups, batch.labels)
        return of_groups + self.cfg.VOLLEYBALL.PERSONS_WEIGHT * of_persons

    # --- After an epoch ----------------------------------------------------------------

    @cached_property
    def evaluator(self):
        """Of the validation set; what it measures by is read once."""
        return build_evaluator(self.cfg, self.val_set)

    def _update_precise_batch_norm(self):
        """BN.USE_PRECISE_STATS: statistics over many batches at fixed weights, as upstream's."""
        if not self.cfg.BN.USE_PRECISE_STATS or not get_bn_modules(self.model):
            return
        batches = min(self.cfg.BN.NUM_BATCHES_PRECISE, len(self.loader))
        device = distributed.device(self.cfg)
        inputs = (
            clips.network_input(self.cfg, clips.collate(items).pathways, device)
            for items in self.loader.endless()
        )
        update_bn_stats(self.model, inputs, batches)

    def _evaluate(self, epoch):
        """Logs the figures of one centre view a video, and returns its mAP."""
        evaluation = evaluate(self.evaluator, self.network, "val")
        figures = ", ".join(
            f"{name.replace('_', ' ')} {number_text(value)}"
            for name, value in numbers_of(evaluation.figures).items()
        )
        logger.info(f"{self.stage.name} epoch {epoch + 1}: val {figures}")
        last = min((epoch + 1) * len(self.loader), self.stage.num_iterations) - 1
        self.board.add_maps(last, self.network, self.val_set)
        self.board.add_evaluation(last, evaluation, self.val_set.class_names)
        return evaluation.metrics.mean


def _summed(loss, outputs, labels):
    """The loss summed over the outputs."""
    labels = labels.to(outputs[0].device)
    return sum(loss(logits.float(), labels) for logits in outputs)


def _by_persons(loss, outputs, labels):
    """
    `_summed`, over a process's persons, such that the mean over processes is that over persons.

    A process may have none; its loss is 0 then, and every parameter's gradient too.
    """
    value = _summed(loss, outputs, labels) if len(labels) else sum(o.sum() for o in outputs)
    return value * distributed.weight_of(len(labels))


def loss_function(cfg):
    """
    MODEL.LOSS_FUNC on logits.

    Upstream's `bce` takes probabilities; our heads give logits in training, from which the
    same loss is computed more exactly.
    """
    name = "bce_logit" if cfg.MODEL.LOSS_FUNC == "bce" else cfg.MODEL.LOSS_FUNC
    return upstream.get_loss_func(name)(reduction="mean")


def seed_epoch(seed, epoch):
    """Seeds torch (dropout) for an epoch, differently in each process."""
    sequence = np.random.SeedSequence([seed, epoch, distributed.rank()])
    torch.manual_seed(int(sequence.generate_state(1)[0]))


_ADVICE = "try a smaller SOLVER.BASE_LR or ACTIVITY.LR_MULT, or SOLVER.CLIP_GRAD_L2NORM"


def stop_at_loss(fitting, where, loss, batch, ids, outputs):
    """
    Saves the network, the batch and what the network made of it, then ends the run.

    Args:
        fitting (Fitting): its network has the weights that the loss was computed with.
        where (str): the epoch and the iteration.
        loss (float): the loss, not finite.
        batch (Sample): the clips, uint8, and labels.
        ids (list[str]): the videos of the batch.
        outputs: what the network gave.

    Raises:
        SlowFastExtError: always; names the iteration, the videos, the norms and the file.
    """
    norms = parameter_norms(fitting.network)
    path = os.path.join(fitting.cfg.OUTPUT_DIR, f"not_finite_rank_{distributed.rank()}.pyth")
    state = {
        "where": where,
        "loss": loss,
        "video_ids": ids,
        "parameter_norms": norms,
        "outputs": _detached(outputs),
        "batch": batch._asdict() | {"objects": None},
        "model_state": fitting.network.state_dict(),
        "optimizer_state": fitting.optimizer.state_dict(),
        "cfg": fitting.cfg.dump(),
    }
    try:
        checkpoint.save_checkpoint(path, state)
        saved = f"the batch, the outputs and the weights are in {path}"
    except OSError as error:
        saved = f"{path} cannot be written ({error.strerror or error})"
    raise SlowFastExtError(
        f"{where}: the loss is {loss} on {', '.join(ids)}; {_text(norms)}; {saved}; {_ADVICE}"
    )


def require_finite_weights(network, where):
    """
    Raises SlowFastExtError where a tensor of the network is not finite, so that no checkpoint
    holds it; the one before stays.
    """
    bad = [name for name, value in network.state_dict().items() if not value.isfinite().all()]
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise SlowFastExtError(
            f"{where}: the network's {bad[0]}{more} is not finite any more and no checkpoint is "
            f"written of it: {_ADVICE}, and start the same command again, which goes on from the "
            "checkpoint before"
        )


def parameter_norms(network):
    """{name: L2 norm} of the parameters, the largest first and those not finite before them."""
    norms = {name: value.detach().norm().item() for name, value in network.named_parameters()}
    return dict(sorted(norms.items(), key=lambda item: _rank(item[1])))


def _rank(norm):
    """The place of a norm: nan, then inf, then the largest."""
    return (0, 0.0) if norm != norm else (1, -norm)


def _text(norms):
    total = torch.tensor(list(norms.values())).norm().item()
    largest = ", ".join(f"{name} {norm:.3g}" for name, norm in list(norms.items())[:3])
    return f"the parameters' norm is {total:.3g}, the largest are {largest}"


def _detached(outputs):
    """Tensors in tuples and lists, without their graph, on the CPU."""
    if torch.is_tensor(outputs):
        return outputs.detach().cpu()
    return [_detached(output) for output in outputs]
