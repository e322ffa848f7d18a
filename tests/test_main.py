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


EARLY = """
import contextlib, io, runpy, sys
from slowfast_ext.__main__ import main
config = "configs/Synthetic/ACTIVITY_SLOWFAST.yaml"
for words in (
    ["predict", "--cfg", "none.yaml", "x.mp4"],
    ["predict", "--cfg", config, "--checkpoint", "none.pyth", "run_net.py"],
    ["maps", "--cfg", config, "--out", "x", "x.mp4"],
    ["extract", "--cfg", config, "--out", "x", "MODEL.ARHC", "slow"],
    ["run_net.py", "--cfg", config, "TUNE.RATES", "[0]"],
):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        if words[0] == "run_net.py":
            sys.argv = words
            runpy.run_path("run_net.py", run_name="__main__")
        sys.argv = ["slowfast_ext", *words]
        main()
    print(said.getvalue().strip())
print("torch" in sys.modules)
"""


def test_wrong_configs_and_missing_files_are_told_before_torch_is_imported():
    shown = subprocess.run(
        [sys.executable, "-c", EARLY], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("error: none.yaml: cannot read none.yaml")
    assert lines[1:3] == [
        "error: none.pyth: there is no such checkpoint",
        "error: x.mp4: no such video file or folder; check the path",
    ]
    assert "MODEL.ARHC" in lines[3] and "MODEL.ARCH" in lines[3]
    assert lines[4].startswith("error: TUNE.RATES is [0]")
    assert lines[5:] == ["False"]


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
