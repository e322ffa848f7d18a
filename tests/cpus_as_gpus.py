"""
Lets PySlowFast's launcher start its processes where there is no GPU.

It starts several for NUM_GPUS > 1 alone, and then asserts that CUDA is there (models/build.py),
sets a device (utils/multiprocessing.py) and moves all it has to it. Imported, this says that there
are two GPUs, whose memory is the CPU's: groups of processes, gradients and gathered predictions
are real.
"""

import torch


def _itself(moved, *_, **__):
    return moved


class _OnCPU(torch.nn.parallel.DistributedDataParallel):
    def __init__(self, module, device_ids=None, output_device=None, **options):
        super().__init__(module, **options)  # Of modules on the CPU it takes no devices.


torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 2
for name in ("set_device", "current_device", "synchronize", "empty_cache", "max_memory_allocated"):
    setattr(torch.cuda, name, lambda *_, **__: 0)  # One each: dynamo keeps a table of them.
torch.Tensor.cuda = torch.nn.Module.cuda = _itself
torch.nn.parallel.DistributedDataParallel = _OnCPU
