"""Charades' videos, or their folders of frames, checked against the annotations."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tqdm import tqdm

from slowfast_ext.datasets.video import FrameFolder, Video, open_video
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import is_local, pathmgr
from slowfast_ext.utils.text import shortened

# The official frames were extracted at this rate.
FPS = 24
# Seconds by which a video may be shorter or longer than annotated: more points to a partial
# copy, or to frames of another rate.
TOLERANCE = 1.0


class _Found(NamedTuple):
    """What one video is: its frames' number and size, how long it lasts, what is wrong."""

    info: object = None
    seconds: float | None = None
    unreadable: str | None = None
    misnumbered: str | None = None


class CharadesMedia:
    """
    The folder of the videos, or of their folders of frames.

    Attributes:
        infos (dict[str, VideoInfo]): by id, of the media that `check` has opened.

    Args:
        folder (str): where they lie.
        ending (str): of their names after the id; "" for folders of frames.
    """

    def __init__(self, folder, ending):
        if not pathmgr.isdir(folder):
            raise SlowFastExtError(f"{folder}: no such folder; check the path")
        # Absolute, so that the lists can lie anywhere.
        self.folder = os.path.abspath(folder) if is_local(folder) else folder.rstrip("/")
        self.ending = ending
        self.infos = {}
        self._names = set(pathmgr.ls(folder))

    def path(self, video):
        """Where an AnnotatedVideo lies, or should."""
        return f"{self.folder}/{video.id}{self.ending}"

    def check(self, videos, name):
        """
        Opens the media of AnnotatedVideos, and lists the frames of each.

        Args:
            name (str): of the videos, for the progress bar.

        Returns:
            dict: `missing`, ids; `unreadable` and `misnumbered` (frames that are not
                ID-000001.jpg, ID-000002.jpg, ...), id -> what is wrong;
                `shorter_than_annotated` and `longer_than_annotated`, id -> seconds.
        """
        present = [video for video in videos if self._is_present(video)]
        present_ids = {video.id for video in present}
        kinds = "unreadable", "misnumbered", "shorter_than_annotated", "longer_than_annotated"
        report = {"missing": [video.id for video in videos if video.id not in present_ids]}
        report.update((kind, {}) for kind in kinds)
        inspect = self._inspect_video if self.ending else self._inspect_frames
        with ThreadPoolExecutor() as pool:
            inspected = pool.map(inspect, present)
            progress = tqdm(inspected, name, len(present), disable=None, leave=False)
            for video, found in zip(present, progress, strict=True):
                self._add(report, video, found)
        return report

    def _add(self, report, video, found):
        for kind in ("unreadable", "misnumbered"):
            if getattr(found, kind):
                report[kind][video.id] = getattr(found, kind)
        if found.info:
            self.infos[video.id] = found.info
        if found.seconds is not None and abs(found.seconds - video.length) > TOLERANCE:
            kind = "shorter" if found.seconds < video.length else "longer"
            report[f"{kind}_than_annotated"][video.id] = round(found.seconds, 2)

    def _is_present(self, video):
        """An empty file counts as missing: it is a download that never began."""
        if f"{video.id}{self.ending}" not in self._names:
            return False
        path = self.path(video)
        return not (is_local(path) and os.path.isfile(path) and os.path.getsize(path) == 0)

    def _inspect_video(self, video):
        try:
            # Boxes count pixels as they are stored.
            with open_video(self.path(video), pixel_aspect=False) as reader:
                return _Found(reader.info, reader.info.duration)
        except SlowFastExtError as error:
            return _Found(unreadable=str(error))

    def _inspect_frames(self, video):
        """Opens the first and the last frame alone: all would be seven million files."""
        path = self.path(video)
        try:
            frames, others = _list_frames(path, video.id)
            if not frames:
                raise SlowFastExtError(f"{path}: holds no frame {_frame_name(video.id, 1)}")
            empty = [number for number, size in frames.items() if size == 0]
            if empty:
                name = _frame_name(video.id, min(empty))
                raise SlowFastExtError(f"{path}: {len(empty)} frames are empty, {name} first")
            names = [_frame_name(video.id, number) for number in (min(frames), max(frames))]
            with Video(path, FrameFolder(path, names)) as reader:
                reader.read([1])  # The first is read on opening.
        except SlowFastExtError as error:
            return _Found(unreadable=str(error))
        problem = _misnumbered(path, video.id, frames, others)
        return _Found(None, len(frames) / FPS, misnumbered=problem)

    def num_unlisted(self, splits):
        """How many videos, or folders, are in neither split."""
        listed = {f"{video.id}{self.ending}" for videos in splits.values() for video in videos}
        others = {n for n in self._names - listed if n.endswith(self.ending) and n[0] != "."}
        return len(others)


def _frame_name(video_id, number):
    return f"{video_id}-{number:06d}.jpg"


def _list_frames(path, video_id):
    """({number of a frame: bytes, or None in a store}, [names of whatever else is there])."""
    frames, others = {}, []
    for name, is_file, size in _entries(path):
        found = re.fullmatch(rf"{re.escape(video_id)}-([0-9]{{6,9}})\.jpg", name)
        number = int(found[1]) if found else 0
        if is_file and number and name == _frame_name(video_id, number):
            frames[number] = size
        else:
            others.append(name)
    return frames, sorted(others)


def _entries(path):
    """(name, whether a file, bytes) of what is not hidden in a folder; a store tells names."""
    try:
        if not is_local(path):
            return [(name, True, None) for name in pathmgr.ls(path) if name[0] != "."]
        with os.scandir(path) as entries:
            return [(entry.name, *_size(entry)) for entry in entries if entry.name[0] != "."]
    except OSError as error:
        reason = error.strerror or error
        raise SlowFastExtError(f"{path}: not a readable folder of frames ({reason})") from error


def _size(entry):
    try:
        status = entry.stat()
    except OSError:  # A link to nothing.
        return False, 0
    return stat.S_ISREG(status.st_mode), status.st_size


def _misnumbered(path, video_id, frames, others):
    """How the frames are not ID-000001.jpg to the last without a hole; None where they are."""
    problems = []
    missing = next((n for n in range(1, max(frames)) if n not in frames), None)
    if missing:
        count = max(frames) - len(frames)
        name = _frame_name(video_id, missing)
        problems.append(f"{count} frames are missing before the last, {name} first")
    if others:
        problems.append(f"holds {len(others)} other than such frames: {shortened(others[0])}")
    return f"{path}: {'; '.join(problems)}" if problems else None
