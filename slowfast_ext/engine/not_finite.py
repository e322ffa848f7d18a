"""Losses and weights that are not finite any more: what is kept to look at, and what is told."""

import math
import os

import torch

from slowfast_ext.engine import checkpoint
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed

_ADVICE = "try a smaller SOLVER.BASE_LR or ACTIVITY.LR_MULT, or SOLVER.CLIP_GRAD_L2NORM"


def stop_at_loss(trainer, where, loss, batch, outputs):
    """
    Saves the network, the batch and what the network made of it; raises SlowFastExtError, which
    names the iteration, the videos, the norms and the file.
    """
    ids = trainer.loader.video_ids(batch.index.tolist())
    norms = parameter_norms(trainer.network)
    path = os.path.join(trainer.cfg.OUTPUT_DIR, f"not_finite_rank_{distributed.rank()}.pyth")
    state = {
        "where": where,
        "loss": loss,
        "video_ids": ids,
        "parameter_norms": norms,
        "outputs": _detached(outputs),
        # A NamedTuple of ours could not be read again: weights_only knows no classes.
        "batch": batch._asdict() | {"objects": None},
        "model_state": trainer.network.state_dict(),
        "optimizer_state": trainer.optimizer.state_dict(),
        "cfg": trainer.cfg.dump(),
    }
    try:
        checkpoint.save_checkpoint(path, state)
        saved = f"the batch, the outputs and the weights are in {path}"
    except OSError as error:
        # A full disk must not take the place of the loss in the message.
        saved = f"{path} cannot be written ({error.strerror or error})"
    total = torch.tensor(list(norms.values())).norm().item()
    largest = ", ".join(f"{name} {norm:.3g}" for name, norm in list(norms.items())[:3])
    raise SlowFastExtError(
        f"{where}: the loss is {loss} on {', '.join(ids)}; the parameters' norm is {total:.3g}, "
        f"the largest are {largest}; {saved}; {_ADVICE}"
    )


def require_finite_weights(network, where):
    """
    Raises SlowFastExtError where a tensor of the network is not finite, so that no checkpoint
    holds it; the one before stays.
    """
    bad = [name for name, value in network.state_dict().items() if not value.isfinite().all()]
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise SlowFastExtError(
            f"{where}: the network's {bad[0]}{more} is not finite any more and no checkpoint is "
            f"written of it: {_ADVICE}, and start the same command again, which goes on from the "
            "checkpoint before"
        )


def parameter_norms(network):
    """{name: L2 norm} of the parameters: nan first, then inf, then the largest."""
    norms = {name: value.detach().norm().item() for name, value in network.named_parameters()}
    return dict(sorted(norms.items(), key=lambda item: (not math.isnan(item[1]), -item[1])))


def _detached(outputs):
    """Tensors in tuples and lists, without their graph, on the CPU."""
    if torch.is_tensor(outputs):
        return outputs.detach().cpu()
    return [_detached(output) for output in outputs]
