"""Training a head on a seed's maps: the engine's Trainer on clips that are maps already."""

import copy
from typing import NamedTuple

import numpy as np
import torch
import torch.nn as nn

from projects.study.rates import PLACES
from projects.study.stored_runs import learn
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.datasets.views import sample_random
from slowfast_ext.engine.loaders import TrainingBatches
from slowfast_ext.engine.train import training_stage, tuning_stage
from slowfast_ext.models.build import build_head
from slowfast_ext.models.correlation import cooccurrence

BATCH = 256


class HeadOnMaps(nn.Module):
    """A head where the engine expects a network: of one seed it is drawn alike on any backbone."""

    def __init__(self, cfg, dim_in):
        super().__init__()
        self.head = build_head(cfg, dim_in)
        self.backbone = nn.Identity()  # The maps are its output already.
        self.cooccurrence = self.head.cooccurrence

    def freeze_backbone(self):
        """There is none: the maps are a frozen one's."""

    def forward(self, inputs, are_maps=True, **options):
        """[float maps, B x C x T x H x W] -> what the head gives."""
        return self.head(inputs[0], **options)


class ClipsInMemory(TrainingBatches):
    """Batches of clips of `videos`, each at a rate drawn as the data set draws it."""

    def __init__(self, cfg, maps, videos, rates):
        super().__init__(len(videos), cfg.TRAIN.BATCH_SIZE, cfg.RNG_SEED)
        self.maps, self.videos, self.rates = maps, videos, rates

    def __iter__(self):
        """Yields lists of Samples of maps, float16, C x T x H x W."""
        for keys in super().__iter__():
            yield [self._sample(epoch, int(self.videos[position])) for epoch, position in keys]

    def _sample(self, epoch, video):
        rate = self.rates[sample_random(self.seed, epoch, video).integers(len(self.rates))]
        clips, labels = self.maps.clips[rate], self.maps.clip_labels[rate]
        clip = epoch % len(clips)
        return Sample([clips[clip, video]], labels[clip, video], video, are_maps=True)


def fit_head(cfg, maps, videos=None, trained=None):
    """
    Trains ACTIVITY.HEAD on the clips of DATA.SAMPLING_RATE; then, with TUNE.ENABLE, tunes it
    on clips of TUNE.RATES.

    Args:
        cfg (CfgNode): of the head.
        maps (Maps): of the seed.
        videos (sequence[int]): the training videos to take; None: all.
        trained (dict | None): weights before any tuning, by settings; is used and added to, so
            that heads which differ in their tuning alone are trained once.

    Returns:
        HeadOnMaps
    """
    videos = np.arange(len(maps.video_labels)) if videos is None else np.asarray(videos)
    torch.manual_seed(cfg.RNG_SEED)
    network = HeadOnMaps(cfg, maps.views.shape[2])
    network.head.set_cooccurrence(cooccurrence(maps.video_labels[videos]))
    trained, untuned = {} if trained is None else trained, cfg.clone()
    untuned.TUNE.clear()
    key = untuned.dump()
    if key in trained:
        network.load_state_dict(trained[key])
    else:
        clips = ClipsInMemory(cfg, maps, videos, [cfg.DATA.SAMPLING_RATE])
        learn(cfg, training_stage, network, clips)
        trained[key] = copy.deepcopy(network.state_dict())
    if cfg.TUNE.ENABLE:
        learn(cfg, tuning_stage, network, ClipsInMemory(cfg, maps, videos, cfg.TUNE.RATES))
    return network


@torch.no_grad()
def predict(network, maps):
    """Maps, ... x C x T x H x W -> probabilities, float64 array, ... x A."""
    network.eval()
    chunks = maps.flatten(0, -5).split(BATCH)
    outputs = torch.cat([network([chunk.float()]) for chunk in chunks]).double()
    return outputs.unflatten(0, maps.shape[:-4]).numpy()


@torch.no_grad()
def mean_correlation(network, maps):
    """The head's Corr, mean over clips: B x C x T x H x W -> float64 array, A x A."""
    network.eval()
    total = 0
    for chunk in maps.split(BATCH):
        _, attention = network([chunk.float()], return_attention=True)
        total = total + attention["correlation"].double().sum(0)
    return (total / len(maps)).numpy()


class Outcome(NamedTuple):
    """
    What one trained head says.

    Attributes:
        predictions: V' x W x A: of the test videos in the views of PLACES.
        labels: V' x A: of the test videos.
        correlation: A x A, the mean Corr over the clips at the training rate; empty without one.
        mask: A x A, the part of it that was counted; empty without one.
        num_parameters: of the head.
    """

    predictions: np.ndarray
    labels: np.ndarray
    correlation: np.ndarray
    mask: np.ndarray
    num_parameters: int


def outcome(cfg, maps, trained=None):
    """Trains the head of `cfg` on `maps`, as `fit_head`, and tests it in all views -> Outcome."""
    network = fit_head(cfg, maps, trained=trained)
    correlation = mask = np.zeros((0, 0))
    # The study's heads with another output give no attention maps.
    if cfg.ACTIVITY.HEAD == "ActivityHead" and cfg.ACTIVITY.CORRELATION:
        at_rate = [rate == cfg.DATA.SAMPLING_RATE for rate, _ in PLACES]
        correlation = mean_correlation(network, maps.views[:, at_rate].flatten(0, 1))
        mask = network.head.cooccurrence.double().numpy()
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    predictions, labels = predict(network, maps.views), maps.view_labels.numpy()
    return Outcome(predictions, labels, correlation, mask, num_parameters)


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
