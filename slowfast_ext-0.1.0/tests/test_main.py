"""The commands of `python -m slowfast_ext`."""

import sys

import pytest

from slowfast_ext import __main__ as commands


@pytest.mark.parametrize("words", commands.COMMANDS)
def test_every_command_explains_itself(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["slowfast_ext", *words, "--help"])
    with pytest.raises(SystemExit) as end:
        commands.main()
    assert end.value.code == 0
    assert " ".join(words) in capsys.readouterr().out


def test_wrong_input_ends_with_2_and_a_sentence(monkeypatch, capsys, tmp_path):
    words = ["prepare", "charades", "--annotations", str(tmp_path), "--annotations-only"]
    monkeypatch.setattr(sys, "argv", ["slowfast_ext", *words])
    with pytest.raises(SystemExit) as end:
        commands.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/Charades_v1_classes.txt")
