"""The network that a test takes, from a checkpoint that is read once."""

import pytest
import torch

from slowfast_ext.engine import checkpoint, weights
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import network_to_test, trained_network
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.report.run_files import Run


@pytest.fixture
def cfg(arguments, tmp_path):
    _, path, *options = arguments(tmp_path)
    return checked_config(path, options)


@pytest.fixture
def saved(cfg):
    """The network whose checkpoint OUTPUT_DIR holds."""
    torch.manual_seed(3)
    network = ActivityNetwork(cfg)
    network.set_cooccurrence(torch.rand(12, 12))
    state = {"model_state": network.state_dict(), "epochs": {"tune": (1, 2)}, "cfg": cfg.dump()}
    checkpoint.save_checkpoint(checkpoint.checkpoint_path(cfg.OUTPUT_DIR, "tune", 1), state)
    return network


@pytest.fixture
def opened(monkeypatch):
    """The paths that are read."""
    paths, read = [], weights._read_plain

    def counting(path):
        paths.append(path)
        return read(path)

    monkeypatch.setattr(weights, "_read_plain", counting)
    return paths


def test_the_last_checkpoint_is_read_once(cfg, saved, opened):
    path, network, _, history = network_to_test(cfg)
    assert opened == [path] and path.endswith("checkpoint_tune_epoch_00001.pyth")
    assert str(history) == "tune epoch 1 of 2" and not network.training
    for name, value in saved.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name


def test_a_report_reads_it_once(cfg, saved, opened):
    run = Run(cfg.OUTPUT_DIR)
    assert run.settings["MODEL"]["NUM_CLASSES"] == 12
    assert torch.equal(run.network.cooccurrence, saved.cooccurrence)
    assert len(opened) == 1


def test_what_training_starts_from_is_taken_where_nothing_is_trained(cfg, saved, opened):
    cfg.TRAIN.CHECKPOINT_FILE_PATH = checkpoint.last_checkpoint(cfg.OUTPUT_DIR, "tune")
    cfg.TUNE.ENABLE = False
    assert torch.equal(trained_network(cfg).cooccurrence, saved.cooccurrence)
    cfg.ACTIVITY.NUM_OBSERVATIONS = 7
    with pytest.raises(SlowFastExtError, match="has no train checkpoint yet; train first"):
        trained_network(cfg)
    cfg.TRAIN.CHECKPOINT_FILE_PATH = ""
    with pytest.raises(SlowFastExtError, match="there is nothing to test: .* no train checkpoint"):
        trained_network(cfg)
    assert len(opened) == 2
