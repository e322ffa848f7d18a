"""Where AVA's frames lie: PySlowFast's frame lists, and the frames around a keyframe."""

import os
import re
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.text import read_text, read_words, refuse_bad_rows

FPS = 30
# Beside frame lists of other sets: the second of the videos' first frames.
START_FILE = "start.txt"
_COLUMNS = ["original_vido_id", "video_id", "frame_id", "path", "labels"]


@dataclass(frozen=True)
class Clock:
    """
    How a set counts the seconds of its keyframes; AVA's unless stated.

    Args:
        first (int): the second of a movie's first frame.
        keyframes (range): the seconds that are used. AVA leaves two out at either end.
    """

    first: int = 900
    keyframes: range = range(902, 1799)

    @classmethod
    def of_start(cls, start):
        """Of videos of any length whose first frame is second `start`; None: AVA's."""
        # A year.
        return cls() if start is None else cls(start, range(start, start + 31_536_000))


def read_clock(folder):
    """The Clock of a folder of frame lists: AVA's, or that of its start.txt."""
    path = os.path.join(folder, START_FILE)
    if not pathmgr.isfile(path):
        return Clock()
    text = read_text(path).strip()
    if not re.fullmatch("[0-9]{1,9}", text):
        raise SlowFastExtError(f"{path}: must hold the second of the videos' first frame")
    return Clock.of_start(int(text))


@dataclass(frozen=True)
class Frames:
    """
    A movie's frames: FOLDER/PREFIX000001.jpg, numbered without gaps.

    Args:
        folder (str): relative to AVA.FRAME_DIR.
        start (str), digits (int), end (str): a name is start, a number of so many digits, end.
        first (int): the first frame's number.
        length (int): how many there are.
        listed (str): file:line of the list where the first one stands.
    """

    folder: str
    start: str
    digits: int
    end: str
    first: int
    length: int
    listed: str

    def name(self, index):
        """The name of a frame's file by its place from 0."""
        return f"{self.start}{self.first + index:0{self.digits}d}{self.end}"

    def file(self, index):
        """The frame's path below AVA.FRAME_DIR."""
        return f"{self.folder}/{self.name(index)}"


def keyframe_clip(second, num_frames, rate, length, first=Clock.first):
    """
    The frames of the clip around a movie's `second`, as upstream samples them: int64 [num_frames],
    never decreasing, within [0, length - 1] from the Clock's `first`
    second on; `rate` is in frames.
    """
    start = (second - first) * FPS - num_frames * rate // 2
    return np.clip(start + rate * np.arange(num_frames), 0, length - 1)


def read_frame_lists(paths):
    """
    Reads lists `original_vido_id video_id frame_id path labels`, one line a frame -> Frames by the
    movie's name, in their order. Raises SlowFastExtError, with each movie's first bad line, where a
    list is not of this form or a movie's frames are not numbered without gaps in one folder.
    """
    found = {}
    for path in paths:
        found.update(_read_frame_list(path))
    return found


# A run opens the lists, which are of millions of lines, for each of its splits.
@lru_cache(maxsize=4)
def _read_frame_list(path):
    first, lengths, problems = {}, {}, {}
    rows = read_words(path)
    header = next(rows, None)
    for line, fields in rows:
        if len(fields) != len(_COLUMNS):
            what = f"{len(fields)} fields where {' '.join(_COLUMNS)} are meant"
            raise SlowFastExtError(f"{path}:{line}: {what}")
        movie, file = fields[0], fields[3]
        if movie not in lengths:
            folder, _, name = file.rpartition("/")
            # A longer number's last digits count up, and Python reads 4300 at most.
            parts = re.fullmatch(r"(.*?)([0-9]{1,18})(\.\w+)", name)
            if folder and parts:
                start, number, end = parts.groups()
                names = start, len(number), end, int(number)
                first[movie] = Frames(folder, *names, length=0, listed=f"{path}:{line}")
            lengths[movie] = 0
        frame = first.get(movie)
        if frame is None or file != frame.file(lengths[movie]):
            problems.setdefault(
                movie,
                f"{path}:{line}: {file}: the frames of {movie} must lie in one folder, with names "
                "that count up by 1",
            )
        lengths[movie] += 1
    if not lengths or header[1] != _COLUMNS:
        raise SlowFastExtError(
            f"{path}: its first line must be '{' '.join(_COLUMNS)}', and a line for each frame "
            "follow, separated by blanks"
        )
    refuse_bad_rows(path, list(problems.values()))
    return {movie: replace(frame, length=lengths[movie]) for movie, frame in first.items()}
