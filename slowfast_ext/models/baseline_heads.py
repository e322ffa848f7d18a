"""The heads that the paper compares with, and pooling of logits in place of features."""

import torch.nn as nn

from slowfast_ext.models.build import HEAD_REGISTRY, Head, check_groups
from slowfast_ext.models.evidence import PositionEvidence
from slowfast_ext.models.objects import ColumnsOf
from slowfast_ext.models.observations import SpaceTimeAttention
from slowfast_ext.models.outputs import ActivityClassifier


@HEAD_REGISTRY.register()
class PoolHead(Head):
    """
    Upstream's head: average over space-time, dropout, one linear layer (the baseline).

    Equal to upstream's ResNetBasicHead on a map of the training size. On a larger one
    upstream averages the probabilities of windows; this head averages the features.
    """

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, (dim_in,))
        self.columns = ColumnsOf(cfg, dim_in)
        self.dropout = nn.Dropout(cfg.MODEL.DROPOUT_RATE)
        self.projection = nn.Linear(dim_in, cfg.MODEL.NUM_CLASSES)
        nn.init.normal_(self.projection.weight, std=cfg.MODEL.FC_INIT_STD)
        nn.init.zeros_(self.projection.bias)

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects, pooled with the rest -> B x C."""
        return self.columns(features, objects).mean()

    def classify(self, embedding):
        """B x C -> logits (B x A,)."""
        return (self.projection(self.dropout(embedding)),)


@HEAD_REGISTRY.register()
class RoIPoolHead(PoolHead):
    """
    Upstream's head for detection (ResNetRoIHead): a person's map averaged over time, then its
    largest value over space, dropout, one linear layer.
    """

    def embed(self, features, objects=None):
        """Persons' F, P x C x T x H x W -> P x C."""
        return features.mean(2).amax((2, 3))


@HEAD_REGISTRY.register()
class LSEPoolHead(Head):
    """
    Log-sum-exp pooling: one linear layer at every position, log-mean-exp over the positions.

    PoolHead's weights with the layer before the pooling, which is not the mean: the least that
    can see one place at a time. It has no features to classify: its embedding is its logits.
    """

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, (cfg.MODEL.NUM_CLASSES,))
        self.columns = ColumnsOf(cfg, dim_in)
        # A channel is dropped at all positions, as PoolHead drops it from their mean.
        self.dropout = nn.Dropout1d(cfg.MODEL.DROPOUT_RATE)
        self.evidence = PositionEvidence(cfg.MODEL.NUM_CLASSES, dim_in, cfg.MODEL.FC_INIT_STD)

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects, further positions -> logits, B x A."""
        columns = self.columns(features, objects)
        return self.evidence(columns._replace(values=self.dropout(columns.values)))

    def classify(self, embedding):
        """Logits, B x A -> logits (B x A,)."""
        return (embedding,)


@HEAD_REGISTRY.register()
class TwoStageTransformerHead(PoolHead):
    """
    Table 3e's two-stage transformer, in our reading of it.

    A stage is F <- N · F * Attn(F): one observation's attention over the positions (eq. 12
    as printed, ACTIVITY.DIM wide in ACTIVITY.GROUPS groups), broadcast over the channels;
    N keeps the scale. Two stages, then the pooling head.
    """

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        check_groups(cfg, dim_in)
        self.stages = nn.ModuleList(
            SpaceTimeAttention(dim_in, 1, cfg.ACTIVITY.DIM, cfg.ACTIVITY.GROUPS, as_printed=True)
            for _ in range(2)
        )

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects, further positions -> B x C."""
        columns = self.columns(features, objects)
        for attention in self.stages:
            scale = columns.num_held()
            # Attention sums to 1 over N positions: without N each stage would shrink F by it.
            values = scale * columns.values * attention(columns)
            columns = columns._replace(values=values)
        return columns.mean()


@HEAD_REGISTRY.register()
class ChannelCorrelationHead(Head):
    """
    Table 3c's "no activity-specific": correlations between channels that all activities share.

    Section 4.3 keeps the map of correlations and says what it correlates then: feature channels
    common to all activities. Here these are x, C' = ACTIVITY.DIM channels of one linear map of the
    pooled F. As eq. 7's Attn_C is of rows of F_A, Attn(i, j) is the softmax over j of q_i k_j, with
    q and k two linear maps of x, and Attn x are the correlated channels (eq. 6). There is no Mask,
    which is counted between activities. One linear classifier reads x and Attn x, which gives two
    outputs as in eq. 9-11.
    """

    def __init__(self, cfg, dim_in):
        dim = cfg.ACTIVITY.DIM
        super().__init__(cfg, (dim,))
        self.columns = ColumnsOf(cfg, dim_in)
        # Without bias, like every map of the paper's.
        self.projection = nn.Linear(dim_in, dim, bias=False)
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.classifier = ActivityClassifier(
            cfg.MODEL.NUM_CLASSES, dim, cfg.MODEL.DROPOUT_RATE, per_activity=True
        )

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects, pooled with the rest -> x, B x C'."""
        return self.projection(self.columns(features, objects).mean())

    def classify(self, embedding):
        """x, B x C' -> logits from x and from Attn x, B x A each."""
        scores = self.query(embedding)[:, :, None] * self.key(embedding)[:, None, :]
        correlated = (scores.softmax(-1) @ embedding[:, :, None]).squeeze(-1)
        # The same channels for each of the A rows of the classifier.
        return tuple(self.classifier(x[:, None]) for x in (embedding, correlated))
