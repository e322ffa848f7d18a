"""Heads to compare with against their equations in float64."""

import math

import pytest
import torch

from slowfast_ext.models.baseline_heads import ChannelCorrelationHead, LSEPoolHead, PoolHead
from tests.models import reference


def restated(head, features):
    """
    F, C x N -> the two logits of each activity, channel by channel, in Python's own floats.

    x_i = sum_c W_ic mean_c; Attn_ij = exp(q_i k_j) / sum_l exp(q_i k_l); y_i = sum_j Attn_ij x_j;
    both outputs are V_a . x + b_a and V_a . y + b_a with one V and b.
    """
    weights = {name: value.tolist() for name, value in head.state_dict().items()}
    pooled = [sum(row) / len(row) for row in features.tolist()]

    def mapped(name, vector):
        return [sum(w * v for w, v in zip(row, vector, strict=True)) for row in weights[name]]

    x = mapped("projection.weight", pooled)
    query, key = mapped("query.weight", x), mapped("key.weight", x)
    y = []
    for q in query:
        exponentials = [math.exp(q * k) for k in key]
        total = sum(e * value for e, value in zip(exponentials, x, strict=True))
        y.append(total / sum(exponentials))
    biases = weights["classifier.bias"]
    return [
        [dot + b for dot, b in zip(mapped("classifier.weight", v), biases, strict=True)]
        for v in (x, y)
    ]


@pytest.fixture
def head(head_config):
    torch.manual_seed(0)
    return ChannelCorrelationHead(head_config(DIM=6), 12).double()


def test_values_equal_the_restatement(head):
    # Large enough that the attention is far from even.
    features = 8 * torch.randn(2, 12, 2, 3, 4, dtype=torch.float64)
    torch.nn.init.normal_(head.classifier.bias)
    outputs = head(features)
    for clip in range(2):
        for output, wanted in zip(outputs, restated(head, features[clip].flatten(1)), strict=True):
            wanted = torch.tensor(wanted, dtype=torch.float64)
            torch.testing.assert_close(output[clip], wanted, atol=1e-10, rtol=0)
    mean = sum(output.sigmoid() for output in outputs) / 2
    torch.testing.assert_close(head.eval()(features), mean.float())


def test_every_parameter_learns(head):
    features = torch.randn(2, 12, 1, 2, 2, dtype=torch.float64)
    sum(output.square().sum() for output in head(features)).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())


def test_no_activity_has_a_map_of_its_own(head_config):
    """More activities add classifier rows alone; at the paper's size it is near the baseline."""
    counts = {}
    for number in (157, 158):
        cfg = head_config(DIM=128)
        cfg.MODEL.NUM_CLASSES = number
        with torch.device("meta"):
            counts[number] = sum(p.numel() for p in ChannelCorrelationHead(cfg, 2048).parameters())
    assert counts[158] - counts[157] == 128 + 1
    assert counts[157] == 2048 * 128 + 2 * 128**2 + 157 * (128 + 1) == 315_165
    baseline = 157 * (2048 + 1)
    assert abs(counts[157] - baseline) < 0.05 * baseline


class TestLSEPoolHead:
    @pytest.fixture
    def head(self, head_config):
        torch.manual_seed(0)
        head = LSEPoolHead(head_config(), 12).double()
        for parameter in head.parameters():
            torch.nn.init.normal_(parameter)
        return head

    # A clip's map, and a person's region of one.
    @pytest.mark.parametrize("shape", [(2, 3, 4), (4, 7, 7)])
    def test_values_equal_the_restatement(self, head, shape):
        features = 3 * torch.randn(2, 12, *shape, dtype=torch.float64)
        (logits,) = head(features)
        for clip in range(2):
            wanted = reference.log_mean_exp(features[clip].flatten(1), *head.parameters())
            torch.testing.assert_close(logits[clip], wanted, atol=1e-10, rtol=0)
        torch.testing.assert_close(head.eval()(features), logits.sigmoid().float())

    def test_of_one_position_it_is_the_pooling_head(self, head, head_config):
        """The two have the same weights, and differ in what is pooled alone."""
        pool = PoolHead(head_config(), 12).double()
        pool.projection.load_state_dict(head.evidence.projection.state_dict())
        features = torch.randn(2, 12, 1, 1, 1, dtype=torch.float64)
        torch.testing.assert_close(head(features), pool(features))

    def test_dropout_takes_a_channel_from_all_positions(self, head):
        head.dropout.p = 0.5
        features = torch.ones(1, 12, 2, 3, 4, dtype=torch.float64)
        seen = []
        head.evidence.register_forward_pre_hook(lambda _, given: seen.append(given[0].values))
        head(features)
        assert set(seen[0].flatten().tolist()) == {0.0, 2.0}
        assert torch.equal(seen[0], seen[0][..., :1].expand_as(seen[0]))

    def test_large_logits_stay_finite(self, head):
        features = 1e4 * torch.randn(2, 12, 1, 2, 2, dtype=torch.float64)
        assert head(features)[0].isfinite().all()
