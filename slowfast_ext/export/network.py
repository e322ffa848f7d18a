"""The network as it is exported: tensors in, one tensor out."""

import torch
import torch.nn as nn

from slowfast_ext.upstream import pack_pathways


class ClipNetwork(nn.Module):
    """An ActivityNetwork in evaluation, its pathways arguments of their own."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *pathways):
        """B x 3 x T x H x W for each pathway -> probabilities, B x A."""
        return self.network(list(pathways))


def clip_network(network):
    """An ActivityNetwork -> ClipNetwork on the CPU, in evaluation, without gradients."""
    return ClipNetwork(network.cpu().requires_grad_(False)).eval()


def example_pathways(cfg, batch_size):
    """
    Random clips of a test's shape.

    Returns:
        tuple[Tensor]: of each pathway, B x 3 x T x H x W, of variance 1.
    """
    random = torch.Generator().manual_seed(batch_size)
    size = cfg.DATA.TEST_CROP_SIZE
    shape = (3, cfg.DATA.NUM_FRAMES, size, size)
    clips = [pack_pathways(cfg, torch.randn(shape, generator=random)) for _ in range(batch_size)]
    return tuple(torch.stack(of_pathway) for of_pathway in zip(*clips, strict=True))


@torch.no_grad()
def greatest_difference(network, exported, batches):
    """The largest absolute difference of both; inf where the shapes differ, nan where one is."""
    differences = []
    for pathways in batches:
        wanted, given = network(*pathways), exported(*pathways)
        if given.shape != wanted.shape:
            return float("inf")
        differences.append((given - wanted).abs().amax())
    # Python's max would drop a nan.
    return torch.stack(differences).amax().item()
