"""Files of other projects load under their own names."""

import re

import pytest
import torch
import torchvision

from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.weights import load_weights, read_weights, to_own_names
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork
from tests.models.test_csn import csn_config
from tests.models.test_network import CONFIGS, SINGLE


def mmaction2_name(name, form):
    """Our name of a CSN's tensor -> mmaction2's: `conv` and `bn` for 0 and 1."""
    *start, place, tensor = re.fullmatch(
        r"(?:(layer\d\.\d+)\.)?(stem|conv\d|downsample)\.([\d.]+)\.(\w+)", name
    ).groups()
    places = {"0": "conv", "1": "bn"}
    if start[1] == "conv2":
        places = {"0": "0.conv", "1": "0.bn"}
        if form == "ip":
            places = {"0.0": "0.conv", "0.1": "0.bn", "0.2": "1.conv", "1": "1.bn"}
    prefix = "backbone.conv1" if start[0] is None else f"backbone.{start[0]}.{start[1]}"
    return f"{prefix}.{places[place]}.{tensor}"


@pytest.fixture(params=["ip", "ir"])
def form(request):
    return request.param


@pytest.fixture
def network(form):
    return ActivityNetwork(csn_config("ACTIVITY.CSN_FORM", form))


def backbone_state(network):
    """Other values than the network's, under the names of its backbone."""
    state = network.backbone.state_dict()
    return {name: torch.rand_like(value.float()).to(value.dtype) for name, value in state.items()}


def check_loads(network, path, wanted):
    load_weights(network, str(path), read_weights(str(path), "pytorch")["model_state"])
    for name, value in network.backbone.state_dict().items():
        assert torch.equal(value, wanted[name]), name


def test_vmz_csn(network, tmp_path):
    wanted = backbone_state(network)
    torch.save({**wanted, "fc.weight": torch.zeros(400, 2048)}, tmp_path / "vmz.pth")
    check_loads(network, tmp_path / "vmz.pth", wanted)


@pytest.mark.parametrize("whole", [True, False], ids=["recogniser", "backbone"])
def test_mmaction2_csn(network, form, whole, tmp_path):
    wanted = backbone_state(network)
    state = {mmaction2_name(name, form): value for name, value in wanted.items()}
    assert len(state) == len(wanted)
    if whole:
        state["cls_head.fc_cls.weight"] = torch.zeros(400, 2048)
    else:
        state = {name.removeprefix("backbone."): value for name, value in state.items()}
    torch.save({"meta": {"epoch": 58}, "state_dict": state}, tmp_path / "mm.pth")
    check_loads(network, tmp_path / "mm.pth", wanted)


def test_the_other_form_is_refused(network, form, tmp_path):
    torch.save(backbone_state(network), tmp_path / "vmz.pth")
    other = "ir" if form == "ip" else "ip"
    other = ActivityNetwork(csn_config("ACTIVITY.CSN_FORM", other))
    with pytest.raises(SlowFastExtError, match="of the backbone's .* tensors match"):
        check_loads(other, tmp_path / "vmz.pth", {})


def test_torchvision_resnet_inflated_gives_its_features_on_a_clip_that_stands_still(tmp_path):
    torch.manual_seed(0)
    flat = torchvision.models.resnet50()
    for module in flat.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    torch.save(flat.state_dict(), tmp_path / "resnet50.pth")
    options = [*SINGLE, "MODEL.ARCH", "c2d", "ACTIVITY.HEAD", "PoolHead"]
    options += ["RESNET.WIDTH_PER_GROUP", "64", "RESNET.SPATIAL_STRIDES", "[[1],[2],[2],[2]]"]
    network = ActivityNetwork(checked_config(str(CONFIGS / "ACTIVITY_SLOWFAST.yaml"), options))
    state = read_weights(str(tmp_path / "resnet50.pth"), "pytorch")["model_state"]
    load_weights(network, "resnet50.pth", state, inflate=True)
    image = torch.randn(1, 3, 64, 64).double()
    wanted = torch.nn.Sequential(*list(flat.eval().double().children())[:-2])(image)
    features = network.eval().double().features([image[:, :, None].expand(-1, -1, 8, -1, -1)])
    for frame in features.unbind(2):
        torch.testing.assert_close(frame, wanted, atol=1e-9, rtol=1e-9)


@pytest.fixture
def nonlocal_50():
    """Nonlocal-101's config at depth 50, which is faster."""
    options = ["NUM_GPUS", "0", "RESNET.DEPTH", "50"]
    options += ["RESNET.NUM_BLOCK_TEMP_KERNEL", "[[3], [4], [6], [3]]"]
    return ActivityNetwork(
        checked_config(str(CONFIGS.parent / "Charades/NONLOCAL_101.yaml"), options)
    )


def test_non_local_blocks_are_new_in_an_inflated_resnet(nonlocal_50):
    state = to_own_names(torchvision.models.resnet50().state_dict())
    told = load_weights(nonlocal_50, "resnet50.pth", state, inflate=True)
    of_blocks = [n for n in nonlocal_50.state_dict() if "_nonlocal" in n and "num_batches" not in n]
    assert f"265 of the backbone's 265 tensors match, {len(of_blocks)} of non-local blocks" in told
    kernel = nonlocal_50.backbone.s4.pathway0_res0.branch2.a.weight
    wanted = state["s4.pathway0_res0.branch2.a.weight"][:, :, None] / kernel.shape[2]
    torch.testing.assert_close(kernel, wanted.expand_as(kernel))


def test_in_a_file_of_three_dimensions_non_local_blocks_count(nonlocal_50):
    state = {n: v for n, v in nonlocal_50.backbone.state_dict().items() if "_nonlocal" not in n}
    for inflate in (False, True):
        with pytest.raises(SlowFastExtError, match="missing or of another shape are .*_nonlocal"):
            load_weights(nonlocal_50, "x.pyth", state, inflate=inflate)


def test_other_names_stay():
    state = {"backbone.s1.x": torch.zeros(1), "head.conv1.weight": torch.zeros(1)}
    assert list(to_own_names(state)) == list(state)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {"state_dict": 3}, {"state_dict": {"a": 1}}])
def test_a_file_without_tensors_by_name_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(SlowFastExtError, match="not a PySlowFast checkpoint"):
        read_weights(str(tmp_path / "x.pth"), "pytorch")
