"""Rank correlation."""

import math

import numpy as np


def _ranks(values):
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[place]


def rank_correlation(first, second):
    """Spearman's: the correlation of the ranks; nan where one of them is constant."""
    ranks = np.stack([_ranks(np.ravel(values)) for values in (first, second)])
    if (ranks == ranks[:, :1]).all(axis=1).any():
        return math.nan
    return float(np.corrcoef(ranks)[0, 1])


def off_diagonal(matrix):
    """A x A -> the A·(A-1) entries off the diagonal."""
    return matrix[~np.eye(len(matrix), dtype=bool)]
