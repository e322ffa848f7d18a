"""How far probabilities are what they say, and what brings them nearer to it."""

import numpy as np
import torch
import torch.nn.functional as F

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
    logits, targets, weights = map(torch.from_numpy, (_logits(scores), targets, weights))
    slopes, shifts = torch.ones(len(both)).double(), torch.zeros(len(both)).double()
    _fit((slopes, shifts), slopes, shifts, logits, targets, weights)
    slopes.clamp_(1 / _MOST, 1 / _LEAST)
    _fit((shifts,), slopes, shifts, logits, targets, weights)
    return np.where(both, 1 / slopes.numpy(), 1.0), np.where(both, shifts.numpy(), 0.0)


def _fit(parameters, slopes, shifts, logits, targets, weights):
    """Minimises the weighted cross-entropy over `parameters`, of slopes and shifts; in place."""
    for parameter in parameters:
        parameter.requires_grad_()
    limits = {"max_iter": 1000, "tolerance_grad": 1e-9, "tolerance_change": 0}
    optimizer = torch.optim.LBFGS(parameters, **limits, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        total = F.binary_cross_entropy_with_logits(
            logits * slopes + shifts, targets, weights, reduction="sum"
        )
        total.backward()
        return total

    optimizer.step(loss)
    for parameter in parameters:
        parameter.requires_grad_(False)


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
