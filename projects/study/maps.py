"""One seed's last maps: a frozen backbone's, of training clips at all rates and of test views."""

import io
from typing import NamedTuple

import torch
from torch.utils.data import DataLoader

from slowfast_ext import upstream
from slowfast_ext.datasets import views
from slowfast_ext.datasets.clips import Sample, collate, network_input
from slowfast_ext.engine import loaders
from slowfast_ext.engine.weights import load_weights, read_weights
from slowfast_ext.utils.paths import open_atomically

# Sampling rate -> training clips of each video at it; the epochs take them in turn. Tuning, which
# is short, is all that needs the other rates.
CLIPS = {2: 2, 4: 4, 8: 2}
BATCH = 32


class Maps(NamedTuple):
    """
    What the heads of one seed are trained and tested on.

    Attributes:
        clips: rate -> float16, E x V x C x T x H x W: E training clips of each of V videos.
        clip_labels: rate -> float32, E x V x A.
        video_labels: float32, V x A: of the training videos as wholes.
        views: float16, V' x W x C x T x H x W: W views of each of the V' test videos.
        view_labels: float32, V' x A: of the test videos as wholes.
        places: [W] (rate, fraction), the views' sampling rate and place in the video (0..1).
    """

    clips: dict
    clip_labels: dict
    video_labels: torch.Tensor
    views: torch.Tensor
    view_labels: torch.Tensor
    places: list


def place(view):
    """(rate, fraction) of a View: two views of one place show the same frames."""
    return view.rate, view.fraction


def distinct_views(groups):
    """The views of several (rate, clips, crops), each place once, in a fixed order."""
    by_place = {place(view): view for view in views.list_views(groups)}
    return [by_place[key] for key in sorted(by_place)]


def make_maps(cfg, backbone, groups):
    """
    Draws clips and views as the engine does and sends them through the frozen backbone.

    Args:
        cfg (CfgNode): of the heads.
        backbone (str): checkpoint of a network with cfg's backbone.
        groups (sequence): (rate, clips, crops) of all tests that will be asked for.

    Returns:
        Maps
    """
    network = upstream.model_class(cfg.MODEL.MODEL_NAME)(cfg)
    load_weights(network, backbone, read_weights(backbone, "pytorch")["model_state"])
    network.eval()
    tune_set, test_set = (loaders.build_dataset(cfg, split) for split in ("tune", "test"))
    clips, clip_labels = {}, {}
    for rate, number in CLIPS.items():
        drawn = _training_clips(cfg, network, tune_set, rate, number)
        clips[rate], clip_labels[rate] = drawn
    test_set.views = distinct_views(groups)
    return Maps(
        clips,
        clip_labels,
        torch.from_numpy(tune_set.labels).float(),
        _test_views(cfg, network, test_set),
        torch.from_numpy(test_set.labels).float(),
        [place(view) for view in test_set.views],
    )


@torch.no_grad()
def _features(cfg, network, pathways):
    inputs, _ = network_input(cfg, Sample(pathways), torch.device("cpu"))
    return network.features(inputs).half()


def _training_clips(cfg, network, dataset, rate, number):
    """The clips that the engine draws of a data set in its first epochs, at one rate."""
    dataset.rates = [rate]
    keys = [(epoch, index) for epoch in range(number) for index in range(len(dataset))]
    batches = DataLoader(dataset, BATCH, sampler=keys, collate_fn=collate)
    maps, labels = [], []
    for batch in batches:
        maps.append(_features(cfg, network, batch.pathways))
        labels.append(batch.labels)
    shape = (number, len(dataset))
    return torch.cat(maps).unflatten(0, shape), torch.cat(labels).unflatten(0, shape)


def _test_views(cfg, network, dataset):
    pathways = (dataset[index].pathways for index in range(len(dataset)))
    return torch.stack(
        [_features(cfg, network, [p[:] for p in video_pathways]) for video_pathways in pathways]
    )


def save_maps(path, maps):
    """Writes maps such that they appear whole or not at all."""
    content = io.BytesIO()
    torch.save(maps._asdict(), content)
    with open_atomically(path, "wb") as stream:
        stream.write(content.getbuffer())


def load_maps(path):
    """Reads what `save_maps` wrote."""
    return Maps(**torch.load(path, mmap=True, weights_only=True))
