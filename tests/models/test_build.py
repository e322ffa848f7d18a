"""The heads' contract, with heads that a user registers."""

import pytest
import torch
import torch.nn as nn

from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import HEAD_REGISTRY, ActivityHead, ActivityNetwork, PoolHead, build_head
from slowfast_ext.models.group_head import GroupHead
from slowfast_ext.upstream import base_config
from slowfast_ext.utils.paths import CONFIGS

C = 16


class OwnForward(PoolHead):
    """The largest value in place of the mean, in `forward` alone."""

    def forward(self, features, objects=None):
        return self.classify(features.amax((2, 3, 4)))


class OwnForwardOfActivities(ActivityHead):
    def forward(self, features, objects=None):
        return super().forward(features, objects)


class OwnEmbedding(PoolHead):
    """The same in the place where the group's head finds it."""

    def embed(self, features, objects=None):
        return features.amax((2, 3, 4))


class WholeHead(PoolHead):
    """A forward of its own, and the parts that say the same."""

    def forward(self, features, objects=None):
        return self.classify(self.embed(features))

    def embed(self, features, objects=None):
        return features.amax((2, 3, 4))

    def classify(self, embedding):
        return (2 * self.projection(embedding),)


class ForwardAlone(nn.Module):
    """All that the registry asks for."""

    def __init__(self, cfg, dim_in):
        super().__init__()
        self.projection = nn.Linear(dim_in, cfg.MODEL.NUM_CLASSES)

    def forward(self, features, objects=None):
        logits = self.projection(features.amax((2, 3, 4)))
        return (logits,) if self.training else logits.sigmoid()


class WithMask(PoolHead):
    """Has no Mask before it is given one."""

    def set_cooccurrence(self, mask):
        self.cooccurrence = mask


OURS = (OwnForward, OwnForwardOfActivities, OwnEmbedding, WholeHead, ForwardAlone, WithMask)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The heads above, until the test is over."""
    names = {**HEAD_REGISTRY._obj_map, **{head.__name__: head for head in OURS}}
    monkeypatch.setattr(HEAD_REGISTRY, "_obj_map", names)


@pytest.fixture
def cfg():
    cfg = add_slowfast_ext_config(base_config())
    cfg.MODEL.NUM_CLASSES, cfg.MODEL.HEAD_ACT, cfg.MODEL.DROPOUT_RATE = 8, "softmax", 0.0
    cfg.ACTIVITY.DIM, cfg.ACTIVITY.GROUPS = 8, 4
    return cfg


def joined(cfg, name):
    """The group's logits where the joining has learned nothing yet, and the maps."""
    cfg.ACTIVITY.HEAD = name
    torch.manual_seed(0)
    features, regions = torch.randn(2, C, 2, 3, 5), torch.randn(3, C, 2, 7, 7)
    boxes = torch.tensor([[0, 0, 0, 4, 8], [0, 20, 0, 28, 8], [1, 2, 0, 8, 8]]).float()
    head = GroupHead(cfg, C)
    (groups,), (persons,) = head(features, regions, boxes)
    torch.testing.assert_close(groups, head.scene(features)[0])
    torch.testing.assert_close(persons, head.persons(regions)[0])
    return groups, head.scene, features


def test_what_a_head_overrides_reaches_the_group(cfg):
    groups, scene, features = joined(cfg, "OwnEmbedding")
    torch.testing.assert_close(groups, scene.projection(features.amax((2, 3, 4))))
    groups, scene, features = joined(cfg, "WholeHead")
    torch.testing.assert_close(groups, 2 * scene.projection(features.amax((2, 3, 4))))


@pytest.mark.parametrize(
    "name, reason",
    [
        ("OwnForward", "has a forward of its own, which a group's head never calls"),
        ("OwnForwardOfActivities", "has a forward of its own"),
        ("ForwardAlone", "has no features to join the persons' with"),
    ],
)
def test_a_head_that_a_group_would_not_hear_is_refused(cfg, name, reason):
    cfg.ACTIVITY.HEAD = name
    with pytest.raises(SlowFastExtError, match=f"^ACTIVITY.HEAD is {name}: it {reason}"):
        GroupHead(cfg, C)


def test_it_is_refused_before_anything_is_built():
    options = "NUM_GPUS 0 ACTIVITY.HEAD OwnForward TRAIN.CHECKPOINT_FILE_PATH x.pkl"
    path = str(CONFIGS / "Volleyball" / "GROUP_BB_ACTIVITY.yaml")
    with pytest.raises(SlowFastExtError, match=r"^ACTIVITY\.HEAD is OwnForward"):
        checked_config(path, options.split())


@pytest.mark.parametrize("name", ["ForwardAlone", "OwnForward"])
def test_a_forward_is_enough_for_clips(name):
    path = str(CONFIGS / "Synthetic" / "ACTIVITY_SLOWFAST.yaml")
    cfg = checked_config(path, f"NUM_GPUS 0 MODEL.DROPOUT_RATE 0.0 ACTIVITY.HEAD {name}".split())
    network = ActivityNetwork(cfg)
    network.set_cooccurrence(torch.ones(12, 12))
    assert network.cooccurrence is None
    inputs = [torch.randn(1, 3, length, 64, 64) for length in (2, 8)]
    features = network.features(inputs)
    wanted = network.head.projection(features.amax((2, 3, 4)))
    torch.testing.assert_close(network(inputs), (wanted,))


def test_a_head_that_has_no_mask_at_its_start_is_given_one():
    path = str(CONFIGS / "Synthetic" / "ACTIVITY_SLOWFAST.yaml")
    network = ActivityNetwork(checked_config(path, ["NUM_GPUS", "0", "ACTIVITY.HEAD", "WithMask"]))
    mask = torch.rand(12, 12)
    network.set_cooccurrence(mask)
    network.set_cooccurrence(None)
    assert torch.equal(network.cooccurrence, mask)


def test_a_head_takes_the_cooccurrence(cfg):
    mask = torch.rand(8, 8)
    head = build_head(cfg, C)
    head.set_cooccurrence(mask)
    assert torch.equal(head.state_dict()["correlation.mask"], mask)
    assert torch.equal(head.cooccurrence, mask)
    cfg.ACTIVITY.CORRELATION = False
    head = build_head(cfg, C)
    head.set_cooccurrence(mask)
    assert head.cooccurrence is None
    assert PoolHead(cfg, C).cooccurrence is None
