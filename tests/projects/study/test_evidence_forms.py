"""Other forms of evidence against plain sums over positions, in float64."""

import math

import pytest
import torch

from slowfast_ext.models.build import build_head

DIM = 6


@pytest.fixture
def make_head(small_cfg):
    """Name of a head -> that head in float64, training."""

    def make(name, is_drawn=True):
        small_cfg.ACTIVITY.HEAD, small_cfg.ACTIVITY.EVIDENCE = name, True
        small_cfg.MODEL.DROPOUT_RATE = 0.0
        torch.manual_seed(0)
        head = build_head(small_cfg, DIM).double()
        if not is_drawn:
            return head
        for parameter in head.evidence.parameters():
            torch.nn.init.normal_(parameter)
        return head

    return make


def added(head, features):
    """What evidence adds to a clip's two outputs, found by taking it away: B x A."""
    with_it, evidence = head(features), head.evidence
    head.evidence = None
    without = head(features)
    head.evidence = evidence
    first, second = (a - b for a, b in zip(with_it, without, strict=True))
    torch.testing.assert_close(first, second)
    return first


def plain(part, column):
    """The logits of one column, A."""
    return part.projection.weight @ column + part.projection.bias


def log_mean_exp(rows, sharpness=1.0):
    """Logits of all columns, A each -> A."""
    exponentials = [[math.exp(float(value) * sharpness) for value in row] for row in rows]
    means = [math.fsum(of_activity) / len(rows) for of_activity in zip(*exponentials, strict=True)]
    return torch.tensor([math.log(mean) / sharpness for mean in means], dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["TemperatureEvidenceHead", "HiddenEvidenceHead", "PathwayEvidenceHead"]
)
def test_equals_the_plain_sums(make_head, small_cfg, name):
    small_cfg.ACTIVITY.GROUPS = 1
    head = make_head(name)
    features = torch.randn(2, DIM, 2, 2, 3, dtype=torch.float64)
    found = added(head, features)
    part = head.evidence
    for clip, evidence in zip(features, found, strict=True):
        columns = clip.flatten(1).T  # N x C
        if name == "TemperatureEvidenceHead":
            logits = [plain(part, column) for column in columns]
            for activity, log_sharpness in enumerate(part.log_sharpness):
                wanted = log_mean_exp(logits, math.exp(log_sharpness))[activity]
                torch.testing.assert_close(evidence[activity], wanted)
        elif name == "HiddenEvidenceHead":
            weight, bias = part.hidden.projection.parameters()
            hidden = [(weight @ column + bias).clamp(min=0) for column in columns]
            wanted = log_mean_exp([plain(part, column) for column in hidden])
            torch.testing.assert_close(evidence, wanted)
        else:
            slow, fast = part.pathways
            # BETA_INV is 2: four channels of six are the slow pathway's.
            wanted = log_mean_exp([plain(slow, column[:4]) for column in columns])
            wanted = wanted + log_mean_exp([plain(fast, column[4:]) for column in columns])
            torch.testing.assert_close(evidence, wanted)


def test_a_temperature_starts_as_the_plain_form(make_head, small_cfg):
    small_cfg.ACTIVITY.GROUPS = 1
    plain_head, head = make_head("ActivityHead"), make_head("TemperatureEvidenceHead", False)
    head.load_state_dict(plain_head.state_dict(), strict=False)
    features = torch.randn(1, DIM, 2, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(head(features), plain_head(features))
