"""What a data set gives for one key."""

from typing import Any, NamedTuple

import torch


class Sample(NamedTuple):
    """
    A training clip, or all views of a video; for detection, of one keyframe with P persons.

    Attributes:
        pathways: uint8 RGB, of each pathway a tensor, 3 x T x H x W, or views whose slices are
            tensors, n x 3 x T x H x W: a tensor itself, or CutViews.
        labels: float32, [A]; for detection P x A.
        index: of the video.
        objects: Objects of the clip, or a list of them, one per view; None where none are used.
        boxes: float32, P x 4: x1, y1, x2, y2 in pixels of the clip; None but for detection.
        persons: int64, [P], which of the keyframe's boxes these are.
        person_labels: float32, P x A' with their boxes, where `labels`, 1 x A, are of the clip.
    """

    pathways: list[torch.Tensor]
    labels: torch.Tensor
    index: int
    objects: Any = None
    boxes: torch.Tensor | None = None
    persons: torch.Tensor | None = None
    person_labels: torch.Tensor | None = None
