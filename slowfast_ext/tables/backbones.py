"""The backbones of Table 4, with upstream's own settings for them."""

from slowfast_ext.config import add_slowfast_ext_config
from slowfast_ext.upstream import base_config

NUM_CLASSES = 400

# configs/Kinetics/I3D_NLN_8x8_R101.yaml of upstream's main.
_NONLOCAL_101 = {
    "MODEL.ARCH": "i3d",
    "DATA.INPUT_CHANNEL_NUM": [3],
    "RESNET.DEPTH": 101,
    "RESNET.NUM_BLOCK_TEMP_KERNEL": [[3], [4], [23], [3]],
    "NONLOCAL.LOCATION": [[[]], [[1, 3]], [[1, 3, 5]], [[]]],
    "NONLOCAL.GROUP": [[1], [1], [1], [1]],
    "NONLOCAL.INSTANTIATION": "softmax",
}

# configs/AVA/c2/SLOWFAST_64x2_R101_50_50.yaml of upstream's main, with the strides of a
# classification network.
_SLOWFAST_101 = {
    "MODEL.ARCH": "slowfast",
    "DATA.INPUT_CHANNEL_NUM": [3, 3],
    "SLOWFAST.ALPHA": 4,
    "SLOWFAST.BETA_INV": 8,
    "SLOWFAST.FUSION_CONV_CHANNEL_RATIO": 2,
    "SLOWFAST.FUSION_KERNEL_SZ": 5,
    "RESNET.DEPTH": 101,
    "RESNET.NUM_BLOCK_TEMP_KERNEL": [[3, 3], [4, 4], [6, 6], [3, 3]],
    "RESNET.SPATIAL_STRIDES": [[1, 1], [2, 2], [2, 2], [2, 2]],
    "RESNET.SPATIAL_DILATIONS": [[1, 1], [1, 1], [1, 1], [1, 1]],
    "NONLOCAL.LOCATION": [[[], []], [[], []], [[6, 13, 20], []], [[], []]],
    "NONLOCAL.GROUP": [[1, 1], [1, 1], [1, 1], [1, 1]],
    "NONLOCAL.INSTANTIATION": "dot_product",
    "NONLOCAL.POOL": [[[2, 2, 2], [2, 2, 2]]] * 4,
}

_CSN_152 = {
    "MODEL.ARCH": "c2d",
    "ACTIVITY.BACKBONE": "CSN",
    "DATA.INPUT_CHANNEL_NUM": [3],
    "RESNET.DEPTH": 152,
}

# Row of Table 4 -> (settings, frames, what to know when comparing).
BACKBONES = {
    "Nonlocal-101": (
        _NONLOCAL_101,
        32,
        "upstream's I3D R101 with five non-local blocks (2 in res3, 3 in res4), 32 frames, "
        "embedded Gaussian. The SlowFast paper lists 359 G for the non-local paper's own "
        "network; what makes up the 5 G between them is not known here",
    ),
    "SlowFast-101": (
        _SLOWFAST_101,
        64,
        "16x8, non-local blocks in the slow pathway's res4: 16 slow and 64 fast frames, not "
        "32. The SlowFast paper lists 234 G for it",
    ),
    "SlowFast-101 at 32 frames": (
        _SLOWFAST_101,
        32,
        "the same network on 32 frames: 8 slow and 32 fast; half the frames of Table 4's 16x8",
    ),
    "CSN-152": ({**_CSN_152, "ACTIVITY.CSN_FORM": "ip"}, 32, "the interaction-preserved form"),
    "CSN-152 ir": ({**_CSN_152, "ACTIVITY.CSN_FORM": "ir"}, 32, "the interaction-reduced form"),
}


def backbone_config(name):
    """
    The config of a row of Table 4: the backbone under a linear classifier.

    Returns:
        tuple[CfgNode, str]: and what to know when comparing it with the paper's row.
    """
    settings, frames, note = BACKBONES[name]
    cfg = add_slowfast_ext_config(base_config())
    for key, value in settings.items():
        section, name = key.split(".")
        cfg[section][name] = value
    cfg.DATA.NUM_FRAMES = frames
    # Some of upstream's constructors divide by them.
    cfg.NUM_GPUS, cfg.MODEL.HEAD_ACT = 1, "softmax"
    cfg.DATA.TRAIN_CROP_SIZE = cfg.DATA.TEST_CROP_SIZE = 256
    cfg.ACTIVITY.HEAD, cfg.MODEL.NUM_CLASSES = "PoolHead", NUM_CLASSES
    return cfg, note
