"""What several test modules share."""

import os
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
