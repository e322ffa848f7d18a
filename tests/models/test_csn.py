"""The channel-separated backbone."""

import pytest
import torch
import torch.nn as nn

from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import CSN, ActivityNetwork
from tests.models.test_network import CONFIGS, SINGLE

OPTIONS = [
    *SINGLE,
    *("MODEL.ARCH", "c2d", "ACTIVITY.BACKBONE", "CSN", "ACTIVITY.HEAD", "PoolHead"),
    *("RESNET.WIDTH_PER_GROUP", "64"),
]


def csn_config(*options):
    return checked_config(str(CONFIGS / "ACTIVITY_SLOWFAST.yaml"), [*OPTIONS, *options])


def num_weights(network):
    """Parameters without batch-norm's."""
    norms = {m for m in network.modules() if isinstance(m, nn.BatchNorm3d)}
    return sum(
        p.numel() for m in network.modules() if m not in norms for p in m.parameters(recurse=False)
    )


@pytest.mark.parametrize("form,millions", [("ip", 32.0), ("ir", 28.7)])
def test_csn_152_is_as_large_as_published(form, millions):
    # 32.8 M and 29.6 M with the classifier of 400 classes, 2048 x 400 + 400.
    cfg = csn_config("RESNET.DEPTH", "152", "ACTIVITY.CSN_FORM", form)
    with torch.device("meta"):
        network = CSN(cfg)
    assert num_weights(network) / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_clip_of_32_frames_gives_4_x_7_x_7():
    with torch.device("meta"):
        network = CSN(csn_config("RESNET.DEPTH", "152")).eval()
        (features,) = network([torch.empty(1, 3, 32, 224, 224)])
    assert features.shape == (1, 2048, 4, 7, 7)


@pytest.mark.parametrize("form", ["ip", "ir"])
def test_the_network_trains_on_it(form):
    network = ActivityNetwork(csn_config("ACTIVITY.CSN_FORM", form))
    (logits,) = network([torch.randn(2, 3, 8, 32, 32)])
    logits.sum().backward()
    assert logits.shape == (2, 5)
    assert all(p.grad is not None for p in network.parameters())


def test_its_normalisation_is_that_of_the_published_weights():
    # VMZ and mmaction2 have an epsilon of 1e-3. The momentum 0.9 that Caffe2 names, and VMZ
    # repeats, is what torch calls 0.1: how much the newest batch counts.
    with torch.device("meta"):
        norms = [m for m in CSN(csn_config()).modules() if isinstance(m, nn.BatchNorm3d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.1)}


def test_the_forms_differ_by_one_convolution_a_block():
    ip, ir = (CSN(csn_config("ACTIVITY.CSN_FORM", form)) for form in ("ip", "ir"))
    more = num_weights(ip) - num_weights(ir)
    assert more == sum(n * c * c for n, c in zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True))


@pytest.mark.parametrize("key,value", [("RESNET.DEPTH", "77"), ("RESNET.WIDTH_PER_GROUP", "32")])
def test_another_depth_or_width_is_refused(key, value):
    with pytest.raises(SlowFastExtError, match="CSN is 50, 101, 152 deep, 64 wide"):
        csn_config(key, value)


def test_for_detection_the_last_stage_keeps_its_size():
    strides, dilations = "[[1],[2],[2],[1]]", "[[1],[1],[1],[2]]"
    options = ("RESNET.SPATIAL_STRIDES", strides, "RESNET.SPATIAL_DILATIONS", dilations)
    cfg = csn_config("RESNET.DEPTH", "50", *options)
    with torch.device("meta"):
        network = CSN(cfg)
        (features,) = network([torch.empty(1, 3, 8, 64, 64)])
    assert features.shape == (1, 2048, 1, 4, 4)
    depthwise = [m for m in network.layer4.modules() if getattr(m, "groups", 1) > 1]
    assert {m.dilation for m in depthwise} == {(1, 2, 2)}
    assert {m.dilation for m in network.layer3.modules() if isinstance(m, nn.Conv3d)} == {(1, 1, 1)}
