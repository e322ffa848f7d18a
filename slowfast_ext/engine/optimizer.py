"""Upstream's optimizer and schedule, with learning rates of the head's and the layers' own."""

import torch

from slowfast_ext import upstream
from slowfast_ext.config.schema import refuse
from slowfast_ext.engine.layer_decay import layer_scales
from slowfast_ext.utils import distributed


def build_optimizer(cfg, network):
    """
    Upstream's optimizer, its groups parted by what their learning rate is multiplied with: the
    head's by ACTIVITY.LR_MULT, a backbone's layers by SOLVER.LAYER_DECAY. Raises SlowFastExtError
    where the backbone has no layers to tell apart.
    """
    plain = cfg.clone()
    plain.SOLVER.LAYER_DECAY = 1.0  # main's own knows the layers of its MViT alone, without a head.
    optimizer = upstream.construct_optimizer(network, plain)
    network = distributed.unwrap_network(network)
    # By identity: a Tensor's == compares values.
    backbone = {id(p) for p in network.backbone.parameters()}
    scales = _backbone_scales(cfg, network.backbone)
    exempt = _exempt_from_decay(network.backbone)
    groups = []
    for group in optimizer.param_groups:
        parts = {}  # The head's apart, whatever its multiple: checkpoints count the groups.
        for p in group["params"]:
            if p.requires_grad:
                is_new = id(p) not in backbone  # The head's and, of frames, their times'.
                scale = cfg.ACTIVITY.LR_MULT if is_new else scales.get(id(p), 1.0)
                decay = 0.0 if id(p) in exempt else group["weight_decay"]
                parts.setdefault((is_new, scale, decay), []).append(p)
        for (_, scale, decay), params in parts.items():
            changes = {"params": params, "lr_multiplier": scale, "weight_decay": decay}
            groups.append(group | changes)
    optimizer.param_groups = groups
    return optimizer


def _exempt_from_decay(backbone):
    """The ids of the parameters that the author of a network, as MViT's or timm's, names so."""
    return {
        id(parameter)
        for module in backbone.modules()
        if hasattr(module, "no_weight_decay")
        for name, parameter in module.named_parameters()
        # Parts of names, as main takes them.
        if any(part in name for part in module.no_weight_decay())
    }


def _backbone_scales(cfg, backbone):
    """The multiple of each parameter's learning rate, by its id; none where there is no decay."""
    if cfg.SOLVER.LAYER_DECAY == 1:
        return {}
    parameters = dict(backbone.named_parameters())
    scales = layer_scales(parameters, cfg.SOLVER.LAYER_DECAY)
    if not scales:
        refuse(cfg, "SOLVER.LAYER_DECAY", "must be 1.0 for a backbone without numbered blocks")
    return {id(p): scales[name] for name, p in parameters.items()}


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
