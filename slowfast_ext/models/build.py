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
person's region of it) and, where OBJECTS.NUM_CLASSES is set, the clips' objects, or where
ACTIVITY.CONTEXT is, the persons' Context: `ColumnsOf` takes either. It gives in
training a tuple of logits, B x A each, one per output, and in evaluation the probabilities,
B x A. VOLLEYBALL.TASK group joins two heads, and needs a `Head`, which says how.
"""


class Head(nn.Module):
    """
    A head in two parts, `embed` and `classify`, between which others may add features.

    A class that overrides `forward` serves by itself alone, unless it gives both parts too.

    Args:
        embedding_shape (tuple[int]): of what `embed` gives for one clip.
    """

    cooccurrence = None  # Mask (eq. 8), A x A, where the head correlates activities.

    def __init__(self, cfg, embedding_shape):
        super().__init__()
        self.activation, self.embedding_shape = cfg.MODEL.HEAD_ACT, embedding_shape

    def forward(self, features, objects=None):
        """F, B x C x T x H x W, and Objects -> what HEAD_REGISTRY asks for."""
        logits = self.classify(self.embed(features, objects))
        return logits if self.training else probabilities(logits, self.activation)

    def embed(self, features, objects=None):
        """F, B x C x T x H x W, and Objects -> B x `embedding_shape`."""
        raise NotImplementedError

    def classify(self, embedding):
        """B x `embedding_shape` -> a tuple of logits, B x A each, one per output."""
        raise NotImplementedError

    def set_cooccurrence(self, mask):
        """
        Takes Mask, A x A, which `cooccurrence` gives from then on; a head that does not correlate
        activities leaves it.
        """


def build_head(cfg, dim_in):
    """The head named by ACTIVITY.HEAD on a map of `dim_in` channels."""
    return HEAD_REGISTRY.get(cfg.ACTIVITY.HEAD)(cfg, dim_in)


def check_groups(cfg, channels, source="the backbone's"):
    """
    Raises SlowFastExtError where ACTIVITY.GROUPS, the n of eq. 13, does not part the channels of
    what is attended to, whose `source` the message names, and those of an observation; for heads
    that have such groups.
    """
    groups, dim = cfg.ACTIVITY.GROUPS, cfg.ACTIVITY.DIM
    if channels % groups:
        raise SlowFastExtError(
            f"ACTIVITY.GROUPS is {groups}: it must divide {source} {channels} channels"
        )
    if dim % groups:
        raise SlowFastExtError(
            f"ACTIVITY.DIM is {dim}: it must be a multiple of ACTIVITY.GROUPS, {groups}"
        )


def require_parts(name, head):
    """
    Raises SlowFastExtError where a head, by its `name`, is no Head, or has a `forward` that says
    something else than its `embed` and `classify`.
    """
    what = ""
    if not isinstance(head, Head):
        what = "it has no features to join the persons' with"
    elif _defined_in(head, "forward") < max(_defined_in(head, p) for p in ("embed", "classify")):
        what = (
            "it has a forward of its own, which a group's head never calls: give its class embed "
            "and classify as well"
        )
    if what:
        raise SlowFastExtError(
            f"ACTIVITY.HEAD is {name}: {what}, or choose ActivityHead or RoIPoolHead"
        )


def _defined_in(head, method):
    """How many classes above the head's own the one stands that defines a method."""
    return next(i for i, cls in enumerate(type(head).__mro__) if method in vars(cls))
