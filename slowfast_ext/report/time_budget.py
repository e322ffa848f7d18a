"""What people count in videos: time budgets, transitions and co-occurrence of activities."""

import numpy as np
import pandas as pd

from slowfast_ext.prepare.bouts import ROUNDING, overlap_seconds


def time_budget(bouts, seconds, activities):
    """
    A row for each video, subject in it, and activity, also where it does not occur.

    Args:
        bouts (DataFrame): of `bouts.bouts_of`.
        seconds (dict): video -> its length.
        activities (list[str])

    Returns:
        DataFrame: video, subject, activity; `bouts`, how many; `duration` of all, `mean_duration`
            of one and `latency`, when the first starts, in seconds; `share` of the video's length.
            What an activity that does not occur has none of is NaN.
    """
    pairs = bouts[["video", "subject"]].drop_duplicates()
    silent = pd.DataFrame({"video": list(seconds)})
    silent = silent[~silent["video"].isin(pairs["video"])].assign(subject="")
    pairs = pd.concat([pairs, silent], ignore_index=True)
    rows = pairs.merge(pd.DataFrame({"activity": activities}), how="cross")
    lengths = bouts.assign(duration=bouts["end"] - bouts["start"])
    found = lengths.groupby(["video", "subject", "activity"]).agg(
        bouts=("start", "size"),
        duration=("duration", "sum"),
        mean_duration=("duration", "mean"),
        latency=("start", "min"),
    )
    table = rows.merge(found.reset_index(), how="left", on=["video", "subject", "activity"])
    table = table.fillna({"bouts": 0, "duration": 0.0}).astype({"bouts": int})
    table["share"] = table["duration"] / table["video"].map(seconds)
    order = ["bouts", "duration", "mean_duration", "share", "latency"]
    table = table[["video", "subject", "activity", *order]]
    places = {name: place for place, name in enumerate(activities)}
    keys = {"video": table["video"], "subject": table["subject"]}
    keys["activity"] = table["activity"].map(places)
    order = pd.DataFrame(keys).sort_values(["video", "subject", "activity"]).index
    return table.loc[order].reset_index(drop=True)


def by_activity(budget, seconds):
    """
    The time budget of all videos together: a row for each subject and activity.

    Returns:
        DataFrame: subject, activity; `videos` in which it occurs; `bouts`, `duration`,
            `mean_duration`; `share` of the time of the subject's videos; `latency`, the median
            over the videos in which it occurs.
    """
    lengths = budget["video"].map(seconds)
    grouped = budget.assign(length=lengths, occurs=budget["bouts"] > 0).groupby(
        ["subject", "activity"], sort=False
    )
    table = grouped.agg(
        videos=("occurs", "sum"),
        bouts=("bouts", "sum"),
        duration=("duration", "sum"),
        length=("length", "sum"),
        latency=("latency", "median"),
    ).reset_index()
    table["mean_duration"] = table["duration"] / table["bouts"].where(table["bouts"] > 0)
    table["share"] = table["duration"] / table["length"]
    order = ["videos", "bouts", "duration", "mean_duration", "share", "latency"]
    return table[["subject", "activity", *order]].sort_values("subject", kind="stable")


def transitions(bouts):
    """
    Which activity starts next after which, within a video and subject.

    Bouts that start at the same time all follow the ones before and are followed by the next.

    Returns:
        DataFrame: from, to, count, probability (of all that follow `from`); those that occur.
    """
    key = ["video", "subject"]
    bouts = bouts.sort_values([*key, "start", "activity"], kind="stable")
    later = bouts["start"] - bouts.groupby(key)["start"].shift() > ROUNDING
    # Those that start together have one number; the first ones of a subject follow nobody.
    bouts = bouts.assign(number=later.groupby([bouts[name] for name in key]).cumsum())
    before = bouts.rename(columns={"activity": "from"})
    after = bouts.assign(number=bouts["number"] - 1).rename(columns={"activity": "to"})
    pairs = before.merge(after, on=[*key, "number"])
    table = pairs.groupby(["from", "to"]).size().rename("count").reset_index()
    table["probability"] = table["count"] / table.groupby("from")["count"].transform("sum")
    return table


def cooccurrence(bouts, activities):
    """
    For how long two activities of one subject go on at the same time.

    Returns:
        DataFrame: first, second; `seconds` of both; `share_of_first`, `share_of_second` of what
            each lasts, NaN where it lasts no time; `iou`, of the time of either. All pairs.
    """
    overlap = overlap_seconds(bouts, activities)
    own = np.diag(overlap)
    one, two = np.triu_indices(len(activities), 1)
    both = overlap[one, two]
    names = np.array(activities, object)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = both / own[one], both / own[two], both / (own[one] + own[two] - both)
    columns = ["first", "second", "seconds", "share_of_first", "share_of_second", "iou"]
    return pd.DataFrame(dict(zip(columns, (names[one], names[two], both, *shares), strict=True)))
