"""Weights of other libraries' networks: their own files, folders, and downloads that fail."""

import json
import sys

import pytest
import torch
import torchvision

from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.weights import load_weights, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork

WORDS = ["MODEL.MODEL_NAME", "ActivityNetwork", "MODEL.NUM_CLASSES", "3", "NUM_GPUS", "0"]
WORDS += ["MODEL.HEAD_ACT", "sigmoid", "MODEL.LOSS_FUNC", "bce", "ACTIVITY.HEAD", "PoolHead"]


@pytest.fixture(scope="module")
def network():
    words = ["ACTIVITY.BACKBONE", "torchvision:r3d_18", "DATA.TRAIN_CROP_SIZE", "32"]
    return ActivityNetwork(checked_config(None, [*WORDS, *words, "DATA.TEST_CROP_SIZE", "32"]))


@pytest.fixture(scope="module")
def published():
    """Other values than the network's, as torchvision stores them."""
    torch.manual_seed(3)
    return torchvision.models.get_model("r3d_18", weights=None).state_dict()


def check_loads(network, path, published):
    for value in network.backbone.state_dict().values():
        value.zero_()
    told = load_weights(network, str(path), read_weights(str(path), "pytorch")["model_state"])
    assert "100 of the backbone's 100 tensors match" in told
    assert told.endswith("left in the file: fc.bias, fc.weight")
    for name, value in network.backbone.network.state_dict().items():
        assert (value - published[name]).abs().max() == 0, name


def test_torchvisions_own_file(network, published, tmp_path):
    torch.save(published, tmp_path / "r3d_18.pth")
    check_loads(network, tmp_path / "r3d_18.pth", published)


def test_a_file_of_safetensors_and_a_folder_of_them(network, published, tmp_path):
    save_file = pytest.importorskip("safetensors.torch").save_file
    (tmp_path / "whole").mkdir()
    save_file(published, tmp_path / "whole" / "model.safetensors")
    check_loads(network, tmp_path / "whole" / "model.safetensors", published)
    check_loads(network, tmp_path / "whole", published)
    (tmp_path / "parts").mkdir()
    names = sorted(published)
    halves = {"a.safetensors": names[: len(names) // 2], "b.safetensors": names[len(names) // 2 :]}
    for file, part in halves.items():
        save_file({name: published[name] for name in part}, tmp_path / "parts" / file)
    index = {"weight_map": {name: file for file, part in halves.items() for name in part}}
    (tmp_path / "parts" / "model.safetensors.index.json").write_text(json.dumps(index))
    check_loads(network, tmp_path / "parts", published)


def test_weights_that_torchvision_has_downloaded(network, published, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url",
        lambda url, **options: asked.append((url, options["check_hash"])) or published,
    )
    check_loads(network, "torchvision:R3D_18_Weights.KINETICS400_V1", published)
    assert asked == [(torchvision.models.video.R3D_18_Weights.KINETICS400_V1.url, True)]


def test_our_backbones_own_tensors(network, published):
    torch.manual_seed(5)
    state = {name: torch.rand_like(v.float()) for name, v in network.backbone.state_dict().items()}
    load_weights(network, "x.pyth", state)
    weight = network.backbone.network.layer4[1].conv2[0].weight
    assert torch.equal(weight, state["network.layer4.1.conv2.0.weight"])


def test_another_architectures_weights_are_refused(network, tmp_path):
    state = torchvision.models.get_model("mc3_18", weights=None).state_dict()
    with pytest.raises(SlowFastExtError, match="x.pth: .* these are weights of another network"):
        load_weights(network, "x.pth", state)


INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    "files,words",
    [
        ({}, "has no model.safetensors: nothing but safetensors files is read"),
        ({"pytorch_model.bin": "x"}, "save a pytorch_model.bin that you trust anew"),
        ({"model.safetensors": "nothing"}, "not a file of safetensors, or damaged"),
        ({INDEX: "[]"}, "is no index of safetensors files"),
        ({INDEX: '{"weight_map": {"a": "../b.safetensors"}}'}, "has no ../b.safetensors"),
    ],
)
def test_a_folder_without_readable_weights_is_refused(files, words, tmp_path):
    pytest.importorskip("safetensors")
    (tmp_path / "model").mkdir()
    for name, text in files.items():
        (tmp_path / "model" / name).write_text(text)
    (tmp_path / "b.safetensors").write_text("")
    with pytest.raises(SlowFastExtError, match=words):
        read_weights(str(tmp_path / "model"), "pytorch")


def test_safetensors_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    (tmp_path / "x.safetensors").write_text("")
    with pytest.raises(SlowFastExtError, match="pip install safetensors"):
        read_weights(str(tmp_path / "x.safetensors"), "pytorch")


@pytest.mark.parametrize(
    "path,words",
    [
        ("torchvision:R3D_18_Weights.KINETICS400_V2", "did you mean R3D_18_Weights.KINETICS400_V1"),
        ("torchvision:R3D_18_Weights.KINETICS400_V1", "https://.* cannot be downloaded .*no net"),
        ("torchvison:R3D_18_Weights.KINETICS400_V1", "there is no such checkpoint"),
    ],
)
def test_weights_that_torchvision_publishes(path, words, monkeypatch):
    def fails(*args, **options):
        raise OSError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", fails)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fails)
    with pytest.raises(SlowFastExtError, match=words):
        read_weights(path, "pytorch")
