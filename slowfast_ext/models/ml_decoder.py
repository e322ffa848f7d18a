"""ML-Decoder's head, to compare with: queries that attend to the map (Ridnik et al., WACV 2023)."""

import torch
import torch.nn as nn

from slowfast_ext.models.build import HEAD_REGISTRY, Head
from slowfast_ext.models.objects import ColumnsOf

# ML-Decoder's paper: 8 heads, and a feed-forward layer of 2,048 on queries of 768.
NUM_HEADS = 8
FEEDFORWARD_RATIO = 2048 / 768


class GroupClassifier(nn.Module):
    """
    Group fully-connected pooling: each query's vector gives the logits of its group's
    activities, each activity with a weight vector of its own.

    Shape of `weight`: Q x C' x G; the Q groups hold G = ceil(A / Q) activities each, and
    what the last has beyond A is left out.
    """

    def __init__(self, num_groups, dim, num_activities):
        super().__init__()
        size = -(-num_activities // num_groups)  # Rounded up.
        self.num_activities = num_activities
        self.weight = nn.Parameter(torch.empty(num_groups, dim, size))
        # One by one: xavier's bound is of a matrix, and would be wrong for all three dimensions.
        for group_weight in self.weight.data:
            nn.init.xavier_normal_(group_weight)
        self.bias = nn.Parameter(torch.zeros(num_activities))

    def forward(self, vectors):
        """B x Q x C' -> logits, B x A."""
        logits = torch.einsum("bqd,qdg->bqg", vectors, self.weight).flatten(1)
        return logits[:, : self.num_activities] + self.bias


@HEAD_REGISTRY.register()
class MLDecoderHead(Head):
    """
    Fixed random queries -> cross-attention over the map's positions -> feed-forward -> group
    classifier; residuals and LayerNorm as in a transformer's decoder, no self-attention.

    There are min(ACTIVITY.NUM_OBSERVATIONS, A) queries: one per activity where that is A, else
    each decodes a group of activities. ACTIVITY.DIM, a multiple of 8, is the queries' width.
    """

    def __init__(self, cfg, dim_in):
        dim, num_activities = cfg.ACTIVITY.DIM, cfg.MODEL.NUM_CLASSES
        num_queries = min(cfg.ACTIVITY.NUM_OBSERVATIONS, num_activities)
        super().__init__(cfg, (num_queries, dim))
        dropout, width = cfg.MODEL.DROPOUT_RATE, round(FEEDFORWARD_RATIO * dim)
        self.columns = ColumnsOf(cfg, dim_in)
        self.embedding = nn.Sequential(nn.Linear(dim_in, dim), nn.ReLU())
        # The paper finds learning them of no use.
        self.register_buffer("queries", torch.randn(num_queries, dim))
        self.attention = nn.MultiheadAttention(dim, NUM_HEADS, dropout, batch_first=True)
        self.feedforward = nn.Sequential(
            nn.Linear(dim, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, dim)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        self.classifier = GroupClassifier(num_queries, dim, num_activities)

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects, further positions -> B x Q x C'."""
        columns = self.columns(features, objects)
        positions = self.embedding(columns.values.transpose(1, 2))  # B x N x C'
        queries = self.queries.expand(len(positions), -1, -1)
        # The queries stand in for the output of the self-attention that is left out.
        vectors = self.norms[0](queries + self.dropout(queries))
        attended, _ = self.attention(
            vectors, positions, positions, columns.padding, need_weights=False
        )
        vectors = self.norms[1](vectors + self.dropout(attended))
        return self.norms[2](vectors + self.dropout(self.feedforward(vectors)))

    def classify(self, vectors):
        """B x Q x C' -> logits (B x A,)."""
        return (self.classifier(vectors),)
