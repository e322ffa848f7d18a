"""Observations: K snippets of a clip, each attending to its own region (sec. 3.1, eq. 2-5)."""

import math

import torch
import torch.nn as nn

from slowfast_ext.models.recomputation import recomputed


class GroupLinear(nn.Module):
    """
    K block-diagonal linear maps C -> C' without bias (sec. 3.4, eq. 13).

    Each map has `groups` (n) blocks of C'/n x C/n, so it holds C·C'/n weights. Shape of
    `weight`: K x n x C'/n x C/n.
    """

    def __init__(self, num_maps, dim_in, dim_out, groups):
        super().__init__()
        self.groups = groups
        shape = (num_maps, groups, dim_out // groups, dim_in // groups)
        # The bound of nn.Linear: 1 / sqrt(number of inputs of one output).
        bound = 1 / math.sqrt(shape[-1])
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))

    def _blocks(self, x):
        return x.unflatten(-1, (self.groups, -1))

    def shared_input(self, x):
        """Applies every map to the same vector: B x C -> B x K x C'."""
        return torch.einsum("kgoi,bgi->bkgo", self.weight, self._blocks(x)).flatten(-2)

    def own_input(self, x):
        """Applies each map to a vector of its own: B x K x C -> B x K x C'."""
        return torch.einsum("kgoi,bkgi->bkgo", self.weight, self._blocks(x)).flatten(-2)

    def transposed(self, x):
        """Applies each map's transpose to a vector of its own: B x K x C' -> B x K x C."""
        return torch.einsum("kgoi,bkgo->bkgi", self.weight, self._blocks(x)).flatten(-2)


class SpaceTimeAttention(nn.Module):
    """
    Attention of K observations over the N = T·H·W positions of a map (sec. 3.4, eq. 12).

    Attn_Ok = softmax over N of q_k^T · gamma_k · F with q_k = beta_k · F[:, N-1]. Because
    q_k^T (gamma_k F) = (gamma_k^T q_k)^T F, the map gamma_k is applied once to the query
    instead of to every position: exact, and no K x C' x N activations.

    In the default form the query is the mean over positions and the scores are divided
    by sqrt(C'); `as_printed` takes the last position and the plain product.
    """

    def __init__(self, dim_in, num_observations, dim, groups, as_printed=False):
        super().__init__()
        self.as_printed = as_printed
        self.scale = 1.0 if as_printed else 1 / math.sqrt(dim)
        self.beta = GroupLinear(num_observations, dim_in, dim, groups)
        self.gamma = GroupLinear(num_observations, dim_in, dim, groups)

    def forward(self, columns):
        """
        Columns of F, B x C x N -> Attn_O, B x K x N; rows sum to 1.

        Objects are attended to, and take no part in the query.
        """
        positions = columns.values[:, :, : columns.num_positions]
        summary = positions[:, :, -1] if self.as_printed else _mean(positions)
        scores = recomputed(self._scores, summary, columns.values)
        if columns.padding is not None:
            scores = scores.masked_fill(columns.padding[:, None], -torch.inf)
        return scores.softmax(-1)

    def _scores(self, summary, values):
        queries = self.beta.shared_input(summary) * self.scale
        return self.gamma.transposed(queries) @ values  # (B x K x C) (B x C x N)


def _mean(positions):
    """B x C x N -> B x C; the gradient of mean() would be written out for all N positions."""
    return positions.sum(-1) / positions.shape[-1]


class Observations(nn.Module):
    """
    Obs_k = Attn_Ok · (alpha_k F)^T (eq. 2-5).

    alpha_k (F Attn_Ok^T) is the same vector: F is pooled once per observation and the
    pooled vector projected. The default form normalises each observation (LayerNorm);
    without it the equations train badly with SGD, see docs/METHOD.md.
    """

    def __init__(self, dim_in, num_observations, dim, groups, as_printed=False):
        super().__init__()
        self.attention = SpaceTimeAttention(dim_in, num_observations, dim, groups, as_printed)
        self.alpha = GroupLinear(num_observations, dim_in, dim, groups)
        self.norm = nn.Identity() if as_printed else nn.LayerNorm(dim)

    def forward(self, columns):
        """Columns of F, B x C x N -> (Obs, B x K x C'; Attn_O, B x K x N)."""
        attention = self.attention(columns)
        # F first: its gradient then comes in F's own memory layout, and adds up faster.
        pooled = (columns.values @ attention.transpose(1, 2)).transpose(1, 2)  # B x K x C
        return self.norm(self.alpha.own_input(pooled)), attention
