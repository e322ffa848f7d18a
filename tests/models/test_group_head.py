"""The head that joins persons and scene, against plain loops."""

from pathlib import Path

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.datasets.volleyball_annotations import ACTIONS
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.models.group_head import NUM_PERSON_ACTIONS, GroupHead, pool_by_side
from slowfast_ext.models.network import ActivityNetwork

C = 16
# Three clips; the second has nobody, the third one person.
BOXES = torch.tensor([[0, 0, 0, 4, 8], [0, 20, 0, 28, 8], [0, 2, 0, 8, 8], [2, 5, 0, 9, 8]]).float()


@pytest.fixture
def cfg():
    cfg = add_slowfast_ext_config(upstream.base_config())
    keys = {"DIM": 8, "GROUPS": 4, "NUM_OBSERVATIONS": 3}
    for name, value in keys.items():
        cfg.ACTIVITY[name] = value
    cfg.MODEL.NUM_CLASSES, cfg.MODEL.HEAD_ACT, cfg.MODEL.DROPOUT_RATE = 8, "softmax", 0.0
    return cfg


def inputs():
    torch.manual_seed(0)
    return torch.randn(3, C, 2, 3, 5), torch.randn(4, C, 2, 7, 7), BOXES


def test_pooling_by_side_is_the_largest_of_each_side():
    features = torch.randn(4, 6, requires_grad=True)
    pooled = pool_by_side(features, BOXES, 3)
    wanted = torch.zeros(3, 2, 6)
    # Mean place of clip 0: (2 + 24 + 5) / 3; a single person is on the left.
    wanted[0, 0], wanted[0, 1] = torch.maximum(features[0], features[2]), features[1]
    wanted[2, 0] = features[3]
    torch.testing.assert_close(pooled, wanted.flatten(1))
    pooled.sum().backward()
    assert features.grad.abs().sum() == features.numel() - 6


@pytest.mark.parametrize(
    "name",
    [
        "ActivityHead",
        "AttentiveProbeHead",
        "LSEPoolHead",
        "MLDecoderHead",
        "RoIPoolHead",
        "TwoStageTransformerHead",
    ],
)
def test_persons_change_the_group_only_through_the_joining(cfg, name):
    cfg.ACTIVITY.HEAD = name
    head = GroupHead(cfg, C)
    features, regions, boxes = inputs()
    groups, persons = head(features, regions, boxes)
    assert {logits.shape for logits in groups} == {(3, 8)}
    assert {logits.shape for logits in persons} == {(4, 9)}
    alone = head.scene(features)
    # The joining starts at zero.
    torch.testing.assert_close(groups, alone)
    torch.testing.assert_close(persons, head.persons(regions))
    torch.nn.init.normal_(head.joining.weight)
    joined = head(features, regions, boxes)[0][0]
    assert (joined[0] - alone[0][0]).abs().max() > 1e-3
    # Nobody is in the second clip.
    torch.testing.assert_close(joined[1], alone[0][1])
    head.eval()
    scores = head(features, regions, boxes)
    torch.testing.assert_close(scores.sum(1), torch.ones(3))


def test_the_group_s_loss_reaches_the_persons_head(cfg):
    cfg.ACTIVITY.HEAD = "ActivityHead"
    head = GroupHead(cfg, C)
    torch.nn.init.normal_(head.joining.weight)
    sum(logits.square().sum() for logits in head(*inputs())[0]).backward()
    assert head.persons.observations.alpha.weight.grad.abs().sum() > 0
    assert head.persons.classifier.weight.grad is None


def test_masks_are_those_of_one_activity_each(cfg):
    cfg.ACTIVITY.HEAD = "ActivityHead"
    head = GroupHead(cfg, C)
    assert torch.equal(head.scene.correlation.mask, torch.eye(8))
    assert torch.equal(head.persons.correlation.mask, torch.eye(9))


def test_it_has_an_output_for_each_action_of_volleyball():
    assert len(ACTIONS) == NUM_PERSON_ACTIONS


SMALL = Path(__file__).parents[2] / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"


def test_a_network_looks_at_each_person_s_own_box():
    cfg = checked_config(str(SMALL), ["NUM_GPUS", "0", "MODEL.DROPOUT_RATE", "0.0"])
    cfg.DETECTION.ENABLE, cfg.VOLLEYBALL.TASK = True, "group"
    torch.manual_seed(0)
    network = ActivityNetwork(cfg).train()
    network.freeze_backbone()
    clip = torch.randn(1, 3, 8, 64, 96)
    boxes = torch.tensor([[0, 0, 0, 30, 40], [0, 60, 20, 95, 63]]).float()
    inputs = upstream.pack_pathways(cfg, clip[0])
    inputs = [pathway[None] for pathway in inputs]
    both = network(inputs, boxes)[1][0]
    alone = [network(inputs, box[None])[1][0][0] for box in boxes]
    torch.testing.assert_close(both, torch.stack(alone))
    assert (both[0] - both[1]).abs().max() > 1e-3
