"""The commands of `python -m slowfast_ext`."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast_ext import __main__ as commands
from slowfast_ext.commands import arguments

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("words", commands.COMMANDS)
def test_every_command_explains_itself(words, capsys):
    with pytest.raises(SystemExit) as end:
        commands.build_parser().parse_args([*words.split(), "--help"])
    assert end.value.code == 0
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("words", commands.COMMANDS)
def test_every_command_has_a_module(words):
    module = f"slowfast_ext.commands.{words.replace(' ', '_').replace('-', '_')}"
    assert callable(importlib.import_module(module).run)


def test_run_net_says_what_it_does(capsys):
    with pytest.raises(SystemExit) as end:
        arguments.parse_arguments(["--help"])
    assert end.value.code == 0
    assert "\nTrain, tune, test and show demos" in capsys.readouterr().out


# Told before anything heavy is imported: seconds for torch, tenths for numpy.
LIGHT = """
import contextlib, io, runpy, sys
from slowfast_ext.__main__ import COMMANDS, main
lines = [[], *(words.split() for words in COMMANDS)]
for words in [*([*line, "--help"] for line in lines), ["predcit"], ["predict", "--evry", "1"]]:
    sys.argv = ["slowfast_ext", *words]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(SystemExit):
            main()
sys.argv = ["run_net.py", "--help"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    runpy.run_path("run_net.py", run_name="__main__")
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_help_and_usage_errors_import_nothing_heavy():
    shown = subprocess.run(
        [sys.executable, "-c", LIGHT], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = set(shown.stdout.split())
    assert "slowfast_ext" in imported
    assert not imported & {"torch", "slowfast", "numpy", "pandas", "cv2", "av", "fvcore", "iopath"}


def test_registering_enters_the_networks_and_the_data_sets():
    code = """
import sys, slowfast_ext
assert "torch" not in sys.modules
slowfast_ext.register()
from slowfast_ext import upstream
from slowfast_ext.models import HEAD_REGISTRY
from slowfast_ext.upstream import DATASET_REGISTRY
upstream.model_class("ActivityNetwork"), HEAD_REGISTRY.get("ActivityHead")
DATASET_REGISTRY.get("Charades"), DATASET_REGISTRY.get("Multilabelvideos")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)


def test_wrong_input_ends_with_2_and_a_sentence(monkeypatch, capsys, tmp_path):
    words = ["prepare", "charades", "--annotations", str(tmp_path), "--annotations-only"]
    monkeypatch.setattr(sys, "argv", ["slowfast_ext", *words])
    with pytest.raises(SystemExit) as end:
        commands.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/Charades_v1_classes.txt")
