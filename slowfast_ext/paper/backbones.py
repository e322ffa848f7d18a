"""The backbones of Table 4, as the configs of Table 1 have them."""

from slowfast_ext.config.load import load_config
from slowfast_ext.utils.paths import CONFIGS

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


def backbone_config(name):
    """
    The config of a row of Table 4: the backbone under a linear classifier.

    Returns:
        tuple[CfgNode, str]: and what to know when comparing it with the paper's row.
    """
    config, changes, note = BACKBONES[name]
    path = CONFIGS / "Charades" / f"{config}.yaml"
    # Whatever GPUs there are: nothing is run on them.
    changes = {
        "NUM_GPUS": 0,
        "DATA.TRAIN_CROP_SIZE": 256,
        "MODEL.NUM_CLASSES": NUM_CLASSES,
        **changes,
    }
    cfg = load_config(str(path), [str(word) for pair in changes.items() for word in pair])
    # Some of upstream's constructors divide by them.
    cfg.NUM_GPUS, cfg.MODEL.HEAD_ACT = 1, "softmax"
    return cfg, note
