"""The views of a test among the stored ones, by sampling rate."""

import numpy as np

from projects.study.rows import RATE_4, RATES_2_4, RATES_2_4_8
from slowfast_ext.datasets.views import list_views


def place(view):
    """(rate, fraction) of a View: two views of one place show the same frames."""
    return view.rate, view.fraction


def distinct_views(groups):
    """The views of several (rate, clips, crops), each place once, in a fixed order."""
    by_place = {place(view): view for view in list_views(groups)}
    return [by_place[key] for key in sorted(by_place)]


# Of all tests that a row asks for, and the places of their stored views, [W].
GROUPS = (*RATE_4, *RATES_2_4, *RATES_2_4_8)
PLACES = [place(view) for view in distinct_views(GROUPS)]


def views_of(group):
    """The indices in PLACES of a group's (rate, clips, crops) views."""
    return [PLACES.index(place(view)) for view in list_views([group])]


def by_rate(predictions, groups):
    """
    Args:
        predictions (ndarray): V x W x A.
        groups (sequence): R of (rate, clips, crops) of a test.

    Returns:
        ndarray: R x V x A, the mean over each group's views.
    """
    return np.stack([predictions[:, views_of(group)].mean(1) for group in groups])
