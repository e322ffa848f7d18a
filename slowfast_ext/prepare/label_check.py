"""What is odd in labels: told before training, none of it an error."""

import numpy as np
import pandas as pd

from slowfast_ext.prepare.bouts import (
    COLUMNS,
    ROUNDING,
    bouts_of,
    coinciding_bouts,
    with_reach_before,
)


def oddities(spans, seconds, activities, min_positives, gap):
    """
    Args:
        spans (DataFrame), seconds (dict): of `bouts.read_spans`.
        activities (list[str]): all, also those that no span has.
        min_positives (int): bouts that a class should have.
        gap (float): seconds; shorter gaps between two bouts of an activity are told.

    Returns:
        dict: plain values; lists of sentences begin with a place, or with a video.
    """
    bouts = bouts_of(spans)
    counts = coinciding_bouts(bouts, activities)
    moments = spans[spans["end"] - spans["start"] <= ROUNDING]
    together, apart = _pairs(counts, activities, min_positives)
    few = {
        name: int(number)
        for name, number in zip(activities, np.diag(counts), strict=True)
        if number < min_positives
    }
    silent, stretches = _unlabelled(bouts, seconds)
    return {
        f"classes_under_{min_positives}_positives": few,
        "pairs_that_always_coincide": together,
        "pairs_that_never_coincide": apart,
        "spans_of_zero_length": [f"{row.where}: {row.activity}" for row in moments.itertuples()],
        "duplicates": _duplicates(spans),
        "overlaps_of_one_label": _overlaps(spans),
        f"gaps_under_{gap:g}_s": _gaps(bouts, gap),
        "time_without_a_label": f"{silent:.1%}",
        "longest_time_without_a_label": stretches,
        "videos_without_a_label": sorted(set(seconds) - set(bouts["video"])),
    }


def unknown_time(unknown, seconds, activities):
    """
    How much of the labels' time is unknown: of all classes, of each, of each video.

    Args:
        unknown (DataFrame): of `bouts.unknown_bouts`, without what is known all the same.
        seconds (dict), activities (list[str]): as of `oddities`.

    Returns:
        dict: plain values, the largest shares first; empty where nothing is unknown.
    """
    if unknown.empty:
        return {}
    lengths, total = unknown["end"] - unknown["start"], sum(seconds.values())
    of_classes = lengths.groupby(unknown["activity"]).sum() / total
    of_videos = lengths.groupby(unknown["video"]).sum()
    of_videos /= of_videos.index.map(seconds) * len(activities)
    of_classes, of_videos = (
        shares[shares > 0].sort_values(ascending=False, kind="stable")
        for shares in (of_classes, of_videos)
    )
    return {
        "unknown_time": f"{lengths.sum() / total / len(activities):.1%}",
        "unknown_time_by_class": {name: f"{share:.1%}" for name, share in of_classes.items()},
        "unknown_time_by_video": {name: f"{share:.1%}" for name, share in of_videos.items()},
        "videos_of_which_nothing_is_known": [
            name for name, share in of_videos.items() if share > 1 - ROUNDING
        ],
    }


def _pairs(counts, activities, min_positives):
    """
    Sentences on pairs of which each has enough bouts: those where all bouts of one coincide with
    the other, and those where none does; pairs with the most bouts first.
    """
    own = np.diag(counts)
    together, apart = [], []
    for i, j in sorted(np.ndindex(counts.shape), key=lambda pair: -own[list(pair)].sum()):
        if i == j or min(own[i], own[j]) < max(1, min_positives):
            continue
        one, other = activities[i], activities[j]
        if counts[i, j] == own[i]:
            together.append(f"{one}: each of its {own[i]} bouts, with {other}")
        if i < j and not counts[i, j]:
            apart.append(f"{one} ({own[i]}) and {other} ({own[j]})")
    return together, apart


def _duplicates(spans):
    """Sentences on spans that stand once more, with the place of the first."""
    first = spans.groupby(COLUMNS)["where"].transform("first")
    again = spans.duplicated(COLUMNS)
    places = zip(spans["where"][again], spans["activity"][again], first[again], strict=True)
    return [f"{where}: {activity} stands at {before} already" for where, activity, before in places]


def _overlaps(spans):
    """Sentences on spans that begin before one of the same label and subject has ended."""
    spans = with_reach_before(spans.drop_duplicates(COLUMNS))
    found = spans[spans["start"] < spans["before"] - ROUNDING]
    return [
        f"{row.where}: {row.activity} from {row.start:g} s, where it goes on since before"
        for row in found.itertuples()
    ]


def _gaps(bouts, gap):
    """Sentences on gaps, shorter than `gap`, between two bouts of one label and subject."""
    before = bouts.groupby(COLUMNS[:3])["end"].shift()
    found = bouts.assign(before=before)[bouts["start"] - before < gap]
    return [
        f"{row.video}: {row.activity} ends at {row.before:g} s and begins at {row.start:g} s again"
        for row in found.itertuples()
    ]


def _unlabelled(bouts, seconds):
    """The share of the time in which no activity goes on, and its longest stretches."""
    any_activity = bouts_of(bouts.assign(subject="", activity=""))
    by_video = dict(list(any_activity.groupby("video")))
    rows = []
    for video, length in seconds.items():
        own = by_video.get(video, any_activity.iloc[:0])
        starts = np.append(0.0, own["end"])
        ends = np.append(own["start"], length)
        rows += [(video, s, e) for s, e in zip(starts, ends, strict=True) if e - s > ROUNDING]
    table = pd.DataFrame(rows, columns=["video", "start", "end"])
    lengths = (table["end"] - table["start"]).astype(float)
    longest = table.loc[lengths.sort_values(ascending=False, kind="stable").index[:5]]
    sentences = [f"{row.video}: {row.start:g} to {row.end:g} s" for row in longest.itertuples()]
    return float(lengths.sum()) / max(sum(seconds.values()), ROUNDING), sentences
