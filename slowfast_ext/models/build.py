"""The registry of heads, and the contract that they keep."""

import torch.nn as nn
from fvcore.common.registry import Registry

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.outputs import probabilities

HEAD_REGISTRY = Registry("HEAD")
HEAD_REGISTRY.__doc__ = """
Registry of heads on a backbone's last feature map.

A registered class is called with `head(cfg, dim_in)`, `dim_in` being the channels C of the
map. Its `forward(features, objects=None)` takes F, B x C x T x H x W (a clip's map, or a
person's region of it) and, where OBJECTS.NUM_CLASSES is set, the clips' objects. It gives in
training a tuple of logits, B x A each, one per output, and in evaluation the probabilities,
B x A. That is enough for any nn.Module to serve clips, and persons by themselves.

A head that can be joined with another, as VOLLEYBALL.TASK group joins persons and scene, is a
Head: it gives `embed` and `classify` and takes its `forward` from there.
"""


class Head(nn.Module):
    """
    A head in two parts, features and their classifier, between which others may add features.

    Args:
        embedding_shape (tuple[int]): of what `embed` gives for one clip.

    Attributes:
        cooccurrence (Tensor | None): Mask (eq. 6), A x A, where the head correlates activities.
    """

    cooccurrence = None

    def __init__(self, cfg, embedding_shape):
        super().__init__()
        self.activation, self.embedding_shape = cfg.MODEL.HEAD_ACT, embedding_shape

    def forward(self, features, objects=None):
        """
        F, B x C x T x H x W, and Objects -> logits (B x A, ...) in training, probabilities,
        B x A, in evaluation.
        """
        logits = self.classify(self.embed(features, objects))
        return logits if self.training else probabilities(logits, self.activation)

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects -> B x `embedding_shape`."""
        raise NotImplementedError

    def classify(self, embedding):
        """B x `embedding_shape` -> a tuple of logits, B x A each, one per output."""
        raise NotImplementedError

    def set_cooccurrence(self, mask):
        """Takes Mask, A x A; a head that does not correlate activities leaves it."""


def build_head(cfg, dim_in):
    """The head named by ACTIVITY.HEAD on a map of `dim_in` channels."""
    return HEAD_REGISTRY.get(cfg.ACTIVITY.HEAD)(cfg, dim_in)


def require_parts(name, head):
    """
    Refuses a head whose `embed` and `classify` are not all that its `forward` does.

    Args:
        name (str): its ACTIVITY.HEAD.

    Raises:
        SlowFastExtError: it is no Head, or a class of its own `forward` takes one of the parts
            from a class above.
    """
    instead = "choose ActivityHead or RoIPoolHead"
    if not isinstance(head, Head):
        raise SlowFastExtError(
            f"ACTIVITY.HEAD is {name}: it has no features to join the persons' with: {instead}"
        )
    if _depth(head, "forward") < max(_depth(head, "embed"), _depth(head, "classify")):
        raise SlowFastExtError(
            f"ACTIVITY.HEAD is {name}: it has a forward of its own, which a group's head never "
            f"calls: give it embed and classify as well (slowfast_ext.models.build), or {instead}"
        )


def _depth(head, method):
    """How many classes above the head's own define a method."""
    return next(i for i, cls in enumerate(type(head).__mro__) if method in vars(cls))
