"""What the tests of predictions share."""

import sys

import pytest
import torch

from slowfast_ext import __main__ as commands
from slowfast_ext import upstream
from slowfast_ext.engine.checkpoint import save_checkpoint
from slowfast_ext.engine.setup import checked_config
from tests.predict.small_run import CONFIG, NAMES, pairs, write_noise


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
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
    cfg = checked_config(CONFIG, pairs(folder))
    torch.manual_seed(0)
    network = upstream.model_class("ActivityNetwork")(cfg)
    path = str(folder / "output" / "checkpoints" / "random.pyth")
    save_checkpoint(path, {"model_state": network.state_dict()})
    return folder


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
