"""Which rows of AVA's files count by a protocol, and in what order (see `evaluation.ava`)."""

import heapq
import itertools

import numpy as np
import pandas as pd

from slowfast_ext.datasets.ava_annotations import BOX, NO_ACTION

MAX_ROWS_PER_KEYFRAME = 50
_NO_BOX, _UNKNOWN = -1, -2


class Rows:
    """
    The rows of a file that count, in their order, and how many do not for each reason.

    Args:
        columns (dict[str, ndarray]): of `numbered_columns`.
    """

    def __init__(self, columns):
        self._columns = columns
        self._used = np.flatnonzero(columns["class"] != _NO_BOX)
        self._read, self._dropped = len(self._used), {}

    def drop(self, reason, wrong):
        """Drops the rows for which `wrong` (bool, a value for each row of the file) is true."""
        self.keep(reason, self._used[~wrong[self._used]])

    def drop_unknown_classes(self, reason):
        self.drop(reason, self._columns["class"] == _UNKNOWN)

    def order_by_score(self):
        """Rows of a keyframe by falling score; equal ones keep the file's order."""
        self._used = _by_score(self._columns, self._used)

    def order_as_official(self):
        """Rows of a keyframe in the order in which the official script has them."""
        self._used = _as_official(self._columns, self._used)

    def keep_highest(self, reason):
        """The rows that the official script reads, in the order in which it has them."""
        self.keep(reason, _as_official(self._columns, self._used, MAX_ROWS_PER_KEYFRAME))

    def keep(self, reason, rows):
        self._dropped[reason] = len(self._used) - len(rows)
        self._used = rows

    def take(self):
        """dict[str, ndarray]: the columns of the rows that count."""
        return {name: column[self._used] for name, column in self._columns.items()}

    def counts(self):
        """How many rows were read, are used, and were dropped by reason."""
        return {"read": self._read, "used": len(self._used), "dropped": self._dropped}


def numbered_columns(detections, ground_truth, excluded, class_ids):
    """
    What the DataFrames of `ava_annotations` hold, as numbers; `excluded` may be None.

    Returns of the detections and of the ground truth a dict of the columns x1, y1, x2, y2, `score`
    (1 in the ground truth, as in the official script), `class` (the place in `class_ids`, which
    rise, or one below 0) and `keyframe` (from 0), by rising keyframe; and which keyframes are
    excluded, bool.
    """
    frames = [detections, ground_truth, *([] if excluded is None else [excluded])]
    videos = pd.Index([])
    for frame in frames:
        videos = videos.union(frame["video"].cat.categories, sort=False)
    classes = [_places(frame["action"].to_numpy(), class_ids) for frame in frames[:2]]
    # One number for each video and second, whose seconds fit into 32 bits.
    keys = [
        (videos.get_indexer(frame["video"].cat.categories)[frame["video"].cat.codes] << 32)
        + frame["second"].to_numpy()
        for frame in frames
    ]
    # Numbers go by the first detection of an evaluated class, as in the official script: equal
    # scores are ordered by it.
    keys.insert(0, keys[0][classes[0] >= 0])
    numbers, distinct = pd.factorize(np.concatenate(keys))
    _, *numbers = np.split(numbers, np.cumsum([len(key) for key in keys])[:-1])
    is_excluded = np.zeros(len(distinct), bool)
    is_excluded[numbers[2] if excluded is not None else []] = True
    columns = []
    for frame, place, keyframe in zip(frames[:2], classes, numbers[:2], strict=True):
        order = np.argsort(keyframe, kind="stable")
        values = {name: frame[name].to_numpy()[order] for name in BOX}
        scores = frame["score"].to_numpy() if "score" in frame else np.ones(len(frame))
        values["score"] = scores[order]
        columns.append({**values, "class": place[order], "keyframe": keyframe[order]})
    return *columns, is_excluded


def _places(action, class_ids):
    """int [rows]: the place of each action in `class_ids`, _UNKNOWN or _NO_BOX."""
    places = np.minimum(np.searchsorted(class_ids, action), len(class_ids) - 1)
    places = np.where(np.take(class_ids, places) == action, places, _UNKNOWN)
    return np.where(action == NO_ACTION, _NO_BOX, places)


def _by_score(columns, rows):
    return rows[np.lexsort((-columns["score"][rows], columns["keyframe"][rows]))]


def _as_official(columns, rows, limit=None):
    """
    Those of `rows` that the official script reads, in the order in which it has them.

    The script reads a keyframe's rows into a heap of `limit`, in which equal scores stand by
    class and box, then sorts the heap by score. The order of equal scores thus depends on how
    the heap grew, so keyframes that have some go through a heap here too.
    """
    high = rows
    if limit is not None:
        lowest = _lowest_scores(columns["keyframe"][rows], columns["score"][rows], limit)
        high = rows[columns["score"][rows] >= lowest[columns["keyframe"][rows]]]
    high = _by_score(columns, high)
    keyframe, score = columns["keyframe"][high], columns["score"][high]
    equal = (np.diff(keyframe) == 0) & (np.diff(score) == 0)
    has_equal = np.zeros(keyframe.max(initial=0) + 1, bool)
    has_equal[keyframe[1:][equal]] = True
    through_heap = rows[has_equal[columns["keyframe"][rows]]]
    through_heap = _through_heaps(columns, through_heap, limit)
    read = np.concatenate([high[~has_equal[keyframe]], through_heap])
    return read[np.argsort(columns["keyframe"][read], kind="stable")]


def _lowest_scores(keyframe, score, limit):
    """Each keyframe's score at place `limit` from above; -inf where it has fewer rows."""
    sizes = np.bincount(keyframe, minlength=1)
    starts, lowest = np.cumsum(sizes) - sizes, np.full(len(sizes), -np.inf)
    for size in np.unique(sizes[sizes > limit]):
        alike = np.flatnonzero(sizes == size)
        scores = score[starts[alike][:, None] + np.arange(size)]
        lowest[alike] = np.partition(scores, size - limit, axis=1)[:, size - limit]
    return lowest


def _through_heaps(columns, rows, limit):
    """`rows`, keyframe by keyframe, as heaps of `limit` hold them, sorted by score."""
    names = ("score", "class", "y1", "x1", "y2", "x2")
    entries = list(zip(*(columns[name][rows].tolist() for name in names), strict=True))
    starts = np.flatnonzero(np.diff(columns["keyframe"][rows], prepend=-1)).tolist()
    read = []
    for start, end in itertools.pairwise([*starts, len(rows)]):
        heap = []
        for entry in entries[start:end]:
            if limit is None or len(heap) < limit:
                heapq.heappush(heap, entry)
            elif entry[0] > heap[0][0]:
                heapq.heapreplace(heap, entry)
        # Equal entries are the same box twice: either row stands for both.
        row_of = dict(zip(entries[start:end], rows[start:end].tolist(), strict=True))
        read += [row_of[entry] for entry in sorted(heap, key=lambda entry: -entry[0])]
    return np.array(read, int)


def keyframe_counts(named, excluded, truth, found):
    """Keyframes of the ground truth file: evaluated, of these without either, and excluded."""
    with_truth, with_detections = np.zeros_like(named), np.zeros_like(named)
    with_truth[truth], with_detections[found] = True, True
    evaluated = named & ~excluded
    return {
        "evaluated": int(evaluated.sum()),
        "without_actions": int((evaluated & ~with_truth).sum()),
        "without_detections": int((evaluated & ~with_detections).sum()),
        "excluded": int((named & excluded).sum()),
        "with_detections_only": int((with_detections & ~named).sum()),
    }
