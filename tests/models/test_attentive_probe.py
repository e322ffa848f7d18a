"""V-JEPA's attentive probe against its description, written out plainly."""

import math

import pytest
import torch

from slowfast_ext.models import build_head
from slowfast_ext.models.attentive_probe import num_heads
from slowfast_ext.models.objects import Objects

C = 128  # Two attention heads of 64 channels.


@pytest.fixture
def head(head_config):
    torch.manual_seed(0)
    cfg = head_config(HEAD="AttentiveProbeHead")
    cfg.OBJECTS.NUM_CLASSES = 3
    head = build_head(cfg, C).double().eval()
    with torch.no_grad():
        for parameter in head.parameters():
            # Biases and embeddings start at zero, where a wrong one would not show.
            parameter.copy_(torch.randn_like(parameter) / 4)
    return head


def layer_norm(x, norm):
    deviation = x - x.mean()
    return deviation / math.sqrt((deviation**2).mean() + norm.eps) * norm.weight + norm.bias


def plain_logits(head, columns):
    """One clip's logits from a list of its columns."""
    weights = head.attention.in_proj_weight.chunk(3)
    biases = head.attention.in_proj_bias.chunk(3)
    columns = [layer_norm(column, head.norms[0]) for column in columns]
    query = head.query[0]
    pooled = []
    for rows in (slice(0, 64), slice(64, 128)):
        q = weights[0][rows] @ query + biases[0][rows]
        keys = [weights[1][rows] @ column + biases[1][rows] for column in columns]
        values = [weights[2][rows] @ column + biases[2][rows] for column in columns]
        powers = [math.exp(float(q @ key) / 8) for key in keys]
        pooled.append(sum(w / sum(powers) * v for w, v in zip(powers, values, strict=True)))
    out, (first, _, second) = head.attention.out_proj, head.feedforward
    vector = query + out.weight @ torch.cat(pooled) + out.bias
    hidden = first.weight @ layer_norm(vector, head.norms[1]) + first.bias
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    vector = vector + second.weight @ hidden + second.bias
    return head.projection.weight @ vector + head.projection.bias


@torch.no_grad()
def test_equals_the_plain_equations(head):
    features = torch.randn(2, C, 2, 2, 3, dtype=torch.float64)
    wanted = torch.stack([plain_logits(head, clip.flatten(1).T) for clip in features])
    torch.testing.assert_close(head(features).double(), wanted.sigmoid(), atol=1e-6, rtol=0)
    (logits,) = head.train()(features)
    torch.testing.assert_close(logits, wanted, atol=1e-10, rtol=0)


@torch.no_grad()
def test_attends_to_objects_and_not_to_the_padding_of_a_clip_without(head):
    features = torch.randn(2, C, 2, 2, 3, dtype=torch.float64)
    # One object, on the second clip; the first gets a column of padding.
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    objects = Objects(boxes, torch.tensor([0.9]), torch.tensor([2]), torch.tensor([1]))
    columns, _ = head.columns.objects(features, objects)
    with_object = torch.cat([features[1].flatten(1).T, columns[1].T])
    wanted = torch.stack(
        [plain_logits(head, features[0].flatten(1).T), plain_logits(head, with_object)]
    )
    (logits,) = head.train()(features, objects)
    torch.testing.assert_close(logits, wanted, atol=1e-10, rtol=0)


def test_starts_as_published(head_config):
    cfg = head_config(HEAD="AttentiveProbeHead")
    cfg.OBJECTS.NUM_CLASSES = 3
    head = build_head(cfg, C)
    assert float(head.query.std()) == pytest.approx(0.02, rel=0.3)
    assert float(head.attention.in_proj_weight.std()) == pytest.approx(0.02, rel=0.05)
    assert float(head.projection.weight.std()) == pytest.approx(0.02, rel=0.1)
    assert not head.columns.objects.embedding.weight.any()
    assert not any(p.any() for n, p in head.named_parameters() if n.endswith("bias"))


@pytest.mark.parametrize("dim, wanted", [(1024, 16), (2304, 36), (192, 3), (280, 4), (17, 1)])
def test_attention_heads_part_any_number_of_channels(dim, wanted):
    assert num_heads(dim) == wanted
