"""Co-occurrence, baselines, joining of pathways."""

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.models import PoolHead, TwoStageTransformerHead
from slowfast_ext.models.correlation import cooccurrence
from slowfast_ext.models.network import join_pathways


def test_cooccurrence_counts_by_hand():
    labels = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]])
    expected = torch.tensor([[1, 2 / 3, 1 / 3, 0], [1, 1, 1 / 2, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(cooccurrence(labels), expected)


def test_cooccurrence_counts_an_activity_where_it_is_known():
    """Of j's videos those alone of which it is known whether they have k too."""
    labels = torch.tensor([[1, 1, -1], [1, 0, -1], [1, -1, 0], [-1, 1, 1], [0, -1, -1.0]])
    expected = [[1, 1 / 2, 0], [1, 1, 1], [0, 1, 1.0]]
    torch.testing.assert_close(cooccurrence(labels), torch.tensor(expected))


def test_pool_head_equals_upstreams(head_config):
    cfg = head_config()
    head = PoolHead(cfg, 16)
    theirs = upstream_basic_head(cfg, 16, (2, 3, 3))
    theirs.load_state_dict(head.state_dict(), strict=False)
    features = torch.randn(2, 16, 2, 3, 3)
    torch.testing.assert_close(head(features)[0], theirs([features]))
    torch.testing.assert_close(head.eval()(features), theirs.eval()([features]))


def upstream_basic_head(cfg, channels, size):
    """Upstream's own pooling head on a single pathway."""
    from slowfast.models.head_helper import ResNetBasicHead

    extra = {"cfg": cfg} if upstream.IS_MAIN else {}
    return ResNetBasicHead(
        dim_in=[channels],
        num_classes=cfg.MODEL.NUM_CLASSES,
        pool_size=[list(size)],
        dropout_rate=0.0,
        act_func="sigmoid",
        **extra,
    )


def test_two_stage_transformer_follows_its_formula(head_config):
    head = TwoStageTransformerHead(head_config(), 16).double()
    features = torch.randn(1, 16, 1, 2, 3).double()
    positions = features.flatten(2)[0]
    for stage in head.stages:
        beta, gamma = (torch.block_diag(*g.weight[0]) for g in (stage.beta, stage.gamma))
        query = beta @ positions[:, -1]
        scores = torch.stack([query @ (gamma @ column) for column in positions.T])
        positions = 6 * positions * scores.softmax(0)
    expected = head.projection(positions.mean(1))
    torch.testing.assert_close(head(features)[0][0], expected)


@pytest.mark.parametrize("fast_length", [2, 8, 7])
def test_pathways_are_joined_in_time_and_channels(fast_length):
    slow, fast = torch.randn(1, 4, 2, 3, 3), torch.randn(1, 2, fast_length, 3, 3)
    joined = join_pathways([slow, fast])
    assert joined.shape == (1, 6, 2, 3, 3)
    torch.testing.assert_close(joined[:, :4], slow)
    if fast_length == 8:
        expected = fast.view(1, 2, 2, 4, 3, 3).mean(3)
        torch.testing.assert_close(joined[:, 4:], expected)
