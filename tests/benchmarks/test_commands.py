"""The commands that the pages name start as they are written there."""

import importlib
import re
import sys

import pytest

from tests.helpers import ROOT

PAGES = (ROOT / "README.md", ROOT / "benchmarks" / "RESULTS.md", *ROOT.glob("docs/*.md"))
TEXT = "".join(page.read_text(encoding="utf-8") for page in PAGES)
MODULES = r"python -m ((?:benchmarks|projects\.study|tests\.robustness)\.[a-z]\w+)"


@pytest.mark.parametrize("name", sorted(set(re.findall(MODULES, TEXT))))
def test_a_named_module_tells_its_use(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        importlib.import_module(name).main()
    assert end.value.code == 0 and "usage: " in capsys.readouterr().out
