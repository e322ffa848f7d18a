"""
Tables 3a to 3d and 4: parameters and multiply-adds, counted from the modules themselves.

Everything is built and run on torch's meta device, where tensors have shapes and no
values, so that a 3D network of 32 x 256 x 256 costs neither time nor memory.
"""

import contextlib
import itertools

import torch
import torch.nn as nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from slowfast_ext.config.defaults import default_config
from slowfast_ext.config.load import load_config
from slowfast_ext.models import ActivityNetwork, build_head
from slowfast_ext.models.evidence import PositionEvidence
from slowfast_ext.models.objects import Columns
from slowfast_ext.models.outputs import probabilities
from slowfast_ext.paper.numbers import find_row
from slowfast_ext.upstream import IS_MAIN
from slowfast_ext.utils.paths import CONFIGS

TABLES = ("3a", "3b", "3c", "3d", "4")

# CSN-152's last map: of 224 x 224 crops (training) and of 256 x 256 (testing).
CHANNELS = 2048
MAP_SIZES = ((4, 7, 7), (4, 8, 8))

COUNTED = (
    "Counted from the modules: multiply-adds of convolutions and matrix products.",
    "Head: alpha, beta, gamma and the activities' queries, with correlation its two linear maps;",
    "  without classifier and normalisation. C = 2048, C' = 128; where the row's name does not say",
    "  otherwise K = 64, n = 32, A = 157, N = 196 and no correlation, as in the paper.",
    "3c: the heads of the configs, their classifiers and normalisation included.",
    "  plain: every map on all N positions, as the paper costs it; ours: the factorised form.",
    "Evidence: the layer of ACTIVITY.EVIDENCE by itself, A x C weights at each of N positions;",
    "  with ACTIVITY.EVIDENCE_RANK R it has R (A + C).",
    "Backbones: with a linear classifier of 400 classes, one clip of 256 x 256; parameters with",
    "  the classifier's and without batch-norm's.",
)


def cost_rows(tables=TABLES):
    """
    The costs of the rows of `tables`, under the paper's conditions and under others.

    A row with the paper's name stands for the paper's conditions (N = 196; correlation in 3d
    alone); under others its name says which.

    Returns:
        list[dict]: `table`, `row`, `params_M` (millions), `gmacs_plain` and `gmacs` (1e9
            multiply-adds; the first is None for a backbone, all of them for one that this
            PySlowFast does not build), `in_paper` (the paper has this row), `paper_params_M` and
            `paper_gmacs` (the paper's, as printed), `note`.
    """
    rows = []
    for table in tables:
        if table == "3c":
            rows += [_head_row(name, *config) for name, config in HEADS_OF_3C.items()]
        for name, activities, observations, groups in _HEADS.get(table, ()):
            for correlation, size in itertools.product(_CORRELATION[table], MAP_SIZES):
                head = activity_head(activities, observations, groups, correlation)
                positions = "" if size == MAP_SIZES[0] else f" N={torch.Size(size).numel()}"
                # The paper's 3d has the complete head: there it needs no word.
                more = " correlation" if correlation and table != "3d" else ""
                rows.append(_row(table, name + positions + more, **head_cost(head, size)))
        if table == "4":
            rows += [_evidence_row(*size) for size in ((157, 0), (1024, 0), (1024, 256))]
            rows += [_backbone_row(name) for name in BACKBONES]
    return rows


# Table -> (name, A, K, n).
_HEADS = {
    "3a": [(f"n={n}", 157, 64, n) for n in (1, 8, 32, 64)],
    "3b": [(f"K={k}", 157, k, 32) for k in (16, 32, 64, 128)],
    "3d": [(rates, 157, 64, 32) for rates in ("4", "2+4 tuned", "2+4+8 tuned")],
    "4": [(f"A={a}", a, 64, 32) for a in (157, 1024)],
}
# Row of Table 3c, or of ours beside it -> its config, and KEY VALUE pairs over it.
HEADS_OF_3C = {
    "baseline": ("TABLE3C_BASELINE",),
    "log-mean-exp": ("TABLE3C_BASELINE", "ACTIVITY.HEAD", "LSEPoolHead"),
    "no activity-specific": ("TABLE3C_NO_ACTIVITY_FEATURES",),
    "a map per activity": ("TABLE3C_MAP_PER_ACTIVITY",),
    "no activity correlation": ("TABLE3C_NO_CORRELATION",),
    "complete": ("TABLE3C_COMPLETE",),
    "complete + evidence": ("TABLE3C_COMPLETE", "ACTIVITY.EVIDENCE", "True"),
    "complete + columns of 256": ("TABLE3C_COMPLETE", "ACTIVITY.COLUMN_DIM", "256"),
}
# Table 3d is the complete head; the paper costs the others without correlation.
_CORRELATION = {"3a": (False, True), "3b": (False, True), "3d": (True,), "4": (False, True)}

NUM_CLASSES = 400
# Row of Table 4 -> (config, keys set otherwise, what to know when comparing).
BACKBONES = {
    "Nonlocal-101": (
        "NONLOCAL_101",
        {},
        "upstream's I3D R101 with five non-local blocks (2 in res3, 3 in res4), 32 frames, "
        "embedded Gaussian. The SlowFast paper lists 359 G for the non-local paper's own "
        "network; what makes up the 5 G between them is not known here",
    ),
    "SlowFast-101": (
        "SLOWFAST_101",
        {"DATA.NUM_FRAMES": 64},
        "16x8, non-local blocks in the slow pathway's res4: 16 slow and 64 fast frames, not "
        "32. The SlowFast paper lists 234 G for it",
    ),
    "SlowFast-101 at 32 frames": (
        "SLOWFAST_101",
        {},
        "the same network on 32 frames: 8 slow and 32 fast; half the frames of Table 4's 16x8",
    ),
    "CSN-152": ("CSN_152", {}, "the interaction-preserved form"),
    "CSN-152 ir": ("CSN_152", {"ACTIVITY.CSN_FORM": "ir"}, "the interaction-reduced form"),
    "X3D-XL": (
        "X3D_XL_ACTIVITY",
        {"ACTIVITY.HEAD": "PoolHead"},
        "at 32 frames, not 16, and without its conv_5, whose place the head takes",
    ),
}
# PyPI's 1.0 does not build these.
NEED_MAIN = ("X3D-XL",)


def _row(table, name, params, plain, ours, note=""):
    paper = find_row(table, name)
    return {
        "table": table,
        "row": name,
        "params_M": params and params / 1e6,
        "gmacs_plain": plain and plain / 1e9,
        "gmacs": ours and ours / 1e9,
        "in_paper": paper is not None and paper.in_paper,
        "paper_params_M": paper and paper.params_m,
        "paper_gmacs": paper and paper.gmacs,
        "note": note,
    }


class PlainActivityHead(nn.Module):
    """
    An ActivityHead of the form `as_printed`, computed the long way (eq. 1, 2, 6-12), as costed.

    alpha, beta and gamma are applied to every one of the N positions, as the paper's
    multiply-adds count them; the output is that of `head`, which it shares its weights with.
    """

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, features):
        """F, B x C x T x H x W -> probabilities, B x A."""
        head, positions = self.head, features.flatten(2)
        observing = head.observations
        values = at_every_position(observing.alpha, positions)
        queries = at_every_position(observing.attention.beta, positions)
        keys = at_every_position(observing.attention.gamma, positions)
        scores = queries[..., -1:].transpose(-1, -2) @ keys  # B x K x 1 x N
        observations = (scores.softmax(-1) @ values.transpose(-1, -2)).squeeze(-2)
        activity_features, _ = head.activity_features(observations)
        return probabilities(head.classify(activity_features), head.activation)


def at_every_position(group_linear, positions):
    """Applies all K maps of a GroupLinear to all N columns: B x C x N -> B x K x C' x N."""
    blocks = positions.unflatten(1, (group_linear.groups, -1))
    return torch.einsum("kgoi,bgin->bkgon", group_linear.weight, blocks).flatten(2, 3)


def activity_head(activities, observations, groups, correlation):
    """The paper's head as printed, on the meta device."""
    cfg = default_config()
    cfg.MODEL.NUM_CLASSES, cfg.MODEL.HEAD_ACT = activities, "sigmoid"
    cfg.ACTIVITY.FORM, cfg.ACTIVITY.CORRELATION = "as_printed", correlation
    cfg.ACTIVITY.NUM_OBSERVATIONS, cfg.ACTIVITY.GROUPS = observations, groups
    with torch.device("meta"):
        return build_head(cfg, CHANNELS)


def _evidence_row(activities, rank):
    with torch.device("meta"):
        evidence = PositionEvidence(activities, CHANNELS, init_std=0.0, rank=rank)
        positions = torch.empty(1, CHANNELS, torch.Size(MAP_SIZES[0]).numel())
    columns = Columns(positions, positions.shape[-1], None)
    parameters = sum(parameter.numel() for parameter in evidence.parameters())
    added = multiply_adds(evidence, columns)
    name = f"evidence alone A={activities}" + (f" rank {rank}" if rank else "")
    return _row("4", name, parameters, plain=None, ours=added)


def _head_row(name, config, *words):
    """A row of Table 3c, whose heads differ in more than numbers: its config's own head."""
    cfg = load_config(str(CONFIGS / "Charades" / f"{config}.yaml"), ["NUM_GPUS", "0", *words])
    with torch.device("meta"):
        head = build_head(cfg, CHANNELS)
    parameters = sum(parameter.numel() for parameter in head.parameters())
    features = torch.empty(1, CHANNELS, *MAP_SIZES[0], device="meta")
    return _row("3c", name, params=parameters, plain=None, ours=multiply_adds(head, features))


def head_cost(head, size):
    """Parameters and multiply-adds of a head on one map of `size` (T, H, W): a dict."""
    features = torch.empty(1, CHANNELS, *size, device="meta")
    parameters = {
        name: parameter.numel()
        for name, parameter in head.named_parameters()
        if "classifier" not in name
    }
    return {
        "params": sum(parameters.values()),
        "plain": multiply_adds(PlainActivityHead(head), features),
        "ours": multiply_adds(head, features),
    }


def backbone_config(name):
    """
    The config of a row of Table 4: the backbone under a linear classifier.

    Returns:
        tuple[CfgNode, str]: and what to know when comparing it with the paper's row.
    """
    config, changes, note = BACKBONES[name]
    # Whatever GPUs there are: nothing is run on them.
    same = {"NUM_GPUS": 0, "DATA.TRAIN_CROP_SIZE": 256, "MODEL.NUM_CLASSES": NUM_CLASSES}
    words = [str(word) for pair in (same | changes).items() for word in pair]
    cfg = load_config(str(CONFIGS / "Charades" / f"{config}.yaml"), words)
    # Some of upstream's constructors divide by them.
    cfg.NUM_GPUS, cfg.MODEL.HEAD_ACT = 1, "softmax"
    return cfg, note


def _backbone_row(name):
    if name in NEED_MAIN and not IS_MAIN:
        note = "counted over GitHub's main of PySlowFast alone"
        return _row("4", name, params=None, plain=None, ours=None, note=note)
    cfg, note = backbone_config(name)
    with torch.device("meta"):
        network = ActivityNetwork(cfg)
    clip = torch.empty(1, 3, cfg.DATA.NUM_FRAMES, 256, 256, device="meta")
    pathways = [clip]
    if cfg.MODEL.ARCH == "slowfast":
        pathways = [clip[:, :, :: cfg.SLOWFAST.ALPHA], clip]
    return _row(
        "4",
        name,
        params=sum(p.numel() for p in network.parameters()) - batch_norm_parameters(network),
        plain=None,
        ours=multiply_adds(network, pathways),
        note=note,
    )


def batch_norm_parameters(network):
    """The scales and shifts of all batch-norm layers: int."""
    layers = (m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


def multiply_adds(module, *inputs):
    """
    Multiply-adds of convolutions and matrix products in one forward pass in evaluation: int.

    torch's counter rather than fvcore's: fvcore traces, which the meta device cannot, and
    would have to run each backbone for real (10 s and 2 GB). Both give the same numbers, but for
    attention, of whose fused operators on the CPU either counter takes nothing.
    """
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), unfused_attention():
        module.eval()(*inputs)
    # It counts a multiply-add as two operations.
    return counter.get_total_flops() // 2


@contextlib.contextmanager
def unfused_attention():
    """Attention runs as the matrix products that it is made of, which counters know."""
    was_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fast)
