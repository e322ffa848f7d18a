"""SOLVER.EMA: a running average of the weights, which is what is validated, tested and kept."""

import torch
from torch.optim.swa_utils import AveragedModel


def averaged_network(network, decay):
    """
    torch's AveragedModel of a network's weights and batch-norm statistics.

    After n steps the average keeps min(decay, (1 + n) / (10 + n)) of itself: weights of the start,
    which long averages would remember for thousands of steps, are soon forgotten.
    """

    def average(averaged, current, number):
        count = number.item()
        share = 1 - min(decay, (1 + count) / (10 + count))
        # torch gives tensors of one kind at a time; a GPU gets one kernel for all of them. Equal
        # ones stay as they are, as a frozen backbone's.
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, share)
            return
        # torch's own average rounds whole numbers towards zero, as batch norm's counts.
        for tensor, new in zip(averaged, current, strict=True):
            tensor.copy_(new)

    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
