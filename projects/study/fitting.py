"""Training a head on cached maps: the engine's order, schedule, optimizer and loss."""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn as nn

from slowfast_ext.datasets.views import sample_random
from slowfast_ext.engine.loaders import TrainingBatches
from slowfast_ext.engine.optimizer import build_optimizer, clip_gradients, set_learning_rate
from slowfast_ext.engine.train import training_stage, tuning_stage
from slowfast_ext.engine.trainer import loss_function, seed_epoch
from slowfast_ext.models.build import build_head
from slowfast_ext.models.correlation import cooccurrence

BATCH = 256


class HeadOnMaps(nn.Module):
    """A head where the engine expects a network."""

    def __init__(self, cfg, dim_in):
        super().__init__()
        self.head = build_head(cfg, dim_in)

    def forward(self, maps, **options):
        """Float maps, B x C x T x H x W -> what the head gives."""
        return self.head(maps, **options)


def fit_head(cfg, maps, videos=None):
    """
    Trains ACTIVITY.HEAD on the clips of DATA.SAMPLING_RATE; then, with TUNE.ENABLE, tunes it
    on clips of TUNE.RATES.

    Args:
        cfg (CfgNode): of the head.
        maps (Maps): of the seed.
        videos (sequence[int]): the training videos to take; None: all.

    Returns:
        HeadOnMaps
    """
    videos = np.arange(len(maps.video_labels)) if videos is None else np.asarray(videos)
    torch.manual_seed(cfg.RNG_SEED)
    network = HeadOnMaps(cfg, maps.views.shape[2])
    network.head.set_cooccurrence(cooccurrence(maps.video_labels[videos]))
    batches = TrainingBatches(len(videos), cfg.TRAIN.BATCH_SIZE, cfg.RNG_SEED)
    _run(
        training_stage(cfg, len(batches)), network, batches, maps, videos, [cfg.DATA.SAMPLING_RATE]
    )
    if cfg.TUNE.ENABLE:
        _run(tuning_stage(cfg, len(batches)), network, batches, maps, videos, cfg.TUNE.RATES)
    return network


def _run(stage, network, batches, maps, videos, rates):
    """One stage; the counterpart of the engine's Fitting, without files."""
    network.train()
    optimizer, loss_of = build_optimizer(stage.cfg, network), loss_function(stage.cfg)
    length, done = len(batches), 0
    for epoch in range(math.ceil(stage.num_iterations / length)):
        batches.epoch = stage.first_epoch + epoch
        seed_epoch(stage.cfg.RNG_SEED, batches.epoch)
        for keys in batches:
            if done == stage.num_iterations:
                return
            inputs, labels = draw(stage.cfg.RNG_SEED, maps, videos, rates, keys)
            set_learning_rate(optimizer, stage.learning_rate(done, length))
            loss = sum(loss_of(logits.float(), labels) for logits in network(inputs))
            optimizer.zero_grad()
            loss.backward()
            clip_gradients(stage.cfg, network)
            optimizer.step()
            done += 1


def draw(seed, maps, videos, rates, keys):
    """
    A batch of cached clips, each at a rate drawn from `rates` as the data set draws it.

    Args:
        keys (list[tuple[int, int]]): (epoch, place in `videos`).

    Returns:
        tuple[Tensor, Tensor]: maps, B x C x T x H x W, float32; labels, B x A.
    """
    inputs, labels = [], []
    for epoch, position in keys:
        video = int(videos[position])
        rate = rates[sample_random(seed, epoch, video).integers(len(rates))]
        clip = epoch % len(maps.clips[rate])
        inputs.append(maps.clips[rate][clip, video])
        labels.append(maps.clip_labels[rate][clip, video])
    return torch.stack(inputs).float(), torch.stack(labels)


@torch.no_grad()
def predict(network, maps):
    """Maps, ... x C x T x H x W -> probabilities, float64 array, ... x A."""
    network.eval()
    chunks = maps.flatten(0, -5).split(BATCH)
    outputs = torch.cat([network(chunk.float()) for chunk in chunks]).double()
    return outputs.unflatten(0, maps.shape[:-4]).numpy()


@torch.no_grad()
def mean_correlation(network, maps):
    """The head's Corr, mean over clips: B x C x T x H x W -> float64 array, A x A."""
    network.eval()
    total = 0
    for chunk in maps.split(BATCH):
        _, attention = network(chunk.float(), return_attention=True)
        total = total + attention["correlation"].double().sum(0)
    return (total / len(maps)).numpy()


class Outcome(NamedTuple):
    """
    What one trained head says.

    Attributes:
        predictions: V' x W x A: of the test videos in all views.
        correlation: A x A, the mean Corr over the clips at the training rate; empty without one.
        mask: A x A, the part of it that was counted; empty without one.
        num_parameters: of the head.
    """

    predictions: np.ndarray
    correlation: np.ndarray
    mask: np.ndarray
    num_parameters: int


def outcome(cfg, maps):
    """Trains the head of `cfg` on `maps` and tests it in all views -> Outcome."""
    network = fit_head(cfg, maps)
    correlation = mask = np.zeros((0, 0))
    # The study's heads with another output give no attention maps.
    if cfg.ACTIVITY.HEAD == "ActivityHead" and cfg.ACTIVITY.CORRELATION:
        at_rate = [rate == cfg.DATA.SAMPLING_RATE for rate, _ in maps.places]
        correlation = mean_correlation(network, maps.views[:, at_rate].flatten(0, 1))
        mask = network.head.cooccurrence.double().numpy()
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    return Outcome(predict(network, maps.views), correlation, mask, num_parameters)


def held_out_predictions(cfg, maps, num_folds=4):
    """
    Predictions of the training videos by heads that were trained without them.

    A head's predictions of what it was trained on say little: it knows those videos.

    Returns:
        ndarray: V x R x A, float64: the mean over the clips of each rate of TUNE.RATES.
    """
    rates, num_videos = cfg.TUNE.RATES, len(maps.video_labels)
    videos = np.arange(num_videos)
    predictions = np.zeros((num_videos, len(rates), maps.video_labels.shape[1]))
    for fold in range(num_folds):
        held_out = videos % num_folds == fold
        network = fit_head(cfg, maps, videos[~held_out])
        for i, rate in enumerate(rates):
            predictions[held_out, i] = predict(network, maps.clips[rate][:, held_out]).mean(0)
    return predictions
