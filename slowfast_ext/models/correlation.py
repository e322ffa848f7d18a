"""Activity correlations: learned attention plus label co-occurrence (sec. 3.4)."""

import torch
import torch.nn as nn


def cooccurrence(labels):
    """
    Mask(j, k) = N_jk / N_j: how often activity k occurs where j does (eq. 6).

    Args:
        labels (Tensor): V x A, nonzero where a training video has the activity.

    Returns:
        Tensor: A x A, float32; a row is 0 where its activity never occurs.
    """
    present = (labels != 0).double()
    together = present.T @ present
    return (together / together.diagonal().clamp(min=1)[:, None]).float()


class ActivityCorrelation(nn.Module):
    """
    F_AC = Corr · F_A with Corr = Attn_C + Mask (eq. 6-8).

    Attn_C is the softmax, over the activity attended to, of the dot product of two linear
    maps of F_A. Mask is counted from the training labels before training and is part of
    the checkpoint.
    """

    def __init__(self, num_activities, dim):
        super().__init__()
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.register_buffer("mask", torch.zeros(num_activities, num_activities))

    def forward(self, activity_features):
        """F_A, B x A x C' -> (F_AC, B x A x C'; Corr, B x A x A)."""
        query, key = self.query(activity_features), self.key(activity_features)
        attention = (query @ key.transpose(1, 2)).softmax(-1)
        correlation = attention + self.mask.to(attention.dtype)
        return correlation @ activity_features, correlation
