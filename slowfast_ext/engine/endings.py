"""Which process of a job has ended, and why, told to the others through the job's store."""

import contextlib
import os
import re
import socket
import time

import torch.distributed as dist

SECONDS_TO_ASK = 10.0
"""How long a process that lost another waits to learn which it was."""

# What gloo and NCCL say in a plain RuntimeError where the other side is gone.
_LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe", re.IGNORECASE)


@contextlib.contextmanager
def ended_together(store, rank, size):
    """
    Where one process of the job ends in the body, the others end with its name and reason.

    Args:
        store (torch.distributed.Store): that all processes reach.
        rank (int): of this process.
        size (int): how many there are.

    Raises:
        ConnectionError: another process has ended; names it.
    """
    store.set(f"process/{rank}", f"rank {rank} (process {os.getpid()} on {socket.gethostname()})")
    try:
        yield
    except BaseException as error:
        is_lost = isinstance(error, RuntimeError) and _LOST.search(str(error))
        with contextlib.suppress(Exception):
            store.set(f"ended/{rank}", "" if is_lost else _words(error))
        if not is_lost:
            raise
        # The others are to see at once that this one leaves.
        dist.destroy_process_group()
        raise ConnectionError(
            f"{_who_ended(store, rank, size)}; all processes end: start the same command again "
            "to go on"
        ) from error


def _words(error):
    """What an error says, and its kind where it says nothing."""
    return str(error) or type(error).__name__


def _who_ended(store, rank, size):
    """Names the process that ended first, with its reason where it could still give one."""
    others = [other for other in range(size) if other != rank]
    told, deadline = {}, time.monotonic() + SECONDS_TO_ASK
    try:
        while len(told) < len(others) and not any(told.values()) and time.monotonic() < deadline:
            for other in others:
                if other not in told and store.check([f"ended/{other}"]):
                    told[other] = store.get(f"ended/{other}").decode()
            time.sleep(0.1)
        silent = [other for other in others if other not in told]
        names = {other: _name(store, other) for other in others}
        if rank == 0:
            time.sleep(2)  # It may keep the store, which the others still ask.
    except Exception:  # The store's errors differ by its kind.
        return "rank 0, which keeps the job's store, has ended"
    for other, words in told.items():
        if words:
            return f"{names[other]} has ended: {words}"
    if silent:
        who = ", ".join(names[other] for other in silent)
        return f"{who} has ended without a word (killed? out of memory?)"
    return "the connection between the processes was lost"


def _name(store, rank):
    key = f"process/{rank}"
    return store.get(key).decode() if store.check([key]) else f"rank {rank}"
