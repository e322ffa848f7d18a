"""
The head's speed and memory beside the plain equations, on random feature maps.

    python -m benchmarks.head [--repeats 15]

At the paper's size: K 64, C 2048, N 4·7·7, C' 128, 157 activities, two clips, float32. Both sides
share their weights; the results, and the gradients, must agree.
"""

import functools

import torch
from torch import nn

from benchmarks.limits import limit_of
from benchmarks.timing import (
    alternate,
    benchmark_parser,
    milliseconds,
    ratio_row,
    relative_difference,
    report,
    require_equal,
    row,
    saved_bytes,
)
from slowfast_ext.config.defaults import default_config
from slowfast_ext.models import ActivityHead
from slowfast_ext.paper.cost import at_every_position

CHANNELS, SHAPE, BATCH, ACTIVITIES = 2048, (4, 7, 7), 2, 157
PLAIN = "the plain equations"
TOLERANCE = 1e-4


class PlainHead(nn.Module):
    """
    An ActivityHead, with its weights, in the equations' own order.

    alpha and gamma are applied at each of the N positions, beta to the query alone; all blocks of
    all maps are one batched product, which is the fast way of it in einsum.
    """

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, features):
        """F, B x C x T x H x W -> the logits, as ActivityHead gives them in training."""
        head, positions = self.head, features.flatten(2)
        observing = head.observations
        attention = observing.attention
        mean = positions.sum(-1) / positions.shape[-1]
        query = attention.beta.shared_input(mean)  # B x K x C'
        keys = at_every_position(attention.gamma, positions)  # B x K x C' x N
        values = at_every_position(observing.alpha, positions)
        scores = torch.einsum("bkd,bkdn->bkn", query, keys) * attention.scale
        observations = torch.einsum("bkn,bkdn->bkd", scores.softmax(-1), values)
        activity_features, _ = head.activity_features(observing.norm(observations))
        return head.classify(activity_features)


def build_head(groups, num_activities=ACTIVITIES):
    """The head at the paper's size, in training form without dropout."""
    cfg = default_config()
    cfg.MODEL.NUM_CLASSES, cfg.MODEL.DROPOUT_RATE = num_activities, 0.0
    cfg.MODEL.HEAD_ACT, cfg.ACTIVITY.GROUPS = "sigmoid", groups
    torch.manual_seed(0)
    return ActivityHead(cfg, CHANNELS)


def random_features():
    """F as a backbone's last ReLU gives it: not negative, and with a gradient."""
    return torch.randn(BATCH, CHANNELS, *SHAPE).relu_().requires_grad_()


def forward(module, features):
    """The logits without a graph."""
    with torch.no_grad():
        return torch.stack(module(features))


def gradients(module, features):
    """Of the sum of the squared logits, by F and by each parameter."""
    wanted = [features, *module.parameters()]
    return torch.autograd.grad(sum((out**2).sum() for out in module(features)), wanted)


def against_plain(groups, repeats):
    """The rows of one number of groups."""
    head, features = build_head(groups), random_features()
    plain, size = PlainHead(head), f"n = {groups}"
    note = require_equal(
        f"head forward, {size}",
        relative_difference(forward(head, features), forward(plain, features)),
        TOLERANCE,
    )
    sides = {"head": head, "plain": plain}
    seconds = alternate({k: lambda m=m: forward(m, features) for k, m in sides.items()}, repeats)
    least = {32: 4, 1: 6}[groups]
    what = f"head forward, {size}"
    limit = functools.partial(
        limit_of, lambda: forward(head, features), features, *head.parameters()
    )
    rows = [ratio_row(what, PLAIN, seconds, "head", "plain", note, least=least, limit=limit)]
    pairs = zip(gradients(head, features), gradients(plain, features), strict=True)
    difference = max(relative_difference(*pair) for pair in pairs)
    note = require_equal(f"head backward, {size}", difference, TOLERANCE)
    seconds = alternate({k: lambda m=m: gradients(m, features) for k, m in sides.items()}, repeats)
    what, least = f"head forward + backward, {size}", 3 if groups == 32 else None
    # Each is read forward and backward, and its gradient written.
    limit = functools.partial(
        limit_of, lambda: gradients(head, features), *[features, *head.parameters()] * 3
    )
    rows.append(ratio_row(what, PLAIN, seconds, "head", "plain", note, least=least, limit=limit))
    return [*rows, memory_row(head, plain, features, size)]


def memory_row(head, plain, features, size):
    """Bytes kept for backward; F, which the backbone keeps anyway, and the weights left out."""
    known = [features, *head.parameters(), *head.buffers()]
    own, plains = (saved_bytes(lambda m=m: m(features), *known) for m in (head, plain))
    note = f"{own / 1e6:.2f} MB beside {plains / 1e6:.2f} MB; weights and F left out"
    what = f"head: bytes saved for backward, {size}"
    return row(what, PLAIN, [own / plains], most=1 / 15, note=note)


def by_activities(repeats):
    """
    Time and memory from 157 to 4,096 activities with correlation.

    Memory beyond Mask must grow at most linearly: the mark is the most bytes an activity.
    """
    rows, numbers = [], (157, 1024, 4096)
    features = random_features()
    each = []
    for number in numbers:
        head = build_head(32, number)
        known = [features, *head.parameters(), *head.buffers()]
        saved = saved_bytes(lambda head=head: head(features), *known)
        each.append(saved / number)
        steps = {"step": lambda head=head: gradients(head, features)}
        steps["forward"] = lambda head=head: forward(head, features)
        seconds = alternate(steps, repeats)
        note = f"saved {saved / 1e6:.2f} MB; forward {milliseconds(seconds['forward'])}"
        milli = [1e3 * s for s in seconds["step"]]
        rows.append(row(f"head forward + backward, A = {number:,}, ms", "itself", milli, note=note))
    growth = each[-1] / each[0]
    note = "bytes an activity at A = 4,096 over those at A = 157; 1 is linear"
    rows.append(row("head: memory by activities", "linear", [growth], most=1, note=note))
    return rows


def main():
    parser = benchmark_parser(__doc__)
    args = parser.parse_args()
    rows = [r for groups in (32, 1) for r in against_plain(groups, args.repeats)]
    report("head", rows + by_activities(args.repeats))


if __name__ == "__main__":
    main()
