"""Logits of every position, and their log-mean-exp: multiple-instance pooling."""

import math

import torch
import torch.nn as nn


class PositionEvidence(nn.Module):
    """
    One linear layer on every column of F; an activity's logit is the log-mean-exp of its columns'.

    Pinheiro and Collobert (CVPR 2015) pool so, with r = 1: between the mean and the largest value,
    so that an activity may be seen anywhere. It has the A x C weights of a classifier of pooled F;
    with a rank R above 0 they are the product of A x R and R x C.
    """

    def __init__(self, num_activities, dim_in, init_std, rank=0):
        super().__init__()
        self.reduction = nn.Linear(dim_in, rank, bias=False) if rank else None
        self.projection = nn.Linear(rank or dim_in, num_activities)
        nn.init.normal_(self.projection.weight, std=init_std)
        nn.init.zeros_(self.projection.bias)

    def forward(self, columns):
        """Columns of F, B x C x N -> logits, B x A."""
        pooled = self.at_columns(columns).logsumexp(-1)
        number = columns.num_held()
        if columns.padding is None:
            return pooled - math.log(number)
        # Each clip's own, B x 1 x 1: an integer's log would be of float32.
        return pooled - number.squeeze(-1).to(pooled.dtype).log()

    def at_columns(self, columns):
        """Columns of F, B x C x N -> their logits, B x A x N; -inf where there is nothing."""
        values = columns.values
        if self.reduction is not None:
            values = self.reduction.weight @ values
        logits = self.projection.weight @ values + self.projection.bias[:, None]
        if columns.padding is None:
            return logits
        return logits.masked_fill(columns.padding[:, None], -torch.inf)
