"""How far two labellers of the same videos agree."""

import numpy as np
import pandas as pd

from slowfast_ext.prepare.bouts import overlap_seconds, without


def cohens_kappa(table):
    """
    Cohen (1960), A coefficient of agreement for nominal scales: (p_o - p_e) / (1 - p_e).

    Args:
        table (array): 2 x 2, how often the first labeller (rows) and the second (columns) say
            "not there" and "there".
    Returns:
        float: NaN where both say the same throughout, or nothing was compared.
    """
    total = table.sum()
    if not total:
        return np.nan
    observed = np.trace(table) / total
    by_chance = (table.sum(axis=0) @ table.sum(axis=1)) / total**2
    return np.nan if by_chance == 1 else (observed - by_chance) / (1 - by_chance)


def agreement(first, second, seconds, activities, step, unknown):
    """
    Agreement by activity, whoever does it, over the time of videos that both labellers know.

    Args:
        first (DataFrame), second (DataFrame): of `bouts.bouts_of`, all subjects as one.
        seconds (dict): video -> its length, of all videos that they have bouts of.
        activities (list[str])
        step (float): seconds between the moments of the grid that kappa compares, the middles of
            stretches of that length.
        unknown (DataFrame): as of `bouts.unknown_bouts`: what either does not know, which is left
            out of everything.

    Returns:
        DataFrame: activity; `kappa`; `iou`, the time that both say over the time that either
            says; the seconds of `first`, `second` and `both`. NaN where neither says it.
    """
    tables = np.zeros((len(activities), 2, 2))
    first, second = without(first, unknown), without(second, unknown)
    for video, length in seconds.items():
        moments = np.arange(step / 2, length, step)
        one, two, nobody_knows = (
            _going_on(bouts, video, moments, activities) for bouts in (first, second, unknown)
        )
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            tables[:, a, b] += ((one == a) & (two == b) & ~nobody_knows).sum(axis=0)
    both = [
        bouts.assign(activity=[(number, name) for name in bouts["activity"]])
        for number, bouts in enumerate((first, second))
    ]
    names = [(number, name) for number in (0, 1) for name in activities]
    overlap = overlap_seconds(pd.concat(both), names)
    number = len(activities)
    shared, own = np.diag(overlap[:number, number:]), np.diag(overlap)
    union = own[:number] + own[number:] - shared
    return pd.DataFrame(
        {
            "activity": activities,
            "kappa": [cohens_kappa(table) for table in tables],
            "iou": np.divide(shared, union, out=np.full(number, np.nan), where=union > 0),
            "first": own[:number],
            "second": own[number:],
            "both": shared,
        }
    )


def _going_on(bouts, video, moments, activities):
    """bool array, moments x activities: what is going on then."""
    place = {name: number for number, name in enumerate(activities)}
    found = np.zeros((len(moments), len(activities)), bool)
    own = bouts[bouts["video"] == video]
    firsts, ends = (np.searchsorted(moments, own[name]) for name in ("start", "end"))
    for name, first, end in zip(own["activity"], firsts, ends, strict=True):
        found[first:end, place[name]] = True
    return found
