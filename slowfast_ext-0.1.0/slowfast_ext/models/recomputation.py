"""Trading a little computation for the memory of what is kept for the backward pass."""

import torch
from torch.utils.checkpoint import checkpoint


def recomputed(function, *inputs):
    """
    `function(*inputs)`, of which nothing but the inputs is kept for the backward pass.

    The function must give the same each time: no dropout.
    """
    if not torch.is_grad_enabled():
        return function(*inputs)
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
