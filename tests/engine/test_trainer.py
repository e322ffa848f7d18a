"""A stage's order of random draws, its step in mixed precision, going on: on a tiny network."""

import pytest
import torch
import torch.nn as nn

from slowfast_ext import upstream
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.engine import checkpoint, trainer
from slowfast_ext.engine.loaders import TrainingBatches
from slowfast_ext.engine.train import training_stage, tuning_stage
from slowfast_ext.engine.trainer import Trainer
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import assert_equal, weights


class TinyNetwork(nn.Module):
    """A linear head on a linear backbone, with dropout."""

    cooccurrence = None

    def __init__(self):
        super().__init__()
        self.backbone, self.head = nn.Linear(6, 4), nn.Linear(4, 3)

    def freeze_backbone(self):
        self.backbone.requires_grad_(False)

    def set_cooccurrence(self, mask):
        pass

    def forward(self, inputs):
        features = self.backbone(inputs[0].flatten(1))
        return (self.head(nn.functional.dropout(features, 0.5, self.training)),)


class Clips(TrainingBatches):
    """Clips that follow from (epoch, index); notes which were drawn."""

    maps = None

    def __init__(self, cfg):
        super().__init__(num_videos=9, batch_size=2, seed=cfg.RNG_SEED)
        self.drawn = []

    def broken_videos(self):
        return {}

    def __iter__(self):
        for keys in super().__iter__():
            self.drawn += keys
            yield [self.sample(*key) for key in keys]

    def sample(self, epoch, index):
        numbers = torch.Generator().manual_seed(100 * epoch + index)
        clip = torch.randint(256, (3, 1, 1, 2), generator=numbers, dtype=torch.uint8)
        return Sample([clip], (torch.rand(3, generator=numbers) < 0.5).float(), index)


def small_config(output_dir):
    """Three epochs of training, two of tuning."""
    cfg = add_slowfast_ext_config(upstream.base_config())
    cfg.NUM_GPUS, cfg.MODEL.LOSS_FUNC, cfg.OUTPUT_DIR = 0, "bce_logit", str(output_dir)
    cfg.SOLVER.OPTIMIZING_METHOD, cfg.SOLVER.BASE_LR = "sgd", 0.1
    cfg.SOLVER.MAX_EPOCH, cfg.TUNE.MAX_ITER, cfg.RNG_SEED = 3, 6, 5
    cfg.TRAIN.CHECKPOINT_PERIOD, cfg.TRAIN.EVAL_PERIOD, cfg.LOG_PERIOD = 1, 100, 100
    return cfg


@pytest.fixture
def cfg(tmp_path):
    return small_config(tmp_path)


@pytest.fixture
def no_evaluation(monkeypatch):
    monkeypatch.setattr(Trainer, "_evaluate", lambda self, epoch: 0.5)


def make_trainer(cfg, make_stage=training_stage, network=None):
    torch.manual_seed(0)
    clips = Clips(cfg)
    return Trainer(cfg, make_stage(cfg, len(clips)), network or TinyNetwork(), clips)


def test_tuning_repeats_none_of_trainings_draws(cfg, monkeypatch):
    seeds, seed = [], torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda value: seeds.append(value) or seed(value))
    drawn = {}
    for make_stage in (training_stage, tuning_stage):
        stage = make_trainer(cfg, make_stage)
        seeds.clear()
        for epoch in range(stage.num_epochs):
            list(stage.learn(epoch))
        drawn[make_stage] = set(stage.loader.drawn) | set(seeds)
        # Of each epoch its order and its dropout.
        assert len({epoch for epoch, _ in stage.loader.drawn}) == len(seeds) == stage.num_epochs
    assert not drawn[training_stage] & drawn[tuning_stage]


def test_a_stage_ends_in_the_middle_of_an_epoch(cfg):
    tuning = make_trainer(cfg, tuning_stage)
    steps = [step for epoch in range(tuning.num_epochs) for step in tuning.learn(epoch)]
    assert [step.number for step in steps] == list(range(6)) and tuning.num_epochs == 2
    assert {step.num_clips for step in steps} == {2}
    rates = [step.learning_rate for step in steps]
    assert rates[0] == pytest.approx(cfg.TUNE.BASE_LR) and rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("scale", [1.0, 2.0**12])
def test_gradients_are_clipped_as_they_are_and_not_as_scaled(cfg, monkeypatch, scale):
    """GradScaler multiplies the loss: clipped before it is divided again, a step shrinks."""
    cfg.SOLVER.CLIP_GRAD_L2NORM, cfg.SOLVER.MOMENTUM, cfg.SOLVER.NESTEROV = 0.01, 0.0, False
    cfg.SOLVER.WEIGHT_DECAY = 0.0
    scaler = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *_, **__: scaler("cpu", init_scale=scale))
    training = make_trainer(cfg)
    before = torch.cat([p.detach().flatten().clone() for p in training.network.parameters()])
    trainer.set_learning_rate(training.optimizer, 0.1)
    training.step(trainer.clips.collate([training.loader.sample(0, 1)]), "here")
    after = torch.cat([p.detach().flatten() for p in training.network.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_going_on_gives_the_same_to_the_bit(cfg, no_evaluation, tmp_path):
    make_trainer(cfg).run()
    whole = weights(tmp_path)
    for epoch in (2, 3):
        (tmp_path / "checkpoints" / f"checkpoint_epoch_{epoch:05d}.pyth").unlink()
    again = make_trainer(cfg)
    again.run()
    assert again.loader.drawn[0][0] == 1, "it began with the second epoch"
    assert_equal(whole, weights(tmp_path))
    assert again.history.epochs == {"train": (3, 3)}
    assert [point[0] for point in again.history.curves["train"]] == [1, 2, 3]


def test_a_start_checkpoint_gives_its_epochs_or_its_weights_alone(cfg, no_evaluation, tmp_path):
    make_trainer(cfg).run()
    cfg.TRAIN.CHECKPOINT_FILE_PATH = checkpoint.checkpoint_path(cfg.OUTPUT_DIR, "train", 2)
    cfg.OUTPUT_DIR = str(tmp_path / "other")
    training = make_trainer(cfg)
    assert training.resume() == 2
    assert_equal(training.network.state_dict(), weights(tmp_path, "checkpoint_epoch_00002.pyth"))
    assert training.optimizer.state_dict()["state"]
    cfg.TRAIN.CHECKPOINT_EPOCH_RESET = True
    training = make_trainer(cfg)
    assert training.resume() == 0 and not training.optimizer.state_dict()["state"]
    cfg.TRAIN.CHECKPOINT_EPOCH_RESET, cfg.SOLVER.MAX_EPOCH = False, 2
    with pytest.raises(SlowFastExtError, match="has 2 epochs behind it and SOLVER.MAX_EPOCH is 2"):
        make_trainer(cfg).resume()


def test_tuning_alone_takes_what_was_trained(cfg, no_evaluation, tmp_path):
    cfg.TRAIN.ENABLE, cfg.TUNE.ENABLE = False, True
    with pytest.raises(SlowFastExtError, match="there is nothing to tune"):
        make_trainer(cfg, tuning_stage).resume()
    cfg.TRAIN.ENABLE = True
    make_trainer(cfg).run()
    cfg.TRAIN.ENABLE = False
    tuning = make_trainer(cfg, tuning_stage)
    assert tuning.resume() == 0
    assert_equal(tuning.network.state_dict(), weights(tmp_path))
    assert str(tuning.history) == "train epoch 3 of 3"


def test_the_best_is_saved_before_the_epoch(cfg, monkeypatch, tmp_path):
    found = iter([0.2, 0.6, float("nan")])
    cfg.TRAIN.EVAL_PERIOD = 1
    monkeypatch.setattr(Trainer, "_evaluate", lambda self, epoch: next(found))
    written = []
    for name in ("save_checkpoint", "save_again"):
        function = getattr(checkpoint, name)

        def noting(*args, function=function):
            written.append(args[-2].rpartition("checkpoint_")[2])
            function(*args)

        monkeypatch.setattr(checkpoint, name, noting)
    make_trainer(cfg).run()
    first = ["best.pyth", "epoch_00001.pyth", "best.pyth", "epoch_00002.pyth"]
    assert written == [*first, "epoch_00003.pyth"]
    best = torch.load(tmp_path / "checkpoints" / "checkpoint_best.pyth")
    assert (best["epoch"], best["best_mAP"]) == (1, 0.6)


@pytest.mark.parametrize("share", [1, 2, 3])
def test_what_is_known_counts_alike_in_whichever_process_it_is(cfg, monkeypatch, share):
    """The mean of two processes' losses is that of all their clips in one; one may know nothing."""
    numbers = torch.Generator().manual_seed(1)
    outputs = [torch.randn(4, 3, generator=numbers) for _ in range(2)]
    labels = torch.tensor([[-1, -1, -1], [1, -1, 0], [0, 1, -1], [1, 1, 0.0]])
    whole = Sample([], labels)
    one = make_trainer(cfg)
    wanted = one.loss(whole, outputs)
    parts = [slice(0, share), slice(share, 4)]
    counts = [int((labels[part] >= 0).sum()) for part in parts]
    monkeypatch.setattr(trainer.distributed, "world_size", lambda: 2)
    monkeypatch.setattr(trainer.distributed, "gather", lambda count: counts)
    one.loader.has_unknown = True
    losses = [one.loss(Sample([], labels[part]), [o[part] for o in outputs]) for part in parts]
    torch.testing.assert_close(sum(losses) / 2, wanted)
