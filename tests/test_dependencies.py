"""setup.py's dependencies, and what is said of them."""

import ast
import re

from tests.helpers import ROOT


def declared():
    """{name: lowest version or None} of everything that setup.py asks for, extras too."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call))
    call = next(n for n in calls if getattr(n.func, "id", None) == "setup")
    keywords = {k.arg: k.value for k in call.keywords}
    required = ast.literal_eval(keywords["install_requires"])
    extras = ast.literal_eval(keywords["extras_require"])
    asked = [*required, *(name for names in extras.values() for name in names)]
    asked = [text for text in asked if not text.startswith("slowfast-ext[")]
    split = (re.fullmatch(r"([\w.-]+)(?:>=([\w.]+))?(?:;.*)?", text).groups() for text in asked)
    return dict(split)


def test_each_is_explained_with_its_licence():
    text = (ROOT / "docs" / "DEPENDENCIES.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w.-]+) \|.* \| (.+) \|$", text, re.M)
    explained = {name for name, _ in rows if name not in ("package", "---")}
    assert explained == set(declared())


def test_the_lowest_versions_are_the_declared_ones():
    """tests/lowest.txt holds each declared lower bound that the quick tests need."""
    lines = (ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    bounds = declared()
    assert set(pinned) <= set(bounds)
    for name, version in pinned.items():
        assert version == bounds[name], name
