"""Fixtures of several folders; what they are made of is in helpers.py."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast_ext import __main__ as commands
from slowfast_ext import upstream
from slowfast_ext.commands.run_net import main
from slowfast_ext.engine.checkpoint import save_checkpoint
from slowfast_ext.engine.setup import checked_config
from tests.helpers import (
    CONFIG,
    CONFIGS,
    NAMES,
    ROOT,
    TINY,
    pairs,
    shallow_networks,
    write_noise,
    write_video,
)
from tests.processes import Process

SQUARE = (230, 60, 150)


@pytest.fixture(scope="session")
def real_data():
    """The folder of small real files; the tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SLOWFAST_EXT_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; SLOWFAST_EXT_DATA names another folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def interrupts():
    """Ctrl-C is Python's even where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def command(monkeypatch, capsys):
    """`command(words)`, of `python -m slowfast_ext` -> exit code, standard output, error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["slowfast_ext", *map(str, words)])
        try:
            commands.main()
            code = 0
        except SystemExit as end:
            code = end.code
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


@pytest.fixture
def shallow():
    with shallow_networks():
        yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where the runs of this session find, or make, their videos."""
    return str(tmp_path_factory.mktemp("synthetic"))


@pytest.fixture
def arguments(data_dir, shallow):
    """`arguments(output_dir, KEY=value with __ for dots)` -> run_net.py's arguments."""

    def make(output_dir, config="ACTIVITY_SLOWFAST", **changes):
        options = {**TINY, "DATA.PATH_TO_DATA_DIR": data_dir, "OUTPUT_DIR": str(output_dir)}
        options.update({key.replace("__", "."): str(value) for key, value in changes.items()})
        words = [word for pair in options.items() for word in pair]
        return ["--cfg", str(CONFIGS / "Synthetic" / f"{config}.yaml"), *words]

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
def start_net(tmp_path_factory):
    """`start_net(arguments)` starts run_net.py's main in a process of its own."""

    def start(arguments, **options):
        return Process(arguments, tmp_path_factory.mktemp("process"), **options)

    return start


@pytest.fixture
def run_net(start_net):
    """`run_net(arguments)` runs run_net.py's main in a process of its own to its end."""

    def run(arguments, **options):
        process = start_net(arguments, **options)
        process.wait()
        return process

    return run


@pytest.fixture
def run_folder(random_weights, shallow):
    """Folder of a run whose network has random weights: lists/, videos/, output/."""
    return random_weights


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory):
    """lists/ with a training list, videos/, and output/ with a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "lists").mkdir()
    (folder / "videos").mkdir()
    (folder / "lists" / "classes.txt").write_text("\n".join(NAMES) + "\n")
    for number, frames in enumerate((60, 36)):
        write_noise(folder / "videos" / f"{number}.mp4", frames, seed=number)
    rows = [(0, "run;wave", 0, 1), (0, "jump", 1, 2), (1, "run", "", "")]
    (folder / "lists" / "train.csv").write_text(
        "path,labels,start,end\n"
        + "".join(f"{folder}/videos/{n}.mp4,{','.join(map(str, row))}\n" for n, *row in rows)
    )
    with shallow_networks():
        cfg = checked_config(CONFIG, pairs(folder))
        torch.manual_seed(0)
        network = upstream.model_class("ActivityNetwork")(cfg)
    path = str(folder / "output" / "checkpoints" / "random.pyth")
    save_checkpoint(path, {"model_state": network.state_dict()})
    return folder


@pytest.fixture(scope="session")
def write_moving_square():
    """
    A function that writes a video of dark noise in which a pink square of 16 columns moves to
    the right, 2 columns a frame; it starts again at the left where it reaches the right.
    """

    def write(path, num_frames, fps=30, width=96, height=64, seed=0):
        random = np.random.default_rng(seed)
        background = random.integers(0, 60, (height, width, 3), dtype=np.uint8)
        images = np.tile(background, (num_frames, 1, 1, 1))
        for number, image in enumerate(images):
            left = (2 * number) % (width - 16)
            image[height // 4 : -height // 4, left : left + 16] = SQUARE
        write_video(path, images, fps, crf="10")

    return write
