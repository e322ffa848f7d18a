"""How a network computes where it does not learn: its number format, and the memory layout."""

import contextlib

import torch
import torch.nn as nn


@contextlib.contextmanager
def inference(cfg, network, device):
    """
    No gradients, and TEST.PRECISION: float32, or bfloat16 for convolutions and products. The
    network is left as it was.
    """
    in_half = cfg.TEST.PRECISION == "bfloat16"
    with torch.no_grad(), contextlib.ExitStack() as stack:
        # The CPU's bfloat16 convolutions are fast with channels last, its float32 ones slower.
        if in_half and device.type == "cpu":
            set_layout(network, torch.channels_last_3d)
            stack.callback(set_layout, network, torch.contiguous_format)
        stack.enter_context(torch.autocast(device.type, torch.bfloat16, enabled=in_half))
        yield


def set_layout(network, layout):
    """Stores the kernels of 3D convolutions in a memory format; their values stay."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.to(memory_format=layout)
