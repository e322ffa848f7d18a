"""V-JEPA's attentive probe, to compare with: one query pools the map (Bardes et al., 2024)."""

import torch
import torch.nn as nn

from slowfast_ext.models.build import HEAD_REGISTRY, Head
from slowfast_ext.models.objects import ColumnsOf

# As in the Vision Transformers that it was made for: channels of an attention head, and the
# feed-forward layer's width over the columns'.
HEAD_WIDTH = 64
FEEDFORWARD_RATIO = 4
INIT_STD = 0.02


def num_heads(dim):
    """The most attention heads of HEAD_WIDTH channels and more that part `dim`: at least 1."""
    return next(n for n in range(max(1, dim // HEAD_WIDTH), 0, -1) if dim % n == 0)


@HEAD_REGISTRY.register()
class AttentiveProbeHead(Head):
    """
    The pooler that V-JEPA and V-JEPA 2 read frozen networks with: one learned query q attends to
    all LayerNorm-ed columns, h = q + attention(q, LN(F)), z = h + MLP(LN(h)), one linear layer.

    As wide as the map, C: some 12 C^2 parameters. V-JEPA 2 puts three self-attention layers below
    it and classifies by softmax; here it stands alone, and the activation is MODEL.HEAD_ACT.
    MODEL.DROPOUT_RATE acts before the linear layer, as in the other heads; V-JEPA has none.
    """

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, (dim_in,))
        width = FEEDFORWARD_RATIO * dim_in
        self.query = nn.Parameter(torch.empty(1, dim_in))
        self.norms = nn.ModuleList(nn.LayerNorm(dim_in) for _ in range(2))
        self.attention = nn.MultiheadAttention(dim_in, num_heads(dim_in), batch_first=True)
        self.feedforward = nn.Sequential(
            nn.Linear(dim_in, width), nn.GELU(), nn.Linear(width, dim_in)
        )
        self.dropout = nn.Dropout(cfg.MODEL.DROPOUT_RATE)
        self.projection = nn.Linear(dim_in, cfg.MODEL.NUM_CLASSES)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.trunc_normal_(parameter, std=INIT_STD)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        # After the loop: an object's embedding starts at zero.
        self.columns = ColumnsOf(cfg, dim_in)

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects, further columns -> B x C."""
        columns = self.columns(features, objects)
        values = self.norms[0](columns.values.transpose(1, 2))  # B x N x C
        query = self.query.expand(len(values), -1, -1)
        attended, _ = self.attention(query, values, values, columns.padding, need_weights=False)
        pooled = (query + attended).squeeze(1)
        return pooled + self.feedforward(self.norms[1](pooled))

    def classify(self, embedding):
        """B x C -> logits (B x A,)."""
        return (self.projection(self.dropout(embedding)),)
