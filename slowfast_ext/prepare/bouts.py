"""
The bouts of a label file: when who does what, without repeats.

A bout is a stretch of time in which a subject does one activity: spans of it that overlap or touch
are one. A moment (start equal to end) is a bout of no length.
"""

import numpy as np
import pandas as pd

from slowfast_ext.config.defaults import default_config
from slowfast_ext.prepare.label_forms import check_problems
from slowfast_ext.prepare.label_times import check_times
from slowfast_ext.prepare.labelled_spans import add_unlabelled_time

COLUMNS = ["video", "subject", "activity", "start", "end"]
# Seconds by which times that are meant to be equal may differ: forms round them.
ROUNDING = 1e-6


def read_spans(file):
    """
    A label file's spans as they are written, and its videos.

    Args:
        file (LabelFile): gets rows of unknown time where it says which time was labelled.
    Returns:
        (DataFrame, dict): COLUMNS and `where`; video -> its length in seconds, also of videos
            without a span. A label without times lasts as long as its video. Frames of a folder
            last 1 / DATA.FRAME_FOLDER_FPS s (24 a second) each.
    Raises:
        SlowFastExtError: what is wrong with the file, all of it.
    """
    seconds = check_times(file)
    check_problems(file)
    frames, fps = file.media.num_frames, default_config().DATA.FRAME_FOLDER_FPS
    seconds = {v: frames[v] / fps if length is None else length for v, length in seconds.items()}
    add_unlabelled_time(file, seconds)
    rows = []
    # What nobody knows is no bout.
    for row in (row for row in file.rows if not row.unknown):
        start, end = (0.0, seconds[row.video]) if row.start is None else (row.start, row.end)
        # A span may end a little after its video.
        span = (min(start, seconds[row.video]), min(end, seconds[row.video]))
        rows += [(row.video, row.subject, label, *span, row.where) for label in row.labels]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "where"])
    return table.astype({"start": float, "end": float}), seconds


def with_reach_before(spans):
    """
    Spans by video, subject, activity and start, with `before`: up to when those of the same three
    that come before reach; NaN of the first.
    """
    key = COLUMNS[:3]
    spans = spans.sort_values([*key, "start", "end"], kind="stable", ignore_index=True)
    reach = spans.groupby(key)["end"].cummax()
    return spans.assign(before=reach.groupby([spans[name] for name in key]).shift())


def bouts_of(spans):
    """DataFrame of the bouts of spans, COLUMNS, by video, subject, activity and start."""
    spans = with_reach_before(spans)
    begins = ~(spans["start"] <= spans["before"] + ROUNDING)
    bouts = spans.groupby(begins.cumsum().rename("bout"))
    columns = {name: (name, "first") for name in COLUMNS[:4]}
    return bouts.agg(**columns, end=("end", "max")).reset_index(drop=True)[COLUMNS]


def without(bouts, others):
    """
    The stretches of bouts in which none of `others`, of the same video, subject and activity, goes
    on: DataFrame, COLUMNS. A stretch may be parted where another begins or ends.
    """
    key, rows = COLUMNS[:3], []
    known = dict(list(others.groupby(key)))
    ours, theirs = (pd.MultiIndex.from_frame(table[key]) for table in (bouts, others))
    # Most have no others: there may be a row for each label of each video.
    is_shared = ours.isin(theirs)
    for name, own in bouts[is_shared].groupby(key, sort=False):
        edges = [group[["start", "end"]].to_numpy() for group in (own, known[name])]
        times = np.unique(np.concatenate(edges))
        middles = (times[:-1] + times[1:]) / 2
        inside, away = (
            ((group[:, :1] < middles) & (middles < group[:, 1:])).any(axis=0) for group in edges
        )
        kept = inside & ~away
        rows += [[*name, *span] for span in zip(times[:-1][kept], times[1:][kept], strict=True)]
    parts = pd.DataFrame(rows, columns=COLUMNS).astype({"start": float, "end": float})
    return pd.concat([bouts[~is_shared][COLUMNS], parts], ignore_index=True)


def unknown_bouts(file, seconds, activities):
    """
    What a file calls unknown, whoever would do it; what its spans show is known all the same.

    Args:
        file (LabelFile), seconds (dict): of `read_spans`.
        activities (list[str]): all, of which a row without labels says that they are unknown.
    Returns:
        DataFrame: as of `bouts_of`, of no subject.
    """
    rows = []
    for row in (row for row in file.rows if row.unknown):
        span = (0.0, seconds[row.video]) if row.start is None else (row.start, row.end)
        span = [min(time, seconds[row.video]) for time in span]
        rows += [(row.video, "", label, *span) for label in row.labels or activities]
    table = pd.DataFrame(rows, columns=COLUMNS).astype({"start": float, "end": float})
    return bouts_of(table)


def overlap_seconds(bouts, activities):
    """
    For how long two activities go on at the same time, by the same subject.

    Args:
        bouts (DataFrame): of `bouts_of`.
        activities (list): A names.
    Returns:
        float array: A x A; the diagonal is how long each goes on.
    """
    total = np.zeros((len(activities), len(activities)))
    place = {name: number for number, name in enumerate(activities)}
    for _, group in bouts.groupby(["video", "subject"], sort=False):
        times = np.unique(group[["start", "end"]].to_numpy())
        going_on = np.zeros((len(times), len(activities)))
        firsts, ends = (np.searchsorted(times, group[name]) for name in ("start", "end"))
        for name, first, end in zip(group["activity"], firsts, ends, strict=True):
            going_on[first:end, place[name]] = 1
        total += going_on[:-1].T @ (np.diff(times)[:, None] * going_on[:-1])
    return total


def coinciding_bouts(bouts, activities):
    """
    How many bouts of an activity another one goes on in, by the same subject, at least for a part.

    Returns:
        int array: A x A, [i, j] of the bouts of i those that coincide with one of j; the diagonal
            is how many bouts each has.
    """
    total = np.zeros((len(activities), len(activities)), int)
    place = {name: number for number, name in enumerate(activities)}
    for _, group in bouts.groupby(["video", "subject"], sort=False):
        start, end = group["start"].to_numpy(), group["end"].to_numpy()
        own = group["activity"].map(place).to_numpy()
        is_moment = end == start
        # A thousand at a time: a long video may have many thousands.
        for rows in np.array_split(np.arange(len(group)), len(group) // 1000 + 1):
            one, other = (rows[:, None], np.arange(len(group))[None])
            longer = (start[one] < end[other]) & (start[other] < end[one])
            touching = (start[one] <= end[other]) & (start[other] <= end[one])
            coincide = np.where(is_moment[one] | is_moment[other], touching, longer)
            with_activity = np.zeros((len(rows), len(activities)), bool)
            np.logical_or.at(with_activity, (slice(None), own), coincide)
            np.add.at(total, own[rows], with_activity)
    return total
