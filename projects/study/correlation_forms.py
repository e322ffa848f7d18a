"""The head's correlation in forms that others report to help; none is the paper's."""

import math

import torch
import torch.nn as nn

from projects.study.heads import OtherCorrelationHead
from slowfast_ext.datasets.synthetic.motion import TWIN_ACTIVITIES
from slowfast_ext.models.activity_head import ActivityHead
from slowfast_ext.models.build import HEAD_REGISTRY
from slowfast_ext.models.correlation import ActivityCorrelation

STEPS = 3
DROPPED = 0.25


@HEAD_REGISTRY.register()
class LogitCorrelationHead(ActivityHead):
    """
    Logits in the features' place, with ACTIVITY.CORRELATION False: the second output is z + W z
    with a learned W, A x A, that is zero at first.
    """

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        num_activities = cfg.MODEL.NUM_CLASSES
        self.between = nn.Linear(num_activities, num_activities, bias=False)
        nn.init.zeros_(self.between.weight)

    def classify(self, embedding, attention=None):
        """What `embed` gives -> logits of both outputs, B x A each."""
        (logits,) = super().classify(embedding, attention)
        return logits, logits + self.between(logits)


class _Residual(ActivityCorrelation):
    """F_AC = F_A + gamma Corr F_A."""

    def __init__(self, num_activities, dim):
        super().__init__(num_activities, dim, residual=True)


class _Messages(_Residual):
    """F_AC after some steps of the residual form; all share its maps."""

    def forward(self, activity_features, need_weights=False):
        for _step in range(STEPS):
            activity_features, correlation = super().forward(activity_features, need_weights)
        return activity_features, correlation


class _Dropped(_Residual):
    """The residual form; in training it misses some activities, whose partners must tell."""

    def forward(self, activity_features, need_weights=False):
        if self.training:
            kept = torch.rand(activity_features.shape[:2]) >= DROPPED
            activity_features = activity_features * kept[..., None]
        return super().forward(activity_features, need_weights)


@HEAD_REGISTRY.register()
class MessagesHead(OtherCorrelationHead):
    """With _Messages."""

    correlation_class = _Messages


@HEAD_REGISTRY.register()
class DroppedActivitiesHead(OtherCorrelationHead):
    """With _Dropped."""

    correlation_class = _Dropped


@HEAD_REGISTRY.register()
class NamedQueriesHead(ActivityHead):
    """
    Activities' queries start from their names, as embeddings of texts would have it: the mean of a
    random vector for the motion and one for the ball, so that those that share a word are alike.
    """

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        words = sorted({word for activity in TWIN_ACTIVITIES for word in activity})
        vectors = dict(zip(words, torch.randn(len(words), cfg.ACTIVITY.DIM), strict=True))
        queries = [
            (vectors[motion] + vectors[ball]) / math.sqrt(2) for motion, ball in TWIN_ACTIVITIES
        ]
        self.activity_features.queries.data.copy_(torch.stack(queries))
