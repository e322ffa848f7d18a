"""Persons' regions of the last map, and upstream's own head on them."""

import importlib

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.models import RoIPoolHead
from slowfast_ext.models.regions import PersonRegions


def detection_config(aligned=True, num_classes=5):
    cfg = add_slowfast_ext_config(upstream.base_config())
    cfg.DETECTION.ENABLE, cfg.DETECTION.ALIGNED = True, aligned
    cfg.MODEL.NUM_CLASSES, cfg.MODEL.HEAD_ACT = num_classes, "sigmoid"
    return cfg


@pytest.fixture
def batch():
    """Maps of two pathways, 14 x 14 at 224 pixels, and five boxes: any shape, one outside."""
    torch.manual_seed(0)
    slow, fast = torch.randn(2, 16, 4, 14, 14), torch.randn(2, 8, 8, 14, 14)
    boxes = torch.tensor(
        [
            [0, 10.0, 20.0, 100.0, 200.0],
            [0, 0.0, 0.0, 224.0, 224.0],
            [1, 50.0, 60.0, 50.5, 220.0],
            [1, 5.0, 200.0, 220.0, 201.0],
            [1, 224.0, 224.0, 224.0, 224.0],
        ]
    )
    return slow, fast, boxes


@pytest.mark.parametrize("aligned", [True, False])
def test_every_time_step_is_aligned_by_itself(batch, aligned):
    slow, _, boxes = batch
    regions = PersonRegions(detection_config(aligned), 16)(slow, boxes)
    assert regions.shape == (5, 16, 4, 7, 7)
    one_step = upstream.ROIAlign([7, 7], 1 / 16, 0, aligned=aligned)
    for step in range(4):
        wanted = one_step(slow[:, :, step].contiguous(), boxes)
        torch.testing.assert_close(regions[:, :, step], wanted, atol=1e-6, rtol=0)


def test_alignment_is_honoured(batch):
    slow, _, boxes = batch
    given, legacy = (PersonRegions(detection_config(a), 16)(slow, boxes) for a in (True, False))
    assert (given - legacy).abs().max() > 0.1


def test_detectron2_and_torchvision_give_the_same(batch):
    layers = pytest.importorskip("detectron2.layers", reason="needs detectron2")
    ops = importlib.import_module("torchvision.ops")
    slow, _, boxes = batch
    for aligned in (True, False):
        results = [
            module(7, 1 / 16, 0, aligned=aligned)(slow[:, :, 0].contiguous(), boxes)
            for module in (layers.ROIAlign, ops.RoIAlign)
        ]
        torch.testing.assert_close(*results, atol=1e-6, rtol=0)


def test_the_baseline_is_upstreams_head(batch):
    slow, fast, boxes = batch
    cfg = detection_config()
    theirs = upstream.ResNetRoIHead(
        dim_in=[16, 8],
        num_classes=5,
        pool_size=[[4, 1, 1], [8, 1, 1]],
        resolution=[[7, 7], [7, 7]],
        scale_factor=[16, 16],
        act_func="sigmoid",
    ).eval()
    ours = RoIPoolHead(cfg, 24).eval()
    ours.projection.load_state_dict(theirs.projection.state_dict())
    # join_pathways' two steps: in time the fast pathway is pooled to the slow one's.
    joined = torch.cat([slow, torch.nn.functional.adaptive_avg_pool3d(fast, (4, 14, 14))], 1)
    got = ours(PersonRegions(cfg, 16)(joined, boxes))
    torch.testing.assert_close(got, theirs([slow, fast], boxes), atol=1e-6, rtol=0)


@pytest.mark.parametrize("number", [0, 1, 37])
def test_any_number_of_persons(batch, number):
    slow, _, _ = batch
    boxes = torch.cat([torch.zeros(number, 1), torch.rand(number, 4).sort(1)[0] * 224], 1)
    slow.requires_grad_()
    regions = PersonRegions(detection_config(), 16)(slow, boxes)
    assert regions.shape == (number, 16, 4, 7, 7)
    regions.sum().backward()
    assert slow.grad.shape == slow.shape
