"""Checkpoints: whole or not at all, read without executing anything, of the same config."""

import os
import pickle

import pytest
import torch

from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.weights import read_checkpoint, read_weights
from slowfast_ext.errors import SlowFastExtError


class RunsCode:
    """Unpickling this makes the file `ran`."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder / "ran"),)


def test_round_trip_and_last(tmp_path):
    for epoch in (1, 2, 10):
        path = checkpoint.checkpoint_path(tmp_path, "train", epoch)
        checkpoint.save_checkpoint(path, {"model_state": {"w": torch.tensor(epoch)}})
    checkpoint.save_checkpoint(
        checkpoint.checkpoint_path(tmp_path, "tune", 3), {"model_state": {}, "epoch": 3}
    )
    last = checkpoint.last_checkpoint(str(tmp_path), "train")
    assert read_checkpoint(last)["model_state"]["w"] == 10
    assert read_checkpoint(checkpoint.last_checkpoint(str(tmp_path), "tune"))["epoch"] == 3
    assert checkpoint.last_checkpoint(str(tmp_path / "nowhere"), "train") is None


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_is_the_same_checkpoint(tmp_path, monkeypatch, links):
    def no_links(source, target):
        raise OSError(95, "Operation not supported")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    first, second = (checkpoint.checkpoint_path(tmp_path, "train", epoch) for epoch in (1, 2))
    state = {"model_state": {"w": torch.ones(1)}}
    checkpoint.save_checkpoint(first, state)
    checkpoint.save_again(first, second, state)
    checkpoint.save_checkpoint(first, {"model_state": {"w": torch.zeros(1)}})
    assert read_checkpoint(second)["model_state"]["w"] == 1
    assert len(os.listdir(tmp_path / "checkpoints")) == 2


@pytest.mark.parametrize("links", [True, False])
def test_what_a_killed_process_of_the_same_id_left_harms_no_checkpoint(
    tmp_path, monkeypatch, links
):
    """It may be a second name of an earlier checkpoint, which writing there would change."""
    first, second, best = (tmp_path / name for name in ("first", "second", "best"))
    for path, value in ((first, 1), (second, 2)):
        checkpoint.save_checkpoint(str(path), {"model_state": {"w": torch.tensor(value)}})
    os.link(first, f"{best}.partial-{os.getpid()}")
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: os.stat("nowhere"))
    state = {"model_state": {"w": torch.tensor(2)}}
    checkpoint.save_again(str(second), str(best), state)
    values = [read_checkpoint(str(path))["model_state"]["w"] for path in (first, second, best)]
    assert values == [1, 2, 2] and len(os.listdir(tmp_path)) == 3


def test_a_second_name_that_cannot_be_given_changes_no_checkpoint(tmp_path):
    path, state = tmp_path / "x.pyth", {"model_state": {"w": torch.tensor(1)}}
    checkpoint.save_checkpoint(str(path), state)
    number, target = path.stat().st_ino, tmp_path / "folder"
    (target / "not empty").mkdir(parents=True)
    before = path.read_bytes()
    with pytest.raises(OSError):
        checkpoint.save_again(str(path), str(target), {"model_state": {"w": torch.tensor(2)}})
    assert path.read_bytes() == before and path.stat().st_ino == number
    assert sorted(os.listdir(tmp_path)) == ["folder", "x.pyth"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = checkpoint.checkpoint_path(tmp_path, "train", 1)
    checkpoint.save_checkpoint(path, {"model_state": {"w": torch.ones(1)}})

    def disk_full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save_checkpoint(path, {"model_state": {"w": torch.zeros(1)}})
    assert read_checkpoint(path)["model_state"]["w"] == 1
    assert os.listdir(tmp_path / "checkpoints") == ["checkpoint_epoch_00001.pyth"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut off"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "x.pyth"
    path.write_bytes(content)
    with pytest.raises(SlowFastExtError, match=r"x\.pyth"):
        read_checkpoint(str(path))


@pytest.mark.parametrize("checkpoint_type", ["pytorch", "caffe2"])
def test_nothing_in_a_file_is_executed(tmp_path, checkpoint_type):
    path = tmp_path / "x"
    if checkpoint_type == "pytorch":
        torch.save({"model_state": RunsCode(tmp_path)}, path)
    else:
        path.write_bytes(pickle.dumps({"blobs": RunsCode(tmp_path)}))
    with pytest.raises(SlowFastExtError):
        read_weights(str(path), checkpoint_type)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("state", [{"model_state": [1]}, {"model_state": {"w": 1}}, {}, 3])
def test_a_file_without_tensors_is_named(tmp_path, state):
    torch.save(state, tmp_path / "x.pyth")
    with pytest.raises(SlowFastExtError, match=r"x\.pyth: not a PySlowFast checkpoint"):
        read_checkpoint(str(tmp_path / "x.pyth"))
