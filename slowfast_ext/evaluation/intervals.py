"""Means over seeds, and their 95 % intervals."""

import math
from typing import NamedTuple

import numpy as np

# Student's t at 97.5 % for 1, 2, ..., 30 degrees of freedom.
_T = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423),
)


class Interval(NamedTuple):
    """The mean of some values and the ends of its 95 % interval (None for a single value)."""

    mean: float
    low: float | None
    high: float | None


def interval(values):
    """
    Student's t over independent values, e.g. one a seed; over differences it is the paired test.

    Args:
        values (sequence[float]): n of them; above 31 the quantile of 31 serves, a bit too wide.

    Returns:
        Interval
    """
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    if len(values) == 1:
        return Interval(mean, None, None)
    quantile = _T[min(len(values) - 1, len(_T)) - 1]
    half = quantile * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)
