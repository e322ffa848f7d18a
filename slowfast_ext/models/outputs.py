"""From features to logits and from logits to probabilities (sec. 3.3, eq. 9-11)."""

import math

import torch
import torch.nn as nn


class ActivityClassifier(nn.Module):
    """
    One logit per activity from that activity's own feature vector (eq. 9, 10).

    `shared`: one weight vector W in R^{1 x C'} for all activities, as eq. 9 reads;
    `per_activity`: one for each.
    """

    def __init__(self, num_activities, dim, dropout, per_activity=False):
        super().__init__()
        rows = num_activities if per_activity else 1
        bound = 1 / math.sqrt(dim)
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.empty(rows, dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(rows))

    def forward(self, features):
        """B x A x C' -> B x A."""
        return (self.dropout(features) * self.weight).sum(-1) + self.bias


def probabilities(logits, activation):
    """
    The mean of the probabilities of all outputs (eq. 11; the mean is our reading).

    Args:
        logits (sequence[Tensor]): one B x A tensor per output.
        activation (str): MODEL.HEAD_ACT, "sigmoid" or "softmax" (over the activities).

    Returns:
        Tensor: B x A, float32.
    """
    # float32: in autocast's half precision near scores would become equal, and ties change AP.
    activate = torch.sigmoid if activation == "sigmoid" else lambda x: x.softmax(-1)
    return torch.stack([activate(output.float()) for output in logits]).mean(0)
