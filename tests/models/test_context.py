"""The frame's columns beside a person's, against columns put together by hand."""

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityHead, LSEPoolHead, MLDecoderHead, PoolHead
from slowfast_ext.models.network import ActivityNetwork
from slowfast_ext.models.objects import Context
from slowfast_ext.utils.paths import CONFIGS
from tests.models import reference

T, H, W = 2, 3, 4
CLIPS = [1, 0, 1]


@pytest.fixture
def batch():
    """Three persons' maps and the two clips that they are in; float64."""
    torch.manual_seed(0)
    regions = torch.randn(3, 128, T, 2, 2, dtype=torch.float64)
    frames = torch.randn(2, 128, T, H, W, dtype=torch.float64)
    return regions, Context(frames, torch.tensor(CLIPS))


def make_head(head_config, head_class=ActivityHead, **activity):
    torch.manual_seed(1)
    head = head_class(head_config(CONTEXT=True, **activity), 128).double()
    assert not head.columns.context.embedding.any()
    torch.nn.init.normal_(head.columns.context.embedding)
    return head


def columns_by_hand(head, regions, context, person):
    """C x (N + H·W): the person's own, then the frame's means over time, one cell after another."""
    frame, embedding = context.features[CLIPS[person]], head.columns.context.embedding
    cells = [frame[:, :, y, x].sum(1) / T + embedding for y in range(H) for x in range(W)]
    own = [regions[person, :, t, y, x] for t in range(T) for y in range(2) for x in range(2)]
    return torch.stack(own + cells, dim=1)


def test_observations_attend_to_the_frame_and_do_not_ask_from_it(head_config, batch):
    regions, context = batch
    head = make_head(head_config)
    logits, maps = head(regions, objects=context, return_attention=True)
    for person in range(3):
        columns = columns_by_hand(head, regions, context, person)
        expected, attention = reference.logits_of_clip(head, columns, False, T * 2 * 2)
        for got, wanted in zip(logits, expected, strict=True):
            torch.testing.assert_close(got[person], wanted, atol=1e-10, rtol=0)
        got = torch.cat([maps["observations"][person].flatten(1), maps["objects"][person]], 1)
        torch.testing.assert_close(got, attention["observations"], atol=1e-10, rtol=0)


def test_evidence_is_of_the_person_alone(head_config, batch):
    regions, context = batch
    head = make_head(head_config, EVIDENCE=True)
    torch.nn.init.normal_(head.evidence.projection.weight)
    found = head.embed(regions, context)[..., -1]
    for person in range(3):
        columns = regions[person].flatten(1)
        wanted = reference.log_mean_exp(columns, *head.evidence.projection.parameters())
        torch.testing.assert_close(found[person], wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("head_class", [ActivityHead, LSEPoolHead, MLDecoderHead, PoolHead])
def test_a_person_sees_its_own_clip_alone(head_config, batch, head_class):
    regions, context = batch
    head = make_head(head_config, head_class).eval()
    together = head(regions, context)
    for person, clip in enumerate(CLIPS):
        own = Context(context.features[clip : clip + 1], torch.tensor([0]))
        alone = head(regions[person : person + 1], own)
        torch.testing.assert_close(together[person : person + 1], alone)
        elsewhere = head(regions[person : person + 1], context._replace(clips=1 - own.clips - clip))
        assert (elsewhere - alone).abs().max() > 1e-6


def test_the_other_parts_start_as_without_it(head_config):
    states = []
    for context in (False, True):
        torch.manual_seed(0)
        states.append(ActivityHead(head_config(CONTEXT=context), 128).state_dict())
    without, with_it = states
    assert all(torch.equal(with_it[name], value) for name, value in without.items())
    assert with_it.keys() - without.keys() == {"columns.context.embedding"}


def test_the_equations_as_printed_have_none(head_config):
    head = ActivityHead(head_config(CONTEXT=True, FORM="as_printed"), 128)
    assert "columns.context.embedding" not in head.state_dict()


def test_every_parameter_learns(head_config, batch):
    head = make_head(head_config, EVIDENCE=True)
    sum(output.square().sum() for output in head(*batch)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())


# --- The network -----------------------------------------------------------------------------

SMALL = str(CONFIGS / "Synthetic" / "ACTIVITY_SLOWFAST.yaml")
OPTIONS = ["NUM_GPUS", 0, "MODEL.DROPOUT_RATE", 0.0, "ACTIVITY.CONTEXT", True]
OF_PERSONS = ["TRAIN.DATASET", "ava", "TEST.DATASET", "ava", "DETECTION.ENABLE", True]
OF_GROUPS = ["TRAIN.DATASET", "Volleyball", "TEST.DATASET", "Volleyball", "DETECTION.ENABLE", True]
OF_GROUPS += ["VOLLEYBALL.TASK", "group", "MODEL.NUM_CLASSES", 8]
OF_GROUPS += ["MODEL.LOSS_FUNC", "cross_entropy", "MODEL.HEAD_ACT", "softmax"]
BOXES = torch.tensor([[0, 0, 0, 30, 40], [0, 60, 20, 95, 63], [1, 0, 0, 30, 40]]).float()


def small_network(words):
    """In evaluation, and two clips' pathways."""
    cfg = checked_config(SMALL, [*OPTIONS, *words])
    torch.manual_seed(0)
    network = ActivityNetwork(cfg).eval()
    pathways = [upstream.pack_pathways(cfg, torch.randn(3, 8, 64, 96)) for _ in range(2)]
    return network, [torch.stack(of_clips) for of_clips in zip(*pathways, strict=True)]


@torch.no_grad()
def test_a_network_gives_each_person_its_own_clip():
    network, inputs = small_network(OF_PERSONS)
    features = network.features(inputs)
    context = Context(features, torch.tensor([0, 0, 1]))
    wanted = network.head(network.regions(features, BOXES), context)
    scores = network(inputs, BOXES)
    torch.testing.assert_close(scores, wanted, atol=0, rtol=0)
    # Without it a person has other scores; from stored maps the same.
    assert (network.head(network.regions(features, BOXES)) - scores).abs().max() > 1e-5
    maps = network.backbone_map(inputs)
    torch.testing.assert_close(network([maps], BOXES, are_maps=True), scores, atol=0, rtol=0)
    assert network(inputs, BOXES[:0]).shape == (0, 12)


@torch.no_grad()
def test_a_group_s_persons_see_it_and_its_scene_has_none():
    network, inputs = small_network(OF_GROUPS)
    names = [name for name in network.state_dict() if "context" in name]
    assert names == ["head.persons.columns.context.embedding"]
    _, (persons, _) = network.train().head(
        features := network.features(inputs), network.regions(features, BOXES), BOXES
    )
    context = Context(features, torch.tensor([0, 0, 1]))
    wanted, _ = network.head.persons(network.regions(features, BOXES), context)
    torch.testing.assert_close(persons, wanted)


@pytest.mark.parametrize(
    "words,sentence",
    [
        ([], "ACTIVITY.CONTEXT is True: it needs DETECTION.ENABLE True"),
        ([*OF_PERSONS, "ACTIVITY.HEAD", "RoIPoolHead"], "must be False for RoIPoolHead"),
    ],
)
def test_where_nothing_would_see_it_it_is_refused(words, sentence):
    with pytest.raises(SlowFastExtError, match=sentence):
        checked_config(SMALL, [*OPTIONS, *words])
