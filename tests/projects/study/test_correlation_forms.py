"""Other forms of correlation against the plain equations, in float64."""

import pytest
import torch

from slowfast_ext.models.build import build_head
from tests.models import reference


@pytest.fixture
def make_head(small_cfg):
    """Name of a head -> that head in float64, training."""

    def make(name, **options):
        small_cfg.ACTIVITY.HEAD = name
        small_cfg.MODEL.DROPOUT_RATE = 0.0
        small_cfg.ACTIVITY.update(options)
        torch.manual_seed(0)
        head = build_head(small_cfg, 8).double()
        if head.correlation is not None:
            torch.nn.init.uniform_(head.correlation.mask)
            if head.correlation.gamma is not None:
                torch.nn.init.constant_(head.correlation.gamma, 0.3)
        return head

    return make


@pytest.fixture
def features():
    return torch.randn(2, 8, 2, 3, 3, dtype=torch.float64)


def correlated(head, activity_features):
    """One step of the residual form of one clip, A x C'."""
    part = head.correlation
    weights = part.query.weight, part.key.weight, part.mask
    return activity_features + part.gamma * reference.correlate(activity_features, *weights)[0]


@torch.no_grad()
def test_messages_are_passed_three_times(make_head, features):
    head = make_head("MessagesHead")
    for clip, activity_features in enumerate(head.embed(features)):
        for _step in range(3):
            activity_features = correlated(head, activity_features)
        wanted = head.correlated_classifier(activity_features)
        torch.testing.assert_close(head(features)[1][clip], wanted)


@torch.no_grad()
def test_what_is_dropped_is_told_by_the_others(make_head, features, monkeypatch):
    head = make_head("DroppedActivitiesHead")
    dropped = torch.zeros(2, 12)
    dropped[:, 3:] = 0.9
    dropped[1, 3] = 0.1
    monkeypatch.setattr(torch, "rand", lambda *shape: dropped)
    found = head(features)
    for clip, activity_features in enumerate(head.embed(features)):
        torch.testing.assert_close(found[0][clip], head.classifier(activity_features))
        kept = activity_features * (dropped[clip] >= 0.25)[:, None]
        wanted = head.correlated_classifier(correlated(head, kept))
        torch.testing.assert_close(found[1][clip], wanted)
    monkeypatch.undo()
    head.eval()
    wanted = [correlated(head, activity_features) for activity_features in head.embed(features)]
    logits = head.classify(head.embed(features))[1]
    torch.testing.assert_close(logits, head.correlated_classifier(torch.stack(wanted)))


@torch.no_grad()
def test_logits_are_mixed_by_a_matrix_that_starts_at_zero(make_head, features):
    head = make_head("LogitCorrelationHead", CORRELATION=False, EVIDENCE=True)
    first, second = head(features)
    torch.testing.assert_close(second, first)
    torch.nn.init.normal_(head.between.weight)
    wanted = [[float(row @ clip) for row in head.between.weight] for clip in first]
    torch.testing.assert_close(head(features)[1], first + torch.tensor(wanted).double())


def test_queries_of_activities_that_share_a_word_are_alike(make_head):
    queries = make_head("NamedQueriesHead", DIM=64).activity_features.queries
    alike = torch.nn.functional.cosine_similarity(queries[:, None], queries[None], dim=-1)
    # In pairs: the same motion with two balls.
    assert all(alike[activity, activity + 1] > 0.2 for activity in range(0, 12, 2))
    # The first motion's balls and the last's have none in common, nor have the motions.
    assert alike[:2, 10:].abs().max() < 0.4
