"""A group's activity from the scene and the persons in it (sec. 6, bb)."""

import torch
import torch.nn as nn

from slowfast_ext.models.build import build_head, require_parts
from slowfast_ext.models.objects import Context, has_context
from slowfast_ext.models.outputs import probabilities

NUM_PERSON_ACTIONS = 9  # Volleyball's, which are learnt beside the groups' activities.

# What takes the scene where ACTIVITY.HEAD is for persons alone.
_SCENE_HEADS = {"RoIPoolHead": "PoolHead"}


class GroupHead(nn.Module):
    """
    Two heads of the kind ACTIVITY.HEAD: one on the persons' regions of F for their actions, one
    on F for the group's activity. Before the latter classifies, it gets the persons' features
    added: their largest values over the persons of the left and those of the right side, both
    through a linear layer, which starts at zero. So both losses train the persons' head.

    That teams are told apart by side, and how features are joined, is ours.

    Args:
        cfg (CfgNode): MODEL.NUM_CLASSES are the groups' activities.
        dim_in (int): C.
    """

    def __init__(self, cfg, dim_in):
        super().__init__()
        self.activation = cfg.MODEL.HEAD_ACT
        person_cfg, scene_cfg = cfg.clone(), cfg.clone()
        person_cfg.MODEL.NUM_CLASSES = NUM_PERSON_ACTIONS
        self.has_context = has_context(cfg)
        scene_cfg.ACTIVITY.CONTEXT = False  # It sees the whole frame anyhow.
        scene_cfg.ACTIVITY.HEAD = _SCENE_HEADS.get(cfg.ACTIVITY.HEAD, cfg.ACTIVITY.HEAD)
        self.persons, self.scene = build_head(person_cfg, dim_in), build_head(scene_cfg, dim_in)
        for head, options in ((self.persons, person_cfg), (self.scene, scene_cfg)):
            require_parts(cfg.ACTIVITY.HEAD, head)
            # Each person, and each group, has one activity: none occurs beside another.
            head.set_cooccurrence(torch.eye(options.MODEL.NUM_CLASSES))
        num_features, num_joined = (
            torch.Size(head.embedding_shape).numel() for head in (self.persons, self.scene)
        )
        self.joining = nn.Linear(2 * num_features, num_joined)
        # At first the scene's features are what they would be without persons.
        nn.init.zeros_(self.joining.weight)
        nn.init.zeros_(self.joining.bias)

    def forward(self, features, regions, boxes):
        """
        Args:
            features (Tensor): F, B x C x T x H x W.
            regions (Tensor): the persons', P x C x T x 7 x 7.
            boxes (Tensor): P x 5: the clip's place in the batch; x1, y1, x2, y2.

        Returns:
            In training two tuples of logits: of the groups, B x A each, and of the persons,
            P x A' each. In evaluation the groups' probabilities, B x A.
        """
        context = Context(features, boxes[:, 0].long()) if self.has_context else None
        person_features = self.persons.embed(regions, context)
        scene_features = self.scene.embed(features)
        pooled = pool_by_side(person_features.flatten(1), boxes, len(features))
        joined = scene_features + self.joining(pooled).view_as(scene_features)
        groups = self.scene.classify(joined)
        if self.training:
            return groups, self.persons.classify(person_features)
        return probabilities(groups, self.activation)


def pool_by_side(features, boxes, num_clips):
    """
    The largest values over the persons on either side of their clip's mean place.

    Args:
        features (Tensor): P x D.
        boxes (Tensor): P x 5: the clip's place in the batch; x1, y1, x2, y2.
        num_clips (int): B.

    Returns:
        Tensor: B x 2D, the left side's first; 0 where there is nobody.
    """
    clips, middles = boxes[:, 0].long(), (boxes[:, 1] + boxes[:, 3]) / 2
    counted = torch.stack([middles, torch.ones_like(middles)])
    totals = counted.new_zeros(2, num_clips).index_add(1, clips, counted)
    is_right = middles > (totals[0] / totals[1].clamp(min=1))[clips]  # A clip may have nobody.
    sides = (2 * clips + is_right)[:, None].expand_as(features)
    pooled = features.new_zeros(2 * num_clips, features.shape[1])
    # Without include_self the zeros are no bound: features below 0 may be the largest of a side.
    return pooled.scatter_reduce(0, sides, features, "amax", include_self=False).view(num_clips, -1)
