"""The paper's head with one part changed at a time: what its equations leave open."""

import math

import torch.nn as nn

from slowfast_ext.models.activity_head import ActivityHead
from slowfast_ext.models.build import HEAD_REGISTRY
from slowfast_ext.models.correlation import ActivityCorrelation

# --- What the default form adds to the equations as printed, each alone -------------------
# To be used with ACTIVITY.FORM as_printed.


@HEAD_REGISTRY.register()
class LayerNormAloneHead(ActivityHead):
    """As printed, with a LayerNorm on each observation."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.observations.norm = nn.LayerNorm(cfg.ACTIVITY.DIM)


@HEAD_REGISTRY.register()
class MeanQueryAloneHead(ActivityHead):
    """As printed, but the observations' query is the mean over positions, not the last one."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        # This chooses the attention's query; the scale is chosen before.
        self.observations.attention.as_printed = False


@HEAD_REGISTRY.register()
class ScaleAloneHead(ActivityHead):
    """As printed, with the two products divided by sqrt(C')."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        scale = 1 / math.sqrt(cfg.ACTIVITY.DIM)
        self.observations.attention.scale = self.activity_features.scale = scale


# --- Where the observations look ----------------------------------------------------------


@HEAD_REGISTRY.register()
class EvenAttentionHead(ActivityHead):
    """Every observation is the plain mean over positions: what the head gains elsewhere."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.observations.attention.scale = 0.0


# --- The correlation map ------------------------------------------------------------------


class _MaskAlone(ActivityCorrelation):
    def join(self, attention, mask):
        return mask.expand_as(attention)


class _AttentionAlone(ActivityCorrelation):
    def join(self, attention, mask):
        return attention


class _MaskOfRowSumOne(ActivityCorrelation):
    def join(self, attention, mask):
        return attention + mask / mask.sum(-1, keepdim=True).clamp(min=1)


class OtherCorrelationHead(ActivityHead):
    """The head with another correlation, which `correlation_class` makes of A and C'."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.correlation = self.correlation_class(cfg.MODEL.NUM_CLASSES, cfg.ACTIVITY.DIM)


@HEAD_REGISTRY.register()
class MaskAloneHead(OtherCorrelationHead):
    """Corr = Mask."""

    correlation_class = _MaskAlone


@HEAD_REGISTRY.register()
class AttentionAloneHead(OtherCorrelationHead):
    """Corr = Attn_C."""

    correlation_class = _AttentionAlone


@HEAD_REGISTRY.register()
class ScaledMaskHead(OtherCorrelationHead):
    """Corr = Attn_C + Mask with Mask's rows divided by their sums, so that both weigh as much."""

    correlation_class = _MaskOfRowSumOne


# --- Outputs ------------------------------------------------------------------------------


@HEAD_REGISTRY.register()
class OneOutputHead(ActivityHead):
    """Trained and tested with the output from F_AC alone."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        del self.classifier

    def classify(self, activity_features, attention=None):
        """F_A, B x A x C' -> logits (B x A,)."""
        correlated, _ = self.correlation(activity_features)
        return (self.correlated_classifier(correlated),)
