"""Where AVA's frames lie: PySlowFast's frame lists, and the frames around a keyframe."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slowfast_ext.datasets.lists import summary_of_bad_rows
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import pathmgr

FPS = 30
# The movies' frames begin at this second; keyframes leave two seconds at either end.
FIRST_SECOND = 900
KEYFRAME_SECONDS = range(902, 1799)
_COLUMNS = ["original_vido_id", "video_id", "frame_id", "path", "labels"]


@dataclass(frozen=True)
class Frames:
    """
    A movie's frames: FOLDER/PREFIX000001.jpg, numbered without gaps.

    Args:
        folder (str): relative to AVA.FRAME_DIR.
        start (str), digits (int), end (str): a name is start, a number of so many digits, end.
        first (int): the first frame's number.
        length (int): how many there are.
    """

    folder: str
    start: str
    digits: int
    end: str
    first: int
    length: int

    def names(self, indices):
        """The files' names of frames by their places from 0."""
        return [f"{self.start}{self.first + i:0{self.digits}d}{self.end}" for i in indices]


def keyframe_clip(second, num_frames, rate, length):
    """
    The frames of the clip around a keyframe, as upstream samples them.

    Args:
        second (int): of the movie.
        num_frames (int): frames of the clip.
        rate (int): sampling rate, in frames.
        length (int): frames of the movie from FIRST_SECOND on.
    Returns:
        int64 array [num_frames]: within [0, length - 1], never decreasing.
    """
    start = (second - FIRST_SECOND) * FPS - num_frames * rate // 2
    return np.clip(start + rate * np.arange(num_frames), 0, length - 1)


def read_frame_lists(paths):
    """
    Reads lists `original_vido_id video_id frame_id path labels`, one line a frame.

    Returns:
        dict[str, Frames]: by the movie's name, in the order in which they first appear.
    Raises:
        SlowFastExtError: a list is not readable or not of this form, or a movie's frames are
            not numbered without gaps in one folder; it names all such movies.
    """
    found = {}
    for path in paths:
        table, problems = _read_table(path), []
        for name, rows in table.groupby("original_vido_id", sort=False).indices.items():
            files = table["path"].to_numpy()[rows]
            frames = _numbered(files)
            if frames is None:
                problems.append(
                    f"{path}:{rows[0] + 2}: the frames of {name}, {files[0]} to {files[-1]}, do "
                    "not lie in one folder with names that count up by 1"
                )
            found[name] = frames
        if problems:
            raise SlowFastExtError(summary_of_bad_rows(path, problems))
    return found


def _read_table(path):
    try:
        with pathmgr.open(path, "rb") as stream:
            table = pd.read_csv(stream, sep=" ", dtype=str, keep_default_na=False)
    except OSError as error:
        raise SlowFastExtError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise SlowFastExtError(f"{path}: not a list of frames ({error})") from error
    if list(table.columns) != _COLUMNS or table.empty:
        raise SlowFastExtError(
            f"{path}: its first line must be '{' '.join(_COLUMNS)}', and a line for each frame "
            "follow, separated by blanks"
        )
    return table


def _numbered(files):
    """The Frames that these paths are, or None where they are none."""
    folder, _, name = files[0].rpartition("/")
    parts = re.fullmatch(r"(.*?)(\d+)(\.\w+)", name)
    if not folder or not parts:
        return None
    start, number, end = parts.groups()
    frames = Frames(folder, start, len(number), end, int(number), len(files))
    wanted = [f"{folder}/{name}" for name in frames.names(range(len(files)))]
    return frames if wanted == list(files) else None
