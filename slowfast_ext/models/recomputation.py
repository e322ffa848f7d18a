"""Trading a little computation for the memory of what is kept for the backward pass."""

import torch
from torch.utils.checkpoint import checkpoint


def recomputed(function, *inputs):
    """`function(*inputs)`, of which nothing but the inputs is kept for the backward pass."""
    if not torch.is_grad_enabled():
        return function(*inputs)
    # The random state is not kept either: the function must draw nothing, such as dropout.
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)
