"""Upstream's optimizer and schedule, with a learning rate of the head's own."""

import torch

from slowfast_ext import upstream
from slowfast_ext.utils import distributed


def build_optimizer(cfg, network):
    """Upstream's optimizer; the head's parameters in groups of their own (ACTIVITY.LR_MULT)."""
    optimizer = upstream.construct_optimizer(network, cfg)
    # By identity: a Tensor's == compares values.
    head_parameters = {id(p) for p in distributed.unwrap_network(network).head.parameters()}
    groups = []
    for group in optimizer.param_groups:
        for in_head, multiplier in ((False, 1.0), (True, cfg.ACTIVITY.LR_MULT)):
            chosen = [p for p in group["params"] if (id(p) in head_parameters) == in_head]
            chosen = [p for p in chosen if p.requires_grad]
            if chosen:
                groups.append({**group, "params": chosen, "lr_multiplier": multiplier})
    optimizer.param_groups = groups
    return optimizer


def load_optimizer(optimizer, state):
    """
    Takes over an optimizer's history; the hyperparameters stay those of this run's config. Raises
    ValueError where it is of another kind of optimizer or of other parameters.
    """
    own = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    theirs = [set(group) - {"params"} for group in state["param_groups"]]
    if theirs != [set(group) for group in own]:
        raise ValueError("it was trained with another SOLVER.OPTIMIZING_METHOD or other groups")
    # torch checks the number of tensors alone, and takes over the hyperparameters.
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, moment in moments.items():
            # A count of steps is a number; the rest have the parameter's shape.
            if torch.is_tensor(moment) and moment.dim() and moment.shape != parameter.shape:
                raise ValueError(
                    f"its {name} of a tensor of shape {tuple(parameter.shape)} has the shape "
                    f"{tuple(moment.shape)}"
                )
    for group, hyperparameters in zip(optimizer.param_groups, own, strict=True):
        group.update(hyperparameters)


def set_learning_rate(optimizer, learning_rate):
    """Sets each group to its multiple of `learning_rate`; upstream's own ignores ours."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["lr_multiplier"]  # Upstream's sets one rate for all.


def clip_gradients(cfg, network):
    """SOLVER.CLIP_GRAD_VAL and CLIP_GRAD_L2NORM, where they are set."""
    if cfg.SOLVER.CLIP_GRAD_VAL:
        torch.nn.utils.clip_grad_value_(network.parameters(), cfg.SOLVER.CLIP_GRAD_VAL)
    elif cfg.SOLVER.CLIP_GRAD_L2NORM:
        torch.nn.utils.clip_grad_norm_(network.parameters(), cfg.SOLVER.CLIP_GRAD_L2NORM)
