"""The configs and networks that the benchmarks of reading, steps and tests run."""

import torch

from benchmarks.timing import ROOT
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.models import ActivityNetwork

# SlowFast-R50, 4 x 16: of SLOWFAST_101.yaml's keys those that make it another network.
R50 = {
    "RESNET.DEPTH": 50,
    "SLOWFAST.ALPHA": 8,
    "NONLOCAL.LOCATION": [[[], []], [[], []], [[], []], [[], []]],
}


def config(name, options):
    """The config `name` below configs/, on the CPU, with a dict's keys set."""
    pairs = {"NUM_GPUS": 0, **options}.items()
    path = ROOT / "configs" / f"{name}.yaml"
    return checked_config(str(path), [str(word) for pair in pairs for word in pair])


def slowfast_r50(options=None):
    """Config and network, with random weights and the paper's head."""
    cfg = config("Charades/SLOWFAST_101_ACTIVITY", {**R50, **(options or {})})
    torch.manual_seed(0)
    return cfg, ActivityNetwork(cfg)
