"""The one error type of the project, and how a program ends."""

import contextlib
import importlib.util
import os
import select
import signal
import sys
import threading


class SlowFastExtError(Exception):
    """
    The user's input is wrong: a key, a path, a list, a file.

    The message is for a person: what was wrong, where (file:line, key, video id) and
    what to do. Programs print it without a traceback and exit with 2.
    """


def require_packages(what, names, otherwise=""):
    """
    Raises SlowFastExtError, with the command to type, where an optional package is missing.

    Args:
        what (str): what needs them; begins the sentence.
        names (sequence[str]): of the packages, which are those of their modules.
        otherwise (str): what to do in place of installing them; ends the sentence.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        command = f"pip install {' '.join(missing)}"
        raise SlowFastExtError(f"{what} needs {' and '.join(missing)}: {command}{otherwise}")


@contextlib.contextmanager
def interrupt_held():
    """
    Lets a Ctrl-C that comes in the body take effect behind it.

    Where a process forks (a loader starts its workers) Python runs callbacks whose exceptions
    are lost, and the interrupt with them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts = []
    previous = signal.signal(signal.SIGINT, lambda *interrupt: interrupts.append(interrupt))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if interrupts:
        raise KeyboardInterrupt


@contextlib.contextmanager
def exit_with_sentence():
    """
    Ends the program with a sentence where the body fails for an outside reason.

    Exit codes: 2 where the user's input is wrong, 1 where the machine or the user
    stopped the work. Faults of the program itself keep their traceback (exit code 1).
    A reader that has enough (`| head`) ends it without a word.
    """
    try:
        yield
        sys.stdout.flush()
    except SlowFastExtError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        where = "activate the environment it is installed in, or pip install . in the clone"
        print(f"error: the module {error.name} is not installed: {where}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped by the user; start the same command again to go on", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            sys.exit(1)
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}", file=sys.stderr)
        sys.exit(1)


def _nobody_reads():
    """True where the reader of stdout has gone; nothing more is written there then."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    # What is left would be tried once more at the interpreter's end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True
