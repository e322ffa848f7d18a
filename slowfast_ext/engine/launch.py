"""The processes of a job: started, joined in a group, and ended together with one reason."""

import contextlib
import functools
import os
import re
import socket
import sys
import time
from datetime import timedelta

import torch
import torch.distributed as dist

from slowfast_ext import upstream
from slowfast_ext.config.plugins import import_plugins
from slowfast_ext.errors import SlowFastExtError, exit_with_sentence


def launch(cfg, init_method, function):
    """
    Runs `function(cfg)` in every process of the job.

    Under torchrun this is one of its processes. Otherwise one process per GPU is spawned
    with upstream's launcher; on the CPU there is one process per machine.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        with process_group(cfg, init_method="env://"):
            function(cfg)
    elif cfg.NUM_GPUS > 1 or (cfg.NUM_GPUS and cfg.NUM_SHARDS > 1):
        _spawn(cfg, init_method, function)
    elif cfg.NUM_SHARDS > 1:
        with process_group(cfg, init_method, rank=cfg.SHARD_ID, world_size=cfg.NUM_SHARDS):
            function(cfg)
    else:
        function(cfg)


def refuse_torchrun(command):
    """Raises SlowFastExtError for a command of several jobs, each of which `launch` starts."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        # torchrun's store serves one job, and results are read before its main process wrote them.
        raise SlowFastExtError(
            f"{command} starts the processes of its runs itself, NUM_GPUS of them: call it without "
            "torchrun"
        )


@contextlib.contextmanager
def process_group(cfg, init_method, **place):
    """
    Joins the job's process group: NCCL with GPUs, gloo without; `place` is `rank` and
    `world_size`, where the environment does not give them.
    """
    if cfg.NUM_GPUS:
        # Before the group is joined: NCCL would put every process on the first GPU.
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    backend = cfg.DIST_BACKEND if cfg.NUM_GPUS else "gloo"
    store, number, size = next(iter(dist.rendezvous(init_method, **place)))
    # torch's own for process groups: one process may make data while the others wait.
    store.set_timeout(timedelta(minutes=30))
    # torchrun may keep its store for the next attempt, with the addresses of this one's processes.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    store = dist.PrefixStore(f"attempt {attempt}", store)
    groups = dist.PrefixStore("groups", store)
    dist.init_process_group(backend, store=groups, rank=number, world_size=size)
    try:
        with ended_together(dist.PrefixStore("endings", store), number, size):
            yield
    finally:
        # `ended_together` may have destroyed it.
        if dist.is_initialized():
            dist.destroy_process_group()


def _spawn(cfg, init_method, function):
    """Runs `function(cfg)` in a process for each GPU of this machine."""
    arguments = (cfg.NUM_GPUS, functools.partial(run_spawned, function), init_method, cfg)
    try:
        torch.multiprocessing.spawn(
            upstream.run_in_process_group, nprocs=cfg.NUM_GPUS, args=arguments
        )
    except torch.multiprocessing.ProcessExitedException as error:
        if error.signal_name:
            raise ChildProcessError(
                f"process {error.error_index} of this machine was killed ({error.signal_name}; out "
                "of memory?): start the same command again to go on"
            ) from error
        # The process has printed its sentence; its exit code is the job's.
        sys.exit(error.exit_code)


def run_spawned(function, cfg):
    """`function(cfg)` in a spawned process: errors end it with their sentence and exit code."""
    with exit_with_sentence():
        import_plugins(cfg.PLUGINS)
        function(cfg)


# --- Ending together --------------------------------------------------------------------------
# Each process leaves in the job's store who it is and, when it ends, why.

SECONDS_TO_ASK = 10.0  # How long a process that lost another waits to learn which it was.

# What gloo and NCCL say in a plain RuntimeError where the other side is gone.
_LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe", re.IGNORECASE)


@contextlib.contextmanager
def ended_together(store, rank, size):
    """
    Where one process of the job ends in the body, the others end with its name and reason, in a
    ConnectionError. The store reaches all `size` processes; `rank` is this one's number.
    """
    store.set(f"process/{rank}", f"rank {rank} (process {os.getpid()} on {socket.gethostname()})")
    try:
        yield
    except BaseException as error:
        is_lost = isinstance(error, RuntimeError) and _LOST.search(str(error))
        # The store may be what has gone; the error in hand says more than its own would.
        with contextlib.suppress(Exception):
            store.set(f"ended/{rank}", "" if is_lost else str(error) or type(error).__name__)
        if not is_lost:
            raise
        # The others are to see at once that this one leaves.
        dist.destroy_process_group()
        raise ConnectionError(
            f"{_who_ended(store, rank, size)}; all processes end: start the same command again "
            "to go on"
        ) from error


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
        known = {other for other in others if store.check([f"process/{other}"])}
        names = {
            other: store.get(f"process/{other}").decode() if other in known else f"rank {other}"
            for other in others
        }
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
