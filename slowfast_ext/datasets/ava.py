"""AVA: persons' boxes on keyframes, each with several activities at once."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from slowfast_ext.datasets import views
from slowfast_ext.datasets.ava_annotations import (
    BOX,
    KEYFRAME,
    NO_ACTION,
    read_ground_truth,
    read_label_map,
    read_person_boxes,
)
from slowfast_ext.datasets.ava_frames import KEYFRAME_SECONDS, keyframe_clip, read_frame_lists
from slowfast_ext.datasets.decoding import FrameFolder, Video
from slowfast_ext.datasets.multi_label_videos import view_groups
from slowfast_ext.datasets.sample import Sample
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import pack_pathways, register_dataset

# Of the keyframes, evaluation between epochs takes every so many seconds, as upstream's.
VAL_SECONDS = 4


@register_dataset
class Ava(torch.utils.data.Dataset):
    """
    The tree that `python -m slowfast_ext prepare ava` writes, named by upstream's AVA.* keys.

    Training takes the boxes of AVA.TRAIN_GT_BOX_LISTS and TRAIN_PREDICT_BOX_LISTS, evaluation
    those of TEST_PREDICT_BOX_LISTS, predicted ones from AVA.DETECTION_SCORE_THRESH on. One
    item is one keyframe with all its persons. Upstream's own data set gives one sampling rate
    and draws from global generators; this one reads the same files, and scales as
    AVA.IMG_PROC_BACKEND cv2 does.

    Args:
        cfg (CfgNode): with the keys of `slowfast_ext.config`.
        split (str): "train" and "tune" (a random crop of the clip), "val" (every 4th second
            unless AVA.FULL_TEST_ON_VAL) or "test" (one clip for each rate of TEST.VIEWS).

    Raises:
        SlowFastExtError: lists or annotations that cannot be read, or their bad rows.
    """

    @staticmethod
    def prepare(cfg):
        """Makes what is missing of the data: nothing here."""

    def __init__(self, cfg, split):
        self.cfg = cfg
        self.training = split in ("train", "tune")
        options = cfg.AVA
        self.label_map = read_label_map(
            os.path.join(options.ANNOTATION_DIR, options.LABEL_MAP_FILE)
        )
        self._check_classes()
        lists = options.TRAIN_LISTS if self.training else options.TEST_LISTS
        self.frames = read_frame_lists([os.path.join(options.FRAME_LIST_DIR, n) for n in lists])
        self.step = VAL_SECONDS if split == "val" and not options.FULL_TEST_ON_VAL else 1
        rows = self._read_boxes()
        rows = rows[self.tests_second(rows["second"])]
        self.keyframes = _keyframes(rows, self.frames, cfg.MODEL.NUM_CLASSES)
        if not self.keyframes:
            raise SlowFastExtError(
                f"AVA.ANNOTATION_DIR {options.ANNOTATION_DIR} has no box on a keyframe of the "
                f"movies of {', '.join(lists)}, in seconds {KEYFRAME_SECONDS[0]} to "
                f"{KEYFRAME_SECONDS[-1]}, scored {options.DETECTION_SCORE_THRESH} or more"
            )
        self.rates = cfg.TUNE.RATES if split == "tune" else [cfg.DATA.SAMPLING_RATE]
        self.views = [cfg.DATA.SAMPLING_RATE] if split == "val" else test_rates(cfg)

    def _check_classes(self):
        """A network's outputs are the action ids from 1 to MODEL.NUM_CLASSES."""
        number, key = (
            self.cfg.MODEL.NUM_CLASSES,
            f"AVA.LABEL_MAP_FILE {self.cfg.AVA.LABEL_MAP_FILE}",
        )
        smallest, largest = min(self.label_map), max(self.label_map)
        if smallest < 1:
            raise SlowFastExtError(f"{key} has the class id {smallest}: AVA's ids count from 1")
        if largest > number:
            raise SlowFastExtError(
                f"{key} has the class id {largest} but MODEL.NUM_CLASSES is {number}: AVA has 80"
            )

    def _read_boxes(self):
        options = self.cfg.AVA
        truth = options.TRAIN_GT_BOX_LISTS if self.training else []
        predicted = (
            options.TRAIN_PREDICT_BOX_LISTS if self.training else options.TEST_PREDICT_BOX_LISTS
        )
        tables = [read_ground_truth(os.path.join(options.ANNOTATION_DIR, name)) for name in truth]
        tables = [rows[rows["x1"].notna()] for rows in tables]
        for name in predicted:
            rows = read_person_boxes(os.path.join(options.ANNOTATION_DIR, name))
            tables.append(rows[rows["score"] >= options.DETECTION_SCORE_THRESH])
        if not tables:
            key = "TRAIN_GT_BOX_LISTS" if self.training else "TEST_PREDICT_BOX_LISTS"
            raise SlowFastExtError(f"AVA.{key} is empty: name the file of the persons' boxes")
        return pd.concat([rows.astype({"video": str}) for rows in tables], ignore_index=True)

    def tests_second(self, seconds):
        """bool array: which of these seconds this split takes."""
        return seconds % self.step == 0

    @property
    def class_names(self):
        """The label map's names, by rising id."""
        return list(self.label_map.values())

    @property
    def labels(self):
        """float32, [persons x A], of all keyframes; what the co-occurrence is counted from."""
        return np.concatenate([keyframe.labels for keyframe in self.keyframes])

    @property
    def video_ids(self):
        """movie,second of each keyframe."""
        return [f"{keyframe.video},{keyframe.second:04d}" for keyframe in self.keyframes]

    def read_labels(self, path):
        """The label matrix, [boxes x A], of another file in the form of AVA's ground truth."""
        rows = read_ground_truth(path).astype({"video": str})
        boxes = _keyframes(rows[rows["x1"].notna()], None, self.cfg.MODEL.NUM_CLASSES)
        return np.concatenate([keyframe.labels for keyframe in boxes])

    def __len__(self):
        return len(self.keyframes)

    def __getitem__(self, key):
        """
        Args:
            key (tuple[int, int] | int): (epoch, index) gives a training clip, an index all
                views of that keyframe.

        Returns:
            Sample: of P persons; one whose box lies outside the crop is left out.
        """
        return self._training_clip(*key) if isinstance(key, tuple) else self._views(key)

    def _training_clip(self, epoch, index):
        data = self.cfg.DATA
        # The order of the draws is part of a seed's meaning.
        random = views.sample_random(self.cfg.RNG_SEED, epoch, index)
        rate = self.rates[random.integers(len(self.rates))]
        short_side = views.random_scale(random, data.TRAIN_JITTER_SCALES, data.INV_UNIFORM_SAMPLE)
        frames = self._clip_frames(index, rate)
        images = self._read(index, frames, short_side)
        size = data.TRAIN_CROP_SIZE
        top, left = views.random_crop_offset(random, *images.shape[1:3], size)
        flipped = data.RANDOM_FLIP and random.random() < 0.5
        crop = views.Crop(top, left, size, size, flipped)
        return self._sample(index, self._pathways(crop.cut(images)), crop, images)

    def _views(self, index):
        """One clip for each rate, of the whole frame or its centre; each frame is read once."""
        clips = [self._clip_frames(index, rate) for rate in self.views]
        needed, position = np.unique(np.concatenate(clips), return_inverse=True)
        images = self._read(index, needed, self.cfg.DATA.TEST_CROP_SIZE)
        crop = self._test_crop(*images.shape[1:3])
        pathways = [
            self._pathways(crop.cut(images[of_clip]))
            for of_clip in position.reshape(len(clips), -1)
        ]
        stacked = [torch.stack(clips) for clips in zip(*pathways, strict=True)]
        return self._sample(index, stacked, crop, images)

    def _test_crop(self, height, width):
        if self.cfg.AVA.TEST_CROP == "full":
            return views.Crop(0, 0, height, width)
        size = self.cfg.DATA.TEST_CROP_SIZE
        top, left = views.test_crop_offset(height, width, size, 0, 1)
        return views.Crop(top, left, size, size)

    def _clip_frames(self, index, rate):
        keyframe = self.keyframes[index]
        length = self.frames[keyframe.video].length
        return keyframe_clip(keyframe.second, self.cfg.DATA.NUM_FRAMES, rate, length)

    def _read(self, index, indices, short_side):
        frames = self.frames[self.keyframes[index].video]
        path = os.path.join(self.cfg.AVA.FRAME_DIR, frames.folder)
        names = [frames.name(index) for index in indices]
        with Video(path, FrameFolder(path, names)) as video:
            # A frame may stand in a clip more than once, at the movie's ends.
            return video.read(np.arange(len(names)), short_side)

    def _pathways(self, images):
        """T x H x W x 3 -> pathways, [3 x T' x H x W]."""
        # AVA.BGR asks for BGR, which is what upstream's keys mean where nothing reverses it.
        images = images[..., ::-1] if self.cfg.AVA.BGR else images
        clip = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 0, 1, 2)))
        return pack_pathways(self.cfg, clip)

    def _sample(self, index, pathways, crop, images):
        keyframe = self.keyframes[index]
        boxes, inside = crop.boxes(keyframe.boxes, *images.shape[1:3])
        size = np.array([crop.width, crop.height] * 2)
        # As upstream has it, a box ends at the last pixel.
        boxes = np.minimum(boxes[inside] * size, size - 1)
        return Sample(
            pathways,
            torch.from_numpy(keyframe.labels[inside]),
            index,
            boxes=torch.from_numpy(boxes).float(),
            persons=torch.from_numpy(np.flatnonzero(inside)),
        )


def test_rates(cfg):
    """The sampling rates of a test: those of TEST.VIEWS, or DATA.SAMPLING_RATE."""
    if not cfg.TEST.VIEWS:
        return [cfg.DATA.SAMPLING_RATE]
    groups = view_groups(cfg)
    if any((clips, crops) != (1, 1) for _, clips, crops in groups):
        raise SlowFastExtError(
            f"TEST.VIEWS is {groups}: on AVA and Volleyball each must be (rate, 1, 1), one clip "
            "around the keyframe"
        )
    return [rate for rate, _, _ in groups]


# Pytest would collect it wherever a test module imports it.
test_rates.__test__ = False


class Keyframe(NamedTuple):
    """
    The persons of one keyframe.

    Attributes:
        video (str), second (int): which.
        boxes (float64 array): P x 4: x1, y1, x2, y2 as fractions of the frame's size.
        labels (float32 array): P x A; column a is the action id a + 1.
    """

    video: str
    second: int
    boxes: np.ndarray
    labels: np.ndarray


def _keyframes(rows, videos, num_classes):
    """
    The Keyframes of rows `video,second,x1,y1,x2,y2,action`, sorted; rows of one box are one
    person. Seconds that are no keyframes and movies that are not in `videos` are left out.
    """
    rows = rows[rows["second"].isin(KEYFRAME_SECONDS)]
    if videos is not None:
        rows = rows[rows["video"].isin(list(videos))]
    refuse_actions_below_1(rows)
    too_large = rows["action"] > num_classes
    if too_large.any():
        raise SlowFastExtError(
            f"a box of {rows['video'][too_large].iloc[0]} has the action "
            f"{rows['action'][too_large].iloc[0]} but MODEL.NUM_CLASSES is {num_classes}"
        )
    if rows.empty:
        return []
    rows = rows.sort_values([*KEYFRAME, *BOX], kind="stable")
    # Where a keyframe begins, and where a person does, among the rows.
    keyframe_starts = _starts(rows, KEYFRAME)
    person_starts = _starts(rows, [*KEYFRAME, *BOX])
    person = np.searchsorted(person_starts, np.arange(len(rows)), side="right") - 1
    boxes = rows[BOX].to_numpy()[person_starts]
    labels = np.zeros((len(boxes), num_classes), np.float32)
    action = rows["action"].to_numpy()
    known = action != NO_ACTION
    labels[person[known], action[known] - 1] = 1
    names, seconds = (rows[name].to_numpy()[keyframe_starts] for name in KEYFRAME)
    splits = person[keyframe_starts][1:]
    columns = (names, seconds.tolist(), np.split(boxes, splits), np.split(labels, splits))
    return [Keyframe(*of_keyframe) for of_keyframe in zip(*columns, strict=True)]


def refuse_actions_below_1(rows):
    """Raises SlowFastExtError: a network's outputs are the actions from 1 on."""
    wrong = (rows["action"] < 1) & (rows["action"] != NO_ACTION)
    if wrong.any():
        first = rows[wrong].iloc[0]
        raise SlowFastExtError(
            f"a box of {first['video']},{first['second']:04d} has the action {first['action']}: "
            "AVA's ids count from 1"
        )


def _starts(rows, columns):
    """Where, in sorted rows, any of the columns changes."""
    changed = np.zeros(len(rows), bool)
    for name in columns:
        values = rows[name].to_numpy()
        changed[1:] |= values[1:] != values[:-1]
    changed[0] = True
    return np.flatnonzero(changed)
