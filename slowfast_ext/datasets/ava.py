"""AVA: persons' boxes on keyframes, each with several activities at once."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets import views
from slowfast_ext.datasets.ava_annotations import (
    BOX,
    KEYFRAME,
    NO_ACTION,
    pixel_problems,
    read_ground_truth,
    read_label_map,
    read_person_boxes,
)
from slowfast_ext.datasets.ava_frames import keyframe_clip, read_clock, read_frame_lists
from slowfast_ext.datasets.clips import Sample, crop_of_view, squeezed
from slowfast_ext.datasets.contract import names_by_output
from slowfast_ext.datasets.keyframe_clips import KeyframeClips, persons_in, require_folders
from slowfast_ext.datasets.lists import outside_sentence
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import register_dataset
from slowfast_ext.utils.paths import leads_outside

# Evaluation between epochs takes the keyframes of every fourth second alone, as upstream's does.
VAL_SECONDS = 4


@register_dataset
class Ava(KeyframeClips):
    """
    The tree that `python -m slowfast_ext prepare ava` writes, named by upstream's AVA.* keys.

    Training takes the boxes of AVA.TRAIN_GT_BOX_LISTS and TRAIN_PREDICT_BOX_LISTS, evaluation those
    of TEST_PREDICT_BOX_LISTS, predicted ones from AVA.DETECTION_SCORE_THRESH on. One item is one
    keyframe with all its persons; "val" has every 4th second unless AVA.FULL_TEST_ON_VAL, "test"
    one clip for each rate of TEST.VIEWS. Upstream's own data set gives one sampling rate and draws
    from global generators; this one reads the same files, and scales as AVA.IMG_PROC_BACKEND cv2
    does. Raises SlowFastExtError: bad lists or annotations.
    """

    evaluator = "AvaEvaluator"

    @classmethod
    def check_config(cls, cfg):
        """Persons are what AVA is about."""
        if not cfg.DETECTION.ENABLE:
            refuse(cfg, "DETECTION.ENABLE", f"must be True for {cls.__name__}")

    @classmethod
    def read_class_names(cls, cfg):
        """The label map's, and "class ID" for outputs that it does not name."""
        path = os.path.join(cfg.AVA.ANNOTATION_DIR, cfg.AVA.LABEL_MAP_FILE)
        # A network's outputs are AVA's ids from 1 on.
        names = {i - 1: name for i, name in read_label_map(path).items()}
        return names_by_output(path, names, cfg.MODEL.NUM_CLASSES)

    @staticmethod
    def channel_order(cfg):
        """With AVA.BGR upstream leaves its frames as OpenCV reads them."""
        return "BGR" if cfg.AVA.BGR != cfg.DATA.REVERSE_INPUT_CHANNEL else "RGB"

    def __init__(self, cfg, split):
        super().__init__(cfg, split)
        self.training = split in ("train", "tune")
        options = cfg.AVA
        self.label_map = read_label_map(
            os.path.join(options.ANNOTATION_DIR, options.LABEL_MAP_FILE)
        )
        self._check_classes()
        lists = options.TRAIN_LISTS if self.training else options.TEST_LISTS
        self.clock = read_clock(options.FRAME_LIST_DIR)
        self.frames = read_frame_lists([os.path.join(options.FRAME_LIST_DIR, n) for n in lists])
        for frames in self.frames.values():
            if leads_outside(options.FRAME_DIR, frames.folder, cfg.DATA.PATHS_OUTSIDE):
                outside = outside_sentence(frames.folder, options.FRAME_DIR)
                raise SlowFastExtError(f"{frames.listed}: {outside}")
        self.step = VAL_SECONDS if split == "val" and not options.FULL_TEST_ON_VAL else 1
        rows = self._read_boxes()
        rows = rows[self.tests_second(rows["second"])]
        self.keyframes = self._keyframes(rows, self.frames)
        if not self.keyframes:
            seconds = self.clock.keyframes
            raise SlowFastExtError(
                f"AVA.ANNOTATION_DIR {options.ANNOTATION_DIR} has no box on a keyframe of the "
                f"movies of {', '.join(lists)}, in seconds {seconds[0]} to "
                f"{seconds[-1]}, scored {options.DETECTION_SCORE_THRESH} or more"
            )
        # Otherwise each of them would be taken for a broken video, when it is read.
        require_folders(
            (os.path.join(options.FRAME_DIR, self.frames[k.video].folder) for k in self.keyframes),
            f"the lists of AVA.FRAME_LIST_DIR {options.FRAME_LIST_DIR} name it below AVA.FRAME_DIR "
            f"{options.FRAME_DIR}: set that key to where the frames are, or run `prepare ava "
            "--frames` once more",
        )

    def _check_classes(self):
        """A network's outputs are the action ids from 1 to MODEL.NUM_CLASSES."""
        number = self.cfg.MODEL.NUM_CLASSES
        key = f"AVA.LABEL_MAP_FILE {self.cfg.AVA.LABEL_MAP_FILE}"
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
        for name, rows in zip((*truth, *predicted), tables, strict=True):
            for problem in pixel_problems(os.path.join(options.ANNOTATION_DIR, name), rows):
                raise SlowFastExtError(problem)
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
    def item_labels(self):
        return np.stack([keyframe.labels.max(0) for keyframe in self.keyframes])

    @property
    def video_ids(self):
        """movie,second of each keyframe."""
        return [f"{keyframe.video},{keyframe.second:04d}" for keyframe in self.keyframes]

    def read_labels(self, path):
        """The label matrix, [boxes x A], of another file in the form of AVA's ground truth."""
        rows = read_ground_truth(path).astype({"video": str})
        boxes = self._keyframes(rows[rows["x1"].notna()], None)
        return np.concatenate([keyframe.labels for keyframe in boxes])

    def _keyframes(self, rows, videos):
        """As `_keyframes_of`, of the seconds that are keyframes, and of `videos` alone."""
        rows = rows[rows["second"].between(self.clock.keyframes[0], self.clock.keyframes[-1])]
        if videos is not None:
            rows = rows[rows["video"].isin(list(videos))]
        return _keyframes_of(rows, self.cfg.MODEL.NUM_CLASSES)

    def __len__(self):
        return len(self.keyframes)

    def training_crop(self, random, scaled, stored):
        size = self.cfg.DATA.TRAIN_CROP_SIZE
        return *views.random_crop_offset(random, *scaled, size), size, size

    def test_images(self, images):
        size = self.cfg.DATA.TEST_CROP_SIZE
        return squeezed(images, size) if self.cfg.AVA.TEST_CROP == "square" else images

    def test_crop(self, height, width):
        return crop_of_view(self.cfg, height, width, self.cfg.AVA.TEST_CROP != "centre")

    def clip_frames(self, index, rate):
        keyframe = self.keyframes[index]
        length, first = self.frames[keyframe.video].length, self.clock.first
        return keyframe_clip(keyframe.second, self.cfg.DATA.NUM_FRAMES, rate, length, first)

    def files(self, index, numbers):
        frames = self.frames[self.keyframes[index].video]
        path = os.path.join(self.cfg.AVA.FRAME_DIR, frames.folder)
        return path, [frames.name(number) for number in numbers]

    def sample(self, index, pathways, crop, scaled, stored):
        keyframe = self.keyframes[index]
        boxes, persons = persons_in(crop, keyframe.boxes, scaled)
        labels = torch.from_numpy(keyframe.labels)[persons]
        return Sample(pathways, labels, index, boxes=boxes, persons=persons)


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


def _keyframes_of(rows, num_classes):
    """
    The Keyframes of rows `video,second,x1,y1,x2,y2,action`, sorted; rows of one box are one
    person.
    """
    refuse_actions_below_1(rows)
    too_large = rows["action"] > num_classes
    if too_large.any():
        raise SlowFastExtError(
            f"a box of {rows['video'][too_large].iloc[0]} has the action "
            f"{rows['action'][too_large].iloc[0]} but MODEL.NUM_CLASSES is {num_classes}"
        )
    if rows.empty:
        return []
    # So that rows of one person are neighbours.
    rows = rows.sort_values([*KEYFRAME, *BOX], kind="stable")
    # Where a keyframe begins, and where a person does, among the rows.
    keyframe_starts = _starts(rows, KEYFRAME)
    person_starts = _starts(rows, [*KEYFRAME, *BOX])
    person = np.searchsorted(person_starts, np.arange(len(rows)), side="right") - 1
    boxes = rows[BOX].to_numpy()[person_starts]
    labels = np.zeros((len(boxes), num_classes), np.float32)
    action = rows["action"].to_numpy()
    known = action != NO_ACTION
    labels[person[known], action[known] - 1] = 1  # AVA's ids count from 1.
    names, seconds = (rows[name].to_numpy()[keyframe_starts] for name in KEYFRAME)
    splits = person[keyframe_starts][1:]
    columns = (names, seconds.tolist(), np.split(boxes, splits), np.split(labels, splits))
    return [Keyframe(*fields) for fields in zip(*columns, strict=True)]


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
