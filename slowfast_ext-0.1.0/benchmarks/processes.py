"""
Training in two gloo processes of one thread beside one process of one thread, same total work.

    python -m benchmarks.processes [--repeats 15]

The narrow SlowFast of configs/Synthetic/ACTIVITY_SLOWFAST.yaml, 16 clips a step. Batch-norm uses
its running statistics, so that both sides give the same gradients, which is checked.
"""

import socket
import time

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchmarks.timing import (
    ROOT,
    benchmark_parser,
    milliseconds,
    relative_difference,
    report,
    require_equal,
    row,
)
from slowfast_ext.config import load_config
from slowfast_ext.engine.fitting import loss_function
from slowfast_ext.models import ActivityNetwork

BATCH = 16
OPTIONS = ["NUM_GPUS", "0", "MODEL.DROPOUT_RATE", "0.0", "MODEL.FROZEN_BN", "True"]


def build():
    """Config, network, and the clips and labels of one step."""
    cfg = load_config(str(ROOT / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"), OPTIONS)
    torch.manual_seed(0)
    network = ActivityNetwork(cfg).train()
    size = cfg.DATA.TRAIN_CROP_SIZE
    clips = torch.randn(BATCH, 3, cfg.DATA.NUM_FRAMES, size, size)
    return cfg, network, clips, (torch.rand(BATCH, cfg.MODEL.NUM_CLASSES) < 0.2).float()


def step(cfg, network, clips, labels):
    """Forward and backward."""
    network.zero_grad()
    outputs = network([clips[:, :, :: cfg.SLOWFAST.ALPHA], clips])
    sum(loss_function(cfg)(logits, labels) for logits in outputs).backward()


def gradients(network):
    """All in one vector."""
    return torch.cat([p.grad.flatten() for p in network.parameters()])


def measure(rank, port, repeats):
    """One of the two processes; the first measures both sides in turn and reports."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    cfg, alone, clips, labels = build()
    shared = DistributedDataParallel(build()[1])
    own = slice(rank, None, 2)
    seconds = {"two": [], "one": []}
    for _ in range(repeats + 1):
        dist.barrier()
        start = time.perf_counter()
        step(cfg, shared, clips[own], labels[own])
        dist.barrier()
        seconds["two"].append(time.perf_counter() - start)
        if rank == 0:
            start = time.perf_counter()
            step(cfg, alone, clips, labels)
            seconds["one"].append(time.perf_counter() - start)
    if rank == 0:
        difference = relative_difference(gradients(shared), gradients(alone))
        note = require_equal("gradients", difference, 1e-3)
        # The first round warms up.
        one, two = seconds["one"][1:], seconds["two"][1:]
        shares = [a / (2 * b) for a, b in zip(one, two, strict=True)]
        note = f"one {milliseconds(one)}; two {milliseconds(two)}; {note}"
        what = "two gloo processes of one thread, efficiency"
        report("processes", [row(what, "one of one thread", shares, least=0.85, note=note)])
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
