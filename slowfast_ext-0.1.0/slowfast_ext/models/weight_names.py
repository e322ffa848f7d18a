"""The names that other projects give to the tensors of networks that are built here."""

import re

# Names of mmaction2's CSN -> VMZ's, which are ours. A convolution with its normalisation is
# `conv` and `bn` there, 0 and 1 here; the ip form's two convolutions lie one level apart.
_MMACTION2_IR = [
    (r"^(backbone\.)?conv1\.conv\.", "stem.0."),
    (r"^(backbone\.)?conv1\.bn\.", "stem.1."),
    (r"\.conv2\.0\.conv\.", ".conv2.0."),
    (r"\.conv2\.0\.bn\.", ".conv2.1."),
    (r"\.(conv[13]|downsample)\.conv\.", r".\1.0."),
    (r"\.(conv[13]|downsample)\.bn\.", r".\1.1."),
    (r"^backbone\.", ""),
]
_MMACTION2_IP = [
    (r"\.conv2\.0\.conv\.", ".conv2.0.0."),
    (r"\.conv2\.0\.bn\.", ".conv2.0.1."),
    (r"\.conv2\.1\.conv\.", ".conv2.0.2."),
    (r"\.conv2\.1\.bn\.", ".conv2.1."),
    *(pair for pair in _MMACTION2_IR if "conv2" not in pair[0]),
]

# Names of torchvision's 2D ResNet -> those of PySlowFast's single-pathway ResNet.
_TORCHVISION = [
    (r"^conv1\.", "s1.pathway0_stem.conv."),
    (r"^bn1\.", "s1.pathway0_stem.bn."),
    (r"\.conv1\.", ".branch2.a."),
    (r"\.conv2\.", ".branch2.b."),
    (r"\.conv3\.", ".branch2.c."),
    (r"\.bn1\.", ".branch2.a_bn."),
    (r"\.bn2\.", ".branch2.b_bn."),
    (r"\.bn3\.", ".branch2.c_bn."),
    (r"\.downsample\.0\.", ".branch1."),
    (r"\.downsample\.1\.", ".branch1_bn."),
    (r"^layer(\d)\.(\d+)\.", lambda m: f"s{int(m[1]) + 1}.pathway0_res{m[2]}."),
]


def to_own_names(state):
    """
    Renames the tensors of mmaction2's CSN and of torchvision's 2D ResNet, each recognised by
    its names; other files keep theirs.

    Args:
        state (dict[str, Tensor]): name -> tensor.
    """
    table = _table_for(state)
    return {_renamed(name, table): value for name, value in state.items()}


def _table_for(state):
    # Files of a backbone alone lack the prefix.
    for prefix in ("backbone.", ""):
        if f"{prefix}layer1.0.conv2.1.conv.weight" in state:
            return _MMACTION2_IP
        if f"{prefix}layer1.0.conv2.0.conv.weight" in state:
            return _MMACTION2_IR
    if "layer1.0.conv1.weight" in state and "conv1.weight" in state:
        return _TORCHVISION
    return []


def _renamed(name, table):
    for pattern, replacement in table:
        name = re.sub(pattern, replacement, name)
    return name
