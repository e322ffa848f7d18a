"""
The tree that PySlowFast's AVA keys name: frame_lists/ and annotations/, beside the frames.

Its readers stop at seconds outside 902..1798, at person boxes of videos that are in no list
and, in training, at keyframes without boxes: the copies of the annotations leave those out. They
take quotes around a field for a part of it: the copies have none.
"""

import csv
import functools
import io
import os

from slowfast_ext.datasets.ava_frames import START_FILE
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.ava_frames import frame_path
from slowfast_ext.utils.paths import open_atomically, pathmgr
from slowfast_ext.utils.text import read_text

_HEADER = "original_vido_id video_id frame_id path labels"


def write_frame_list(path, num_frames, folder=""):
    """
    Writes a list of frames in PySlowFast's form; paths are below `folder`, or relative to
    AVA.FRAME_DIR where that is empty.

    Args:
        path (str): to write.
        num_frames (dict[str, int]): frames of each video, by name.
    """
    with open_atomically(path) as stream:
        stream.write(f"{_HEADER}\n")
        for index, (name, count) in enumerate(num_frames.items()):
            for frame in range(count):
                frames = frame_path(os.path.join(folder, name), name, frame + 1)
                stream.write(f'{name} {index} {frame} {frames} ""\n')


def write_start(folder, start):
    """Writes the second of the videos' first frames beside the lists; None: AVA's, and no file."""
    path = os.path.join(folder, START_FILE)
    if start is not None:
        with open_atomically(path) as stream:
            stream.write(f"{start}\n")
    elif pathmgr.isfile(path):
        pathmgr.rm(path)


def copy_annotations(source, target, names, splits):
    """
    Copies the files of the annotations that are there, without the rows and quotes that
    PySlowFast's readers stop at.

    Args:
        source (str), target (str): folders; they may be the same one.
        names (FileNames): of the version.
        splits (dict[str, Split]): whose files to copy.
    Raises:
        SlowFastExtError: they are the same folder and something had to be left out.
    """
    copies = [(names.label_map, None)]
    for split, annotations in splits.items():
        seconds, videos = annotations.clock.keyframes, set(annotations.videos)
        is_kept = _is_boxed_keyframe if split == "train" else _is_keyframe
        copies += [
            (names.ground_truth(split), functools.partial(is_kept, seconds)),
            (names.exclusions(split), lambda fields: True),
            (names.person_boxes(split), functools.partial(_is_box_of, seconds, videos)),
        ]
    for name, is_kept in copies:
        path = os.path.join(source, name)
        if pathmgr.isfile(path):
            _copy(path, os.path.join(target, name), is_kept)


def _is_keyframe(seconds, fields):
    return int(float(fields[1])) in seconds


def _is_boxed_keyframe(seconds, fields):
    return _is_keyframe(seconds, fields) and any(text.strip() for text in fields[2:])


def _is_box_of(seconds, videos, fields):
    return fields[0].strip() in videos and _is_boxed_keyframe(seconds, fields)


def _copy(path, copy, is_kept):
    """Copies a file: of a CSV file the rows that are to be kept, all of another (None)."""
    text = read_text(path)
    kept = "".join(_kept_rows(text, is_kept)) if is_kept else text
    if os.path.realpath(path) != os.path.realpath(copy):
        with open_atomically(copy) as stream:
            stream.write(kept)
    elif kept != text:
        raise SlowFastExtError(
            f"{path} has rows or quotes that PySlowFast's readers stop at: choose an --out whose "
            "annotations/ is another folder, which gets a copy without them"
        )


def _kept_rows(text, is_kept):
    """Yields the text of each row that is to be kept, without quotes."""
    lines, start = list(io.StringIO(text, newline="")), 0
    reader = csv.reader(lines)
    for row in reader:
        row_text, start = "".join(lines[start : reader.line_num]), reader.line_num
        if any(field.strip() for field in row) and not is_kept(row):
            continue
        yield ",".join(map(str.strip, row)) + "\n" if '"' in row_text else row_text
