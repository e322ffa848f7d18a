"""The head without activity-specific features against its equations in float64."""

import math

import pytest
import torch

from slowfast_ext.models.baseline_heads import ChannelCorrelationHead


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
