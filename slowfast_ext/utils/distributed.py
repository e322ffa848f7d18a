"""The same words for one process and for many: ranks, devices, gathering."""

import torch
import torch.distributed as dist


def rank():
    """This process's number in the job."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size():
    """The number of processes of the job."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main_process():
    """True in the one process that writes files."""
    return rank() == 0


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


def share_buffers(network):
    """Gives a network that is not wrapped the main process's buffers, as batch-norm statistics."""
    if world_size() > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)


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
        # The others wait until what the main process makes is whole.
        dist.barrier()
        if not is_main_process():
            function()
