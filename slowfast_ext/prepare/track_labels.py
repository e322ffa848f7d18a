"""Labels of subjects in one file and their boxes in another, joined by the subjects' names."""

from dataclasses import replace

import numpy as np

from slowfast_ext.config.defaults import default_config
from slowfast_ext.datasets.lists import ALL_LABELS
from slowfast_ext.datasets.windows import frame_times
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.frame_spans import Held
from slowfast_ext.prepare.label_cells import clean, spelling


def with_labels(tracks, file):
    """
    The tracks, each with what the file says of its video and subject in place of its own labels.

    Args:
        tracks (list[Track])
        file (LabelFile): whose times are checked, such as of BORIS' events or of ELAN's tiers.
    Returns:
        (list[Track], dict[str, list[str]]): the tracks of subjects that the file tells of, since of
            the others nobody knows what they do; and what has no partner, by its kind.
    Raises:
        SlowFastExtError: no subject is in both.
    """
    rows_of, of_all, of_nobody = {}, {}, []
    for row in file.rows:
        if row.subject:
            rows_of.setdefault((row.video, _key(row.subject)), []).append(row)
        elif row.unknown:
            of_all.setdefault(row.video, []).append(row)
        elif row.labels:
            of_nobody.append(row.where)
    found, without = [], []
    for track in tracks:
        rows = rows_of.pop((track.video, _key(track.subject)), None)
        if rows is None:
            without.append(f"{track.video}: {track.subject or 'no subject'}")
        else:
            known = [row for row in rows if row.labels and not row.unknown]
            unknown = [row for row in rows if row.unknown] + of_all.get(track.video, [])
            helds, away = (_helds(file.media, track.video, some) for some in (known, unknown))
            found.append(replace(track, helds=helds, unknown=away))
    alone = [f"{rows[0].video}: {rows[0].subject}" for rows in rows_of.values()]
    if not found:
        raise SlowFastExtError(
            f"{file.path}: no subject of it has boxes: the labels are of "
            f"{_some(alone) or 'nobody'}, the boxes of {_some(without)}; --subject NAME says which "
            "attribute of a box names its subject"
        )
    return found, {
        "subjects_without_boxes": alone,
        "subjects_without_labels": without,
        "rows_without_a_subject": of_nobody,
    }


def _key(subject):
    return spelling(clean(subject))


def _some(names):
    return ", ".join(names[:5]) + ", ..." * (len(names) > 5)


def _helds(media, video, rows):
    """What one subject does, by frames: a time is that at which the nearest frame begins."""
    times, fps = frame_times(media.info(video), default_config().DATA.FRAME_FOLDER_FPS)
    begins, helds = np.append(times, times[-1] + 1 / fps), []
    for row in rows:
        first, until = 0, len(times)
        if row.start is not None:
            nearest = (int(np.abs(begins - time).argmin()) for time in (row.start, row.end))
            first, until = nearest
            # A moment is on a frame, too.
            first = min(first, len(times) - 1)
            until = max(until, first + 1)
        # An unknown row without labels is about all of them.
        helds.append(Held(row.where, first, until, row.labels or (ALL_LABELS,)))
    return helds
