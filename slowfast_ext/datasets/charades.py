"""Charades, from the lists of `prepare charades` or from PySlowFast's own frame lists."""

import contextlib
import functools
import itertools
import os
from dataclasses import dataclass, field

from slowfast_ext.datasets.lists import Segment, Video, outside_sentence
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import register_dataset
from slowfast_ext.utils.paths import is_local, leads_outside, pathmgr
from slowfast_ext.utils.text import read_words, refuse_bad_rows, shortened

# PySlowFast's frame lists begin with this word, spelt so.
FRAME_LIST_START = b"original_vido_id"


@dataclass(frozen=True)
class CharadesVideo(Video):
    """
    A Video with its official id.

    Args:
        id (str): as the official files name it.
        num_frames (int or None): how many frames a frame list names; None in other lists.
    """

    id: str
    num_frames: int | None = None


@register_dataset
class Charades(MultiLabelVideos):
    """
    DATA.PATH_TO_DATA_DIR holds what `python -m slowfast_ext prepare charades` wrote
    (`classes.txt`, `train.csv`, `test.csv`), or PySlowFast's frame lists: `train.csv` and
    `val.csv`, which also serves for the test, with DATA.PATH_PREFIX the folder of the
    frames' folders and, if the classes shall have names, a `classes.txt` beside them.

    A training clip's labels are, as upstream has it, those of the frames from its first to
    its last (DATA.TRAIN_LABELS clip), or its whole video's (video). A video's labels in
    evaluation are those of all its frames. Frames come DATA.FRAME_FOLDER_FPS a second, which
    gives labels their times; sampling rates count stored frames, as upstream has it. Over video
    files DATA.TARGET_FPS 24 gives them the meaning that they have over frames of 24 a second.

    Clips are RGB. Stock Charades files set DATA.REVERSE_INPUT_CHANNEL because upstream's
    own loader reads BGR; with the key or without it, the network gets RGB here.

    Args, raises: those of MultiLabelVideos.
    """

    # Some of the official times lie behind their videos.
    checks_times = False

    @staticmethod
    def channel_order(cfg):
        """Upstream reads BGR by OpenCV, which its key turns to RGB: what is learned here anyway."""
        return "RGB"

    def list_path(self, split):
        path = super().list_path(split)
        if split == "test" and not pathmgr.exists(path):
            val = os.path.join(self.root, "val.csv")
            return val if pathmgr.exists(val) else path
        return path

    @classmethod
    def read_class_names(cls, cfg):
        """Beside frame lists there need be no classes.txt."""
        names = ("classes.txt", "train.csv", "val.csv", "test.csv")
        named, *lists = (os.path.join(cfg.DATA.PATH_TO_DATA_DIR, name) for name in names)
        if not pathmgr.exists(named) and any(map(is_frame_list, lists)):
            return [f"c{index:03d}" for index in range(cfg.MODEL.NUM_CLASSES)]
        return super().read_class_names(cfg)

    def read_videos(self, path, check_files=True):
        if is_frame_list(path):
            data, number = self.cfg.DATA, len(self.class_names)
            rules = data.FRAME_FOLDER_FPS, check_files, data.PATHS_OUTSIDE
            return read_frame_list(path, number, self._prefix, *rules)
        videos = super().read_videos(path, check_files)
        # The official files name a video as its file is named.
        ids = [os.path.splitext(os.path.basename(video.path))[0] for video in videos]
        return [CharadesVideo(**vars(v), id=i) for v, i in zip(videos, ids, strict=True)]

    def video_id(self, video):
        return video.id

    def open(self, index):
        """A frame list's labels belong to frames by their number: it must count them all."""
        video, reader = self.videos[index], super().open(index)
        if video.num_frames not in (None, reader.info.length):
            reader.close()
            raise SlowFastExtError(
                f"{video.path}: the folder holds {reader.info.length} frames, the list names "
                f"{video.num_frames} of {video.id}: extract the frames at the list's rate, "
                "or use a list that names all frames of the folder"
            )
        return reader


# --- PySlowFast's frame lists ----------------------------------------------------------


def is_frame_list(path):
    """True where `path` is a file that begins as PySlowFast's frame lists do."""
    with contextlib.suppress(OSError), pathmgr.open(path, "rb") as stream:
        return stream.readline(100).startswith(FRAME_LIST_START)
    return False


def read_frame_list(path, num_classes, root, fps, check_files=True, outside="absolute"):
    """
    Reads a list `original_vido_id video_id frame_id path labels`, one line a frame, its fields
    separated by blanks; labels are class ids below `num_classes`, quoted and separated by commas.

    Args:
        root (str): folder that relative paths refer to.
        fps (float): frames a second.
        check_files (bool): refuse videos whose folder of frames is missing.
        outside (str): DATA.PATHS_OUTSIDE.
    Returns:
        list[CharadesVideo]: in the order in which their ids first appear; neighbouring frames
            of equal labels are one segment, from the first one's time to the last one's.

    Raises SlowFastExtError: not readable, no rows, or any bad rows, all of which it counts.
    """
    rows = read_words(path)
    _, header = next(rows, (1, []))
    # Animal Kingdom's lists have a sixth column.
    num_fields, listed, bad_rows = max(5, len(header)), {}, []
    # Millions of lines share some thousand texts of labels.
    parse_labels = functools.cache(functools.partial(_frame_labels, num_classes))
    for line, fields in rows:
        if problem := _add_frame(listed, line, fields, num_fields, parse_labels):
            bad_rows.append(f"{path}:{line}: {problem}")
    videos = []
    for video_id, video in listed.items():
        folder = os.path.join(root, video.folder)
        folder = os.path.normpath(folder) if is_local(folder) else folder
        if check_files and leads_outside(root, video.folder, outside):
            bad_rows.append(f"{path}:{video.line}: {outside_sentence(video.folder, root)}")
        elif check_files and not pathmgr.isdir(folder):
            bad_rows.append(
                f"{path}:{video.line}: no such folder {folder}; DATA.PATH_PREFIX must name the "
                "folder that the list's paths start at"
            )
        runs = [(labels, first / fps, last / fps) for labels, first, last in video.runs if labels]
        segments = tuple(itertools.starmap(Segment, runs))
        videos.append(CharadesVideo(folder, segments, video_id, video.num_frames))
    refuse_bad_rows(path, bad_rows)
    if not videos:
        raise SlowFastExtError(f"{path}: no rows after the header; add one a frame")
    return videos


@dataclass
class _ListedVideo:
    """What a frame list says of one video so far; `runs` are [labels, first frame, last frame]."""

    folder: str
    line: int
    last_name: str = ""
    num_frames: int = 0
    runs: list = field(default_factory=list)


def _add_frame(videos, line, fields, num_fields, parse_labels):
    """Adds a line of a frame list to its video; returns what is wrong with it, or None."""
    if any("\0" in text for text in fields):
        return "holds a NUL character"
    if len(fields) != num_fields:
        return f"{len(fields)} fields where the header has {num_fields}"
    video_id, _, _, path, text = fields[:5]
    labels, problem = parse_labels(text)
    if problem:
        return problem
    folder, _, name = path.rpartition("/")
    video = videos.setdefault(video_id, _ListedVideo(folder, line))
    if folder != video.folder:
        return f"{shortened(path)} lies in another folder than {video_id}'s first frame"
    # Numbers may be padded or not.
    if (len(name), name) <= (len(video.last_name), video.last_name):
        return f"{name} must come before {video.last_name}: frames stand in their order"
    if not video.runs or video.runs[-1][0] != labels:
        video.runs.append([labels, video.num_frames, video.num_frames])
    video.runs[-1][2] = video.num_frames
    video.last_name, video.num_frames = name, video.num_frames + 1
    return None


def _frame_labels(num_classes, text):
    """(distinct sorted class ids, None), or (None, what is wrong)."""
    words = [word for word in text.replace('"', "").split(",") if word]
    # Python itself refuses to turn thousands of digits into a number.
    if all(word.isdecimal() and len(word) < 10 for word in words):
        class_ids = tuple(sorted(set(map(int, words))))
        if not class_ids or class_ids[-1] < num_classes:
            return class_ids, None
    return None, f"the labels {shortened(text)} are not class ids in 0..{num_classes - 1}"
