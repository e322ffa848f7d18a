"""SOLVER.EMA: a running average of the weights, which is what is validated, tested and kept."""

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
        for tensor, new in zip(averaged, current, strict=True):
            if tensor.is_floating_point():
                tensor.lerp_(new, share)  # Equal ones stay as they are, as a frozen backbone's.
            else:
                tensor.copy_(new)

    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)
