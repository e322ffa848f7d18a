"""
The tree that PySlowFast's AVA keys name: frame_lists/ and annotations/, beside the frames.

Its readers stop at seconds outside 902..1798, at person boxes of videos that are in no list
and, in training, at keyframes without boxes: the copies of the annotations leave those out.
"""

import functools
import os

from slowfast_ext.datasets.list_rows import read_text
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import open_atomically, pathmgr
from slowfast_ext.prepare.ava_frames import KEYFRAMES, frame_path

_HEADER = "original_vido_id video_id frame_id path labels"


def write_frame_list(path, num_frames):
    """
    Writes a list of frames in PySlowFast's form; paths are relative to AVA.FRAME_DIR.

    Args:
        path (str): to write.
        num_frames (dict[str, int]): frames of each video, by name.
    """
    with open_atomically(path) as stream:
        stream.write(f"{_HEADER}\n")
        for index, (name, count) in enumerate(num_frames.items()):
            for frame in range(count):
                stream.write(f'{name} {index} {frame} {frame_path(name, name, frame + 1)} ""\n')


def copy_annotations(source, target, names, splits):
    """
    Copies the files of the annotations that are there, without the rows that PySlowFast's
    readers stop at.

    Args:
        source (str), target (str): folders; they may be the same one.
        names (FileNames): of the version.
        splits (dict[str, Split]): whose files to copy.
    Raises:
        SlowFastExtError: they are the same folder and rows had to be left out.
    """
    copies = [(names.label_map, _any)]
    for split, annotations in splits.items():
        videos = set(annotations.videos)
        copies += [
            (names.ground_truth(split), _is_boxed_keyframe if split == "train" else _is_keyframe),
            (names.exclusions(split), _any),
            (names.person_boxes(split), functools.partial(_is_box_of, videos)),
        ]
    for name, is_kept in copies:
        path = os.path.join(source, name)
        if pathmgr.isfile(path):
            _copy(path, os.path.join(target, name), is_kept)


def _any(fields):
    return True


def _is_keyframe(fields):
    return int(float(fields[1])) in KEYFRAMES


def _is_boxed_keyframe(fields):
    return _is_keyframe(fields) and any(text.strip() for text in fields[2:])


def _is_box_of(videos, fields):
    return fields[0].strip() in videos and _is_boxed_keyframe(fields)


def _copy(path, copy, is_kept):
    """Copies the lines of a file whose comma-separated fields are to be kept."""
    text = read_text(path)
    lines = text.splitlines(keepends=True)
    kept = "".join(line for line in lines if not line.strip() or is_kept(line.split(",")))
    if not _is_same(path, copy):
        with open_atomically(copy) as stream:
            stream.write(kept)
    elif kept != text:
        raise SlowFastExtError(
            f"{path} has rows that PySlowFast's readers stop at: choose an --out whose "
            "annotations/ is another folder, which gets a copy without them"
        )


def _is_same(path, other):
    """True where two names are of one file."""
    return os.path.realpath(path) == os.path.realpath(other)
