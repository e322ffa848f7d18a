"""
run_net.py's main in processes of their own.

They are forked from one process that has imported everything and computed nothing: an interpreter
of their own would take seconds each, and a fork of the tests' process the state of its threads.
"""

import multiprocessing
import os
import resource
import signal
import sys

import torch
from torch.distributed.launcher import api as launcher

from slowfast_ext import __main__ as commands
from slowfast_ext.commands.run_net import main
from slowfast_ext.errors import exit_with_sentence
from tests.helpers import shallow_networks

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


class Process:
    """
    A process that runs run_net.py's main with shallow networks, and what comes of it.

    Args:
        arguments (list[str]): run_net.py's, or the words of a command of the package.
        folder (Path): for its stdout and stderr.
        ranks (int): with 2 or more it has so many processes of torchrun's start.
        largest_file (int | None): more bytes than these cannot be written to a file.
    """

    def __init__(self, arguments, folder, ranks=1, largest_file=None):
        self.said = {1: folder / "stdout", 2: folder / "stderr"}
        options = (arguments, self.said, ranks, largest_file)
        self.process = FORKS.Process(target=_run, args=options)
        self.process.start()

    def is_running(self):
        return self.process.is_alive()

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def wait(self, seconds=300.0):
        """Its exit code; below 0 the signal that ended it."""
        self.process.join(seconds)
        if self.is_running():
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"still running after {seconds:.0f} s: {self.stderr[-2000:]}")
        return self.returncode

    @property
    def returncode(self):
        return self.process.exitcode

    @property
    def stderr(self):
        return self.said[2].read_text(errors="replace")


def _run(arguments, said, ranks, largest_file):
    for descriptor, path in said.items():
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    # As at a terminal: where the tests run in the background, Ctrl-C is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    if ranks == 1:
        _main(arguments)
        return
    place = {"min_nodes": 1, "max_nodes": 1, "nproc_per_node": ranks, "start_method": "fork"}
    meeting = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0", "run_id": str(os.getpid())}
    # torchrun's own agent, whose processes are forked where torchrun starts interpreters.
    launcher.elastic_launch(launcher.LaunchConfig(**place, **meeting), _main)(arguments)


def _main(arguments):
    # Sums in one order, and two processes on two cores.
    torch.set_num_threads(1)
    with shallow_networks(), exit_with_sentence():
        if arguments[0].startswith("--"):
            main(arguments)
        else:
            sys.argv[1:] = arguments
            commands.main()
