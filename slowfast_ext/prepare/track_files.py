"""Reading tracks of boxes: CVAT's XML, VIA 3's, MOT's; a file, or a folder of such files."""

from dataclasses import replace

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare import label_cells
from slowfast_ext.prepare.forms import cvat, mot, via
from slowfast_ext.prepare.forms.content import Content
from slowfast_ext.prepare.frame_spans import Held
from slowfast_ext.prepare.label_forms import LabelFile, refuse_problems
from slowfast_ext.prepare.shapes import shapes_with_labels, up_to_next, with_subjects
from slowfast_ext.prepare.tracks import tracks_of
from slowfast_ext.utils.paths import pathmgr

_ENDINGS = (".xml", ".csv", ".json", ".txt")


def read_tracks(path, media, label_columns, separator, subject, frame_base):
    """
    Args:
        path (str): a file of tracks, or a folder of such files.
        media (OwnMedia): the videos.
        label_columns (list[str]): attributes that say what happens; empty: as of
            `shapes_with_labels`. None: what happens stands in another file.
        separator (str): between labels of an attribute.
        subject (str or None): the attribute that says which subject a box is of, where boxes
            stand alone.
        frame_base (int or None): of the number of MOT's first frame, where a header leaves it
            open.
    Returns:
        (list[Track], dict[str, str]): those of videos that are there; `missing` of LabelFile.
    Raises:
        SlowFastExtError: all that is wrong with the tracks.
    """
    paths = [path]
    if pathmgr.isdir(path):
        names = sorted(name for name in pathmgr.ls(path) if name.lower().endswith(_ENDINGS))
        paths = [f"{path.rstrip('/')}/{name}" for name in names]
    shapes, numbers, whole = [], set(), LabelFile(path, media)
    shared = {"problems": whole.problems, "missing": whole.missing}
    for part in paths:
        file = LabelFile(part, media, frame_base=frame_base, **shared)
        content = Content(part)
        found = _shapes_of(file, content, label_columns is not None)
        shapes += found if content.xml is None else _told_apart(found, file.own_name, numbers)
    if subject is not None:
        shapes = up_to_next(with_subjects(path, shapes, subject))
    if label_columns is None:
        pairs = [(shape, Held(shape.where, shape.first, shape.until, ())) for shape in shapes]
    else:
        pairs = shapes_with_labels(path, shapes, label_columns, separator)
    for _, held in pairs:
        found = filter(None, map(label_cells.problem_of, held.labels))
        whole.problems += [f"{held.where}: {problem}" for problem in found]
    tracks = tracks_of(whole, pairs)
    refuse_problems(whole, tracks)
    if not tracks:
        raise SlowFastExtError(f"{path}: holds no boxes")
    return tracks, whole.missing


def _told_apart(shapes, file_name, numbers):
    """
    CVAT numbers the tracks of each file anew: number 0 of two jobs of a video may be two subjects,
    of which the second is called FILE_0. `numbers` are those of the files before.
    """
    own = {(shape.video, shape.subject) for shape in shapes if shape.subject}
    twice = own & numbers
    numbers |= own
    return [
        replace(shape, subject=f"{file_name}_{shape.subject}")
        if (shape.video, shape.subject) in twice
        else shape
        for shape in shapes
    ]


def _shapes_of(file, content, with_labels):
    if via.recognises(content):
        return via.via_shapes(file, content)
    if content.xml is not None:
        if not cvat.recognises(content):
            raise SlowFastExtError(f"{file.path}: is XML, but not CVAT's")
        return cvat.cvat_shapes(file.path, content.xml, file.media)[0]
    return mot.mot_shapes(file, content, with_labels)
