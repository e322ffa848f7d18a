"""How the views of a test become one score per activity, together and by sampling rate."""

import numpy as np

from slowfast_ext.evaluation.rate_weights import means_by_rate, read_rate_weights, weighted


def combination(cfg, groups, class_names):
    """
    A function: the float64 probabilities of a video's views, views x ... x A, -> its scores.

    Raises:
        SlowFastExtError: TEST.RATE_WEIGHTS cannot be read or is of other rates or activities.
    """
    if not cfg.TEST.RATE_WEIGHTS:
        return plain_combination(cfg)
    weights = read_rate_weights(cfg.TEST.RATE_WEIGHTS, class_names, groups)
    return lambda views: weighted(means_by_rate(views, groups), weights)


def plain_combination(cfg):
    """As `combination`, without TEST.RATE_WEIGHTS: the mean over the views, or their maximum."""
    return lambda views: combine_views(views, view_combination(cfg))


def stacked(combine, groups):
    """As `combine`, with the mean of each group of views behind it: 1 + R x ... x A."""
    return lambda views: np.stack([combine(views), *means_by_rate(views, groups)])


def unstacked(scores, place):
    """{index: scores} of one place of what `stacked` gave; persons' scores keep their persons."""

    def chosen(found):
        return (found[0], found[1][place]) if isinstance(found, tuple) else found[place]

    return {index: chosen(found) for index, found in scores.items()}


def view_combination(cfg):
    """
    "mean" (the paper's sum over the number of views), "max" (DATA.ENSEMBLE_METHOD), or
    "weighted by rate" (TEST.RATE_WEIGHTS).
    """
    if cfg.TEST.RATE_WEIGHTS:
        return "weighted by rate"
    if cfg.TEST.VIEWS or cfg.DATA.ENSEMBLE_METHOD == "sum":
        return "mean"
    return "max"


def combine_views(probabilities, method):
    """
    One score per activity from those of all views.

    Upstream's meter cannot serve: it starts multi-label sums at -1e10 in float32, where
    probabilities are lost.

    Args:
        probabilities (ndarray): float64, views x ... x A.

    Returns:
        ndarray: float64, ... x A.
    """
    return probabilities.max(0) if method == "max" else probabilities.mean(0)
