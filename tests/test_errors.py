"""How programs end."""

import signal
import subprocess
import sys

import pytest

from slowfast_ext.errors import interrupt_held
from tests.helpers import ROOT

MANY_LINES = """
from slowfast_ext.errors import exit_with_sentence
with exit_with_sentence():
    for _ in range({lines}):
        print("line" * 100)
"""


def run(code, is_read=False):
    """The program, by default with a stdout that nobody reads; its exit code and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    if not is_read:
        process.stdout.close()
    return process.wait(), process.stderr.read()


def test_a_reader_that_has_enough_is_no_error():
    for lines in (3, 10_000):
        assert run(MANY_LINES.format(lines=lines)) == (1, "")


def test_another_pipe_that_breaks_is_one():
    code = MANY_LINES.format(lines=0) + "    raise BrokenPipeError(32, 'Broken pipe')"
    assert run(code, is_read=True) == (1, "error: Broken pipe\n")


def test_an_interrupt_while_forking_is_not_lost():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with interrupt_held():
            # As where a fork's callback runs: what it raises here would be ignored.
            signal.raise_signal(signal.SIGINT)
            done.append("forked")
        done.append("not reached")
    assert done == ["forked"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_missing_installation_is_a_sentence():
    code = MANY_LINES.format(lines=0) + "    import no_such_module"
    code, stderr = run(code, is_read=True)
    assert code == 2 and stderr.startswith("error: the module no_such_module is not installed")
    assert stderr.count("\n") == 1
