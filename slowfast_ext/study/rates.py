"""
Sampling rates weighted per activity.

The paper sums the predictions of all views, whatever their rate, and leaves open how to "select
features from appropriate speeds for different activities". Here each activity has weights over
the rates, learned from predictions of training videos, that take the place of the plain mean.
"""

import numpy as np
import torch
import torch.nn.functional as F

from slowfast_ext.datasets.views import list_views
from slowfast_ext.study.maps import place

# Pull towards the plain mean, in nats of the loss per nat of divergence.
STRENGTH = 0.02


def views_of(group, places):
    """The indices in `places` of a group's (rate, clips, crops) views."""
    return [places.index(place(view)) for view in list_views([group])]


def by_rate(predictions, places, groups):
    """
    Args:
        predictions (ndarray): V x W x A.
        places (list): [W] (rate, fraction).
        groups (sequence): (rate, clips, crops) of a test.

    Returns:
        tuple[ndarray, ndarray]: V x R x A, the mean over each group's views; [R], the groups'
            shares of all views.
    """
    means, counts = [], []
    for group in groups:
        views = views_of(group, places)
        means.append(predictions[:, views].mean(1))
        counts.append(len(views))
    return np.stack(means, 1), np.array(counts) / sum(counts)


def learn_weights(predictions, labels, shares, strength=STRENGTH):
    """
    Per-activity weights over the rates: a softmax, fitted with binary cross-entropy.

    Minimises over the weights w_a of each activity the mean over the videos of the loss of
    sum_r w_ar · p_ra, plus `strength` times the divergence KL(w_a || shares).

    Args:
        predictions (ndarray): V x R x A, probabilities of training videos at each rate.
        labels (ndarray): V x A.
        shares (ndarray): [R], the plain mean's weights, above 0; where the fit starts.

    Returns:
        ndarray: A x R, rows sum to 1.
    """
    predictions = torch.as_tensor(predictions, dtype=torch.float64)
    labels = torch.as_tensor(labels, dtype=torch.float64)
    start = torch.as_tensor(shares, dtype=torch.float64).log()
    scores = start.repeat(labels.shape[1], 1).requires_grad_()
    optimizer = torch.optim.LBFGS([scores], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        log_weights = scores.log_softmax(-1)
        combined = torch.einsum("vra,ar->va", predictions, log_weights.exp())
        fit = F.binary_cross_entropy(combined.clamp(0, 1), labels, reduction="none").mean(0)
        divergence = (log_weights.exp() * (log_weights - start)).sum(-1)
        total = (fit + strength * divergence).sum()
        total.backward()
        return total

    optimizer.step(loss)
    return scores.detach().softmax(-1).numpy()


def weighted(predictions, weights):
    """V x R x A and A x R -> V x A."""
    return np.einsum("vra,ar->va", predictions, weights)
