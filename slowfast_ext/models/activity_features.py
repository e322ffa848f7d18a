"""Activity-specific features: one feature vector per activity (sec. 3.1, eq. 1)."""

import math

import torch
import torch.nn as nn


class ActivityFeatures(nn.Module):
    """
    F_A = Attn_A · Obs, with Attn_A the softmax over the K observations of the dot product
    of each activity's learned query vector with them (divided by sqrt(C') in the default form).
    """

    def __init__(self, num_activities, dim, as_printed=False):
        super().__init__()
        self.scale = 1.0 if as_printed else 1 / math.sqrt(dim)
        self.queries = nn.Parameter(torch.randn(num_activities, dim))

    def forward(self, observations):
        """Obs, B x K x C' -> (F_A, B x A x C'; Attn_A, B x A x K, rows sum to 1)."""
        # The queries are scaled, which are fewer than their products.
        scores = self.queries * self.scale @ observations.transpose(1, 2)
        attention = scores.softmax(-1)
        return attention @ observations, attention


class PooledFeatures(nn.Module):
    """
    F pooled over space-time, one linear map to A x C': a map for each activity, without attention.

    An alternative to the paper's "no activity-specific" (Table 3c), whose channels are shared by
    all activities: `ChannelCorrelationHead`.
    """

    def __init__(self, dim_in, num_activities, dim):
        super().__init__()
        self.projection = nn.Linear(dim_in, num_activities * dim)
        self.num_activities = num_activities

    def forward(self, columns):
        """Columns of F, B x C x N -> B x A x C'."""
        return self.projection(columns.mean()).unflatten(-1, (self.num_activities, -1))
