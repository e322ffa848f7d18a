"""
Where in a clip the head sees each activity: the paper's map (sec. 7) and a map of evidence.

All maps are of the head's own positions, T x H x W of the backbone's last feature map F.
"""

from typing import NamedTuple

import torch
import torch.nn as nn

from slowfast_ext.errors import SlowFastExtError

THRESHOLD = 0.5  # From this value on a position of a map counts as activated.


class ActivityMaps(NamedTuple):
    """
    The maps of a batch of clips, each kind in [0, 1] on one scale per clip.

    Attributes:
        scores: B x A, probabilities.
        attention: B x A x T x H x W, the paper's maps.
        evidence: B x A x T x H x W.
        backbone: B x T x H x W, F's mean size over the channels.
    """

    scores: torch.Tensor
    attention: torch.Tensor
    evidence: torch.Tensor
    backbone: torch.Tensor


def has_maps(cfg):
    """Whether a network attends to positions of clips, and to nothing else."""
    takes_clips_alone = not (cfg.DETECTION.ENABLE or cfg.OBJECTS.NUM_CLASSES)
    return takes_clips_alone and _attends(cfg)


def _attends(cfg):
    return cfg.ACTIVITY.HEAD == "ActivityHead" and cfg.ACTIVITY.ACTIVITY_FEATURES


def require_activity_head(cfg):
    """Raises SlowFastExtError where the config's head attends to no positions."""
    if not _attends(cfg):
        raise SlowFastExtError(
            f"ACTIVITY.HEAD is {cfg.ACTIVITY.HEAD} with ACTIVITY.ACTIVITY_FEATURES "
            f"{cfg.ACTIVITY.ACTIVITY_FEATURES}: activity maps are those of an ActivityHead with "
            "ACTIVITY_FEATURES True, and not of a class derived from it, whose equations may differ"
        )


@torch.no_grad()
def activity_maps(head, features):
    """
    The maps of clips.

    The paper's map of activity a is (Attn_A · Attn_O)_a, how much of a's features comes from
    each position, times the backbone's map. It is relative: attention sums to 1 over the
    positions whether the activity is there or not. The map of evidence is what `evidence`
    gives for the mean of the head's logits, where it speaks for the activity (above 0).

    Args:
        head (ActivityHead): in evaluation, with activity features.
        features (Tensor): F, B x C x T x H x W.

    Returns:
        ActivityMaps
    """
    scores, attention = head(features, return_attention=True)
    backbone = features.abs().mean(1)
    over_positions = torch.einsum(
        "bak,bkthw->bathw", attention["activities"], attention["observations"]
    )
    output_maps = [contributions for contributions, _ in evidence(head, features, attention)]
    contributions = sum(output_maps) / len(output_maps)
    return ActivityMaps(
        scores,
        on_one_scale(over_positions * backbone[:, None]),
        on_one_scale(contributions.clamp(min=0)),
        on_one_scale(backbone),
    )


def on_one_scale(maps):
    """Maps from 0 on, B x ..., over each clip's largest value in all its activities and steps."""
    # A clip may have no evidence at all: 0 / 0 would be nan.
    largest = maps.flatten(1).amax(1).clamp(min=torch.finfo(maps.dtype).tiny)
    return maps / largest.view(-1, *[1] * (maps.dim() - 1))


def evidence(head, features, attention):
    """
    What each position contributes to the logits.

    With everything that F decides indirectly held fixed (Attn_O, Attn_A, Corr, and the
    standard deviation s_k that the LayerNorm divides observation k by) a logit is linear in
    F. For the output from F_A

        w_a · F_A(a) + b = sum over n of e_a(n) + (w_a · c + b),
        e_a(n) = sum over k of Attn_A(a, k) Attn_O(k, n) (g * w_a)^T P alpha_k F(n) / s_k,

    where g and c are the LayerNorm's weight and bias and P takes the mean over the channels
    away, as the LayerNorm does. For the output from F_AC, Corr · Attn_A takes Attn_A's place.
    As printed there is no LayerNorm: P, g and s_k are 1, c is 0. With a residual correlation
    Attn_A + gamma Corr · Attn_A takes its place instead. With ACTIVITY.COLUMN_DIM F(n) is what that
    makes of F's column: each still sees its own position alone.

    ACTIVITY.EVIDENCE adds the log-mean-exp of z_a(n) = v_a · F(n) + d_a over the N positions to
    each logit. With p_a = softmax over n of z_a held fixed too it is linear in F as well: the sum
    of p_a(n) v_a · F(n), and d_a + (p_a's entropy - log N). The contributions are exact
    for this decomposition. They do not say what the logit would be without a position: the
    attention would then go elsewhere and s_k change.

    Args:
        head (ActivityHead): in evaluation, with activity features.
        features (Tensor): F, B x C x T x H x W.
        attention (dict): what the head gives with `return_attention`.

    Returns:
        list[tuple[Tensor, Tensor]]: of each output e, B x A x T x H x W, and what no position
            contributes, B x A; the sum of e and that is the logit.
    """
    mixing, columns = attention["activities"], head.columns(features)
    found = [_of_output(head, columns, attention, mixing, head.classifier)]
    if head.correlation is not None:
        mixing = head.correlation.combine(mixing, attention["correlation"] @ mixing)
        found.append(_of_output(head, columns, attention, mixing, head.correlated_classifier))
    if head.evidence is not None:
        shortcut = _of_shortcut(head, columns)
        found = [
            tuple(own + more for own, more in zip(each, shortcut, strict=True)) for each in found
        ]
    shape = features.shape[2:]
    return [(contributions.unflatten(-1, shape), constant) for contributions, constant in found]


def _of_shortcut(head, columns):
    """As `evidence`, B x A x N, of what ACTIVITY.EVIDENCE adds to an output."""
    projection = head.evidence.projection
    logits = head.evidence.at_columns(columns)  # B x A x N
    shares = logits.softmax(-1)
    contributions = shares * (logits - projection.bias[:, None])
    constant = head.evidence(columns) - contributions.sum(-1)
    return contributions, constant


def _of_output(head, columns, attention, mixing, classifier):
    """
    As `evidence`, B x A x N, of one output; mixing, B x A x K, makes its features of the
    observations.
    """
    observations, positions = head.observations, columns.values
    over_positions = attention["observations"].flatten(2)  # B x K x N
    weight = classifier.weight  # 1 x C' for all activities, or A x C'
    constant = classifier.bias + 0 * mixing[..., 0]  # A shared bias is one number: B x A here.
    if isinstance(observations.norm, nn.LayerNorm):
        norm = observations.norm
        projected = observations.alpha.own_input(over_positions @ positions.transpose(1, 2))
        deviation = (projected.var(-1, correction=0) + norm.eps).sqrt()
        over_positions = over_positions / deviation[..., None]
        constant = constant + (weight @ norm.bias) * mixing.sum(-1)
        weight = weight * norm.weight
        weight = weight - weight.mean(-1, keepdim=True)
    number = mixing.shape[-1]
    rows = []
    for row in weight:  # One activity at a time: A x K x N values would be many.
        directions = observations.alpha.transposed(row.expand(1, number, -1))  # 1 x K x C
        rows.append((directions @ positions) * over_positions)  # B x K x N
    if len(rows) == 1:
        contributions = mixing @ rows[0]
    else:
        activity_rows = zip(mixing.unbind(1), rows, strict=True)
        contributions = torch.stack([(m[:, None] @ row)[:, 0] for m, row in activity_rows], dim=1)
    return contributions, constant
