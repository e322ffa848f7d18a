"""
Training in two gloo processes of one thread beside one process of one thread, same total work.

    python -m benchmarks.processes [--repeats 15]

The narrow SlowFast of configs/Synthetic/ACTIVITY_SLOWFAST.yaml, 16 clips a step. Batch-norm uses
its running statistics, so that both sides give the same gradients, which is checked.
"""

import socket
import statistics
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchmarks.networks import config
from benchmarks.timing import (
    benchmark_parser,
    circumstances,
    milliseconds,
    relative_difference,
    report,
    require_equal,
    row,
)
from slowfast_ext.engine.losses import build_loss
from slowfast_ext.models import ActivityNetwork

BATCH = 16
OPTIONS = {"MODEL.DROPOUT_RATE": 0.0, "MODEL.FROZEN_BN": True}


def build():
    """Config, network, and the clips and labels of one step."""
    cfg = config("Synthetic/ACTIVITY_SLOWFAST", OPTIONS)
    torch.manual_seed(0)
    network = ActivityNetwork(cfg).train()
    size = cfg.DATA.TRAIN_CROP_SIZE
    clips = torch.randn(BATCH, 3, cfg.DATA.NUM_FRAMES, size, size)
    return cfg, network, clips, (torch.rand(BATCH, cfg.MODEL.NUM_CLASSES) < 0.2).float()


def step(cfg, network, clips, labels):
    """Forward and backward."""
    network.zero_grad()
    outputs = network([clips[:, :, :: cfg.SLOWFAST.ALPHA], clips])
    sum(build_loss(cfg, None)(logits, labels) for logits in outputs).backward()


def gradients(network):
    """All in one vector."""
    return torch.cat([p.grad.flatten() for p in network.parameters()])


def efficiencies(one, two):
    """Of two processes beside one with the same total work, by round."""
    return [a / (2 * b) for a, b in zip(one, two, strict=True)]


def step_in_double(own):
    """
    Both networks, shared and alone, after one step in double precision: in single, rounding alone
    makes them differ by up to 1e-3 of the largest gradient.
    """
    cfg, alone, clips, labels = build()
    clips, labels, alone = clips.double(), labels.double(), alone.double()
    shared = DistributedDataParallel(build()[1].double())
    step(cfg, shared, clips[own], labels[own])
    step(cfg, alone, clips, labels)
    return shared, alone


def require_equal_gradients(shared, alone):
    """Ends the benchmark where the two sides learn otherwise; returns a note."""
    difference = relative_difference(gradients(shared), gradients(alone))
    return require_equal("gradients", difference, 1e-9)


def measure(rank, port, repeats):
    """One of the two processes; the first measures both sides in turn and reports."""
    torch.set_num_threads(1)
    if rank == 0:  # The other waits for this one in the next line.
        circumstances()
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    cfg, alone, clips, labels = build()
    shared = DistributedDataParallel(build()[1])
    own = slice(rank, None, 2)
    seconds = {"two": [], "apart": [], "one": []}
    for _ in range(repeats + 1):
        # Apart: the same without exchanging gradients, which is what the two cores can give.
        for side, network in (("apart", alone), ("two", shared)):
            dist.barrier()
            start = time.perf_counter()
            step(cfg, network, clips[own], labels[own])
            dist.barrier()
            seconds[side].append(time.perf_counter() - start)
        if rank == 0:
            start = time.perf_counter()
            step(cfg, alone, clips, labels)
            seconds["one"].append(time.perf_counter() - start)
    sides = step_in_double(own)
    if rank == 0:
        note = require_equal_gradients(*sides)
        # The first round warms up.
        one, two, apart = (seconds[side][1:] for side in ("one", "two", "apart"))
        shares, without = (efficiencies(one, side) for side in (two, apart))
        limit = f"{statistics.median(without):.3g} without any exchange of gradients"
        note = f"one {milliseconds(one)}; two {milliseconds(two)}; {note}"
        what, against = "two gloo processes of one thread, efficiency", "one of one thread"
        limited = row(what, against, shares, least=0.85, note=note, limit=lambda: limit)
        report("processes", [limited])
    dist.destroy_process_group()


def main():
    parser = benchmark_parser(__doc__)
    args = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(measure, (port, args.repeats), nprocs=2)


if __name__ == "__main__":
    main()
