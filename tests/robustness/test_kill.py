"""The short form of `tests/robustness`."""

import os
import subprocess
import sys

from tests.helpers import ROOT


def test_a_killed_rank_ends_all_and_the_same_command_goes_on():
    """As two machines would start it; then the same weights and predictions to the bit."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.robustness.kill",
            "--only",
            "rank",
            "--kills",
            "1",
            "--short",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert "1 kills" in done.stdout and "same to the bit" in done.stdout, done.stderr[-3000:]
