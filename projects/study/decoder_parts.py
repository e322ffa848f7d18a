"""
What ML-Decoder's head has and the paper's has not: taken from the one, given to the other. Columns
through a ReLU, which it has too, are ACTIVITY.COLUMN_DIM.
"""

import math

import torch
import torch.nn as nn

from slowfast_ext.models.activity_features import ActivityFeatures
from slowfast_ext.models.activity_head import ActivityHead
from slowfast_ext.models.build import HEAD_REGISTRY
from slowfast_ext.models.ml_decoder import FEEDFORWARD_RATIO, NUM_HEADS, MLDecoderHead
from slowfast_ext.models.observations import SpaceTimeAttention

# --- Taken from ML-Decoder's --------------------------------------------------------------


@HEAD_REGISTRY.register()
class MLDecoderOfOneHead(MLDecoderHead):
    """Attention with one head instead of eight."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        dim, dropout = cfg.ACTIVITY.DIM, cfg.MODEL.DROPOUT_RATE
        self.attention = nn.MultiheadAttention(dim, 1, dropout, batch_first=True)


class _Nothing(nn.Module):
    def forward(self, vectors):
        return torch.zeros_like(vectors)


@HEAD_REGISTRY.register()
class MLDecoderWithoutFeedforward(MLDecoderHead):
    """What the queries attended to is classified as it is."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.feedforward = _Nothing()


@HEAD_REGISTRY.register()
class MLDecoderOfLinearColumns(MLDecoderHead):
    """No ReLU on the columns."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.embedding = self.embedding[0]


# --- Given to the paper's -----------------------------------------------------------------


class _ManyHeads(ActivityFeatures):
    """Attn_A of several heads: each part of C' has a softmax over the observations of its own."""

    def forward(self, observations):
        parts = observations.unflatten(-1, (NUM_HEADS, -1)).transpose(1, 2)  # B x h x K x C'/h
        queries = self.queries.unflatten(-1, (NUM_HEADS, -1)).transpose(0, 1)  # h x A x C'/h
        attention = (queries * self.scale @ parts.transpose(2, 3)).softmax(-1)  # B x h x A x K
        return (attention @ parts).transpose(1, 2).flatten(2), attention.mean(1)


@HEAD_REGISTRY.register()
class ManyHeadsHead(ActivityHead):
    """With _ManyHeads, as many as ML-Decoder's head has."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.activity_features = _ManyHeads(cfg.MODEL.NUM_CLASSES, cfg.ACTIVITY.DIM)
        self.activity_features.scale *= math.sqrt(NUM_HEADS)


class _FixedQueries(SpaceTimeAttention):
    """Each observation's query is a learned vector, the same for all clips."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        num_observations, groups, dim_of_group, _ = self.beta.weight.shape
        self.beta = None
        self.queries = nn.Parameter(torch.randn(num_observations, groups * dim_of_group))

    def _scores(self, summary, values):
        queries = (self.queries * self.scale).expand(len(values), -1, -1)
        return self.gamma.transposed(queries) @ values


@HEAD_REGISTRY.register()
class FixedQueriesHead(ActivityHead):
    """With _FixedQueries."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        options = cfg.ACTIVITY
        self.observations.attention = _FixedQueries(
            self.columns.dim, options.NUM_OBSERVATIONS, options.DIM, options.GROUPS
        )


class _Feedforward(nn.Module):
    """A transformer's feed-forward layer with its residual and LayerNorm, on an attention's F_A."""

    def __init__(self, attending, dim, dropout):
        super().__init__()
        width = round(FEEDFORWARD_RATIO * dim)
        self.attending, self.dropout = attending, nn.Dropout(dropout)
        self.layers = nn.Sequential(
            nn.Linear(dim, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, dim)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, observations):
        activity_features, attention = self.attending(observations)
        added = self.dropout(self.layers(activity_features))
        return self.norm(activity_features + added), attention


def _give_feedforward(head, cfg):
    head.activity_features = _Feedforward(
        head.activity_features, cfg.ACTIVITY.DIM, cfg.MODEL.DROPOUT_RATE
    )


@HEAD_REGISTRY.register()
class FeedforwardHead(ActivityHead):
    """F_A goes through a feed-forward layer."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        _give_feedforward(self, cfg)


@HEAD_REGISTRY.register()
class FixedQueriesFeedforwardHead(FixedQueriesHead):
    """Both."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        _give_feedforward(self, cfg)
