"""One seed's last maps: a frozen backbone's, of training clips at all rates and of test views."""

from typing import NamedTuple

import torch

from projects.study.rates import GROUPS, distinct_views
from slowfast_ext.datasets.synthetic.dataset import Synthetic
from slowfast_ext.engine import loaders
from slowfast_ext.engine.extract import extract
from slowfast_ext.upstream import register_dataset

# Sampling rate -> training clips of each video at it; the epochs take them in turn. Tuning, which
# is short, is all that needs the other rates.
CLIPS = {2: 2, 4: 4, 8: 2}


class Maps(NamedTuple):
    """
    What the heads of one seed are trained and tested on, in memory: each head reads all of it.

    Attributes:
        clips: rate -> float16, E x V x C x T x H x W: E training clips of each of V videos.
        clip_labels: rate -> float32, E x V x A.
        video_labels: float32, V x A: of the training videos as wholes.
        views: float16, V' x W x C x T x H x W: of each of the V' test videos those of PLACES.
        view_labels: float32, V' x A: of the test videos as wholes.
    """

    clips: dict
    clip_labels: dict
    video_labels: torch.Tensor
    views: torch.Tensor
    view_labels: torch.Tensor


@register_dataset
class SyntheticInDistinctViews(Synthetic):
    """Synthetic, whose test has the views of TEST.VIEWS, each place once."""

    def __init__(self, cfg, split):
        super().__init__(cfg, split)
        if split == "test":
            self.views = distinct_views(cfg.TEST.VIEWS)


def make_maps(cfg, backbone, folder):
    """
    Extracts the features that are not there yet, and reads them all.

    Args:
        cfg (CfgNode): of the heads.
        backbone (str): checkpoint of a network with cfg's backbone.
        folder (str): gets a folder of features for each rate, and one for the test's views.

    Returns:
        Maps
    """
    cfg = cfg.clone()
    cfg.TRAIN.CHECKPOINT_FILE_PATH = backbone
    cfg.TEST.DATASET, cfg.TEST.VIEWS = SyntheticInDistinctViews.__name__, list(map(list, GROUPS))
    clips, clip_labels = {}, {}
    for rate, number in CLIPS.items():
        at_rate = cfg.clone()
        at_rate.DATA.SAMPLING_RATE, at_rate.FEATURES.CLIPS = rate, number
        train_set = _stored(at_rate, f"{folder}/rate_{rate}", "train")
        videos = range(len(train_set))
        drawn = [train_set.maps[epoch, video] for epoch in range(number) for video in videos]
        clips[rate], clip_labels[rate] = (
            torch.stack(tensors).unflatten(0, (number, len(videos)))
            for tensors in ([s.pathways[0] for s in drawn], [s.labels for s in drawn])
        )
    test_set = _stored(cfg, f"{folder}/views", "test")
    views = torch.stack([test_set.maps[index].pathways[0] for index in range(len(test_set))])
    video_labels, view_labels = (
        torch.from_numpy(dataset.labels).float() for dataset in (train_set, test_set)
    )
    return Maps(clips, clip_labels, video_labels, views, view_labels)


def _stored(cfg, folder, split):
    """The data set of a split with its features in the folder, extracted where they are not yet."""
    extract(cfg, folder, [split])
    cfg = cfg.clone()
    cfg.FEATURES.PATH = folder
    return loaders.build_dataset(cfg, split)
