"""Seeds side by side: one process a core, one thread each."""

import contextlib
import multiprocessing
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import torch

from projects.study.experiment import Experiment
from projects.study.results import correlation_parts, score
from projects.study.rows import has_complete_head


class Task(NamedTuple):
    """The rows to score in a seed's experiment."""

    experiment: Experiment
    rows: tuple

    @property
    def needs_backbone(self):
        """True where a head has still to be trained, on its maps or with it."""
        return not all(map(self.experiment.has, self.rows))

    def make_videos(self):
        """Writes what is missing of the videos that the rows need, with all cores."""
        if self.needs_backbone:
            self.experiment.make_backbone_videos()
            self.experiment.make_videos()


def run_tasks(tasks):
    """
    Runs tasks, as many at once as torch would take threads (OMP_NUM_THREADS, or the cores).

    Returns:
        list: per task its rows' Scores and, where the complete head is among their heads,
            Corr's parts (else None).

    Raises:
        ChildProcessError: a process was killed.
    """
    # The engine prints its log to stdout, which is the result's.
    with contextlib.redirect_stdout(sys.stderr):
        for task in tasks:
            task.make_videos()
        by_seed = {}
        for task in tasks:
            by_seed.setdefault(task.experiment.seed, []).append(task)
        processes = min(len(tasks), torch.get_num_threads())
        if processes == 1:
            _start()
            for seed_tasks in by_seed.values():
                _make_backbone(seed_tasks)
            return [_score(task) for task in tasks]
        with _pool(processes) as pool:
            return _run_in(pool, tasks, by_seed)


@contextlib.contextmanager
def _pool(processes):
    """An executor whose processes end at once where the body fails."""
    # Spawned: a fork would copy the threads' locks.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, _start_worker) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "a process that computes a seed has been killed (out of memory?): start the same "
                "command again to go on; with OMP_NUM_THREADS=1 it computes one seed at a time"
            ) from error
        except BaseException:
            # Leaving the executor waits for what its processes compute.
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _run_in(pool, tasks, by_seed):
    """All backbones first; a seed's heads follow as soon as its backbone is there."""
    backbones = [pool.submit(_make_backbone, seed_tasks) for seed_tasks in by_seed.values()]
    scores = {}
    for backbone, seed_tasks in zip(backbones, by_seed.values(), strict=True):
        backbone.result()
        scores |= {task.experiment.name: pool.submit(_score, task) for task in seed_tasks}
    return [scores[task.experiment.name].result() for task in tasks]


def _start():
    torch.set_num_threads(1)


def _start_worker():
    """Ctrl-C ends the parent, which ends this process; and stdout is the result's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr
    _start()


def _make_backbone(seed_tasks):
    """Trains the backbone that tasks of one seed share, where one of them needs it."""
    needing = [task.experiment for task in seed_tasks if task.needs_backbone]
    if needing:
        needing[0].make_backbone()
        print(f"{needing[0].name}: backbone ready", file=sys.stderr, flush=True)


def _score(task):
    experiment = task.experiment
    scores = [score(row, experiment) for row in task.rows]
    parts = correlation_parts(experiment) if has_complete_head(task.rows) else None
    print(f"{experiment.name}: done", file=sys.stderr, flush=True)
    return scores, parts
