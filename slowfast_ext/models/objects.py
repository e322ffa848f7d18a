"""What a head attends to: F's columns and, behind them, objects (Table 2) or a person's frame."""

from typing import NamedTuple

import torch
import torch.nn as nn
from torchvision.ops import roi_align


class Objects(NamedTuple):
    """
    The M boxes of a batch of clips.

    Attributes:
        boxes: float32, M x 4: x1, y1, x2, y2 as fractions of the crop's width and height.
        times: float32, [M]: from 0, the clip's first frame, to 1, its last.
        classes: int64, [M].
        clips: int64, [M], never decreasing: which clip of the batch.
    """

    boxes: torch.Tensor
    times: torch.Tensor
    classes: torch.Tensor
    clips: torch.Tensor


def join_objects(clip_objects):
    """The Objects of several clips -> those of their batch."""
    boxes, times, classes, _ = (torch.cat(parts) for parts in zip(*clip_objects, strict=True))
    counts = torch.tensor([len(objects.boxes) for objects in clip_objects])
    return Objects(boxes, times, classes, torch.arange(len(clip_objects)).repeat_interleave(counts))


class ObjectColumns(nn.Module):
    """
    Every object's column: its region of F at its time, RoI-aligned to one cell, plus a
    learned embedding of its class, which starts at zero.
    """

    def __init__(self, num_classes, dim):
        super().__init__()
        self.embedding = nn.Embedding(num_classes, dim)
        nn.init.zeros_(self.embedding.weight)

    def forward(self, features, objects):
        """
        F, B x C x T x H x W, and Objects -> columns, B x C x M', M' being the most objects
        of one clip; padding, B x M', True where a clip has fewer.
        """
        batch, dim, length, height, width = features.shape
        # The clip's last frame, at time 1, lies in the last step and not behind it.
        steps = (objects.times * length).long().clamp(max=length - 1)
        frames = features.transpose(1, 2).flatten(0, 1)  # B·T x C x H x W
        size = torch.tensor([width, height, width, height], device=features.device)
        frame_of = (objects.clips * length + steps)[:, None]
        # Under autocast F is in half precision, and the operator takes one type alone.
        regions = torch.cat([frame_of, objects.boxes * size], dim=1).to(features.dtype)
        found = roi_align(frames, regions, output_size=1, aligned=True).flatten(1)
        found = found + self.embedding(objects.classes)

        counts = objects.clips.bincount(minlength=batch)
        # An object's place among those of its clip, since clips never decrease.
        places = torch.arange(len(found), device=counts.device)
        places = places - (counts.cumsum(0) - counts)[objects.clips]
        most = int(counts.max())
        columns = found.new_zeros(batch, most, dim).index_put((objects.clips, places), found)
        padding = torch.arange(most, device=counts.device) >= counts[:, None]
        return columns.transpose(1, 2), padding


class Context(NamedTuple):
    """
    The clips that the P persons of a batch are in.

    Attributes:
        features: F of the clips as wholes, B x C x T x H x W.
        clips: int64, [P]: which of them each person is in.
    """

    features: torch.Tensor
    clips: torch.Tensor


class ContextColumns(nn.Module):
    """
    The whole frame's columns beside a person's: F averaged over time, plus a learned embedding,
    which starts at zero and tells them from the person's own.
    """

    def __init__(self, dim):
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(dim))

    def forward(self, context):
        """Context -> columns, P x C x H·W; averaged, since each person has a copy of them."""
        columns = context.features.mean(2).flatten(2) + self.embedding[:, None]
        return columns[context.clips]


def has_context(cfg):
    """Whether persons' heads see the frame: the default form's alone."""
    return cfg.ACTIVITY.CONTEXT and cfg.ACTIVITY.FORM != "as_printed"


class Columns(NamedTuple):
    """
    What a head attends to.

    Attributes:
        values: B x C x (N + M'), the N = T·H·W positions of F, then the objects or the frame's.
        num_positions: N.
        padding: B x (N + M'), True where there is nothing; None where there is nothing to pad.
    """

    values: torch.Tensor
    num_positions: int
    padding: torch.Tensor | None

    def own(self):
        """The Columns of F alone."""
        return Columns(self.values[:, :, : self.num_positions], self.num_positions, None)

    def mean(self):
        """B x C: the mean of all columns that hold something."""
        if self.padding is None:
            return self.values.mean(-1)
        held = (~self.padding).to(self.values.dtype)
        return (self.values @ held[..., None]).squeeze(-1) / held.sum(-1, keepdim=True)

    def num_held(self):
        """How many columns hold something: an int or, with padding, B x 1 x 1."""
        if self.padding is None:
            return self.values.shape[-1]
        return (~self.padding).sum(-1)[:, None, None]


class ColumnsOf(nn.Module):
    """
    F and, where OBJECTS.NUM_CLASSES or ACTIVITY.CONTEXT is set, the clips' objects or the persons'
    frames -> Columns.
    """

    def __init__(self, cfg, dim_in):
        super().__init__()
        self.dim = dim_in  # Of the columns that it gives.
        # Not built otherwise: a checkpoint without them has no tensors of theirs.
        if cfg.OBJECTS.NUM_CLASSES:
            self.objects = ObjectColumns(cfg.OBJECTS.NUM_CLASSES, dim_in)
        if has_context(cfg):
            self.context = ContextColumns(dim_in)

    def forward(self, features, objects=None):
        """F, B x C x T x H x W, and Objects, a Context (B persons) or None -> Columns."""
        positions = features.flatten(2)
        number = positions.shape[-1]
        if objects is None:
            return Columns(positions, number, None)
        if isinstance(objects, Context):
            return Columns(torch.cat([positions, self.context(objects)], dim=-1), number, None)
        further, padding = self.objects(features, objects)
        nowhere = padding.new_zeros(len(padding), number)
        values = torch.cat([positions, further], dim=-1)
        return Columns(values, number, torch.cat([nowhere, padding], dim=-1))


class ColumnEmbedding(nn.Module):
    """Each column through one linear layer and a ReLU: ML-Decoder's (Ridnik et al., WACV 2023)."""

    def __init__(self, dim_in, dim_out):
        super().__init__()
        self.projection = nn.Linear(dim_in, dim_out)

    def forward(self, columns):
        """Columns of C channels -> Columns of C', as many and padded as they are."""
        values = self.projection.weight @ columns.values
        # Under autocast the product is in half precision, and the sum would not be.
        values = values + self.projection.bias[:, None].to(values.dtype)
        return columns._replace(values=values.relu())


class EmbeddedColumnsOf(ColumnsOf):
    """ColumnsOf, through a ColumnEmbedding to ACTIVITY.COLUMN_DIM channels."""

    def __init__(self, cfg, dim_in):
        super().__init__(cfg, dim_in)
        self.dim = cfg.ACTIVITY.COLUMN_DIM
        self.embedding = ColumnEmbedding(dim_in, self.dim)

    def forward(self, features, objects=None):
        """As ColumnsOf."""
        return self.embedding(super().forward(features, objects))
