"""SOLVER.EMA against the average worked out by hand, and what goes on from it."""

import copy

import pytest
import torch

from slowfast_ext.config.load import load_config
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.averaging import averaged_network
from slowfast_ext.engine.train import tuning_stage
from slowfast_ext.engine.trainer import Trainer
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed
from tests.engine.test_trainer import make_trainer, small_config
from tests.helpers import assert_equal, weights


@pytest.fixture
def tested(monkeypatch):
    """The networks that were validated."""
    found = []
    monkeypatch.setattr(
        Trainer, "_evaluate", lambda self, epoch: found.append(self.tested_network) or 0.5
    )
    return found


@pytest.fixture
def averaging(tmp_path, tested):
    cfg = small_config(tmp_path)
    cfg.SOLVER.EMA = 0.6
    return cfg


def stored(folder, name="checkpoint_epoch_00003.pyth"):
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def test_the_average_is_its_recursion():
    """In float64: w_1, then d w + (1 - d) w_n with d = min(0.3, (1 + n) / (10 + n))."""
    network = torch.nn.BatchNorm1d(3).double()
    average, wanted = averaged_network(network, 0.3), None
    for step in range(8):
        numbers = torch.arange(3).double() * step
        network.weight.data.copy_(numbers.sin())
        network.running_mean.copy_(numbers.cos())
        network.num_batches_tracked.fill_(100 + step)
        average.update_parameters(network)
        now = torch.stack([numbers.sin(), numbers.cos()])
        share = min(0.3, (1 + step) / (10 + step))
        wanted = now if wanted is None else share * wanted + (1 - share) * now
        found = torch.stack([average.module.weight.detach(), average.module.running_mean])
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
        assert average.module.num_batches_tracked == 100 + step
        assert torch.equal(average.module.bias, network.bias), "what does not move stays to the bit"


def test_learning_is_the_same_and_the_average_is_what_is_kept(averaging, tested, tmp_path):
    training = make_trainer(averaging)
    steps, step = [], training.step

    def noting(*args):
        value = step(*args)
        steps.append(copy.deepcopy(training.network.state_dict()))
        return value

    training.step = noting
    training.run()
    assert tested == [training.average.module]
    wanted = dict(steps[0])
    for number, state in enumerate(steps[1:], 1):
        share = min(0.6, (1 + number) / (10 + number))
        wanted = {name: share * wanted[name] + (1 - share) * state[name] for name in state}
    kept = stored(tmp_path)
    for name, value in wanted.items():
        torch.testing.assert_close(kept["model_state"][name], value)
    assert_equal(kept["unaveraged_state"], steps[-1])
    assert_equal(training.network.state_dict(), kept["model_state"])
    assert (kept["num_averaged"], len(steps)) == (12, 12)
    averaging.SOLVER.EMA, averaging.OUTPUT_DIR = 0.0, str(tmp_path / "plain")
    (tmp_path / "plain").mkdir()
    make_trainer(averaging).run()
    assert_equal(weights(tmp_path / "plain"), steps[-1])
    assert "unaveraged_state" not in stored(tmp_path / "plain")


def test_going_on_gives_the_same_to_the_bit(averaging, tmp_path):
    make_trainer(averaging).run()
    whole = stored(tmp_path)
    for epoch in (2, 3):
        (tmp_path / "checkpoints" / f"checkpoint_epoch_{epoch:05d}.pyth").unlink()
    make_trainer(averaging).run()
    again = stored(tmp_path)
    for key in ("model_state", "unaveraged_state"):
        assert_equal(whole[key], again[key])


def test_processes_validate_one_network(averaging, monkeypatch):
    shared = []
    monkeypatch.setattr(distributed, "share_buffers", shared.append)
    training = make_trainer(averaging)
    training.run()
    assert shared == [training.average.module] * 3
    shared.clear()
    averaging.SOLVER.EMA, averaging.TRAIN.AUTO_RESUME = 0.0, False
    training = make_trainer(averaging)
    training.run()
    assert shared == [training.network] * 3
    # Where an epoch is neither validated nor saved there is nothing to agree on.
    shared.clear()
    averaging.TRAIN.EVAL_PERIOD = averaging.TRAIN.CHECKPOINT_PERIOD = 2
    make_trainer(averaging).run()
    assert len(shared) == 2


def test_tuning_begins_with_the_average_in_the_same_run_and_in_another(averaging, tmp_path):
    training = make_trainer(averaging)
    training.run()
    make_trainer(averaging, tuning_stage, training.network).run()
    at_once = stored(tmp_path, "checkpoint_tune_epoch_00002.pyth")
    # Training is found finished, and its network is left as it was.
    (tmp_path / "checkpoints" / "checkpoint_tune_epoch_00002.pyth").unlink()
    (tmp_path / "checkpoints" / "checkpoint_tune_epoch_00001.pyth").unlink()
    again = make_trainer(averaging)
    again.run()
    assert_equal(again.network.state_dict(), weights(tmp_path))
    averaging.TRAIN.ENABLE = False
    alone = make_trainer(averaging, tuning_stage)
    assert alone.resume() == 0
    assert_equal(alone.network.state_dict(), weights(tmp_path))
    averaging.TRAIN.ENABLE = True
    make_trainer(averaging, tuning_stage, again.network).run()
    assert_equal(at_once["model_state"], weights(tmp_path, "checkpoint_tune_epoch_00002.pyth"))


def test_a_checkpoint_without_an_average_starts_one(averaging, tmp_path):
    averaging.SOLVER.EMA = 0.0
    make_trainer(averaging).run()
    averaging.SOLVER.EMA = 0.6
    averaging.TRAIN.CHECKPOINT_FILE_PATH = checkpoint.checkpoint_path(str(tmp_path), "train", 2)
    averaging.OUTPUT_DIR = str(tmp_path / "other")
    training = make_trainer(averaging)
    assert training.resume() == 2
    before = weights(tmp_path, "checkpoint_epoch_00002.pyth")
    assert_equal(training.network.state_dict(), before)
    assert_equal(training.tested_network.state_dict(), before)


def test_a_share_of_1_would_never_learn():
    with pytest.raises(SlowFastExtError, match=r"SOLVER.EMA is 1.0: it must lie in \[0, 1\)"):
        load_config(None, ["SOLVER.EMA", "1.0"])
