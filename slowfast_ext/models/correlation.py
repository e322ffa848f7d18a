"""Activity correlations: learned attention plus label co-occurrence (sec. 3.2)."""

import torch
import torch.nn as nn

from slowfast_ext.models.recomputation import recomputed

# Rows of Corr that are formed at a time.
BLOCK = 512


def cooccurrence(labels):
    """
    Mask(j, k) = N_jk / N_j: how often activity k occurs where j does (eq. 8). N_j counts for each k
    the videos of which it is known whether they have k.

    Args:
        labels (Tensor): V x A, above 0 where a training video has the activity, below where that is
            unknown.

    Returns:
        Tensor: A x A, float32; a row is 0 where its activity never occurs.
    """
    present = (labels > 0).double()  # float32 counts no further than 2**24 boxes.
    known = (labels >= 0).double()
    # An activity that never occurs has a row of 0, not of nan.
    return (present.T @ present / (present.T @ known).clamp(min=1)).float()


class ActivityCorrelation(nn.Module):
    """
    F_AC = Corr · F_A with Corr = Attn_C + Mask (eq. 6-8).

    Attn_C is the softmax, over the activity attended to, of the dot product of two linear
    maps of F_A. Mask is counted from the training labels before training and is part of
    the checkpoint.

    Args:
        residual (bool): F_AC = F_A + gamma · Corr · F_A instead, with a learned gamma that starts
            at zero: a second output that begins as good as the first.
    """

    def __init__(self, num_activities, dim, residual=False):
        super().__init__()
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.register_buffer("mask", torch.zeros(num_activities, num_activities))
        self.gamma = nn.Parameter(torch.zeros(1)) if residual else None

    def forward(self, activity_features, need_weights=False):
        """
        F_A, B x A x C' -> (F_AC, B x A x C'; Corr, B x A x A, or None where it is not needed).

        Corr is formed by blocks of its rows and not kept: beside Mask, memory is linear in A.
        """
        query, key = self.query(activity_features), self.key(activity_features)
        blocks = zip(query.split(BLOCK, dim=1), self.mask.split(BLOCK), strict=True)
        correlated = [
            recomputed(self._correlated, rows, key, mask, activity_features)
            for rows, mask in blocks
        ]
        correlation = self._correlation(query, key, self.mask) if need_weights else None
        return self.combine(activity_features, torch.cat(correlated, dim=1)), correlation

    def combine(self, own, correlated):
        """Rows of the activities' own and Corr times them, B x A x ... each -> those of F_AC."""
        return correlated if self.gamma is None else own + self.gamma * correlated

    def join(self, attention, mask):
        """Rows of Corr from those of Attn_C, B x R x A, and of Mask, R x A."""
        return attention + mask

    def _correlation(self, query, key, mask):
        """Rows of Corr: B x R x C', B x A x C' and R x A -> B x R x A."""
        attention = (query @ key.transpose(1, 2)).softmax(-1)
        # Under autocast the attention may be in half precision, and a buffer is not.
        return self.join(attention, mask.to(attention.dtype))

    def _correlated(self, query, key, mask, activity_features):
        return self._correlation(query, key, mask) @ activity_features
