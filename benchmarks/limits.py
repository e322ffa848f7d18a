"""What bounds a computation: its operations and bytes, at the speed that this machine shows."""

import functools
import statistics

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.timing import alternate


class Operations(TorchDispatchMode):
    """
    Counts the operations of products and convolutions, forward and backward, as `total`.

    FlopCounterMode, whose counts these are, fails on inputs that require gradients under no_grad.
    """

    def __init__(self):
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        count = flop_registry.get(function._overloadpacket)
        if count:
            self.total += count(*args, **kwargs, out_val=result)
        return result


def limit_of(function, *tensors, dtype=torch.float32):
    """
    The least time of a computation on this machine, in words.

    Args:
        function (callable): the computation, whose operations are counted.
        tensors: what it must read or write at least once.
        dtype: of its products.
    """
    with Operations() as counter:
        function()
    operations, num_bytes = counter.total, sum(tensor.nbytes for tensor in tensors)
    of_operations, of_bytes = operations / operations_a_second(dtype), num_bytes / bytes_a_second()
    return (
        f"{operations / 1e9:.3g} GFLOP take {1e3 * of_operations:.3g} ms at the "
        f"{operations_a_second(dtype) / 1e9:.3g} GFLOP/s of a large product here, "
        f"{num_bytes / 1e6:.3g} MB {1e3 * of_bytes:.3g} ms at {bytes_a_second() / 1e9:.3g} GB/s"
    )


@functools.cache
def operations_a_second(dtype, size=1024):
    """Of a product of two large matrices, a multiply-add being two."""
    left, right = torch.rand(2, size, size).to(dtype)
    return 2 * size**3 / _median_seconds(lambda: left @ right)


@functools.cache
def bytes_a_second(num_bytes=2**28):
    """Of a copy that no cache holds, read and written."""
    source = torch.ones(num_bytes // 4)
    target = torch.empty_like(source)
    return 2 * num_bytes / _median_seconds(lambda: target.copy_(source))


def _median_seconds(function):
    (seconds,) = alternate({"": function}, 5).values()
    return statistics.median(seconds)
