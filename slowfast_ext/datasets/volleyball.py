"""Volleyball: a group activity and players' boxes and actions around a target frame."""

import os

import numpy as np
import torch

from slowfast_ext.datasets import views
from slowfast_ext.datasets.ava import test_rates
from slowfast_ext.datasets.decoding import FrameFolder, Video
from slowfast_ext.datasets.sample import Sample
from slowfast_ext.datasets.volleyball_annotations import ACTIONS, GROUPS, mirrored, read_moments
from slowfast_ext.paths import pathmgr
from slowfast_ext.upstream import pack_pathways, register_dataset


@register_dataset
class Volleyball(torch.utils.data.Dataset):
    """
    The lists that `python -m slowfast_ext prepare volleyball` writes to DATA.PATH_TO_DATA_DIR.
    One item is one moment; its clip lies around the target frame.

    VOLLEYBALL.TASK says what is learnt: "persons", each player's action from its box; "clip",
    which actions there are at all; "group", the group activity, from the scene (s) or, with
    DETECTION.ENABLE, from the scene and the players' boxes and actions (bb).

    A training clip is a random part of the frame that keeps its shape, and its short side is
    DATA.TRAIN_CROP_SIZE: a square one would show half of the players. Turned round from left
    to right (DATA.RANDOM_FLIP), it shows the other side's group activity. A test clip is the
    whole frame, its short side DATA.TEST_CROP_SIZE.

    Args:
        cfg (CfgNode): with the keys of `slowfast_ext.config`.
        split (str): "train" and "tune", "val" (val.csv or, where there is none, test.csv), or
            "test" (one clip for each rate of TEST.VIEWS).

    Raises:
        SlowFastExtError: a list that cannot be read, or its bad rows.
    """

    @staticmethod
    def prepare(cfg):
        """Makes what is missing of the data: nothing here."""

    def __init__(self, cfg, split):
        self.cfg, self.task = cfg, cfg.VOLLEYBALL.TASK
        path = os.path.join(cfg.DATA.PATH_TO_DATA_DIR, "{}.csv")
        name = "train" if split == "tune" else split
        if split == "val" and not pathmgr.exists(path.format(name)):
            name = "test"
        self.listed = read_moments(path.format(name))
        self.class_names = list(GROUPS if self.task == "group" else ACTIONS)
        self.rates = cfg.TUNE.RATES if split == "tune" else [cfg.DATA.SAMPLING_RATE]
        self.views = [cfg.DATA.SAMPLING_RATE] if split == "val" else test_rates(cfg)

    @property
    def labels(self):
        """float32, [moments x A], of TASK persons [all players x A]; co-occurrence's source."""
        return np.concatenate([self._labels(moment) for *_, moment in self.listed])

    def _labels(self, moment, is_mirrored=False):
        """float32, 1 x A or, of TASK persons, P x A: what a clip of this moment is to show."""
        if self.task == "group":
            return _one_hot([mirrored(moment.group) if is_mirrored else moment.group], GROUPS)
        actions = _one_hot(moment.actions, ACTIONS)
        return actions if self.task == "persons" else actions.max(0, keepdims=True)

    def read_labels(self, path):
        """`labels` of another list of this form."""
        return np.concatenate([self._labels(moment) for *_, moment in read_moments(path)])

    @property
    def video_ids(self):
        """VIDEO/TARGET of each moment."""
        return [f"{listed.video}/{listed.moment.target}" for listed in self.listed]

    def __len__(self):
        return len(self.listed)

    def __getitem__(self, key):
        """
        Args:
            key (tuple[int, int] | int): (epoch, index) gives a training clip, an index one
                clip for each rate.

        Returns:
            Sample: with boxes and persons where DETECTION.ENABLE is set, without those who are
                wholly outside the part of the frame; for TASK group with person_labels then.
        """
        return self._training_clip(*key) if isinstance(key, tuple) else self._views(key)

    def _training_clip(self, epoch, index):
        data = self.cfg.DATA
        # The order of the draws is part of a seed's meaning.
        random = views.sample_random(self.cfg.RNG_SEED, epoch, index)
        rate = self.rates[random.integers(len(self.rates))]
        short_side = views.random_scale(random, data.TRAIN_JITTER_SCALES, data.INV_UNIFORM_SAMPLE)
        images, stored = self._read(index, self._clip_frames(index, rate), short_side)
        # Frames of one shape give parts of one size, whatever they are scaled to.
        height, width = views.scaled_size(*stored, data.TRAIN_CROP_SIZE)
        top = int(random.integers(images.shape[1] - height, endpoint=True))
        left = int(random.integers(images.shape[2] - width, endpoint=True))
        flipped = bool(data.RANDOM_FLIP and random.random() < 0.5)
        crop = views.Crop(top, left, height, width, flipped)
        return self._sample(index, self._pathways(crop.cut(images)), crop, images, stored)

    def _views(self, index):
        """One clip for each rate, of the whole frame; each frame is read once."""
        clips = [self._clip_frames(index, rate) for rate in self.views]
        needed, position = np.unique(np.concatenate(clips), return_inverse=True)
        images, stored = self._read(index, needed, self.cfg.DATA.TEST_CROP_SIZE)
        pathways = [self._pathways(images[c]) for c in position.reshape(len(clips), -1)]
        stacked = [torch.stack(clips) for clips in zip(*pathways, strict=True)]
        whole = views.Crop(0, 0, *images.shape[1:3])
        return self._sample(index, stacked, whole, images, stored)

    def _clip_frames(self, index, rate):
        """The numbers of a clip's frames, [T], the target in their middle."""
        listed, num_frames = self.listed[index], self.cfg.DATA.NUM_FRAMES
        start = listed.moment.target - num_frames * rate // 2
        return np.clip(start + rate * np.arange(num_frames), listed.first, listed.last)

    def _read(self, index, numbers, short_side):
        """Frames by number, T x H x W x 3, and the stored frames' height and width."""
        distinct, places = np.unique(numbers, return_inverse=True)
        path = self.listed[index].path
        names = [f"{number}.jpg" for number in distinct]
        with Video(path, FrameFolder(path, names)) as video:
            return video.read(places, short_side), (video.info.height, video.info.width)

    def _pathways(self, images):
        """T x H x W x 3 -> pathways, [3 x T' x H x W]."""
        clip = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 0, 1, 2)))
        return pack_pathways(self.cfg, clip)

    def _sample(self, index, pathways, crop, images, stored):
        moment = self.listed[index].moment
        labels = torch.from_numpy(self._labels(moment, crop.flipped))
        if not self.cfg.DETECTION.ENABLE:
            return Sample(pathways, labels[0], index)
        fractions = moment.boxes / [stored[1], stored[0], stored[1], stored[0]]
        boxes, inside = crop.boxes(fractions, *images.shape[1:3])
        size = np.array([crop.width, crop.height] * 2)
        # As upstream has it, a box ends at the last pixel.
        boxes = torch.from_numpy(np.minimum(boxes[inside] * size, size - 1)).float()
        persons = torch.from_numpy(np.flatnonzero(inside))
        if self.task == "persons":
            return Sample(pathways, labels[persons], index, None, boxes, persons)
        actions = torch.from_numpy(_one_hot(moment.actions, ACTIONS))[persons]
        return Sample(pathways, labels, index, None, boxes, persons, actions)


def _one_hot(places, names):
    """[n] places among names -> float32, n x len(names)."""
    return np.eye(len(names), dtype=np.float32)[places]
