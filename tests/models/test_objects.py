"""Objects as further columns of F, against columns put together by hand."""

import pytest
import torch

from slowfast_ext.models import ActivityHead, LSEPoolHead, PoolHead, TwoStageTransformerHead
from slowfast_ext.models.objects import ObjectColumns, Objects, join_objects
from tests.models import reference

T, H, W = 2, 3, 4


def objects_of(*rows):
    """(x1, y1, x2, y2 in cells, time, class) each -> Objects of one clip."""
    # float64: where a box touches a border of cells, rounding would change what is sampled.
    boxes = torch.tensor([row[:4] for row in rows]).double().reshape(-1, 4)
    boxes = boxes / torch.tensor([W, H, W, H])
    times = torch.tensor([float(row[4]) for row in rows])
    classes = torch.tensor([row[5] for row in rows], dtype=torch.int64)
    return Objects(boxes, times, classes, torch.zeros(len(rows), dtype=torch.int64))


@pytest.fixture
def batch():
    """Three clips: with two objects, with none, with one."""
    torch.manual_seed(0)
    features = torch.randn(3, 128, T, H, W, dtype=torch.float64)
    clips = [
        objects_of((0, 0, 2, 1, 0.0, 1), (1, 1, 4, 3, 1.0, 0)),
        objects_of(),
        objects_of((3, 2, 4, 3, 0.4, 2)),
    ]
    return features, join_objects(clips)


def columns_by_hand(features, embedding):
    """Whole cells' means, as the boxes lie on the grid."""
    first = features[0, :, 0, 0:1, 0:2].mean((1, 2)) + embedding[1]
    second = features[0, :, 1, 1:3, 1:4].mean((1, 2)) + embedding[0]
    third = features[2, :, 0, 2, 3] + embedding[2]
    return [[first, second], [], [third]]


def with_embedding(module):
    module.double()
    torch.nn.init.normal_(module.columns.objects.embedding.weight)
    return module


def test_columns_are_regions_and_their_classes(batch):
    features, objects = batch
    module = ObjectColumns(3, 128).double()
    assert not module.embedding.weight.any()
    torch.nn.init.normal_(module.embedding.weight)
    columns, padding = module(features, objects)
    assert padding.tolist() == [[False, False], [True, True], [False, True]]
    by_hand = columns_by_hand(features, module.embedding.weight)
    for clip, expected in enumerate(by_hand):
        for place, column in enumerate(expected):
            torch.testing.assert_close(columns[clip, :, place], column)


def test_an_object_lies_at_the_step_that_its_frame_went_into():
    frames, steps = 32, 4
    features = torch.arange(4.0).reshape(1, 1, steps, 1, 1).expand(1, 1, steps, H, W)
    rows = [(0, 0, 1, 1, frame / (frames - 1), 0) for frame in range(frames)]
    objects = join_objects([objects_of(*rows)])
    columns, _ = ObjectColumns(1, 1)(features, objects)
    assert columns[0, 0].tolist() == [frame * steps // frames for frame in range(frames)]


@pytest.mark.parametrize("form", ["default", "as_printed"])
def test_observations_attend_to_objects_and_do_not_ask_from_them(head_config, batch, form):
    features, objects = batch
    cfg = head_config(FORM=form)
    cfg.OBJECTS.NUM_CLASSES = 3
    head = with_embedding(ActivityHead(cfg, 128))
    logits, maps = head(features, objects=objects, return_attention=True)
    by_hand = columns_by_hand(features, head.columns.objects.embedding.weight)
    for clip, further in enumerate(by_hand):
        columns = torch.cat([features[clip].flatten(1), *(c[:, None] for c in further)], 1)
        expected, attention = reference.logits_of_clip(
            head, columns, form == "as_printed", T * H * W
        )
        for got, wanted in zip(logits, expected, strict=True):
            torch.testing.assert_close(got[clip], wanted, atol=1e-10, rtol=0)
        got = torch.cat([maps["observations"][clip].flatten(1), maps["objects"][clip]], 1)
        held = columns.shape[1]
        torch.testing.assert_close(got[:, :held], attention["observations"], atol=1e-10, rtol=0)
        assert not got[:, held:].any()


def test_upstreams_head_pools_them_with_the_rest(head_config, batch):
    features, objects = batch
    cfg = head_config()
    cfg.OBJECTS.NUM_CLASSES = 3
    head = with_embedding(PoolHead(cfg, 128))
    (logits,) = head(features, objects=objects)
    by_hand = columns_by_hand(features, head.columns.objects.embedding.weight)
    for clip, further in enumerate(by_hand):
        columns = torch.cat([features[clip].flatten(1), *(c[:, None] for c in further)], 1)
        torch.testing.assert_close(logits[clip], head.projection(columns.mean(1)))


def test_evidence_takes_them_as_further_positions(head_config, batch):
    """The log of the mean over what a clip holds, padding left out."""
    features, objects = batch
    cfg = head_config(EVIDENCE=True)
    cfg.OBJECTS.NUM_CLASSES = 3
    head = with_embedding(ActivityHead(cfg, 128))
    torch.nn.init.normal_(head.evidence.projection.weight)
    found = head.embed(features, objects)[..., -1]
    by_hand = columns_by_hand(features, head.columns.objects.embedding.weight)
    for clip, further in enumerate(by_hand):
        columns = torch.cat([features[clip].flatten(1), *(c[:, None] for c in further)], 1)
        wanted = reference.log_mean_exp(columns, *head.evidence.projection.parameters())
        torch.testing.assert_close(found[clip], wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    "head_class", [ActivityHead, LSEPoolHead, PoolHead, TwoStageTransformerHead]
)
def test_a_clip_does_not_depend_on_the_objects_of_others(head_config, batch, head_class):
    features, objects = batch
    cfg = head_config()
    cfg.OBJECTS.NUM_CLASSES = 3
    head = with_embedding(head_class(cfg, 128)).eval()
    together = head(features, objects=objects)
    alone = head(features[2:], objects=objects_of((3, 2, 4, 3, 0.4, 2)))
    torch.testing.assert_close(together[2:], alone)
    torch.testing.assert_close(together[1:2], head(features[1:2]))


def test_every_parameter_learns(head_config, batch):
    features, objects = batch
    cfg = head_config()
    cfg.OBJECTS.NUM_CLASSES = 3
    head = with_embedding(ActivityHead(cfg, 128))
    sum(output.square().sum() for output in head(features, objects=objects)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
