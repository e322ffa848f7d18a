"""
What a run writes for TensorBoard (TENSORBOARD.ENABLE): curves, throughput, bars of the classes,
activity maps.

Below TENSORBOARD.LOG_DIR of OUTPUT_DIR, by default `runs-<TRAIN.DATASET>` as upstream's, each
stage has a folder of its own, so that TensorBoard shows `train`, `tune` and `test` as runs of the
same curves.
"""

import contextlib
import math
import os
import time

import numpy as np

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError, require_packages
from slowfast_ext.evaluation.results import numbers_of
from slowfast_ext.models.activity_maps import has_maps
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import require_writable


def log_dir(cfg, stage):
    """The folder of a stage's event files."""
    name = upstream.get_key(cfg, "TENSORBOARD.LOG_DIR") or f"runs-{cfg.TRAIN.DATASET}"
    return os.path.join(cfg.OUTPUT_DIR, name, stage)


def check_tensorboard(cfg):
    """Raises SlowFastExtError where what TENSORBOARD.ENABLE asks for cannot be written."""
    if not cfg.TENSORBOARD.ENABLE:
        return
    # The bars of the classes are figures of matplotlib.
    otherwise = ", or set TENSORBOARD.ENABLE False"
    require_packages("TENSORBOARD.ENABLE", ("tensorboard", "matplotlib"), otherwise)
    require_writable(os.path.join(log_dir(cfg, "train"), "events"), "TENSORBOARD.LOG_DIR")


class TensorBoard:
    """
    The curves of one stage; writes in the main process alone, with TENSORBOARD.ENABLE alone.

    A run that goes on from a checkpoint goes on with its steps, and what was written after that
    checkpoint is not shown any more. `draw_view`, if any, makes of (cfg, network, test sample,
    names, title) a picture of the sample's first view, uint8, H x W x 3, RGB.
    """

    def __init__(self, cfg, stage, draw_view=None):
        self.draw_view = draw_view
        self.cfg, self.folder = cfg, log_dir(cfg, stage)
        self.enabled = cfg.TENSORBOARD.ENABLE and distributed.is_main_process()
        self._writer = None
        self._last_step_at = None

    def writer(self, step):
        """torch's SummaryWriter, opened where the first thing, of number `step`, is written."""
        if self._writer is None:
            # Imported here, since it is an extra; purged, so that no curve goes back in time.
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self.folder, purge_step=step)
        return self._writer

    def close(self):
        """Writes what is held back."""
        if self._writer is not None:
            self._writer.close()

    def start_epoch(self):
        """What lies between two epochs (evaluation, checkpoints) is no step's time."""
        self._last_step_at = time.monotonic()

    def add_step(self, step, learning_rates):
        """A trainer.Step is done; `learning_rates` are those of the network's parts, by name."""
        if not self.enabled:
            return
        now = time.monotonic()
        seconds, self._last_step_at = now - self._last_step_at, now
        values = {f"learning rate/{part}": rate for part, rate in learning_rates.items()}
        if step.loss is not None:
            values["loss"] = step.loss
        clips = step.num_clips * distributed.world_size()
        values["speed/clips per second"] = clips / max(seconds, 1e-9)  # A clock may stand still.
        values["speed/seconds per step"] = seconds
        values["speed/seconds waited for data"] = step.seconds_waited
        for name, value in values.items():
            self.writer(step.number).add_scalar(name, value, step.number)

    def add_evaluation(self, step, evaluation, class_names, by_rate=()):
        """An Evaluation after a step, with results.json's `by_rate`; a resumed run keeps it."""
        if not self.enabled:
            return
        writer = self.writer(step)
        for name, value in numbers_of(evaluation.figures).items():
            curves = {"": value}
            curves |= {f" by rate/rate {group['rate']}": group[name] for group in by_rate}
            for end, number in curves.items():
                if number is not None and math.isfinite(number):
                    writer.add_scalar(name.replace("_", " ") + end, number, step)
        bars = class_bars(evaluation.metrics.average_precision, class_names)
        writer.add_figure("AP by class", bars, step)
        writer.flush()

    def add_maps(self, step, network, dataset):
        """The evidence in two videos of a data set of one view each, where the head has maps."""
        if not (self.enabled and self.draw_view and has_maps(self.cfg)):
            return
        for index in sorted({0, len(dataset) // 2}):
            # A video that cannot be read has ended the run by now, or the run goes on without it.
            with contextlib.suppress(SlowFastExtError):
                video = dataset.video_ids[index]
                picture = self.draw_view(
                    self.cfg, network, dataset[index], dataset.class_names, str(video)
                )
                tag = f"evidence/{video}"
                self.writer(step).add_image(tag, picture, step, dataformats="HWC")


def class_bars(average_precision, class_names):
    """A figure of matplotlib: a bar for each class by falling AP, those without one left out."""
    from matplotlib.figure import Figure  # An extra; without pyplot, which keeps every figure.

    order = np.argsort(-average_precision, kind="stable")  # Equal ones by id.
    order = order[np.isfinite(average_precision[order])]
    figure = Figure(figsize=(7, 1 + 0.2 * max(len(order), 1)), layout="constrained")
    axes = figure.add_subplot()
    places = np.arange(len(order))
    bars = axes.barh(places, average_precision[order], color="tab:blue")
    axes.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
    # A name is no formula of matplotlib's.
    names = [class_names[index].replace("$", r"\$") for index in order]
    axes.set_yticks(places, names, fontsize=7)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(0, 1.1)
    axes.set_xlabel("average precision")
    return figure


def waited_for(iterable):
    """Yields (item, seconds until it came)."""
    started = time.monotonic()
    for item in iterable:
        yield item, time.monotonic() - started
        started = time.monotonic()
