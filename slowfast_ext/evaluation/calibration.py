"""How far probabilities are what they say, and temperatures that bring them nearer to it."""

import numpy as np

NUM_BINS = 15
# Beyond them the labels say no more than that higher scores are right, or that they say nothing.
_LEAST, _MOST = 0.05, 20.0
# A probability of exactly 0 or 1 has no logit.
_INSIDE = 1e-7


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
    The temperature T of each activity under which sigmoid(logit(p) / T) makes its labels most
    probable, in [0.05, 20]; 1 for an activity that occurs never or always.

    Args:
        scores (float array): W x A probabilities.
        labels (float array): W x A, as of `calibration`.

    Returns:
        float array: [A].
    """
    logits, positives, known = _logits(scores), labels > 0, labels >= 0
    # The cross-entropy of the sigmoid of s z is convex in s = 1 / T: its slope rises with s.
    low, high = (np.full(scores.shape[1], 1 / limit) for limit in (_MOST, _LEAST))
    for _ in range(60):
        middle = (low + high) / 2
        errors = np.where(known, _sigmoid(middle * logits) - positives, 0)
        rises = (errors * logits).sum(0) > 0
        low, high = np.where(rises, low, middle), np.where(rises, middle, high)
    both = positives.any(0) & (known & ~positives).any(0)
    return np.where(both, 2 / (low + high), 1.0)


def tempered(scores, temperatures):
    """sigmoid(logit(p) / T) of probabilities, ... x A, and temperatures, [A]; p itself for 1."""
    return np.where(temperatures == 1, scores, _sigmoid(_logits(scores) / temperatures))


def _logits(scores):
    """The logits of probabilities, none of them infinite."""
    inside = np.clip(scores, _INSIDE, 1 - _INSIDE)
    return np.log(inside) - np.log1p(-inside)


def _sigmoid(logits):
    return 0.5 * (1 + np.tanh(0.5 * logits))  # Without overflow on either side.
