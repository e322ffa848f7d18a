"""The official evaluations in plain loops, which the tests hold ours against too."""

import importlib.util

from benchmarks.timing import ROOT


def plain_port(name):
    """The module tests/evaluation/`name`.py."""
    path = ROOT / "tests" / "evaluation" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
