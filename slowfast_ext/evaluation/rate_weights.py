"""
Sampling rates weighted per activity.

The paper sums the predictions of all views, whatever their rate, and leaves open how to "select
features from appropriate speeds for different activities". Here each activity has weights over
the rates, learned from predictions of training videos, that take the place of the plain mean.
"""

import numpy as np
import torch
import torch.nn.functional as F

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.tables import read_table, write_rows

# Pull towards the plain mean, in nats of the loss per nat of divergence.
STRENGTH = 0.02


def shares_of(groups):
    """(rate, clips, crops) of a test -> [R], each group's share of all views."""
    counts = np.array([clips * crops for _, clips, crops in groups], np.float64)
    return counts / counts.sum()


def means_by_rate(probabilities, groups):
    """Probabilities, views x ... x A, in the order of R `groups` -> their means, R x ... x A."""
    ends = np.cumsum([clips * crops for _, clips, crops in groups])
    return np.stack([part.mean(0) for part in np.split(probabilities, ends[:-1])])


def weighted(by_rate, weights):
    """R x ... x A and A x R -> ... x A."""
    return np.einsum("r...a,ar->...a", by_rate, weights)


def learn_weights(predictions, labels, shares, strength=STRENGTH):
    """
    Per-activity weights over the rates: a softmax, fitted with binary cross-entropy.

    Minimises over the weights w_a of each activity the mean over the videos of the loss of
    sum_r w_ar · p_ra, plus `strength` times the divergence KL(w_a || shares).

    Args:
        predictions (ndarray): R x V x A, probabilities of training videos at each rate.
        labels (ndarray): V x A; those below 0 are unknown, and left out.
        shares (ndarray): [R], the plain mean's weights, above 0; where the fit starts.

    Returns:
        ndarray: A x R, rows sum to 1.
    """
    start = torch.as_tensor(shares, dtype=torch.float64).log()
    scores = start.repeat(labels.shape[1], 1).requires_grad_()
    fit([scores], lambda: scores.log_softmax(-1), predictions, labels, shares, strength)
    return scores.detach().softmax(-1).numpy()


def fit(parameters, log_weights, predictions, labels, shares, strength):
    """
    Minimises `learn_weights`' objective over parameters that weights are computed from.

    Args:
        parameters (list[Tensor]): float64; change in place.
        log_weights (callable): gives the weights' logarithms, A x R or V x A x R.
        predictions, labels, shares, strength: as `learn_weights`.
    """
    predictions = torch.as_tensor(np.moveaxis(predictions, 0, -1), dtype=torch.float64)
    # float64 throughout: L-BFGS's line search stops early at the rounding of float32.
    labels = torch.as_tensor(labels, dtype=torch.float64)
    known = labels >= 0
    start = torch.as_tensor(shares, dtype=torch.float64).log()
    optimizer = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        logs = log_weights()
        # Rounding may take a weighted mean past 1, where the loss is not defined.
        combined = (predictions * logs.exp()).sum(-1).clamp(0, 1)
        divergence = (logs.exp() * (logs - start)).sum(-1)
        costs = F.binary_cross_entropy(combined, labels.clamp(min=0), reduction="none")
        fits = (costs * known).sum(0) / known.sum(0).clamp(min=1)
        total = (fits + strength * divergence.mean(0)).sum()
        total.backward()
        return total

    optimizer.step(loss)


# --- The file of TEST.RATE_WEIGHTS ----------------------------------------------------


def _header(groups):
    return ["activity", *(f"rate {rate}" for rate, _, _ in groups)]


def write_rate_weights(path, class_names, groups, weights):
    """Writes a row for each activity: its name and its weight, A x R, for each of the rates."""
    rows = zip(class_names, weights, strict=True)
    rows = [[name, *(f"{weight:.6f}" for weight in activity)] for name, activity in rows]
    write_rows(path, [_header(groups), *rows])


def read_rate_weights(path, class_names, groups):
    """
    The weights in a file, A x R; rows sum to 1. Raises SlowFastExtError: bad rows, all of them,
    other activities than `class_names`, or other rates than those of `groups`.
    """
    table = read_table(path, is_number=lambda name: name != "activity")
    header = _header(groups)
    if table.header != header:
        raise SlowFastExtError(
            f"{path}: its first line must be {','.join(header)}, as TEST.VIEWS has the rates; "
            "fit it again for other views"
        )
    weights = table.rows[header[1:]].to_numpy(float)
    # Six digits each were written. A comparison with nan is False.
    fits = (table.lengths == len(header)) & (weights >= 0).all(1) & (abs(weights.sum(1) - 1) < 1e-4)
    table.tell(~fits, f"must have {len(groups)} weights, none below 0, that sum to 1")
    rows = table.rows_of(class_names, "is not an activity of the data set").to_numpy(float)
    return rows / rows.sum(1, keepdims=True)


def combination(cfg, groups, class_names):
    """
    A function: the float64 probabilities of a video's views, views x ... x A, -> its scores; raises
    SlowFastExtError where TEST.RATE_WEIGHTS cannot be read or is of other rates or activities.
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
    """Probabilities of all views, float64, views x ... x A -> one score each, ... x A."""
    # Upstream's meter cannot serve: it starts multi-label sums at -1e10 in float32, where
    # probabilities are lost.
    return probabilities.max(0) if method == "max" else probabilities.mean(0)
