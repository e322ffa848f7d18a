"""Persons' regions of the last feature map (sec. 5)."""

import torch.nn as nn

from slowfast_ext import upstream


class PersonRegions(nn.Module):
    """
    RoI-Align on every time step, without pooling time first, so that each person has a map of
    its own for the head. detectron2's operator where it is installed, else torchvision's.

    The keys are upstream's DETECTION.ROI_XFORM_RESOLUTION and ALIGNED.

    Args:
        stride (float): pixels of the clip for a column of the map, as `spatial_stride` measures;
            a config's DETECTION.SPATIAL_SCALE_FACTOR says the same.
    """

    def __init__(self, cfg, stride):
        super().__init__()
        self.stride, options = stride, cfg.DETECTION
        self.align = upstream.ROIAlign(
            [options.ROI_XFORM_RESOLUTION] * 2,
            spatial_scale=1.0 / stride,
            sampling_ratio=0,
            aligned=options.ALIGNED,
        )

    def forward(self, features, boxes):
        """
        Args:
            features (Tensor): F, B x C x T x H x W.
            boxes (Tensor): P x 5: the clip's place in the batch; x1, y1, x2, y2 in its pixels.

        Returns:
            Tensor: P x C x T x 7 x 7.
        """
        # The operator treats channels alike, so that the time steps of a clip are channels too:
        # one call, and no copy of F.
        steps = features.flatten(1, 2)  # B x (C·T) x H x W
        return self.align(steps, boxes.to(steps.dtype)).unflatten(1, features.shape[1:3])
