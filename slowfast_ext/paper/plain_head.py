"""The paper's equations as it prints and costs them, for counting alone."""

import torch
import torch.nn as nn

from slowfast_ext.models.outputs import probabilities


class PlainActivityHead(nn.Module):
    """
    An ActivityHead of the form `as_printed`, computed the long way (eq. 1, 2, 6-12).

    alpha, beta and gamma are applied to every one of the N positions, as the paper's
    multiply-adds count them; the output is that of `head`, which it shares its weights with.
    """

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, features):
        """F, B x C x T x H x W -> probabilities, B x A."""
        head, positions = self.head, features.flatten(2)
        observing = head.observations
        values = at_every_position(observing.alpha, positions)
        queries = at_every_position(observing.attention.beta, positions)
        keys = at_every_position(observing.attention.gamma, positions)
        scores = queries[..., -1:].transpose(-1, -2) @ keys  # B x K x 1 x N
        observations = (scores.softmax(-1) @ values.transpose(-1, -2)).squeeze(-2)
        activity_features, _ = head.activity_features(observations)
        return probabilities(head.classify(activity_features), head.activation)


def at_every_position(group_linear, positions):
    """Applies all K maps of a GroupLinear to all N columns: B x C x N -> B x K x C' x N."""
    blocks = positions.unflatten(1, (group_linear.groups, -1))
    return torch.einsum("kgoi,bgin->bkgon", group_linear.weight, blocks).flatten(2, 3)
