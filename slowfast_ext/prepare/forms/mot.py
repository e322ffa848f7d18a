"""
MOT's tracks, frame,id,x,y,w,h,score,... in pixels, with an activity: a text or a class's number
behind them, or a column of a header. Frames count from 1 unless a header says nothing of it.
"""

import os

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import seconds
from slowfast_ext.prepare.label_columns import PATHS, plain
from slowfast_ext.prepare.shapes import Shape, up_to_next
from slowfast_ext.utils.tables import rows_of_text
from slowfast_ext.utils.text import parse_number, shortened

_PLAIN = ["frame", "id", "x", "y", "w", "h", "score"]
# Names of columns, each with others for the same.
_NAMES = {
    "frame": ("frame", "frame_id", "frame_number", "frame_index"),
    "id": ("id", "track_id", "track", "subject", "object_id", "person_id"),
    "x": ("x", "bb_left", "left", "x1", "xmin", "x_min"),
    "y": ("y", "bb_top", "top", "y1", "ymin", "y_min"),
    "w": ("w", "bb_width", "width"),
    "h": ("h", "bb_height", "height"),
    "x2": ("x2", "right", "xmax", "x_max"),
    "y2": ("y2", "bottom", "ymax", "y_max"),
    "score": ("score", "conf", "confidence"),
}
_OTHER_NAME = {name: key for key, names in _NAMES.items() for name in names}


def mot_shapes(file, content, with_labels=True):
    """
    The boxes of MOT's tracks.

    Args:
        file (LabelFile): the file, its videos and `frame_base`.
        content (Content)
        with_labels (bool): the boxes must say what happens.
    Returns:
        list[Shape]: what is wrong with rows is told to `file.problems`.
    Raises:
        SlowFastExtError: columns are missing, or it is not said from where frames count.
    """
    rows = rows_of_text(content.path, content.text)
    if not rows:
        raise SlowFastExtError(f"{file.path}: holds no tracks")
    header, base = rows[0][1], file.frame_base
    if seconds(header[0]) is not None:
        names = _names_without_header(file, rows, with_labels)
        base = 1 if base is None else base
    else:
        names, rows = [_OTHER_NAME.get(plain(name), plain(name)) for name in header], rows[1:]
        _check_header(file, names, header)
    video = _own_video(file)
    found = [shape for line, row in rows if (shape := _shape(file, line, row, names, base, video))]
    return up_to_next(found)


def _names_without_header(file, rows, with_labels):
    """Columns behind MOT's own: a text is what happens, else its class's number is."""
    width = max(len(row) for _, row in rows)
    has_text = any(seconds(row[-1]) is None and parse_number(row[-1]) is None for _, row in rows)
    names = [*_PLAIN, *(f"column_{n}" for n in range(len(_PLAIN) + 1, width + 1))][:width]
    if width > len(_PLAIN):
        names[-1 if has_text else len(_PLAIN)] = "activity"
        return names
    if width >= _PLAIN.index("score") and not with_labels:
        return names
    raise SlowFastExtError(
        f"{file.path}:{rows[0][0]}: {width} fields where frame,id,x,y,w,h,score and an activity "
        "are expected"
    )


def _check_header(file, names, header):
    missing = [name for name in ("frame", "id", "x", "y") if name not in names]
    missing += [
        f"{size} or {end}"
        for size, end in (("w", "x2"), ("h", "y2"))
        if size not in names and end not in names
    ]
    if missing:
        raise SlowFastExtError(
            f"{file.path}: tracks without a column {missing[0]}; the columns are "
            f"{', '.join(header)}"
        )
    if file.frame_base is None:
        raise SlowFastExtError(
            f"{file.path}: do frames count from 0 or from 1? Say so by --frame-base"
        )


def _own_video(file):
    """The file's own name; of MOT's VIDEO/gt/gt.txt the folder's."""
    folder, name = os.path.split(os.path.abspath(file.path))
    stem = os.path.splitext(name)[0]
    above = os.path.basename(os.path.dirname(folder))
    return above if stem in ("gt", "det") and not file.media.has(stem) else stem


def _shape(file, line, row, names, base, video):
    """A row's Shape, which holds for one frame; None for one that is to be left out."""
    where = f"{file.path}:{line}"
    if len(row) > len(names):
        file.problems.append(f"{where}: {len(row)} fields where {len(names)} are expected")
        return None
    fields = dict(zip(names, row, strict=False))
    video = next((fields[name] for name in PATHS if name != "id" and fields.get(name)), video)
    if file.is_missing(where, video):
        return None
    numbers = {name: _finite(fields.get(name, "")) for name in _NAMES}
    frame, x, y = (numbers[name] for name in ("frame", "x", "y"))
    wrong = [name for name in ("frame", "x", "y") if numbers[name] is None]
    if wrong or frame != int(frame) or frame < base:
        name = wrong[0] if wrong else "frame"
        what = "a number" if wrong else f"a whole number from {base} on"
        file.problems.append(f'{where}: {name} "{shortened(fields.get(name, ""))}" is not {what}')
        return None
    # MOT's own ground truth marks so what does not count.
    if numbers["score"] == 0:
        return None
    x2 = numbers["x2"] if numbers["w"] is None else x + numbers["w"]
    y2 = numbers["y2"] if numbers["h"] is None else y + numbers["h"]
    size = _size(file, where, video)
    if size is None or x2 is None or y2 is None:
        file.problems += [f"{where}: a box's size is not a number"] if size else []
        return None
    box = (x / size[0], y / size[1], x2 / size[0], y2 / size[1])
    known = {*_NAMES, *PATHS}
    # -1 is MOT's own word for no class.
    others = {n: "" if text == "-1" else text for n, text in fields.items() if n not in known}
    frame = int(frame) - base
    return Shape(where, video, fields.get("id", ""), frame, frame + 1, "", others, box)


def _finite(text):
    """A text's number; None where it is none, or larger than any frame's or corner's."""
    number = parse_number(text)
    return number if number is not None and abs(number) < 2**31 else None


def _size(file, where, video):
    """Width and height of a video's frames; None, which is told, where it cannot be read."""
    found, problem = file.media.find(video)
    try:
        if not problem:
            info = file.media.info(found)
            return info.width, info.height
    except SlowFastExtError as error:
        problem = str(error)
    if problem not in {told.partition(": ")[2] for told in file.problems}:
        file.problems.append(f"{where}: {problem}")
    return None
