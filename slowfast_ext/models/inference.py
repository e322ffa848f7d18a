"""How a test computes: its number format, the memory layout that goes with it, compilation."""

import contextlib
import logging

import torch
import torch.nn as nn

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def inference(cfg, network, device):
    """
    No gradients, TEST.COMPILE, and TEST.PRECISION: float32, or bfloat16 for convolutions and
    products.

    In bfloat16 on the CPU the kernels are kept with their channels last, the layout that its
    convolutions are fast in; in float32 they are slower in it. The network is left as it was.
    """
    in_half = cfg.TEST.PRECISION == "bfloat16"
    with torch.no_grad(), contextlib.ExitStack() as stack:
        if in_half and device.type == "cpu":
            set_layout(network, torch.channels_last_3d)
            stack.callback(set_layout, network, torch.contiguous_format)
        if cfg.TEST.COMPILE:
            stack.enter_context(compiled(network))
        stack.enter_context(torch.autocast(device.type, torch.bfloat16, enabled=in_half))
        yield


def set_layout(network, layout):
    """Stores the kernels of 3D convolutions in a memory format; their values stay."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.to(memory_format=layout)


@contextlib.contextmanager
def compiled(network):
    """
    `network` under torch.compile; plain again behind the body.

    Where that fails, as without a C++ compiler, one warning says why and the body goes on plainly.
    """
    plain, fast = network.forward, torch.compile(network.forward)

    def forward(*args, **kwargs):
        try:
            return fast(*args, **kwargs)
        except Exception as error:  # Compilers raise anything; a wrong input fails again below.
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            logger.warning(f"TEST.COMPILE: goes on without, torch.compile failed: {reason}")
            network.forward = plain
            return plain(*args, **kwargs)

    network.forward = forward
    try:
        yield
    finally:
        # The class's own comes to light again.
        del network.forward
