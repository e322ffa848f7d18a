"""The study's heads against the plain equations with their one part changed, in float64."""

import math

import pytest
import torch

from slowfast_ext.models.build import build_head
from tests.models import reference

AS_PRINTED = {"LayerNormAloneHead", "MeanQueryAloneHead", "ScaleAloneHead"}


@pytest.fixture
def make_head(small_cfg):
    """Name of a head -> that head in float64, ready to be asked."""

    def make(name):
        small_cfg.ACTIVITY.HEAD = name
        small_cfg.ACTIVITY.FORM = "as_printed" if name in AS_PRINTED else "default"
        torch.manual_seed(0)
        head = build_head(small_cfg, 8).double().eval()
        torch.nn.init.uniform_(head.correlation.mask)
        for norm in head.modules():
            if isinstance(norm, torch.nn.LayerNorm):
                torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
                torch.nn.init.uniform_(norm.bias)
        return head

    return make


def plain_embedding(head, features, name):
    """F_A of one clip, C x N -> A x C'."""
    observing, queries = head.observations, head.activity_features.queries
    printed = name in AS_PRINTED
    scale = 1.0 if printed and name != "ScaleAloneHead" else 1 / math.sqrt(queries.shape[1])
    last = printed and name != "MeanQueryAloneHead"
    observations, _ = reference.observe(
        features,
        observing.alpha.weight,
        observing.attention.beta.weight,
        observing.attention.gamma.weight,
        features[:, -1] if last else features.mean(1),
        0.0 if name == "EvenAttentionHead" else scale,
    )
    if not printed or name == "LayerNormAloneHead":
        norm = observing.norm
        observations = reference.layer_norm(observations, norm.weight, norm.bias)
    return reference.attend(queries, observations, scale)[0]


def plain_correlation(head, embedding, name):
    """F_AC of one clip, A x C'."""
    part = head.correlation
    query, key, mask = part.query.weight, part.key.weight, part.mask
    attention = reference.correlate(embedding, query, key, torch.zeros_like(mask))[1]
    corr = {
        "MaskAloneHead": mask,
        "AttentionAloneHead": attention,
        "ScaledMaskHead": attention + mask / mask.sum(1, keepdim=True),
    }.get(name, attention + mask)
    return corr @ embedding


def plain_probabilities(head, features, name):
    """Probabilities of one clip, C x N -> A."""
    embedding = plain_embedding(head, features, name)
    outputs = [(plain_correlation(head, embedding, name), head.correlated_classifier)]
    if name != "OneOutputHead":
        outputs.append((embedding, head.classifier))
    logits = [(each * part.weight).sum(1) + part.bias for each, part in outputs]
    return torch.stack([1 / (1 + (-each).exp()) for each in logits]).mean(0)


@torch.no_grad()
@pytest.mark.parametrize(
    "name",
    [
        *("LayerNormAloneHead", "MeanQueryAloneHead", "ScaleAloneHead", "EvenAttentionHead"),
        *("MaskAloneHead", "AttentionAloneHead", "ScaledMaskHead", "OneOutputHead"),
    ],
)
def test_equals_the_plain_equations(make_head, name):
    head = make_head(name)
    features = torch.randn(2, 8, 2, 3, 3, dtype=torch.float64)
    wanted = torch.stack(
        [plain_probabilities(head, of_clip.flatten(1), name) for of_clip in features]
    )
    torch.testing.assert_close(head(features).double(), wanted, atol=1e-6, rtol=0)
    # The part that was changed decides: the head with none changed says something else.
    plain = make_head("ActivityHead")
    plain.load_state_dict(head.state_dict(), strict=False)
    assert (plain(features) - head(features)).abs().max() > 1e-4


def test_even_attention_does_not_see_where_things_are(make_head):
    features = torch.randn(2, 8, 2, 3, 3, dtype=torch.float64)
    shuffled = features.flatten(2)[:, :, torch.randperm(18)].view_as(features)
    even, looking = make_head("EvenAttentionHead"), make_head("ActivityHead")
    torch.testing.assert_close(even(shuffled), even(features))
    moved = features.clone()
    moved[:, :, 0] += 1.0
    moved[:, :, 1] -= 1.0
    torch.testing.assert_close(even(moved), even(features))
    assert (looking(moved) - looking(features)).abs().max() > 1e-4
