"""The factorised head against the paper's plain equations in float64."""

import pytest
import torch

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityHead
from slowfast_ext.models.objects import ColumnsOf, Objects
from tests.models import reference


def make_head(cfg, dim_in=128, dtype=torch.float64):
    torch.manual_seed(0)
    head = ActivityHead(cfg, dim_in).to(dtype)
    if head.correlation is not None:
        mask = torch.rand(head.correlation.mask.shape, dtype=dtype)
        head.correlation.mask.copy_(mask)
    return head


@pytest.mark.parametrize("form", ["default", "as_printed"])
@pytest.mark.parametrize("groups", [1, 8, 32, 64])
@pytest.mark.parametrize("batch,shape", [(1, (1, 3, 5)), (2, (2, 3, 4))])
def test_values_and_gradients_equal_the_plain_equations(head_config, form, groups, batch, shape):
    head = make_head(head_config(FORM=form, GROUPS=groups))
    features = torch.randn(batch, 128, *shape, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, batch, 5, dtype=torch.float64)

    logits, maps = head(features, return_attention=True)
    sum((w * out).sum() for w, out in zip(weights, logits, strict=True)).backward()
    gradients = [features.grad] + [p.grad for p in head.parameters()]
    features.grad, grads = None, gradients
    head.zero_grad()

    total = 0
    for b in range(batch):
        positions = features[b].flatten(1)
        expected, expected_maps = reference.logits_of_clip(head, positions, form == "as_printed")
        for output, wanted in zip(logits, expected, strict=True):
            torch.testing.assert_close(output[b], wanted, atol=1e-10, rtol=0)
        for name, wanted in expected_maps.items():
            got = maps[name][b].reshape(wanted.shape)
            torch.testing.assert_close(got, wanted, atol=1e-10, rtol=0)
        total = total + sum((w[b] * out).sum() for w, out in zip(weights, expected, strict=True))
    total.backward()
    wanted = [features.grad] + [p.grad for p in head.parameters()]
    for got, want in zip(grads, wanted, strict=True):
        torch.testing.assert_close(got, want, atol=1e-8, rtol=0)


def test_evaluation_gives_the_mean_of_the_two_probabilities(head_config):
    head = make_head(head_config())
    features = torch.randn(2, 128, 2, 3, 3, dtype=torch.float64)
    first, second = head(features)
    expected = (first.sigmoid() + second.sigmoid()) / 2
    torch.testing.assert_close(head.eval()(features), expected.float())


def test_attention_costs_nothing_when_not_asked_for(head_config):
    head = make_head(head_config()).eval()
    features = torch.randn(1, 128, 2, 3, 3, dtype=torch.float64)
    output, maps = head(features, return_attention=True)
    torch.testing.assert_close(head(features), output)
    assert maps["observations"].shape == (1, 3, 2, 3, 3)
    torch.testing.assert_close(maps["observations"].sum((2, 3, 4)), torch.ones(1, 3).double())


@pytest.mark.parametrize("form", ["default", "as_printed"])
def test_bfloat16_autocast_is_near_float32(head_config, form):
    head = make_head(head_config(FORM=form), dtype=torch.float32).eval()
    features = torch.randn(2, 128, 2, 7, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = head(features)
    torch.testing.assert_close(half, head(features), atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    "switches,outputs,parts",
    [
        ({"CORRELATION": False}, 1, {"observations", "activities"}),
        ({"ACTIVITY_FEATURES": False}, 2, {"correlation"}),
        ({"ACTIVITY_FEATURES": False, "CORRELATION": False}, 1, set()),
    ],
)
def test_each_component_can_be_switched_off(head_config, switches, outputs, parts):
    head = make_head(head_config(**switches))
    logits, maps = head(torch.randn(2, 128, 1, 2, 2).double(), return_attention=True)
    assert [output.shape for output in logits] == [(2, 5)] * outputs
    assert set(maps) == parts
    assert all(p.requires_grad for p in head.parameters())


def test_no_activity_specific_pools_the_map(head_config):
    """Table 3c's row depends on the mean over positions alone."""
    head = make_head(head_config(ACTIVITY_FEATURES=False))
    features = torch.randn(1, 128, 2, 3, 3).double()
    pooled = features.mean((2, 3, 4), keepdim=True)
    for got, want in zip(head(features), head(pooled), strict=True):
        torch.testing.assert_close(got, want)


def test_per_activity_classifier_has_a_row_for_each(head_config):
    head = make_head(head_config(CLASSIFIER="per_activity"))
    assert head.classifier.weight.shape == (5, 64)
    assert head(torch.randn(1, 128, 1, 2, 2).double())[0].shape == (1, 5)


def test_parameters_at_the_papers_size(head_config):
    """3·K·C·C'/n + A·C' before correlation, normalisation and classifier (tables 3a, 3b, 4)."""
    cfg = head_config(NUM_OBSERVATIONS=64, DIM=128, GROUPS=32)
    cfg.MODEL.NUM_CLASSES = 157
    head = ActivityHead(cfg, 2304)
    counted = [
        head.observations.alpha,
        head.observations.attention,
        head.activity_features,
    ]
    assert sum(p.numel() for m in counted for p in m.parameters()) == 1_789_568


@pytest.mark.parametrize(
    "groups,observations,millions",
    [(1, 64, 50.4), (8, 64, 6.3), (32, 64, 1.6), (64, 64, 0.8), (32, 16, 0.4), (32, 128, 3.2)],
)
def test_parameters_of_tables_3a_and_3b(head_config, groups, observations, millions):
    cfg = head_config(
        NUM_OBSERVATIONS=observations, DIM=128, GROUPS=groups, CORRELATION=False, FORM="as_printed"
    )
    cfg.MODEL.NUM_CLASSES = 157
    with torch.device("meta"):
        head = ActivityHead(cfg, 2048)
    count = sum(p.numel() for p in head.parameters())
    assert round(count / 1e6, 1) == millions


class TestEvidence:
    @pytest.mark.parametrize("rank", [0, 3])
    def test_it_adds_the_positions_log_mean_exp_to_both_outputs(self, head_config, rank):
        head = make_head(head_config(EVIDENCE=True, EVIDENCE_RANK=rank))
        projection = head.evidence.projection
        torch.nn.init.normal_(projection.weight, std=0.5)
        torch.nn.init.normal_(projection.bias)
        weight = projection.weight
        if rank:
            weight = weight @ head.evidence.reduction.weight
            assert projection.weight.shape == (5, 3) and weight.shape == (5, 128)
        features = torch.randn(2, 128, 2, 3, 4, dtype=torch.float64)
        for clip, outputs in enumerate(zip(*head(features), strict=True)):
            positions = features[clip].flatten(1)
            wanted, _ = reference.logits_of_clip(head, positions, as_printed=False)
            more = reference.log_mean_exp(positions, weight, projection.bias)
            for output, without in zip(outputs, wanted, strict=True):
                torch.testing.assert_close(output, without + more, atol=1e-10, rtol=0)

    def test_the_other_parts_start_as_without_it(self, head_config):
        options = {"CORRELATION": False}  # The test draws Mask after the weights.
        without = make_head(head_config(**options)).state_dict()
        with_it = make_head(head_config(EVIDENCE=True, **options)).state_dict()
        assert all(torch.equal(with_it[name], value) for name, value in without.items())
        assert with_it.keys() - without.keys() == {
            "evidence.projection.weight",
            "evidence.projection.bias",
        }

    def test_the_equations_as_printed_have_none(self, head_config):
        options = {"EVIDENCE": True, "RESIDUAL_CORRELATION": True}
        printed = make_head(head_config(FORM="as_printed")).state_dict()
        assert (
            make_head(head_config(FORM="as_printed", **options)).state_dict().keys()
            == printed.keys()
        )

    def test_every_parameter_learns(self, head_config):
        options = {"EVIDENCE": True, "EVIDENCE_RANK": 2, "RESIDUAL_CORRELATION": True}
        head = make_head(head_config(**options))
        torch.nn.init.constant_(head.correlation.gamma, 0.3)
        features = torch.randn(2, 128, 1, 2, 2, dtype=torch.float64)
        sum(output.square().sum() for output in head(features)).backward()
        assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())


class TestColumnEmbedding:
    def test_all_of_the_head_sees_it_in_place_of_the_columns(self, head_config):
        options = {"EVIDENCE": True, "GROUPS": 8}
        head = make_head(head_config(COLUMN_DIM=24, **options))
        features = torch.randn(2, 128, 2, 3, 4, dtype=torch.float64)
        embedded = torch.zeros(2, 24, 2, 3, 4, dtype=torch.float64)
        weight, bias = head.columns.embedding.projection.parameters()
        for channel in range(24):
            rows = torch.einsum("c,bcthw->bthw", weight[channel], features)
            embedded[:, channel] = (rows + bias[channel]).clamp(min=0)
        assert 0.1 < (embedded == 0).double().mean() < 0.9
        on_embedded = make_head(head_config(COLUMN_DIM=0, **options), dim_in=24)
        state = head.state_dict()
        on_embedded.load_state_dict({name: state[name] for name in on_embedded.state_dict()})
        found, wanted = head(features), on_embedded(embedded)
        torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)

    def test_it_is_what_stands_behind_an_objects_column_too(self, head_config):
        cfg = head_config(COLUMN_DIM=24, GROUPS=8, EVIDENCE=True)
        cfg.OBJECTS.NUM_CLASSES = 2
        head = make_head(cfg)
        features = torch.randn(2, 128, 1, 3, 3, dtype=torch.float64)
        boxes = torch.tensor([[0.1, 0.2, 0.6, 0.9]])
        zeros = torch.zeros(1, dtype=torch.int64)
        objects = Objects(boxes, torch.tensor([0.5]), zeros, zeros)
        plain, seen = (
            ColumnsOf.forward(head.columns, features, objects),
            head.columns(features, objects),
        )
        assert seen.values.shape == (2, 24, 10) and torch.equal(seen.padding, plain.padding)
        weight, bias = head.columns.embedding.projection.parameters()
        wanted = (weight @ plain.values[0, :, 9] + bias).clamp(min=0)
        torch.testing.assert_close(seen.values[0, :, 9], wanted)
        # The clip without an object does not see the one that fills its place.
        head.eval()
        none = Objects(boxes[:0], boxes[:0, 0], zeros[:0], zeros[:0])
        torch.testing.assert_close(head(features, objects)[1:], head(features[1:], none))

    def test_the_equations_as_printed_have_none(self, head_config):
        options = {"FORM": "as_printed"}
        printed = make_head(head_config(COLUMN_DIM=0, **options)).state_dict()
        found = make_head(head_config(COLUMN_DIM=24, **options)).state_dict()
        assert {n: v.shape for n, v in found.items()} == {n: v.shape for n, v in printed.items()}

    def test_it_keeps_to_autocasts_precision(self, head_config):
        head = make_head(head_config(COLUMN_DIM=24, GROUPS=8), dtype=torch.float32)
        features = torch.randn(1, 128, 1, 2, 2)
        with torch.autocast("cpu", torch.bfloat16):
            assert head.columns(features).values.dtype == torch.bfloat16

    def test_groups_must_part_its_channels(self, head_config):
        with pytest.raises(SlowFastExtError, match=r"must divide ACTIVITY.COLUMN_DIM's 20 chan"):
            make_head(head_config(COLUMN_DIM=20, GROUPS=8))
        with pytest.raises(SlowFastExtError, match=r"must divide the backbone's 20 channels"):
            make_head(head_config(COLUMN_DIM=20, GROUPS=8, FORM="as_printed"), dim_in=20)


def test_a_residual_correlation_starts_as_the_activities_own_features(head_config):
    head = make_head(head_config(RESIDUAL_CORRELATION=True))
    features = torch.randn(2, 128, 1, 2, 3, dtype=torch.float64)
    activity_features = head.embed(features)
    first = head.correlated_classifier(activity_features)
    torch.testing.assert_close(head(features)[1], first)
    torch.nn.init.constant_(head.correlation.gamma, 0.7)
    part = head.correlation
    query, key, mask = part.query.weight, part.key.weight, part.mask
    for clip in range(2):
        correlated, _ = reference.correlate(activity_features[clip], query, key, mask)
        wanted = head.correlated_classifier((activity_features[clip] + 0.7 * correlated)[None])
        torch.testing.assert_close(head(features)[1][clip], wanted[0], atol=1e-10, rtol=0)
