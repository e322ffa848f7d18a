"""How far probabilities are what they say, and what brings them nearer to it."""

import numpy as np

NUM_BINS = 15
# Beyond them the labels say no more than that higher scores are right, or that they say nothing.
_LEAST, _MOST = 0.05, 20.0
# A probability of exactly 0 or 1 has no logit.
_INSIDE = 1e-7
# Of Newton's method: steps, what is added to a curvature that may be 0, when a step gains nothing.
_MOST_STEPS, _RIDGE, _LEAST_GAIN = 60, 1e-12, 1e-13


def calibration(scores, labels):
    """
    Expected calibration error (Guo et al., ICML 2017) of each activity's own probabilities: the
    mean difference between score and frequency over NUM_BINS bins of equal width.

    Args:
        scores (float array): V x A probabilities; a row of -inf where a video has none.
        labels (float array): V x A, above 0 where it has the activity, below where that is unknown.

    Returns:
        dict: `expected_calibration_error` of all (video, activity) pairs together, None where there
            are none; `per_class` [A], likewise; `curve`, [mean score, frequency, number of pairs]
            of each bin that has any.
    """
    known = np.isfinite(scores) & (labels >= 0)
    columns = [(s[k], y[k] > 0) for s, y, k in zip(scores.T, labels.T, known.T, strict=True)]
    counts, sums, hits = _bins(scores[known], labels[known] > 0)
    kept = counts > 0
    curve = np.stack([sums[kept] / counts[kept], hits[kept] / counts[kept], counts[kept]], axis=1)
    return {
        "expected_calibration_error": _error(scores[known], labels[known] > 0),
        "per_class": [_error(*column) for column in columns],
        "curve": [[score, frequency, int(count)] for score, frequency, count in curve.tolist()],
    }


def _bins(scores, positives):
    """[n] scores and [n] bool -> of each bin how many, the sum of scores, how many positives."""
    places = np.clip((scores * NUM_BINS).astype(int), 0, NUM_BINS - 1)
    weights = (None, scores, positives)
    return [np.bincount(places, of, minlength=NUM_BINS) for of in weights]


def _error(scores, positives):
    if not len(scores):
        return None
    _, sums, hits = _bins(scores, positives)
    return float(np.abs(hits - sums).sum() / len(scores))


def fit_temperatures(scores, labels):
    """
    The temperature T and the shift b of each activity under which sigmoid(logit(p) / T + b) makes
    its labels most probable: Platt's scaling (1999), of a positive label as (N+ + 1) / (N+ + 2) and
    of a negative one as 1 / (N- + 2), so that few labels say little. Losses that weigh positives
    and negatives differently shift the logits, which no temperature mends.

    Args:
        scores (float array): W x A probabilities.
        labels (float array): W x A, as of `calibration`.

    Returns:
        (float array, float array): T, in [0.05, 20], and b, [A] each; 1 and 0, which change
            nothing, for an activity that occurs never or always.
    """
    positives, known = labels > 0, labels >= 0
    counts = positives.sum(0), (known & ~positives).sum(0)
    targets = np.where(positives, (counts[0] + 1) / (counts[0] + 2), 1 / (counts[1] + 2))
    both = (counts[0] > 0) & (counts[1] > 0)
    weights = (known & both) / np.maximum(known.sum(0), 1)
    problem = _logits(scores.astype(np.float64)), targets, weights
    slopes, shifts = _fit(np.ones(len(both)), np.zeros(len(both)), *problem)
    slopes = np.clip(slopes, 1 / _MOST, 1 / _LEAST)
    slopes, shifts = _fit(slopes, shifts, *problem, fits_slopes=False)
    return np.where(both, 1 / slopes, 1.0), np.where(both, shifts, 0.0)


def _fit(slopes, shifts, logits, targets, weights, fits_slopes=True):
    """
    Slopes and shifts, [A] each, that minimise each activity's weighted cross-entropy, by Newton's
    method with steps that are halved until they gain (Lin, Lin and Weng, 2007): one search for all
    activities together ends before the rare ones are found.
    """

    def costs(slopes, shifts):
        z = logits * slopes + shifts
        return (weights * (np.logaddexp(0, z) - targets * z)).sum(0)

    is_open = np.ones(len(slopes), bool)
    for _ in range(_MOST_STEPS):
        found = _sigmoid(logits * slopes + shifts)
        errors, curves = weights * (found - targets), weights * found * (1 - found)
        # Around their mean the slope's part of the step is the shift's no more.
        total = curves.sum(0) + _RIDGE
        mean = (curves * logits).sum(0) / total
        centred = logits - mean
        by_slope = (errors * centred).sum(0) / ((curves * centred**2).sum(0) + _RIDGE)
        by_slope = by_slope * fits_slopes
        by_shift = errors.sum(0) / total - mean * by_slope
        gain = by_slope * (errors * logits).sum(0) + by_shift * errors.sum(0)
        is_open &= gain > _LEAST_GAIN
        if not is_open.any():
            break
        size, before = is_open.astype(float), costs(slopes, shifts)
        for _ in range(_MOST_STEPS):
            after = costs(slopes - size * by_slope, shifts - size * by_shift)
            is_worse = is_open & (after > before - 1e-4 * size * gain)
            if not is_worse.any():
                break
            size[is_worse] /= 2
        is_open &= ~is_worse
        size[is_worse] = 0
        slopes, shifts = slopes - size * by_slope, shifts - size * by_shift
    return slopes, shifts


def tempered(scores, temperatures, shifts):
    """sigmoid(logit(p) / T + b) of probabilities, ... x A, T and b, [A]; p itself for 1 and 0."""
    unchanged = (temperatures == 1) & (shifts == 0)
    return np.where(unchanged, scores, _sigmoid(_logits(scores) / temperatures + shifts))


def _logits(scores):
    """The logits of probabilities, none of them infinite."""
    inside = np.clip(scores, _INSIDE, 1 - _INSIDE)
    return np.log(inside) - np.log1p(-inside)


def _sigmoid(logits):
    return 0.5 * (1 + np.tanh(0.5 * logits))  # Without overflow on either side.
