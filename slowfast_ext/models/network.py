"""The meta-architecture: an upstream backbone, its last feature map, a head of ours."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from slowfast_ext import upstream
from slowfast_ext.models.backbones import build_backbone, map_shape, spatial_stride
from slowfast_ext.models.build import build_head
from slowfast_ext.models.group_head import GroupHead
from slowfast_ext.models.objects import Context, has_context
from slowfast_ext.models.regions import PersonRegions
from slowfast_ext.models.time_embedding import TimeEmbedding


def join_pathways(maps):
    """
    One map from those of all pathways (sec. 3).

    The fast pathway is pooled in time to the slow one's length and concatenated on the
    channels: [B x 2048 x T x H x W, B x 256 x aT x H x W] -> B x 2304 x T x H x W.
    """
    slow, *others = maps
    pooled = [F.adaptive_avg_pool3d(other, slow.shape[2:]) for other in others]
    return torch.cat([slow, *pooled], dim=1)


@upstream.register_model
class ActivityNetwork(nn.Module):
    """
    MODEL.MODEL_NAME ActivityNetwork: MODEL.ARCH's backbone under ACTIVITY.HEAD.

    Args:
        cfg (CfgNode): with the keys of `slowfast_ext.config`.
    """

    def __init__(self, cfg):
        super().__init__()
        self.backbone = build_backbone(cfg)
        shape = map_shape(cfg, self.backbone)
        if cfg.DETECTION.ENABLE:
            self.regions = PersonRegions(cfg, spatial_stride(cfg, self.backbone, shape))
        self.has_context = cfg.DETECTION.ENABLE and has_context(cfg)
        # Volleyball's groups are seen in the persons' regions and in the whole map.
        self.joins_persons = cfg.DETECTION.ENABLE and cfg.VOLLEYBALL.TASK == "group"
        build = GroupHead if self.joins_persons else build_head
        self.head = build(cfg, shape.channels)
        if getattr(self.backbone, "frame_by_frame", False):
            # Beside the backbone, so that it is learnt where that is frozen.
            self.time_embedding = TimeEmbedding(shape.channels, shape.frames)
        self.frozen_batch_norm = cfg.MODEL.FROZEN_BN
        self.frozen_backbone = False

    def freeze_backbone(self):
        """Fixes the backbone (sec. 3.6): no graph below the head, batch-norm untouched."""
        self.frozen_backbone = True
        self.backbone.requires_grad_(False)
        self.train(self.training)  # At once, and not with the next epoch's call of train().

    def train(self, mode=True):
        """As nn.Module's; what is frozen stays in evaluation."""
        super().train(mode)
        # Each epoch begins with train(), which would thaw its statistics.
        if self.frozen_backbone:
            self.backbone.eval()
        if self.frozen_batch_norm:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    @property
    def cooccurrence(self):
        """The head's Mask (eq. 8), A x A; None of a head that takes none."""
        return getattr(self.head, "cooccurrence", None)

    def set_cooccurrence(self, mask):
        """
        Gives the head its Mask (eq. 8), A x A, counted from the training labels, where it takes
        one; None leaves it as it is.
        """
        if mask is not None and hasattr(self.head, "set_cooccurrence"):
            self.head.set_cooccurrence(mask)

    def backbone_map(self, inputs):
        """Pathways [B x 3 x T x H x W] -> the backbone's map, B x C x T' x H' x W'."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen_backbone):
            # The backbone writes into the list that it is given.
            return join_pathways(self.backbone(list(inputs)))

    def features(self, inputs, are_maps=False):
        """Pathways, or [the backbone's map] with `are_maps` -> F, B x C x T' x H' x W'."""
        features = inputs[0] if are_maps else self.backbone_map(inputs)
        return self.time_embedding(features) if hasattr(self, "time_embedding") else features

    def forward(self, inputs, boxes=None, are_maps=False, **head_options):
        """
        Args:
            inputs (list[Tensor]): one B x 3 x T x H x W tensor per pathway.
            are_maps (bool): `inputs` has the backbone's map, B x C x T' x H' x W', in place of the
                pathways.
            boxes (Tensor): with DETECTION.ENABLE, P x 5: the clip's place in the batch; x1, y1,
                x2, y2 in its pixels. The persons take the clips' place then.
            head_options: handed to the head, e.g. `return_attention`.

        Returns:
            In training a tuple of logits, B x A (P x A) each; in evaluation probabilities. For
            groups with persons what GroupHead gives.
        """
        features = self.features(inputs, are_maps)
        if self.joins_persons:
            return self.head(features, self.regions(features, boxes), boxes)
        if boxes is not None:
            if self.has_context:
                head_options["objects"] = Context(features, boxes[:, 0].long())
            # From here on a person takes the place of a clip.
            features = self.regions(features, boxes)
        return self.head(features, **head_options)
