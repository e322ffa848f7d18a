"""Starting from other people's files: what fits, what is refused and how."""

import errno
import logging
import pickle

import numpy as np
import pytest
import torch
import torch.nn as nn
from fvcore.common.config import CfgNode

from slowfast_ext.engine.weights import check_start, load_start, load_weights, read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr


class Network(nn.Module):
    """Stands for an ActivityNetwork: two layers of a backbone and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv3d(3, 4, 3), nn.Conv3d(4, 4, (3, 1, 1)))
        self.head = nn.Linear(4, 2)


@pytest.fixture
def network():
    return Network()


def flat_state(network):
    """The backbone's weights without time."""
    state = network.backbone.state_dict()
    return {name: v[:, :, 0].clone() if v.dim() == 5 else v for name, v in state.items()}


def test_two_dimensional_kernels_are_repeated_in_time(network):
    state = flat_state(network)
    load_weights(network, "x.pyth", state, inflate=True)
    loaded = network.backbone[0].weight
    torch.testing.assert_close(loaded.sum(2), state["0.weight"])
    assert torch.equal(loaded[:, :, 0], loaded[:, :, 2])


def test_weights_that_main_would_reshape_are_refused(network, tmp_path):
    path = tmp_path / "x.pyth"
    options = {"CHECKPOINT_TYPE": "pytorch", "CHECKPOINT_CLEAR_NAME_PATTERN": ()}
    options |= {"CHECKPOINT_INFLATE": True, "CHECKPOINT_IN_INIT": True}
    cfg = CfgNode({"TRAIN": {**options, "CHECKPOINT_FILE_PATH": str(path)}})
    for start in (check_start, load_start):
        with pytest.raises(SlowFastExtError, match=r"IN_INIT is True: .*x.pyth has backbone.0.wei"):
            start(cfg, network, {"model_state": flat_state(network)})
    torch.save({"model_state": network.backbone.state_dict()}, path)
    assert "4 of the backbone's 4 tensors match" in load_start(cfg, network)


@pytest.mark.parametrize("shape", [(4, 3, 5, 5), (8, 3, 3, 3), (4, 3, 1, 3, 3), (4,)])
def test_with_inflation_too_what_does_not_fit_does_not_count(network, shape):
    state = {**flat_state(network), "0.weight": torch.zeros(shape)}
    with pytest.raises(SlowFastExtError, match="3 of the backbone's 4 tensors match; .*0.weight"):
        load_weights(network, "x.pyth", state, inflate=True)


def test_a_test_refuses_what_its_head_has_no_place_for(network):
    state = {**network.state_dict(), "head.correlation.mask": torch.ones(2, 2)}
    load_weights(network, "x.pyth", state)
    with pytest.raises(SlowFastExtError, match=r"x\.pyth: has head\.correlation\.mask, which"):
        load_weights(network, "x.pyth", state, complete=True)


def test_a_test_refuses_a_file_without_the_head(network):
    state = {f"backbone.{name}": v for name, v in network.backbone.state_dict().items()}
    with pytest.raises(SlowFastExtError, match=r"has no head\.weight of shape \(2, 4\) \(and 1 mo"):
        load_weights(network, "x.pyth", state, complete=True)


def test_what_was_loaded_is_told(network):
    told = load_weights(network, "x.pyth", network.backbone.state_dict())
    assert told == (
        "x.pyth: 4 of the backbone's 4 tensors match; not loaded: head.weight, head.bias"
    )


@pytest.mark.parametrize(
    "make,kind",
    [
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (lambda: torch.empty(3, device="meta"), "without content"),
        (lambda: torch.zeros(3, dtype=torch.complex64), "complex"),
    ],
)
def test_tensors_of_an_unusual_kind_are_named(tmp_path, make, kind):
    torch.save({"model_state": {"s1.weight": make()}}, tmp_path / "x.pyth")
    with pytest.raises(SlowFastExtError, match=rf"x\.pyth: its tensor s1\.weight is {kind}"):
        read_weights(str(tmp_path / "x.pyth"), "pytorch")


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "extra,named",
    [
        (np.float64(0.5), r"numpy\.(_core|core)\.multiarray\.scalar"),
        (np.ones(2), r"numpy\.(_core|core)\.multiarray\._reconstruct"),
        (CfgNode({"A": 1}), r"fvcore\.common\.config\.CfgNode"),
    ],
    ids=["numpy scalar", "numpy array", "config"],
)
def test_checkpoints_of_old_runs_say_what_to_save_instead(tmp_path, extra, named, legacy):
    """Runs of PySlowFast saved their best accuracy, or their config, beside the weights."""
    state = {"model_state": {"s1.weight": torch.ones(2)}, "extra": extra}
    path, mended = tmp_path / "old.pyth", tmp_path / "new.pyth"
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    sentence = rf"old\.pyth: holds {named} beside tensors .* torch\.save\("
    with pytest.raises(SlowFastExtError, match=sentence):
        read_weights(str(path), "pytorch")
    loaded = torch.load(path, map_location="cpu", weights_only=False)
    torch.save({"model_state": loaded["model_state"]}, mended)
    assert read_weights(str(mended), "pytorch")["model_state"]["s1.weight"].tolist() == [1, 1]


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_tensors_are_refused(tmp_path):
    path = str(tmp_path / "x.pyth")
    quantized = torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)
    torch.save({"model_state": {"s1.weight": quantized}}, path)
    sentence = "its tensor s1.weight is quantized"
    try:
        torch.load(path, weights_only=True)
    except pickle.UnpicklingError:
        # torch 2.3 does not read them without running code.
        sentence = "not a checkpoint of tensors and plain values alone"
    with pytest.raises(SlowFastExtError, match=rf"x\.pyth: {sentence}"):
        read_weights(path, "pytorch")


def test_names_that_are_no_text_are_refused(tmp_path):
    torch.save({"model_state": {3: torch.ones(1)}}, tmp_path / "x.pyth")
    with pytest.raises(SlowFastExtError, match="no 'model_state' of tensors by name"):
        read_weights(str(tmp_path / "x.pyth"), "pytorch")


@pytest.mark.parametrize("checkpoint_type", ["pytorch", "caffe2"])
def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch, checkpoint_type):
    (tmp_path / "x.pyth").touch()

    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(pathmgr, "open", denied)
    with pytest.raises(SlowFastExtError, match=r"x\.pyth: cannot be read: Permission denied"):
        read_weights(str(tmp_path / "x.pyth"), checkpoint_type)


def test_the_other_kind_of_file_is_named(tmp_path):
    torch.save({"model_state": {"w": torch.zeros(2)}}, tmp_path / "torch.pkl")
    with pytest.raises(SlowFastExtError, match="torch's: set CHECKPOINT_TYPE pytorch") as caught:
        read_weights(str(tmp_path / "torch.pkl"), "caffe2")
    assert "\n" not in str(caught.value)
    (tmp_path / "caffe2.pkl").write_bytes(pickle.dumps({"blobs": {"conv1_w": np.zeros(2)}}))
    with pytest.raises(SlowFastExtError, match="Caffe2's, set CHECKPOINT_TYPE caffe2"):
        read_weights(str(tmp_path / "caffe2.pkl"), "pytorch")


def test_a_caffe2_file_holds_real_numbers(tmp_path):
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"blobs": {"conv1_w": np.zeros(2, complex)}}))
    with pytest.raises(SlowFastExtError, match=r"x\.pkl: .*not of numbers or text but 'c16'"):
        read_weights(str(path), "caffe2")


@pytest.mark.parametrize(
    "value,kind",
    [
        (torch.full((4, 3, 3, 3, 3), torch.nan), "not finite"),
        (torch.full((4, 3, 3, 3, 3), -torch.inf, dtype=torch.float16), "not finite"),
        (torch.ones((4, 3, 3, 3, 3), dtype=torch.int8), r"of torch\.int8"),
        (torch.ones((4, 3, 3, 3, 3), dtype=torch.bool), r"of torch\.bool"),
    ],
)
def test_weights_are_finite_floats(network, value, kind):
    before = network.backbone[0].weight.clone()
    state = {**network.backbone.state_dict(), "0.weight": value}
    with pytest.raises(
        SlowFastExtError, match=rf"x\.pyth: its tensor backbone\.0\.weight is {kind}"
    ):
        load_weights(network, "x.pyth", state)
    assert torch.equal(network.backbone[0].weight, before)


class Deep(nn.Module):
    """A backbone whose stem and last stage are few of its tensors."""

    def __init__(self):
        super().__init__()
        blocks = nn.ModuleList(nn.Conv3d(4, 4, 1, bias=False) for _ in range(60))
        self.backbone = nn.ModuleDict(
            {"s1": nn.Conv3d(3, 4, 3), "s2": blocks, "s3": nn.Conv3d(4, 4, 1)}
        )


@pytest.mark.parametrize(
    "lost,said",
    [
        (["s1.weight"], "1 of the 2 tensors of the backbone's s1"),
        (["s3.weight", "s3.bias"], "2 of the 2 tensors of the backbone's s3"),
        (["s3.weight", "s2.5.weight"], None),
        ([], None),
    ],
)
def test_a_lost_stem_or_stage_is_warned_of_by_name(caplog, lost, said):
    network = Deep()
    state = {n: v for n, v in network.backbone.state_dict().items() if n not in lost}
    with caplog.at_level(logging.WARNING):
        load_weights(network, "x.pyth", state)
    assert len(caplog.records) == (said is not None)
    assert (said or "") in caplog.text


def test_the_key_that_inflates_is_named(network):
    with pytest.raises(SlowFastExtError, match="kernels are 2D: TRAIN.CHECKPOINT_INFLATE True"):
        load_weights(network, "x.pyth", flat_state(network))
