"""Where the frames and the tracklets of Volleyball's moments lie."""

import os
from typing import NamedTuple

from slowfast_ext.datasets.video import FrameFolder
from slowfast_ext.datasets.volleyball_annotations import REACH, read_tracklets
from slowfast_ext.errors import SlowFastExtError

SPLITS = {
    "train": (1, 3, 6, 7, 10, 13, 15, 16, 18, 22, 23, 31)
    + (32, 36, 38, 39, 40, 41, 42, 48, 50, 52, 53, 54),
    "val": (0, 2, 8, 12, 17, 19, 24, 26, 27, 28, 30, 33, 46, 49, 51),
    "test": (4, 5, 9, 11, 14, 20, 21, 25, 29, 34, 35, 37, 43, 44, 45, 47),
}
NUM_MOMENTS = 4830
_TRACKLETS = "volleyball_tracking_annotation"


def video_folders(root):
    """
    The folders of the videos that are there.

    Args:
        root (str): holds them by their numbers, or in `videos/`.
    Returns:
        dict[str, dict[int, str]]: split -> video -> folder; a video counts where it has an
            annotations.txt.
    Raises:
        SlowFastExtError: no such folder, or no such videos in it.
    """
    if not os.path.isdir(root):
        raise SlowFastExtError(f"--root {root}: no such folder; check the path")
    inner = os.path.join(root, "videos")
    folder = inner if os.path.isdir(inner) else root
    found = {
        split: {
            video: os.path.join(folder, str(video))
            for video in videos
            if os.path.isfile(os.path.join(folder, str(video), "annotations.txt"))
        }
        for split, videos in SPLITS.items()
    }
    if not any(found.values()):
        raise SlowFastExtError(
            f"--root {root}: holds none of the videos 0 to 54: expected is V/annotations.txt or "
            "videos/V/annotations.txt"
        )
    return found


class Folder(NamedTuple):
    """
    A moment's folder of frames.

    Attributes:
        path (str): absolute.
        numbers (set[int]): of its frames.
        is_misplaced (bool): it does not lie directly in its video's folder.
        num_strays (int): folders in it that hold no moment's frames.
    """

    path: str
    numbers: set
    is_misplaced: bool
    num_strays: int

    def run_around(self, target):
        """(first, last): the frames without gaps around the target, REACH or fewer a side."""
        first = last = target
        while first - 1 in self.numbers and target - first < REACH:
            first -= 1
        while last + 1 in self.numbers and last - target < REACH:
            last += 1
        return first, last


def moment_folders(video_folder):
    """
    Finds the folders anywhere below a video's that hold the frame which they are named after.

    Returns:
        dict[int, Folder]: by that frame's number; of several the least deep one.
    """
    found = {}
    for parent, folders, files in os.walk(os.path.abspath(video_folder)):
        folders.sort()
        name = os.path.basename(parent)
        if f"{name}.jpg" not in files or not name.isdecimal():
            continue
        numbers = {int(file[:-4]) for file in files if _is_frame(file)}
        is_misplaced = os.path.dirname(parent) != os.path.abspath(video_folder)
        moment = Folder(parent, numbers, is_misplaced, sum(_is_stray(parent, f) for f in folders))
        known = found.setdefault(int(name), moment)
        if parent.count(os.sep) < known.path.count(os.sep):
            found[int(name)] = moment
    return found


def _is_frame(file):
    name, ending = os.path.splitext(file)
    return ending == ".jpg" and name.isdecimal()


def _is_stray(parent, name):
    return not os.path.isfile(os.path.join(parent, name, f"{name}.jpg"))


def frame_size(folder, target):
    """(width, height, None) of a moment's target frame, or (None, None, why it is unreadable)."""
    try:
        info = FrameFolder(folder, [f"{target}.jpg"]).info
    except SlowFastExtError as error:
        return None, None, str(error)
    return info.width, info.height, None


def count_tracklets(root, video, targets):
    """
    Reads the tracklets of a video's moments, ROOT/volleyball_tracking_annotation/V/T/T.txt, where
    there are any.

    Returns:
        tuple[int, int, list[str]]: moments that have some, boxes, problems with file:line.
    """
    num_moments, num_boxes, problems = 0, 0, []
    for target in targets:
        path = os.path.join(root, _TRACKLETS, str(video), str(target), f"{target}.txt")
        if os.path.isfile(path):
            count, wrong = read_tracklets(path)
            num_moments, num_boxes = num_moments + 1, num_boxes + count
            problems += wrong
    return num_moments, num_boxes, problems
