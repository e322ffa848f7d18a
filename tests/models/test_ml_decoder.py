"""ML-Decoder's head against its equations, written out plainly."""

import math

import pytest
import torch

from projects.study.rows import rows_of
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.models import build_head
from slowfast_ext.models.ml_decoder import NUM_HEADS, GroupClassifier
from slowfast_ext.utils.paths import CONFIGS

C, DIM = 12, 16


@pytest.fixture
def make_head(head_config):
    """Number of queries -> an ML-Decoder head of 5 activities, in float64."""

    def make(num_queries):
        cfg = head_config(HEAD="MLDecoderHead", DIM=DIM, NUM_OBSERVATIONS=num_queries)
        return build_head(cfg, C).double().eval()

    return make


def layer_norm(x, norm):
    deviation = x - x.mean()
    return deviation / math.sqrt((deviation**2).mean() + norm.eps) * norm.weight + norm.bias


def attend(head, query, positions):
    """Multi-head attention of one query over N positions, head by head."""
    in_weights = head.attention.in_proj_weight.chunk(3)
    in_biases = head.attention.in_proj_bias.chunk(3)
    width = DIM // NUM_HEADS
    parts = []
    for h in range(NUM_HEADS):
        rows = slice(h * width, (h + 1) * width)
        q = in_weights[0][rows] @ query + in_biases[0][rows]
        keys = [in_weights[1][rows] @ p + in_biases[1][rows] for p in positions]
        values = [in_weights[2][rows] @ p + in_biases[2][rows] for p in positions]
        powers = [math.exp(float(q @ key) / math.sqrt(width)) for key in keys]
        parts.append(sum(w / sum(powers) * v for w, v in zip(powers, values, strict=True)))
    out = head.attention.out_proj
    return out.weight @ torch.cat(parts) + out.bias


def plain_logits(head, features, group_size, num_activities):
    """One clip's logits from the equations."""
    embed, first, second = head.embedding[0], head.feedforward[0], head.feedforward[3]
    columns = features.flatten(1).T
    positions = [(embed.weight @ column + embed.bias).clamp(min=0) for column in columns]
    logits = []
    for activity in range(num_activities):
        query = head.queries[activity // group_size]
        vector = layer_norm(2 * query, head.norms[0])
        vector = layer_norm(vector + attend(head, vector, positions), head.norms[1])
        hidden = (first.weight @ vector + first.bias).clamp(min=0)
        vector = layer_norm(vector + second.weight @ hidden + second.bias, head.norms[2])
        weight = head.classifier.weight[activity // group_size][:, activity % group_size]
        logits.append(vector @ weight + head.classifier.bias[activity])
    return torch.stack(logits)


@pytest.mark.parametrize("num_queries, group_size", [(64, 1), (3, 2), (2, 3)])
@torch.no_grad()
def test_equals_the_plain_equations(make_head, num_queries, group_size):
    torch.manual_seed(0)
    head = make_head(num_queries)
    for parameter in head.parameters():
        # The biases start at zero, where a wrong one would not show.
        parameter.copy_(torch.randn_like(parameter) / 3)
    features = torch.randn(2, C, 2, 2, 3, dtype=torch.float64)
    wanted = torch.stack([plain_logits(head, clip, group_size, 5) for clip in features])
    torch.testing.assert_close(head(features).double(), wanted.sigmoid(), atol=1e-6, rtol=0)
    head.train()
    torch.testing.assert_close(head(features)[0], wanted, atol=1e-10, rtol=0)


def test_groups_that_do_not_fill_the_last_one():
    classifier = GroupClassifier(3, DIM, 7)
    assert classifier.weight.shape == (3, DIM, 3)
    assert classifier(torch.randn(2, 3, DIM)).shape == (2, 7)


@pytest.mark.parametrize("other", ["complete", "residual + evidence + columns"])
def test_parameters_are_within_a_tenth_of_the_heads_that_it_is_compared_with(other):
    recipes = {row.name: row.recipe for row in rows_of(["peer"])}
    counts = []
    for name in ("ML-Decoder", other):
        cfg = checked_config(str(CONFIGS / "Synthetic" / "ACTIVITY_FROZEN.yaml"))
        cfg.merge_from_list(recipes[name].settings())
        counts.append(sum(p.numel() for p in build_head(cfg, 384).parameters()))
    assert abs(counts[0] / counts[1] - 1) < 0.1
