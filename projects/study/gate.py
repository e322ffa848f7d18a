"""A gate over the sampling rates for each video and activity, from the predictions themselves."""

import numpy as np
import torch

from slowfast_ext.evaluation.rate_weights import STRENGTH, fit


def learn_gate(predictions, labels, shares, strength=STRENGTH):
    """
    Weights over the rates that differ from video to video.

    With z_a the R logits of an activity in a video, the activity's weights are
    softmax(b_a + M z_a): M, R x R, is shared by all activities, b, A x R, is each one's own.
    Without M these are `learn_weights`'.

    Args:
        predictions (ndarray): R x V x A, probabilities of training videos at each rate.
        labels (ndarray): V x A.
        shares (ndarray): [R], the plain mean's weights, above 0; where the fit starts.

    Returns:
        tuple[ndarray, ndarray]: b and M.
    """
    start = torch.as_tensor(shares, dtype=torch.float64).log()
    bias = start.repeat(labels.shape[1], 1).requires_grad_()
    matrix = torch.zeros(len(shares), len(shares), dtype=torch.float64, requires_grad=True)
    logits = _logits(predictions)

    def log_weights():
        return (bias + logits @ matrix.T).log_softmax(-1)

    fit([bias, matrix], log_weights, predictions, labels, shares, strength)
    return bias.detach().numpy(), matrix.detach().numpy()


def gated(predictions, gate):
    """R x V x A and `learn_gate`'s b and M -> V x A."""
    bias, matrix = map(torch.as_tensor, gate)
    weights = (bias + _logits(predictions) @ matrix.T).softmax(-1).numpy()
    return (np.moveaxis(predictions, 0, -1) * weights).sum(-1)


def _logits(predictions):
    """R x V x A probabilities -> V x A x R, finite at 0 and 1 too."""
    by_activity = torch.as_tensor(np.moveaxis(predictions, 0, -1), dtype=torch.float64)
    return by_activity.logit(eps=1e-6)
