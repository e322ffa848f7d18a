"""When a column was seen, for backbones that see one frame at a time."""

import torch
import torch.nn as nn

from slowfast_ext.errors import SlowFastExtError


class TimeEmbedding(nn.Module):
    """
    Adds a learned vector for each of a clip's T frames to the columns of that frame.

    A head that attends over columns gives the same for frames in any order: of an image network's
    columns alone it cannot tell opening from closing. The vectors begin as zeros: training starts
    from the network's own features, and their gradient is the columns', which is not zero.
    """

    def __init__(self, channels, frames):
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(channels, frames, 1, 1))

    def forward(self, features):
        """F, B x C x T x H x W -> the same. Raises SlowFastExtError where T is another."""
        frames, own = features.shape[2], self.vectors.shape[1]
        if frames != own:  # A single one would be given the vectors of all.
            raise SlowFastExtError(
                f"the clip has {frames} frames, and the network has learnt the times of {own}: set "
                f"DATA.NUM_FRAMES to {own}"
            )
        return features + self.vectors
