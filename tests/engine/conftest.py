"""A job small enough for tests: a narrow SlowFast on a few synthetic videos."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_ext.commands.run_net import main

ROOT = Path(__file__).parents[2]

TINY = {
    "SYNTHETIC.NUM_TRAIN": "6",
    "SYNTHETIC.NUM_TEST": "3",
    "SYNTHETIC.SIZE": "32",
    "DATA.TRAIN_JITTER_SCALES": "[32, 40]",
    "DATA.TRAIN_CROP_SIZE": "32",
    "DATA.TEST_CROP_SIZE": "32",
    "DATA_LOADER.NUM_WORKERS": "0",
    "SOLVER.MAX_EPOCH": "3",
    "TRAIN.BATCH_SIZE": "2",
    "TRAIN.CHECKPOINT_PERIOD": "1",
    "TEST.VIEWS": "[[4, 1, 2], [2, 1, 1]]",
    "TUNE.MAX_ITER": "4",
    "LOG_PERIOD": "1",
    "NUM_GPUS": "0",
}


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where the runs of this session find, or make, their videos."""
    return str(tmp_path_factory.mktemp("synthetic"))


@pytest.fixture
def arguments(data_dir):
    """`arguments(output_dir, KEY=value with __ for dots)` -> run_net.py's arguments."""

    def make(output_dir, config="ACTIVITY_SLOWFAST", **changes):
        options = {**TINY, "DATA.PATH_TO_DATA_DIR": data_dir, "OUTPUT_DIR": str(output_dir)}
        options.update({key.replace("__", "."): str(value) for key, value in changes.items()})
        pairs = [word for pair in options.items() for word in pair]
        return ["--cfg", str(ROOT / "configs" / "Synthetic" / f"{config}.yaml"), *pairs]

    return make


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    return tmp_path_factory.mktemp("finished")


@pytest.fixture
def finished_run(finished, arguments):
    """A run that has trained, tuned and tested; made once for the session."""
    if not (finished / "results.json").exists():
        main(arguments(finished))
    return finished


@pytest.fixture
def run_net():
    """`run_net(arguments, launcher=())` runs run_net.py in a process of its own to its end."""

    def run(arguments, launcher=(), **options):
        return subprocess.run(_command(arguments, launcher), **PIPES, env=one_thread(), **options)

    return run


@pytest.fixture
def start_net():
    """`start_net(arguments)` starts run_net.py in a process of its own."""

    def start(arguments):
        return subprocess.Popen(_command(arguments), **PIPES, env=one_thread())

    return start


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def _command(arguments, launcher=()):
    return [sys.executable, *launcher, str(ROOT / "run_net.py"), *arguments]


def one_thread():
    """One thread a process: two processes on two cores, and sums in one order."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}
