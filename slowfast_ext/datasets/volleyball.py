"""Volleyball: a group activity and players' boxes and actions around a target frame."""

import os

import numpy as np
import torch

from slowfast_ext import upstream
from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets import views
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.datasets.keyframe_clips import KeyframeClips, persons_in, require_folders
from slowfast_ext.datasets.volleyball_annotations import ACTIONS, GROUPS, mirrored, read_moments
from slowfast_ext.models.backbones import input_facts
from slowfast_ext.upstream import register_dataset
from slowfast_ext.utils.paths import pathmgr


@register_dataset
class Volleyball(KeyframeClips):
    """
    The lists that `python -m slowfast_ext prepare volleyball` writes to DATA.PATH_TO_DATA_DIR. One
    item is one moment; its clip lies around the target frame.

    VOLLEYBALL.TASK says what is learnt: "persons", each player's action from its box; "clip", which
    actions there are at all; "group", the group activity, from the scene (s) or, with
    DETECTION.ENABLE, from the scene and the players' boxes and actions (bb).

    A training clip is a random part of the frame that keeps its shape, and its short side is
    DATA.TRAIN_CROP_SIZE: a square one would show half of the players. Turned round from left to
    right (DATA.RANDOM_FLIP), it shows the other side's group activity. A test clip is the whole
    frame, its short side DATA.TEST_CROP_SIZE; "val" is of val.csv or, where there is none, of
    test.csv. Raises SlowFastExtError: bad lists.
    """

    evaluator = "VolleyballEvaluator"

    @classmethod
    def check_config(cls, cfg):
        """Each VOLLEYBALL.TASK has a loss of its own, and boxes or none."""
        datasets = {cfg.TRAIN.DATASET.capitalize(), cfg.TEST.DATASET.capitalize()}
        if len(datasets) > 1:
            rule = f"must be {cls.__name__} where TRAIN.DATASET is, and only there"
            refuse(cfg, "TEST.DATASET", rule)
        if not input_facts(cfg).takes_frames:
            rule = "must name a network of frames of any height and width: Volleyball's are whole"
            refuse(cfg, "ACTIVITY.BACKBONE", rule)
        task, loss = cfg.VOLLEYBALL.TASK, cfg.MODEL.LOSS_FUNC
        # A person has one action, which softmax says and sigmoid leaves open, as the paper does.
        if task != "persons" and (loss == "cross_entropy") != (task == "group"):
            wanted = "bce_logit" if task == "clip" else "cross_entropy"
            refuse(cfg, "MODEL.LOSS_FUNC", f"must be {wanted} for VOLLEYBALL.TASK {task}")
        number = len(cls.read_class_names(cfg))
        if number != cfg.MODEL.NUM_CLASSES:
            refuse(cfg, "MODEL.NUM_CLASSES", f"must be {number} for VOLLEYBALL.TASK {task}")
        if task != "group" and (task == "persons") != cfg.DETECTION.ENABLE:
            rule = f"must be {task == 'persons'} for VOLLEYBALL.TASK {task}"
            refuse(cfg, "DETECTION.ENABLE", rule)
        if task == "group" and cfg.DETECTION.ENABLE and cfg.BN.USE_PRECISE_STATS:
            refuse(cfg, "BN.USE_PRECISE_STATS", "must be False for groups with persons' boxes")
        for key in ("TEST.RATE_WEIGHTS", "TEST.SAVE_RESULTS_PATH"):
            if upstream.get_key(cfg, key):
                refuse(cfg, key, "must be empty for Volleyball")
        if cfg.OBJECTS.NUM_CLASSES:
            refuse(cfg, "OBJECTS.NUM_CLASSES", "must be 0 for Volleyball")

    @classmethod
    def read_class_names(cls, cfg):
        """The group activities, or the persons' actions, in their fixed order."""
        return list(GROUPS if cfg.VOLLEYBALL.TASK == "group" else ACTIONS)

    def __init__(self, cfg, split):
        super().__init__(cfg, split)
        self.task = cfg.VOLLEYBALL.TASK
        path = os.path.join(cfg.DATA.PATH_TO_DATA_DIR, "{}.csv")
        name = "train" if split == "tune" else split
        if split == "val" and not pathmgr.exists(path.format(name)):
            name = "test"
        folder = cfg.DATA.PATH_PREFIX or cfg.DATA.PATH_TO_DATA_DIR
        self.listed = read_moments(path.format(name), folder, cfg.DATA.PATHS_OUTSIDE)
        self.class_names = self.read_class_names(cfg)
        require_folders(
            (listed.path for listed in self.listed),
            f"{path.format(name)} names it: run `prepare volleyball` with where the frames are now",
        )

    @property
    def labels(self):
        """float32, [moments x A], of TASK persons [all players x A]."""
        return np.concatenate([self._labels(moment) for *_, moment in self.listed])

    @property
    def cooccurrence_labels(self):
        """
        As `labels`; of persons under a sigmoid [moments x A], with all actions of a moment's
        players, for what occurs together does so in a moment and never in one person.
        """
        return self._cooccurring([moment for *_, moment in self.listed])

    @property
    def item_labels(self):
        return np.stack([self._labels(moment).max(0) for *_, moment in self.listed])

    def _cooccurring(self, moments):
        rows = [self._labels(moment) for moment in moments]
        if self.task == "persons" and self.cfg.MODEL.HEAD_ACT == "sigmoid":
            rows = [actions.max(0, keepdims=True) for actions in rows]
        return np.concatenate(rows)

    def _labels(self, moment, is_mirrored=False):
        """float32, 1 x A or, of TASK persons, P x A: what a clip of this moment is to show."""
        if self.task == "group":
            return _one_hot([mirrored(moment.group) if is_mirrored else moment.group], GROUPS)
        actions = _one_hot(moment.actions, ACTIONS)
        return actions if self.task == "persons" else actions.max(0, keepdims=True)

    def read_labels(self, path):
        """`cooccurrence_labels` of another list of this form."""
        return self._cooccurring([moment for *_, moment in read_moments(path)])

    @property
    def video_ids(self):
        """VIDEO/TARGET of each moment."""
        return [f"{listed.video}/{listed.moment.target}" for listed in self.listed]

    def __len__(self):
        return len(self.listed)

    def training_crop(self, random, scaled, stored):
        # Frames of one shape give parts of one size, whatever they are scaled to.
        height, width = views.scaled_size(*stored, self.cfg.DATA.TRAIN_CROP_SIZE)
        top = int(random.integers(scaled[0] - height, endpoint=True))
        left = int(random.integers(scaled[1] - width, endpoint=True))
        return top, left, height, width

    def test_crop(self, height, width):
        return views.Crop(0, 0, height, width)

    def clip_frames(self, index, rate):
        """The numbers of a clip's frames, [T], the target in their middle."""
        listed, num_frames = self.listed[index], self.cfg.DATA.NUM_FRAMES
        start = listed.moment.target - num_frames * rate // 2
        return np.clip(start + rate * np.arange(num_frames), listed.first, listed.last)

    def files(self, index, numbers):
        return self.listed[index].path, [f"{number}.jpg" for number in numbers]

    def sample(self, index, pathways, crop, scaled, stored):
        """With boxes where DETECTION.ENABLE is set; for TASK group with person_labels then."""
        moment = self.listed[index].moment
        labels = torch.from_numpy(self._labels(moment, crop.flipped))
        if not self.cfg.DETECTION.ENABLE:
            return Sample(pathways, labels[0], index)
        # The boxes are in pixels of the files, whatever the frames were scaled to.
        fractions = moment.boxes / [stored[1], stored[0], stored[1], stored[0]]
        boxes, persons = persons_in(crop, fractions, scaled)
        if self.task == "persons":
            return Sample(pathways, labels[persons], index, None, boxes, persons)
        actions = torch.from_numpy(_one_hot(moment.actions, ACTIONS))[persons]
        return Sample(pathways, labels, index, None, boxes, persons, actions)


def _one_hot(places, names):
    """[n] places among names -> float32, n x len(names)."""
    return np.eye(len(names), dtype=np.float32)[places]
