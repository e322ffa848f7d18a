"""
Ours in PySlowFast's own programs, over GitHub's main: its run_net.py, loader, losses, meters and
launcher, after `slowfast_ext.register()`.

They know one output of one loss. `ProgramNetwork` gives them that.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from slowfast_ext import upstream
from slowfast_ext.config.defaults import KEYS, add_slowfast_ext_config, default_config
from slowfast_ext.config.schema import Main, Upstreams, refuse
from slowfast_ext.engine.loaders import build_dataset
from slowfast_ext.engine.losses import OWN_LOSSES
from slowfast_ext.engine.setup import check_config
from slowfast_ext.engine.train import counted_mask
from slowfast_ext.engine.trainer import summed
from slowfast_ext.engine.weights import load_start
from slowfast_ext.models.network import ActivityNetwork
from slowfast_ext.models.outputs import probabilities

# MODEL.LOSS_FUNC SUMMED + upstream's name: the sum over the outputs, as the paper and the engine of
# this package have it.
SUMMED = "summed_"


def enter_programs():
    """Over main, makes the network, its keys and its losses known to upstream's own programs."""
    if not upstream.IS_MAIN:
        return  # PyPI's 1.0 comes without the programs.
    losses = {
        f"{SUMMED}{name}": type(f"Summed_{name}", (SummedLoss,), {"of_one": name})
        for name in ("bce_logit", "cross_entropy", "soft_cross_entropy")
    }
    upstream.enter_programs(ProgramNetwork, losses, add_slowfast_ext_config)


class SummedLoss(nn.Module):
    """
    A loss of upstream's, by its name `of_one`, summed over the outputs (sec. 3.3).

    Args:
        reduction (str): as of upstream's losses.
    """

    of_one = "bce_logit"

    def __init__(self, reduction="mean"):
        super().__init__()
        self.loss = upstream.get_loss_func(self.of_one)(reduction=reduction)

    def forward(self, outputs, labels):
        """A tuple of logits, B x A each, and labels, B x A -> the loss."""
        return summed(self.loss, outputs, labels)


class ProgramNetwork(ActivityNetwork):
    """
    ActivityNetwork as upstream's programs build it, with the tensors and names of the engine's.

    The programs check no keys, count no co-occurrence and do not know which tensors of a plain
    network fit into this one: all that is done here, before they train.

    Args:
        cfg (CfgNode): of upstream's `get_cfg`, after `enter_programs`.

    Raises:
        SlowFastExtError: a key that is wrong, or that the programs do not look at.
    """

    def __init__(self, cfg):
        _check_keys_of_programs(cfg)
        check_config(cfg)
        super().__init__(cfg)
        self.loss_name = cfg.MODEL.LOSS_FUNC
        if not cfg.TRAIN.ENABLE:
            return  # A test's checkpoint has all that is counted or learnt.
        if self.cooccurrence is not None:
            self.set_cooccurrence(counted_mask(cfg, build_dataset(cfg, "train")))
        if cfg.TRAIN.CHECKPOINT_FILE_PATH:
            load_start(cfg, self)
        if cfg.ACTIVITY.FREEZE_BACKBONE:
            self.freeze_backbone()

    def forward(self, inputs, boxes=None):
        """
        As of ActivityNetwork, boxes by their place; in training `one_output` or, for a SUMMED loss,
        the tuple of logits.
        """
        outputs = super().forward(inputs, boxes)
        if not self.training or self.loss_name.startswith(SUMMED):
            return outputs
        return one_output(outputs, self.loss_name)


def one_output(logits, loss):
    """
    What upstream's loss of that name takes of several outputs: their mean probability (eq. 11), on
    the loss's own scale. So what is learnt is what evaluation gives.

    Args:
        logits (sequence[Tensor]): one B x A tensor per output.
        loss (str): MODEL.LOSS_FUNC.

    Returns:
        Tensor: B x A, float32: for "bce" probabilities, otherwise logits of them.
    """
    if loss == "bce":
        return probabilities(logits, "sigmoid")
    outputs = torch.stack([output.float() for output in logits])
    # Sums of probabilities by their logarithms, which stay finite where a probability is 0 or 1.
    if "cross_entropy" in loss:
        return outputs.log_softmax(-1).logsumexp(0) - math.log(len(logits))
    return F.logsigmoid(outputs).logsumexp(0) - F.logsigmoid(-outputs).logsumexp(0)


def _check_keys_of_programs(cfg):
    """Refuses keys and losses of this package that its own engine alone looks at."""
    if cfg.MODEL.LOSS_FUNC in OWN_LOSSES:
        rule = "is not done by PySlowFast's own programs: set it to bce_logit"
        refuse(cfg, "MODEL.LOSS_FUNC", rule)
    is_summed = cfg.MODEL.LOSS_FUNC.startswith(SUMMED)
    if cfg.MIXUP.ENABLE and (cfg.DATA.MULTI_LABEL or is_summed):
        rule = "is done by PySlowFast's own programs for one label a clip and one output alone"
        refuse(cfg, "MIXUP.ENABLE", f"{rule}: set it to False")
    defaults = default_config()
    for key in KEYS:
        is_of_network = key.name.startswith("ACTIVITY.") and key.name != "ACTIVITY.LR_MULT"
        is_upstreams = isinstance(key.default, (Main, Upstreams))
        value, default = (upstream.get_key(c, key.name) for c in (cfg, defaults))
        if "." in key.name and not is_of_network and not is_upstreams and value != default:
            rule = f"is not done by PySlowFast's own programs: set it to {default!r}"
            refuse(cfg, key.name, rule)
