"""The views of a test among the cached ones, by sampling rate."""

import numpy as np

from projects.study.maps import place
from slowfast_ext.datasets.views import list_views


def views_of(group, places):
    """The indices in `places` of a group's (rate, clips, crops) views."""
    return [places.index(place(view)) for view in list_views([group])]


def by_rate(predictions, places, groups):
    """
    Args:
        predictions (ndarray): V x W x A.
        places (list): [W] (rate, fraction).
        groups (sequence): R of (rate, clips, crops) of a test.

    Returns:
        ndarray: R x V x A, the mean over each group's views.
    """
    return np.stack([predictions[:, views_of(group, places)].mean(1) for group in groups])
