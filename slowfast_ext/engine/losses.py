"""What is learnt from: MODEL.LOSS_FUNC on logits, and what the keys of LOSS make of it."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from slowfast_ext import upstream
from slowfast_ext.errors import SlowFastExtError


def build_loss(cfg, rows):
    """
    The loss of a config: called with logits and labels, B x A each, it gives a number.

    Args:
        cfg (CfgNode): MODEL.LOSS_FUNC and LOSS.
        rows (callable): gives the training labels, [rows x A]; called where they are counted.

    Returns:
        nn.Module: upstream's own where no key of LOSS is set. All labels must be known to it:
            see `over_known`.
    """
    options = cfg.LOSS
    # Upstream's `bce` takes probabilities; our heads give logits in training, from which the same
    # loss is computed more exactly.
    name = "bce_logit" if cfg.MODEL.LOSS_FUNC == "bce" else cfg.MODEL.LOSS_FUNC
    if name in _TERMS and (name != "bce_logit" or options.POS_WEIGHT or options.LABEL_SMOOTHING):
        return BinaryLoss(options, name, rows)
    loss = upstream.get_loss_func(name)(reduction="mean")
    return SmoothedLoss(loss, options.LABEL_SMOOTHING) if options.LABEL_SMOOTHING else loss


def over_known(loss, logits, labels):
    """
    The mean of a loss over the known labels; one below 0 is unknown, and has no part and no
    gradient. To the bit the loss itself where all are known; 0 where none is.

    Args:
        loss (nn.Module): as torch's own: with `reduction` "none" it gives a value for each logit.
        logits, labels (Tensor): B x A; the latter may be on the CPU still.

    Raises SlowFastExtError: unknown labels for a softmax, which can leave none of a row out.
    """
    known = labels >= 0
    # Seen where the loader leaves the labels: a GPU would have to be waited for.
    is_all = bool(known.all())
    known, labels = known.to(logits.device), labels.to(logits.device)
    if is_all:
        return loss(logits, labels)
    loss_of_each = copy.copy(loss)
    loss_of_each.reduction = "none"
    costs = loss_of_each(logits, labels.clamp(min=0))
    if costs.shape != labels.shape:
        raise SlowFastExtError(
            "MODEL.LOSS_FUNC: a softmax's loss weighs all labels of a clip against each other and "
            "can leave out none that is unknown: set it to bce_logit, or take such clips out of "
            "the list"
        )
    return torch.where(known, costs, 0.0).sum() / known.sum().clamp(min=1)


class SmoothedLoss(nn.Module):
    """A softmax's `loss` of labels that are mixed with even ones (Szegedy et al., CVPR 2016)."""

    def __init__(self, loss, smoothing):
        super().__init__()
        self.loss, self.smoothing = loss, smoothing

    def forward(self, logits, labels):
        """Logits and rows of labels that sum to 1, B x A each -> a number."""
        return self.loss(logits, smoothed(labels, self.smoothing, labels.shape[-1]))


def smoothed(labels, smoothing, num_choices):
    """Labels, of which a share is spread evenly over what there is to choose from."""
    return labels * (1 - smoothing) + smoothing / num_choices


# --- Activities that happen or not, each by itself --------------------------------------------


class BinaryLoss(nn.Module):
    """
    The mean over B x A of y P(x) + (1 - y) N(x): what a logit x costs where the activity happens,
    P, and where it does not, N. Labels y between 0 and 1, as smoothing makes them, mix the two.

    Args:
        options (CfgNode): LOSS.
        name (str): one of `_TERMS`.
        rows (callable): as of `build_loss`.

    Attributes:
        reduction (str): as of torch's losses: "mean", or "none" for what each label costs.
    """

    def __init__(self, options, name, rows):
        super().__init__()
        self.reduction = "mean"
        self.options, self.terms = options, _TERMS[name]
        positive = negative = torch.ones(())
        if options.POS_WEIGHT:
            positive = positive_weights(torch.as_tensor(rows()), options.POS_WEIGHT)
        if name == "equalization":
            rare = frequencies(torch.as_tensor(rows())) < options.EQUALIZATION_FREQUENCY
            negative = 1 - options.EQUALIZATION_SHARE * rare
        # Counted from this run's lists, and in no checkpoint.
        self.register_buffer("positive", positive, persistent=False)
        self.register_buffer("negative", negative, persistent=False)

    def forward(self, logits, labels):
        """Logits and labels, B x A each -> a number or, without reduction, B x A."""
        targets = smoothed(labels, self.options.LABEL_SMOOTHING, num_choices=2)
        happens, does_not = self.terms(logits, self.options)
        # Where nothing happens at all a rare activity's negative is no other one's positive: these
        # count in full (E(r) of the equalization loss).
        some = (labels > 0).any(-1, keepdim=True)
        negative = torch.where(some, self.negative, 1.0)
        costs = self.positive * targets * happens + negative * (1 - targets) * does_not
        return costs if self.reduction == "none" else costs.mean()


def frequencies(labels):
    """Labels, [rows x A] -> the share of an activity's known labels that are positive, [A]."""
    return (labels > 0).sum(0) / (labels >= 0).sum(0).clamp(min=1)


def positive_weights(labels, most):
    """
    Labels, [rows x A] -> how many rows without an activity there are for each that has it, [A], at
    most `most`: torch's `pos_weight`. Without a limit an activity of one row would outweigh all. 1
    where no row is known to be without it, for its positives would cost nothing.
    """
    positives, negatives = (labels > 0).sum(0), (labels == 0).sum(0)
    weights = (negatives / positives.clamp(min=1)).clamp(max=most)
    return torch.where(negatives > 0, weights, 1.0)


def _cross_entropy(logits, options):
    return -F.logsigmoid(logits), -F.logsigmoid(-logits)


def _focal(logits, options):
    """Lin et al., ICCV 2017, as torchvision has it."""
    alpha, gamma = options.FOCAL_ALPHA, options.FOCAL_GAMMA
    ones = torch.ones_like(logits)
    return tuple(sigmoid_focal_loss(logits, target, alpha, gamma) for target in (ones, 0 * ones))


def _asymmetric(logits, options):
    """
    Ridnik et al., ICCV 2021, eq. 4 to 7: negatives of a probability below the margin cost nothing,
    and easy ones little.
    """
    positive_gamma, negative_gamma = options.ASYMMETRIC_GAMMAS
    p = logits.sigmoid()
    shifted = (p - options.ASYMMETRIC_MARGIN).clamp(min=0)
    happens = -((1 - p) ** positive_gamma) * F.logsigmoid(logits)
    # The limit keeps the logarithm finite where a sigmoid rounds to 1.
    does_not = -(shifted**negative_gamma) * (1 - shifted).clamp(min=1e-8).log()
    return happens, does_not


# Each: logits -> P and N; "equalization" (Tan et al., CVPR 2020) differs in its weights alone.
_TERMS = {
    "bce_logit": _cross_entropy,
    "focal": _focal,
    "asymmetric": _asymmetric,
    "equalization": _cross_entropy,
}
OWN_LOSSES = tuple(name for name in _TERMS if name != "bce_logit")
