"""The head's evidence in other forms than models/evidence.py's; with ACTIVITY.EVIDENCE."""

import math

import torch
import torch.nn as nn

from slowfast_ext.models.activity_head import ActivityHead
from slowfast_ext.models.baseline_heads import LSEPoolHead
from slowfast_ext.models.build import HEAD_REGISTRY
from slowfast_ext.models.evidence import PositionEvidence
from slowfast_ext.models.objects import ColumnEmbedding, EmbeddedColumnsOf

HIDDEN_DIM = 128


class LearnedTemperature(PositionEvidence):
    """
    (1/r) log mean exp(r x) with an r for each activity, learned and 1 at first: between the mean
    over positions, where r is near 0, and the largest value (Pinheiro and Collobert, CVPR 2015).
    """

    def __init__(self, cfg, dim_in):
        super().__init__(cfg.MODEL.NUM_CLASSES, dim_in, cfg.MODEL.FC_INIT_STD)
        self.log_sharpness = nn.Parameter(torch.zeros(cfg.MODEL.NUM_CLASSES))

    def forward(self, columns):
        """Columns of F, B x C x N, none of them padding -> logits, B x A."""
        sharpness = self.log_sharpness.exp()
        logits = self.at_columns(columns) * sharpness[:, None]
        return (logits.logsumexp(-1) - math.log(columns.num_held())) / sharpness


class HiddenLayer(PositionEvidence):
    """Each column goes through a linear layer and a ReLU before its logits."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg.MODEL.NUM_CLASSES, HIDDEN_DIM, cfg.MODEL.FC_INIT_STD)
        self.hidden = ColumnEmbedding(dim_in, HIDDEN_DIM)

    def at_columns(self, columns):
        """Columns of F, B x C x N -> their logits, B x A x N."""
        return super().at_columns(self.hidden(columns))


class PerPathway(nn.Module):
    """Evidence of each pathway by itself, added: what is seen slowly and fast need not coincide."""

    def __init__(self, cfg, dim_in):
        super().__init__()
        # F has the slow pathway's channels first, BETA_INV times as many as the fast one's.
        fast = dim_in // (cfg.SLOWFAST.BETA_INV + 1)
        self.channels = [dim_in - fast, fast]
        self.pathways = nn.ModuleList(
            PositionEvidence(cfg.MODEL.NUM_CLASSES, number, cfg.MODEL.FC_INIT_STD)
            for number in self.channels
        )

    def forward(self, columns):
        """Columns of F, B x C x N -> logits, B x A."""
        parts = columns.values.split(self.channels, dim=1)
        return sum(
            pathway(columns._replace(values=part))
            for pathway, part in zip(self.pathways, parts, strict=True)
        )


@HEAD_REGISTRY.register()
class EmbeddedLSEHead(LSEPoolHead):
    """Log-mean-exp pooling alone, of columns as ACTIVITY.COLUMN_DIM gives them to others."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, cfg.ACTIVITY.COLUMN_DIM)
        self.columns = EmbeddedColumnsOf(cfg, dim_in)


class _OtherEvidenceHead(ActivityHead):
    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.evidence = self.evidence_class(cfg, self.columns.dim)


@HEAD_REGISTRY.register()
class TemperatureEvidenceHead(_OtherEvidenceHead):
    """With LearnedTemperature."""

    evidence_class = LearnedTemperature


@HEAD_REGISTRY.register()
class HiddenEvidenceHead(_OtherEvidenceHead):
    """With a HiddenLayer."""

    evidence_class = HiddenLayer


@HEAD_REGISTRY.register()
class PathwayEvidenceHead(_OtherEvidenceHead):
    """With evidence PerPathway."""

    evidence_class = PerPathway
