"""What a data set gives for one key."""

from typing import Any, NamedTuple

import torch


class Sample(NamedTuple):
    """
    A training clip, or all views of a video.

    Attributes:
        pathways: uint8 RGB, one tensor per pathway: 3 x T x H x W, or V x 3 x T x H x W.
        labels: float32, [A].
        index: of the video.
        objects: Objects of the clip, or a list of them, one per view; None where none are used.
    """

    pathways: list[torch.Tensor]
    labels: torch.Tensor
    index: int
    objects: Any = None
