"""One process or many: launching, ranks, devices, gathering."""

import contextlib
import os
import sys
from datetime import timedelta

import torch
import torch.distributed as dist

from slowfast_ext import upstream
from slowfast_ext.engine.endings import ended_together
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


@contextlib.contextmanager
def process_group(cfg, init_method, **place):
    """
    Joins the job's process group: NCCL with GPUs, gloo without; `place` is `rank` and
    `world_size`, where the environment does not give them.
    """
    if cfg.NUM_GPUS:
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
        if dist.is_initialized():
            dist.destroy_process_group()


def _spawn(cfg, init_method, function):
    arguments = (cfg.NUM_GPUS, SpawnedFunction(function), init_method, cfg)
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


class SpawnedFunction:
    """`function(cfg)` in a spawned process: errors end it with their sentence and exit code."""

    def __init__(self, function):
        self.function = function

    def __call__(self, cfg):
        with exit_with_sentence():
            self.function(cfg)


def rank():
    """This process's number in the job."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size():
    """The number of processes of the job."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main_process():
    """True in the one process that writes files."""
    return rank() == 0


def batch_size_per_process(cfg, key):
    """
    TRAIN.BATCH_SIZE or TEST.BATCH_SIZE of this process.

    As upstream's, the keys mean one machine's batch, shared by its processes.
    """
    local = int(os.environ.get("LOCAL_WORLD_SIZE", max(cfg.NUM_GPUS, 1)))
    total = upstream.get_key(cfg, key)
    if total % local:
        raise SlowFastExtError(f"{key} is {total}: it must be a multiple of the {local} processes")
    return total // local


def device(cfg):
    """Where this process computes."""
    if not cfg.NUM_GPUS:
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def wrap_network(cfg, network):
    """The network on its device, and in DistributedDataParallel where there are several."""
    network = network.to(device(cfg))
    if world_size() == 1:
        return network
    device_ids = [device(cfg).index] if cfg.NUM_GPUS else None
    return torch.nn.parallel.DistributedDataParallel(network, device_ids=device_ids)


def unwrap_network(network):
    """The network itself, without DistributedDataParallel."""
    if isinstance(network, torch.nn.parallel.DistributedDataParallel):
        return network.module
    return network


def gather(value):
    """The values of all processes, in the order of their ranks."""
    if world_size() == 1:
        return [value]
    values = [None] * world_size()
    dist.all_gather_object(values, value)
    return values


def weight_of(count):
    """A process's share of the sum of `count` over all, times their number; 0 where all is 0."""
    counts = gather(count)
    return count * len(counts) / max(sum(counts), 1)


def main_process_first(function):
    """Runs `function` in the main process, then in the others."""
    if is_main_process():
        function()
    if world_size() > 1:
        dist.barrier()
        if not is_main_process():
            function()
