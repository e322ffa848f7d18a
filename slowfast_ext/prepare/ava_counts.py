"""AVA's official annotation files of both splits, and what they hold."""

import os
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slowfast_ext.datasets.ava_annotations import (
    BOX,
    KEYFRAME,
    NO_ACTION,
    pixel_problems,
    read_exclusions,
    read_ground_truth,
    read_label_map,
    read_person_boxes,
)
from slowfast_ext.datasets.ava_frames import Clock
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.media import named
from slowfast_ext.utils.paths import pathmgr

SPLITS = ("train", "val")
_LABEL_MAPS = {
    "2.1": "ava_action_list_v2.1_for_activitynet_2018.pbtxt",
    "2.2": "ava_action_list_v2.2_for_activitynet_2019.pbtxt",
}
# All of AVA's, 60 of which are in the label map; other sets may have more.
_NUM_CLASSES = 80
# The paper keeps the person boxes above it.
_PERSON_SCORE = 0.8


@dataclass(frozen=True)
class FileNames:
    """
    Official names of the files of one version.

    Args:
        version (str): "2.1" or "2.2".
    """

    version: str

    @property
    def label_map(self):
        return _LABEL_MAPS[self.version]

    def ground_truth(self, split):
        return f"ava_{split}_v{self.version}.csv"

    def exclusions(self, split):
        return f"ava_{split}_excluded_timestamps_v{self.version}.csv"

    def person_boxes(self, split):
        return f"ava_{split}_predicted_boxes.csv"


@dataclass(frozen=True)
class Split:
    """
    The annotations of one split, as `slowfast_ext.datasets.ava_annotations` reads them.

    Args:
        rows (DataFrame): of the ground truth.
        exclusions (DataFrame or None): keyframes left out; None where there is no file.
        person_boxes (DataFrame or None): a detector's; None where there is no file.
        clock (Clock): how they count seconds.
    """

    rows: pd.DataFrame
    exclusions: pd.DataFrame | None
    person_boxes: pd.DataFrame | None
    clock: Clock = Clock()

    @property
    def videos(self):
        """list[str]: names of the videos, in the order of the ground truth."""
        return self.rows["video"].unique().tolist()

    @property
    def videos_with_boxes(self):
        """list[str]: those with a box on a keyframe, in the same order."""
        used = self.rows[self.is_keyframe(self.rows) & (self.rows["action"] != NO_ACTION)]
        return used["video"].unique().tolist()

    @property
    def last_keyframes(self):
        """dict[str, int]: the last keyframe of each video that has one."""
        used = self.rows[self.is_keyframe(self.rows)]
        return used.groupby("video", observed=True)["second"].max().to_dict()

    def is_keyframe(self, rows):
        """bool array: which rows are of seconds that are used, of AVA's 902 to 1798."""
        seconds = self.clock.keyframes
        return rows["second"].between(seconds[0], seconds[-1]).to_numpy()


def read_annotations(folder, names, start=None):
    """
    Reads the label map, and the files of each split whose ground truth is there.

    Args:
        folder (str): of the annotations.
        names (FileNames): of the version.
        start (int or None): the second of the videos' first frames; None: they are AVA's.
    Returns:
        (dict[int, str], dict[str, Split]): names of the evaluated classes by id; splits by
            name.
    Raises:
        SlowFastExtError: no ground truth, or what is wrong with any of the files.
    """
    present = [s for s in SPLITS if pathmgr.isfile(os.path.join(folder, names.ground_truth(s)))]
    if not present:
        raise SlowFastExtError(
            f"{folder} has neither {names.ground_truth('train')} nor {names.ground_truth('val')}: "
            "check --annotations and --version"
        )
    problems = []

    def read(reader, name, needed=False):
        path = os.path.join(folder, name)
        if not needed and not pathmgr.isfile(path):
            return None
        try:
            return reader(path)
        except SlowFastExtError as error:
            problems.append(str(error))

    label_map = read(read_label_map, names.label_map, needed=True)
    splits = {}
    for split in present:
        rows = read(read_ground_truth, names.ground_truth(split))
        exclusions = read(read_exclusions, names.exclusions(split))
        persons = read(read_person_boxes, names.person_boxes(split))
        splits[split] = Split(rows, exclusions, persons, Clock.of_start(start))
        if rows is not None:
            path = os.path.join(folder, names.ground_truth(split))
            problems += _problems(splits[split], path, max((_NUM_CLASSES, *(label_map or ()))))
        if persons is not None and rows is not None:
            path = os.path.join(folder, names.person_boxes(split))
            problems += _box_problems(splits[split], path, persons, start)
    if problems:
        raise SlowFastExtError("\n".join(problems))
    return label_map, splits


def _problems(split, path, num_classes):
    """What PySlowFast's reader would stop at, or silently take for something else."""
    problems, rows = pixel_problems(path, split.rows), split.rows
    videos = [str(v) for v in rows["video"].cat.categories if not re.fullmatch(r"[\w.-]+", str(v))]
    if videos:
        problems.append(f"{path}: names of videos with blanks or signs: {named(videos)}")
    labels = rows["action"]
    wrong = set(labels[(labels < 1) | (labels > num_classes)]) - {NO_ACTION}
    if wrong:
        ids = f"class ids that are not from 1 to {num_classes}"
        problems.append(f"{path}: {ids}: {named(sorted(wrong))}")
    seconds = split.clock.keyframes
    if split.clock != Clock():
        early = rows["second"] < seconds[0]
        if early.any():
            problems.append(f"{path}: seconds before --start {seconds[0]}: {_first(rows[early])}")
        return problems
    used = set(rows["video"][split.is_keyframe(rows)])
    outside = [video for video in split.videos if video not in used]
    if outside:
        problems.append(
            f"{path}: no second from {seconds[0]} to {seconds[-1]}, as AVA's are, of "
            f"{named(outside)}: say with --start which second is a video's first frame"
        )
    return problems


def _box_problems(split, path, persons, start):
    """What is wrong with a detector's boxes; those of AVA's other seconds are left out later."""
    problems = pixel_problems(path, persons)
    strange = ~persons["video"].isin(split.videos) | ~split.is_keyframe(persons)
    if start is not None and strange.any():
        problems.append(
            f"{path}: boxes of videos that are not in the ground truth, or of seconds before "
            f"--start {start}: {_first(persons[strange])}"
        )
    return problems


def _first(rows):
    """The first of some rows, and how many there are, for a message."""
    video, second = rows["video"].iloc[0], rows["second"].iloc[0]
    return f"{video},{second:04d}" + (f" and {len(rows) - 1} more rows" if len(rows) > 1 else "")


# --- Counts ---------------------------------------------------------------------------


def count(split, label_map):
    """What one split holds, for a report: dict; boxes are distinct by keyframe and corners."""
    labelled = split.rows[split.rows["action"] != NO_ACTION]
    labelled = labelled[[*KEYFRAME, *BOX, "action"]].drop_duplicates()
    per_box = labelled.groupby([*KEYFRAME, *BOX], observed=True).size()
    corners = per_box.index.to_frame(index=False)[BOX].to_numpy()
    boxes_per_class = labelled["action"].value_counts()
    frequency = pd.Series({c: int(boxes_per_class.get(c, 0)) for c in label_map})
    unevaluated = boxes_per_class[~boxes_per_class.index.isin(label_map)]

    def described(class_id):
        return {
            "id": int(class_id),
            "name": label_map[class_id],
            "boxes": int(frequency[class_id]),
        }

    return {
        "videos": len(split.videos),
        "keyframes": len(split.rows[KEYFRAME].drop_duplicates()),
        "boxes": len(per_box),
        "boxes_by_number_of_labels": {
            str(n): int(boxes) for n, boxes in per_box.value_counts().sort_index().items()
        },
        "labels_per_box": float(per_box.mean()) if len(per_box) else 0.0,
        "labels_used": len(boxes_per_class),
        "labels_used_and_evaluated": len(boxes_per_class) - len(unevaluated),
        "boxes_of_labels_not_evaluated": int(unevaluated.sum()),
        "rarest_class": described(frequency.idxmin()),
        "most_frequent_class": described(frequency.idxmax()),
        "boxes_outside_frame": int(np.any((corners < 0) | (corners > 1), axis=1).sum()),
        "rows_outside_902_to_1798": int((~split.is_keyframe(split.rows)).sum()),
        "excluded_timestamps": None if split.exclusions is None else len(split.exclusions),
        "rows_at_excluded_timestamps": _num_excluded(split),
        "person_boxes": _count_person_boxes(split),
    }


def _num_excluded(split):
    """How many rows of the ground truth are of keyframes that are left out."""
    if split.exclusions is None:
        return 0
    rows, excluded = (pd.MultiIndex.from_frame(t[KEYFRAME]) for t in (split.rows, split.exclusions))
    return int(rows.isin(excluded).sum())


def _count_person_boxes(split):
    if split.person_boxes is None:
        return None
    boxes = split.person_boxes.drop_duplicates([*KEYFRAME, *BOX])
    corners, videos = boxes[BOX].to_numpy(), set(split.videos)
    return {
        "boxes": len(boxes),
        f"score_above_{_PERSON_SCORE:g}": int((boxes["score"] > _PERSON_SCORE).sum()),
        "boxes_outside_frame": int(np.any((corners < 0) | (corners > 1), axis=1).sum()),
        "boxes_outside_902_to_1798": int((~split.is_keyframe(boxes)).sum()),
        "boxes_of_other_videos": int((~boxes["video"].isin(videos)).sum()),
        "videos_without_boxes": len(videos - set(boxes["video"])),
    }
