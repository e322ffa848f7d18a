"""Activity maps against loops over observations and positions, in float64."""

import math

import numpy as np
import pytest
import torch

from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityHead
from slowfast_ext.models.activity_maps import (
    activity_maps,
    evidence,
    on_one_scale,
    require_activity_head,
)
from slowfast_ext.upstream import base_config
from slowfast_ext.visualization.drawing import laid_out
from slowfast_ext.visualization.maps import shown_activities

NUM_ACTIVITIES, SHAPE = 5, (2, 3, 4)


def make_config(**options):
    """A small head's: 5 activities, K = 3, C' = 16, n = 4."""
    cfg = add_slowfast_ext_config(base_config())
    cfg.MODEL.NUM_CLASSES, cfg.MODEL.HEAD_ACT = NUM_ACTIVITIES, "sigmoid"
    options = {"NUM_OBSERVATIONS": 3, "DIM": 16, "GROUPS": 4} | options
    for key, value in options.items():
        cfg.ACTIVITY[key] = value
    return cfg


def make_head(**options):
    """An ActivityHead of random weights on 32 channels; none is at its start value."""
    cfg = make_config(**options)
    torch.manual_seed(0)
    head = ActivityHead(cfg, 32).double().eval()
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    if head.correlation is not None:
        head.correlation.mask.uniform_()
    return head


def loops(head, positions, maps, output):
    """
    e, A x N: the contributions of each position of one clip.

    positions is C x N; maps hold the clip's attention.
    """
    over_positions, over_observations = maps["observations"], maps["activities"]
    classifier = head.correlated_classifier if output else head.classifier
    found = torch.zeros(NUM_ACTIVITIES, positions.shape[1]).double()
    for n in range(positions.shape[1]):
        features = torch.zeros(NUM_ACTIVITIES, 16).double()
        for k in range(3):
            alpha = torch.block_diag(*head.observations.alpha.weight[k])
            value = alpha @ positions[:, n] * over_positions[k, n]
            if isinstance(head.observations.norm, torch.nn.LayerNorm):
                observed = alpha @ (positions @ over_positions[k])
                deviation = math.sqrt(observed.var(correction=0) + head.observations.norm.eps)
                value = head.observations.norm.weight * (value - value.mean()) / deviation
            for a in range(NUM_ACTIVITIES):
                features[a] += over_observations[a, k] * value
        if output:
            correlated = maps["correlation"] @ features
            gamma = head.correlation.gamma
            features = correlated if gamma is None else features + gamma * correlated
        found[:, n] = (features * classifier.weight).sum(-1)
    if head.evidence is not None:
        weight, bias = head.evidence.projection.parameters()
        for a in range(NUM_ACTIVITIES):
            products = [float(weight[a] @ positions[:, n]) for n in range(positions.shape[1])]
            exponentials = [math.exp(product + float(bias[a])) for product in products]
            for n, product in enumerate(products):
                found[a, n] += exponentials[n] / math.fsum(exponentials) * product
    return found


@pytest.mark.parametrize("form", ["default", "as_printed"])
@pytest.mark.parametrize("classifier", ["shared", "per_activity"])
@pytest.mark.parametrize("correlation", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"EVIDENCE": True, "RESIDUAL_CORRELATION": True},
        {"EVIDENCE": True, "COLUMN_DIM": 24},
    ],
)
@torch.no_grad()
def test_evidence_sums_to_the_logits(form, classifier, correlation, options):
    head = make_head(FORM=form, CLASSIFIER=classifier, CORRELATION=correlation, **options)
    features = torch.randn(2, 32, *SHAPE).double()
    _, attention = head(features, return_attention=True)
    logits = head.classify(head.embed(features))
    found = evidence(head, features, attention)
    assert len(found) == len(logits) == 1 + correlation
    for output, ((contributions, constant), logit) in enumerate(zip(found, logits, strict=True)):
        assert contributions.shape == (2, NUM_ACTIVITIES, *SHAPE)
        torch.testing.assert_close(contributions.sum((2, 3, 4)) + constant, logit)
        for clip in range(2):
            maps = {name: value[clip].flatten(1) for name, value in attention.items()}
            columns = head.columns(features[clip : clip + 1]).values[0]
            wanted = loops(head, columns, maps, output)
            torch.testing.assert_close(contributions[clip].flatten(1), wanted)


@torch.no_grad()
def test_maps_stand_on_one_scale_per_clip():
    """The paper's map: attention over observations times attention over positions, times F."""
    head = make_head()
    features = torch.randn(2, 32, *SHAPE).double()
    features[1] *= 100
    maps = activity_maps(head, features)
    _, attention = head(features, return_attention=True)
    for clip in range(2):
        wanted = torch.zeros(NUM_ACTIVITIES, *SHAPE).double()
        for a in range(NUM_ACTIVITIES):
            for k in range(3):
                weight = attention["activities"][clip, a, k]
                wanted[a] += weight * attention["observations"][clip, k]
        wanted *= features[clip].abs().mean(0)
        torch.testing.assert_close(maps.attention[clip], wanted / wanted.max())
        for kind in (maps.attention, maps.evidence, maps.backbone):
            assert kind[clip].min() >= 0 and kind[clip].max() == 1
    assert maps.evidence[0].amax((1, 2, 3)).min() < 1  # Not each activity over its own largest.


@torch.no_grad()
def test_evidence_is_of_the_mean_logit():
    """What positions add to the mean of both outputs, cut off below 0."""
    head = make_head()
    features = torch.randn(1, 32, *SHAPE).double()
    _, attention = head(features, return_attention=True)
    maps = {name: value[0].flatten(1) for name, value in attention.items()}
    wanted = sum(loops(head, features[0].flatten(1), maps, output) for output in (0, 1)) / 2
    wanted = wanted.clamp(min=0) / wanted.max()
    torch.testing.assert_close(activity_maps(head, features).evidence[0].flatten(1), wanted)


def test_shown_are_what_happens_and_the_highest_of_the_others():
    scores = np.array([0.9, 0.2, 0.5, 0.7, 0.3, 0.8])
    assert shown_activities([0, 1, 1, 0, 1, 1], scores) == [5, 2, 4, 0]
    assert shown_activities([0, 0, 0, 0, 0, 0], scores) == [0]
    assert shown_activities([1, 1, 0], np.array([0.1, 0.2, 0.3])) == [1, 0, 2]


def test_nothing_stays_nothing():
    assert not on_one_scale(torch.zeros(2, 3, *SHAPE)).any()


def test_laid_out_keeps_places():
    heat = np.zeros((5, 5))
    heat[3, 0] = 1
    large = laid_out(heat, 50, 80)
    assert large.shape == (50, 80)
    # Position (3, 0) is the tile of rows 30..39 and columns 0..15.
    assert large[34:36, 7:9].min() > 0.9 and large[:20].max() == large[:, 40:].max() == 0


@pytest.mark.parametrize("options", [{"HEAD": "PoolHead"}, {"ACTIVITY_FEATURES": False}])
def test_heads_without_attention_are_refused(options):
    cfg = make_config(**options)
    with pytest.raises(SlowFastExtError, match="ACTIVITY_FEATURES"):
        require_activity_head(cfg)
