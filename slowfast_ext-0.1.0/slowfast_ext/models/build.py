"""The registry of heads."""

from fvcore.common.registry import Registry

HEAD_REGISTRY = Registry("HEAD")
HEAD_REGISTRY.__doc__ = """
Registry of heads on a backbone's last feature map.

A registered class is called with `head(cfg, dim_in)`, `dim_in` being the channels C of the
map. Its `forward(features, objects=None)` takes F, B x C x T x H x W (a clip's map, or a
person's region of it) and, where OBJECTS.NUM_CLASSES is set, the clips' objects. It gives in
training a tuple of logits, B x A each, one per output, and in evaluation the probabilities,
B x A.
"""


def build_head(cfg, dim_in):
    """The head named by ACTIVITY.HEAD on a map of `dim_in` channels."""
    return HEAD_REGISTRY.get(cfg.ACTIVITY.HEAD)(cfg, dim_in)
