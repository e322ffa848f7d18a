"""The paper's equations, one position, observation and activity after the other, in float64."""

import math

import torch


def block_diagonal(weight):
    """n x C'/n x C/n blocks -> the full C' x C map (eq. 13)."""
    return torch.block_diag(*weight)


def observe(features, alpha, beta, gamma, query, scale):
    """
    Eq. 2 and 12 for one clip: F, C x N -> (Obs, K x C'; Attn_O, K x N).

    alpha, beta and gamma are K x n x C'/n x C/n; `query` is the vector that beta maps.
    """
    rows, attentions = [], []
    for k in range(len(alpha)):
        a, b, g = (block_diagonal(weight[k]) for weight in (alpha, beta, gamma))
        values, keys = a @ features, g @ features  # C' x N
        scores = torch.stack([(b @ query) @ keys[:, i] for i in range(features.shape[1])]) * scale
        attention = scores.exp() / scores.exp().sum()
        rows.append(sum(attention[i] * values[:, i] for i in range(features.shape[1])))
        attentions.append(attention)
    return torch.stack(rows), torch.stack(attentions)


def layer_norm(x, weight, bias, epsilon=1e-5):
    """Each row to mean 0 and variance 1, then the affine map."""
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred**2).mean(-1, keepdim=True)
    return centred / (variance + epsilon).sqrt() * weight + bias


def attend(queries, observations, scale):
    """Eq. 1: A x C' queries, Obs K x C' -> (F_A, A x C'; Attn_A, A x K)."""
    scores = queries @ observations.T * scale
    attention = scores.exp() / scores.exp().sum(1, keepdim=True)
    return attention @ observations, attention


def correlate(activity_features, query, key, mask):
    """Eq. 6 to 8: F_A, A x C' -> (F_AC, A x C'; Corr, A x A)."""
    scores = (activity_features @ query.T) @ (activity_features @ key.T).T
    correlation = scores.exp() / scores.exp().sum(1, keepdim=True) + mask
    return correlation @ activity_features, correlation


@torch.no_grad()
def log_mean_exp(features, weight, bias):
    """The log of the mean of the exponentials of every column's logits: F, C x N -> A."""
    columns = [features[:, n] for n in range(features.shape[1])]
    rows = []
    for row, number in zip(weight, bias, strict=True):
        exponentials = [math.exp(float((row * column).sum() + number)) for column in columns]
        rows.append(math.log(math.fsum(exponentials) / len(columns)))
    return torch.tensor(rows, dtype=torch.float64)


def logits_of_clip(head, features, as_printed, num_positions=None):
    """
    The complete head for one clip, F C x N, from the parameters of `head`.

    With `num_positions` the columns behind them are objects', and not in the query.

    Returns:
        tuple: the two logits, A each, and a dict of Attn_O, Attn_A and Corr.
    """
    observing = head.observations
    dim = head.activity_features.queries.shape[1]
    scale = 1.0 if as_printed else 1 / math.sqrt(dim)
    positions = features[:, :num_positions]
    query = positions[:, -1] if as_printed else positions.mean(1)
    observations, over_positions = observe(
        features,
        observing.alpha.weight,
        observing.attention.beta.weight,
        observing.attention.gamma.weight,
        query,
        scale,
    )
    if not as_printed:
        observations = layer_norm(observations, observing.norm.weight, observing.norm.bias)
    activity, over_observations = attend(head.activity_features.queries, observations, scale)
    correlation = head.correlation
    correlated, corr = correlate(
        activity, correlation.query.weight, correlation.key.weight, correlation.mask
    )
    first, second = head.classifier, head.correlated_classifier
    logits = [
        (features_ * classifier.weight).sum(1) + classifier.bias
        for features_, classifier in ((activity, first), (correlated, second))
    ]
    maps = {"observations": over_positions, "activities": over_observations, "correlation": corr}
    return logits, maps
