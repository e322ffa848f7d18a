"""Parts of ML-Decoder's head, taken from it and given to the paper's."""

import pytest
import torch

from slowfast_ext.models.build import build_head
from tests.models import reference


@pytest.fixture
def make_head(small_cfg):
    def make(name):
        small_cfg.ACTIVITY.HEAD = name
        small_cfg.MODEL.DROPOUT_RATE = 0.0
        small_cfg.ACTIVITY.CORRELATION = False
        torch.manual_seed(0)
        return build_head(small_cfg, 8).double()

    return make


@pytest.fixture
def features():
    return torch.randn(2, 8, 2, 3, 3, dtype=torch.float64)


@torch.no_grad()
def test_without_feedforward_what_was_attended_to_is_classified(make_head, features):
    head, whole = make_head("MLDecoderWithoutFeedforward"), make_head("MLDecoderHead")
    whole.load_state_dict(head.state_dict(), strict=False)
    for layer in whole.feedforward:
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
    torch.testing.assert_close(head(features), whole(features))


@torch.no_grad()
def test_linear_columns_are_not_cut_at_zero(make_head, features):
    head, whole = make_head("MLDecoderOfLinearColumns"), make_head("MLDecoderHead")
    state = whole.state_dict()
    state = {name.replace("embedding.0", "embedding"): value for name, value in state.items()}
    # Far above zero a ReLU changes nothing; at zero it does.
    state["embedding.bias"] = torch.full_like(state["embedding.bias"], 100.0)
    head.load_state_dict(state)
    whole.embedding[0].bias.fill_(100.0)
    torch.testing.assert_close(head(features), whole(features))
    head.embedding.bias.zero_(), whole.embedding[0].bias.zero_()
    assert (head(features)[0] - whole(features)[0]).abs().max() > 1e-3


def test_one_head_attends_once(make_head, features):
    head, whole = make_head("MLDecoderOfOneHead"), make_head("MLDecoderHead")
    assert head.attention.num_heads == 1 and whole.attention.num_heads == 8
    assert sum(p.numel() for p in head.parameters()) == sum(p.numel() for p in whole.parameters())


@torch.no_grad()
def test_each_head_has_weights_of_its_own(make_head, features):
    head = make_head("ManyHeadsHead")
    observations, _ = head.observations(head.columns(features))
    found, attention = head.activity_features(observations)
    queries = head.activity_features.queries
    for clip in range(2):
        # C' is 8: of eight heads each has one channel, and no scale.
        for channel in range(8):
            part = slice(channel, channel + 1)
            wanted, _ = reference.attend(queries[:, part], observations[clip][:, part], 1.0)
            torch.testing.assert_close(found[clip][:, part], wanted)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 12).double())


@torch.no_grad()
@pytest.mark.parametrize("name", ["FixedQueriesHead", "FixedQueriesFeedforwardHead"])
def test_fixed_queries_do_not_know_the_clip(make_head, features, name):
    head = make_head(name)
    _, attention = head(features, return_attention=True)
    # A position that is put among others of another clip is weighed against them alike.
    joined = torch.cat([features[:1], features[1:]], dim=2)
    _, of_both = head(joined, return_attention=True)
    first, second = attention["observations"]
    ratio = of_both["observations"][0][:, :2] / first
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1].expand_as(ratio))
    _, plain = make_head("ActivityHead")(joined, return_attention=True)
    _, alone = make_head("ActivityHead")(features, return_attention=True)
    ratio = plain["observations"][0][:, :2] / alone["observations"][0]
    assert ratio.std() > 1e-6


@torch.no_grad()
def test_fixed_queries_are_scaled_products(make_head, features):
    head = make_head("FixedQueriesHead")
    part = head.observations.attention
    _, attention = head(features, return_attention=True)
    columns = features[0].flatten(1)
    for k, query in enumerate(part.queries):
        keys = reference.block_diagonal(part.gamma.weight[k]) @ columns
        scores = (query @ keys / 8**0.5).exp()
        torch.testing.assert_close(attention["observations"][0, k].flatten(), scores / scores.sum())


@torch.no_grad()
def test_a_feedforward_layer_changes_activity_features_alone(make_head, features):
    head, plain = make_head("FeedforwardHead"), make_head("ActivityHead")
    state = {n.replace(".attending", ""): v for n, v in head.state_dict().items()}
    plain.load_state_dict({name: state[name] for name in plain.state_dict()})
    part = head.activity_features
    wanted = []
    for clip in plain.embed(features):
        first, _, _, last = part.layers
        hidden = (clip @ first.weight.T + first.bias).clamp(min=0)
        added = clip + hidden @ last.weight.T + last.bias
        wanted.append(reference.layer_norm(added, part.norm.weight, part.norm.bias))
    torch.testing.assert_close(head.embed(features), torch.stack(wanted))
