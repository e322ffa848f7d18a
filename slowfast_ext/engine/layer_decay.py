"""Layer-wise decay of the learning rate: the nearer a layer to the input, the smaller its rate."""

import itertools
import re

# A block of upstream's, torchvision's, transformers' or timm's networks, by a tensor's name:
# blocks.3, encoder.layer.3, features.0.1, layers.1.blocks.0, stages_1.blocks.0.
_BLOCK = re.compile(r".*?\b(?:blocks|layers?|features|stages)[._]\d+(?:\.blocks)?(?:\.\d+)?\.")


def layer_scales(names, decay):
    """
    What the learning rate of each of a network's tensors is multiplied with.

    As in BEiT's recipe (Bao et al., ICLR 2022), decay ** (layers above it): layer 0 is what
    stands before the first block, 1 the first block, ..., one more than the last block what
    stands behind it, with the head. What stands between two blocks belongs to the first of them,
    but for Swin's mergings of patches, which are numbered and count as blocks.

    Args:
        names (iterable[str]): of the tensors, in the order that the network runs in.
        decay (float): SOLVER.LAYER_DECAY.

    Returns:
        dict[str, float]: by name; empty where no name tells of a block.
    """
    found = [(name, _BLOCK.match(name)) for name in names]
    blocks = list(dict.fromkeys(match.group() for _, match in found if match))
    if not blocks:
        return {}
    top, layer, layers = len(blocks) + 1, 0, {}
    for name, match in found:
        layer = blocks.index(match.group()) + 1 if match else layer
        layers[name] = layer
    behind = itertools.takewhile(lambda pair: not pair[1], reversed(found))
    layers.update((name, top) for name, _ in behind)
    return {name: decay ** (top - layer) for name, layer in layers.items()}
