"""The networks that the benchmarks of steps and tests run."""

import torch

from benchmarks.timing import ROOT
from slowfast_ext.config import load_config
from slowfast_ext.models import ActivityNetwork

# SlowFast-R50, 4 x 16: of SLOWFAST_101.yaml's keys those that make it another network.
R50 = {
    "RESNET.DEPTH": 50,
    "SLOWFAST.ALPHA": 8,
    "NONLOCAL.LOCATION": [[[], []], [[], []], [[], []], [[], []]],
}


def slowfast_r50(**keys):
    """Config and network, with random weights and the paper's head; `__` stands for a dot."""
    options = {"NUM_GPUS": 0, **R50, **{k.replace("__", "."): v for k, v in keys.items()}}
    words = [str(word) for pair in options.items() for word in pair]
    path = ROOT / "configs" / "Charades" / "SLOWFAST_101_ACTIVITY.yaml"
    cfg = load_config(str(path), words)
    torch.manual_seed(0)
    return cfg, ActivityNetwork(cfg)
