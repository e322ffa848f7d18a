"""
Lists of labelled videos, and the names of their classes.

A list is a CSV file with the header `path,labels[,start,end]`; one line is one segment.
"""

from dataclasses import dataclass

import numpy as np

from slowfast_ext.datasets.list_rows import HEADER, RowParser, check_header, read_rows, read_text
from slowfast_ext.errors import SlowFastExtError

MAX_PROBLEMS_SHOWN = 20


@dataclass(frozen=True)
class Segment:
    """
    A part of a video and what happens in it.

    Args:
        labels (tuple[int]): class ids; empty where no activity is shown.
        start (float or None), end (float or None): seconds, both inclusive; None in both
            where the segment is the whole video.
    """

    labels: tuple[int, ...]
    start: float | None = None
    end: float | None = None

    def contains_any(self, times):
        """True where at least one of `times` (float array, seconds) lies in the segment."""
        if self.start is None:
            return True
        times = np.asarray(times)
        return bool(np.any((times >= self.start) & (times <= self.end)))


@dataclass(frozen=True)
class Video:
    """A video of a list: its path, resolved, and its segments in the list's order."""

    path: str
    segments: tuple[Segment, ...]

    @property
    def labels(self):
        """tuple[int]: distinct class ids of all segments, sorted."""
        return _distinct(self.segments)

    def labels_between(self, times):
        """
        Labels of a part of the video.

        Args:
            times (float array): when the part's frames are shown, in seconds.
        Returns:
            tuple[int]: distinct class ids, sorted, of the segments that contain at least one
                of the frames.
        """
        return _distinct(segment for segment in self.segments if segment.contains_any(times))


def _distinct(segments):
    """Sorted distinct class ids of segments, as a tuple."""
    return tuple(sorted({label for segment in segments for label in segment.labels}))


def label_matrix(videos, num_classes):
    """
    Labels of videos as numbers.

    Returns:
        float32 array [len(videos), num_classes]: 1 where the video has the label, else 0.
    """
    matrix = np.zeros((len(videos), num_classes), dtype=np.float32)
    for row, video in zip(matrix, videos, strict=True):
        row[list(video.labels)] = 1.0
    return matrix


def read_names(path, key, number):
    """
    `read_class_names`, as many as a key of the config says.

    Raises:
        SlowFastExtError: as `read_class_names`, or the file names more or fewer.
    """
    names = read_class_names(path)
    if len(names) != number:
        raise SlowFastExtError(f"{path} names {len(names)} classes but {key} is {number}")
    return names


def read_class_names(path):
    """
    Reads the names of the classes, one a line; a class's id is its line's number from 0.

    Returns:
        list[str]
    Raises:
        SlowFastExtError: not readable, empty, a blank line in the middle, or a name twice.
    """
    text = read_text(path).rstrip()
    names = [line.strip() for line in text.split("\n")]
    if not text:
        raise SlowFastExtError(f"{path}: no class names; write one a line")
    first_line = {}
    for line, name in enumerate(names, start=1):
        if not name:
            raise SlowFastExtError(
                f"{path}:{line}: a blank line between class names; remove it, since the ids of "
                "the classes are their line numbers"
            )
        if name in first_line:
            raise SlowFastExtError(
                f'{path}:{line}: the class name "{name}" stands on line {first_line[name]} '
                "already; class names must differ"
            )
        first_line[name] = line
    return names


def read_list(path, class_names, root, check_files=True, outside="absolute", allow_empty=False):
    """
    Reads a list of labelled videos.

    Labels are separated by `;` and are class names or else class ids; none means that no
    activity is shown. Lines of one path belong to one video. Further columns are ignored.

    Args:
        path (str): the CSV file.
        class_names (list[str]): names of the classes in the order of their ids.
        root (str): folder that relative paths refer to.
        check_files (bool): refuse rows whose video is missing or empty.
        outside (str): DATA.PATHS_OUTSIDE, which paths may lead out of `root`.
        allow_empty (bool): do not refuse empty files, of which a loader tells.
    Returns:
        list[Video]: in the order in which their paths first appear.
    Raises:
        SlowFastExtError: not readable, a wrong header, no rows, or any bad rows, all of
            which it names.
    """
    rows = read_rows(path)
    if not rows:
        raise SlowFastExtError(f"{path}: the list is empty; its first line must be {HEADER}")
    header = check_header(path, *rows[0])
    parser = RowParser(header, list(class_names), root, check_files, outside, allow_empty)
    segments, bad_rows = {}, []
    for line, row in rows[1:]:
        video_path, segment, problems = parser.parse(row)
        if problems:
            bad_rows.append(f"{path}:{line}: {'; '.join(problems)}")
        else:
            segments.setdefault(video_path, []).append(Segment(*segment))
    refuse_bad_rows(path, bad_rows)
    if not segments:
        raise SlowFastExtError(f"{path}: no rows after the header {HEADER}; add one a segment")
    return [Video(video_path, tuple(found)) for video_path, found in segments.items()]


def refuse_bad_rows(path, bad_rows):
    """Raises SlowFastExtError that names them where there are any."""
    if bad_rows:
        raise SlowFastExtError(summary_of_bad_rows(path, bad_rows))


def summary_of_bad_rows(path, bad_rows):
    """The message about bad rows of a file or folder: how many there are, then the first."""
    rows = "1 bad row" if len(bad_rows) == 1 else f"{len(bad_rows)} bad rows"
    lines = [f"{path}: {rows}; correct or remove:", *bad_rows[:MAX_PROBLEMS_SHOWN]]
    if len(bad_rows) > MAX_PROBLEMS_SHOWN:
        lines.append(f"... and {len(bad_rows) - MAX_PROBLEMS_SHOWN} more")
    return "\n".join(lines)
