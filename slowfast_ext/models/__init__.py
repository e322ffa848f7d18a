"""The meta-architecture, its heads and their parts; importing this registers them."""

from slowfast_ext.models.activity_head import ActivityHead
from slowfast_ext.models.attentive_probe import AttentiveProbeHead
from slowfast_ext.models.baseline_heads import (
    ChannelCorrelationHead,
    LSEPoolHead,
    PoolHead,
    RoIPoolHead,
    TwoStageTransformerHead,
)
from slowfast_ext.models.build import HEAD_REGISTRY, build_head
from slowfast_ext.models.csn import CSN
from slowfast_ext.models.ml_decoder import MLDecoderHead
from slowfast_ext.models.network import ActivityNetwork

__all__ = [
    "CSN",
    "HEAD_REGISTRY",
    "ActivityHead",
    "ActivityNetwork",
    "AttentiveProbeHead",
    "ChannelCorrelationHead",
    "LSEPoolHead",
    "MLDecoderHead",
    "PoolHead",
    "RoIPoolHead",
    "TwoStageTransformerHead",
    "build_head",
]
