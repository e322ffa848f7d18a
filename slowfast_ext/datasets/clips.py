"""
From frames to a network's input: the one way, for training, tests and everything that shows what
a network sees.

Readers give RGB. What a network is given, `channel_order`, is what it learned from.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data._utils.collate import default_collate

from slowfast_ext import upstream
from slowfast_ext.datasets import views
from slowfast_ext.datasets.contract import ActivityDataset, named_datasets
from slowfast_ext.models.objects import Objects, join_objects


class Sample(NamedTuple):
    """
    A training clip, or all views of a video; for detection, of one keyframe with P persons.

    Attributes:
        pathways: uint8, in the network's channel order, of each pathway a tensor, 3 x T x H x W,
            or views whose slices are tensors, n x 3 x T x H x W: a tensor itself, or CutViews.
        labels: float32, [A]; for detection P x A; 1 present, 0 absent, -1 unknown: in no loss and
            in no count; None where nothing is known of the clip.
        index: of the video.
        objects: Objects of the clip, or a list of them, one per view; None where none are used.
        boxes: float32, P x 4: x1, y1, x2, y2 in pixels of the clip; None but for detection.
        persons: int64, [P], which of the keyframe's boxes these are.
        person_labels: float32, P x A' with their boxes, where `labels`, 1 x A, are of the clip.
        are_maps: the one pathway is the backbone's map of the clip, C x T x H x W.
    """

    pathways: list[torch.Tensor]
    labels: torch.Tensor | None = None
    index: int | None = None
    objects: Any = None
    boxes: torch.Tensor | None = None
    persons: torch.Tensor | None = None
    person_labels: torch.Tensor | None = None
    are_maps: bool = False

    def batch_of_views(self, chosen):
        """A slice of a test sample's views, as `collate` makes a batch of clips."""
        pathways = [pathway[chosen] for pathway in self.pathways]
        objects = None if self.objects is None else join_objects(self.objects[chosen])
        boxes = None if self.boxes is None else join_boxes([self.boxes] * len(pathways[0]))
        return self._replace(pathways=pathways, objects=objects, boxes=boxes)


class CutViews:
    """
    One pathway of V views. Neighbouring views share frames and crops overlap: kept are the frames,
    once each, which every pathway shares, and where the views lie in them.

    Args:
        planes (uint8 Tensor, P x H x W): a channel of a frame each.
        numbers (int64 Tensor, V x 3 x T): the planes of each view.
        crops (list[Crop]): the part of them, [V]; all of one size.
    """

    def __init__(self, planes, numbers, crops):
        self.planes, self.numbers, self.crops = planes, numbers, crops

    def __len__(self):
        return len(self.crops)

    @property
    def shape(self):
        """V x 3 x T x H x W."""
        return torch.Size([*self.numbers.shape, self.crops[0].height, self.crops[0].width])

    def __getitem__(self, chosen):
        """The views of a slice: uint8, n x 3 x T x H x W; of a number: one, without n."""
        if not isinstance(chosen, slice):
            place = range(len(self))[chosen]
            return self[place : place + 1].squeeze(0)
        numbers, crops = self.numbers[chosen], self.crops[chosen]
        # numpy gathers rows of bytes several times faster than torch.
        planes = self.planes.numpy()
        views = torch.empty(len(crops), *self.shape[1:], dtype=torch.uint8)
        for view, view_planes, crop in zip(views.numpy(), numbers.numpy(), crops, strict=True):
            rows = slice(crop.top, crop.top + crop.height)
            columns = slice(crop.left, crop.left + crop.width)
            view[:] = planes[view_planes, rows, columns]
        return views


def collate(samples):
    """
    Samples of clips -> one Sample: pathways B x 3 x T x H x W, labels B x A, index [B].

    For detection labels are those of all persons, P x A, and boxes P x 5, the clip's place
    in the batch first.
    """
    pathways, labels, indices, objects, boxes, persons, actions, kinds = zip(*samples, strict=True)
    pathways, indices = default_collate(pathways), default_collate(indices)
    if boxes[0] is not None:
        actions = None if actions[0] is None else torch.cat(actions)
        person_fields = (join_boxes(boxes), torch.cat(persons), actions)
        return Sample(pathways, torch.cat(labels), indices, None, *person_fields, kinds[0])
    joined = None if objects[0] is None else join_objects(objects)
    return Sample(pathways, torch.stack(labels), indices, joined, are_maps=kinds[0])


def join_boxes(clip_boxes):
    """Boxes of clips, P x 4 each -> those of their batch, P x 5, the clip's place first."""
    # Places in the type of the corners: RoI-Align takes both in one tensor.
    places = [torch.full((len(boxes), 1), float(place)) for place, boxes in enumerate(clip_boxes)]
    return torch.cat([torch.cat(places), torch.cat(clip_boxes)], dim=1)


# --- Frames to pathways and back ---------------------------------------------------------


def channel_order(cfg):
    """What a network of this config learns from, and is given wherever it is used, RGB or BGR."""
    # TRAIN.DATASET says it or, where that is none of ours, TEST.DATASET.
    return next(iter(named_datasets(cfg)), ActivityDataset).channel_order(cfg)


def to_pathways(cfg, frames):
    """RGB frames, T x H x W x 3 -> of each pathway 3 x T' x H x W, in `channel_order`."""
    if channel_order(cfg) == "BGR":
        frames = frames[..., ::-1]
    # A copy, since torch knows no negative strides.
    clip = torch.from_numpy(np.ascontiguousarray(frames.transpose(3, 0, 1, 2)))
    return upstream.pack_pathways(cfg, clip)


def to_frames(cfg, pathways):
    """A clip's pathways, 3 x T' x H x W each -> the RGB frames of the longest, T x H x W x 3."""
    frames = max(pathways, key=lambda clip: clip.shape[1]).permute(1, 2, 3, 0).numpy()
    return np.ascontiguousarray(frames[..., ::-1] if channel_order(cfg) == "BGR" else frames)


def crop_of_view(cfg, height, width, whole_frame, crop=0, num_crops=1):
    """The part of a test's scaled frames that a view shows: all, or one of `num_crops` squares."""
    if whole_frame:
        return views.Crop(0, 0, height, width)
    size = cfg.DATA.TEST_CROP_SIZE
    top, left = views.test_crop_offset(height, width, size, crop, num_crops)
    return views.Crop(top, left, size, size)


def join_clips(clips):
    """Pathways of clips, 3 x T x H x W each -> of each pathway a batch, B x 3 x T x H x W."""
    return [torch.stack(pathway) for pathway in zip(*clips, strict=True)]


def squeezed(images, size, interpolation=cv2.INTER_AREA):
    """All of each frame, T x H x W x 3, at `size` x `size` pixels, whatever its aspect."""
    # A network that takes squares alone, shown whole frames; their boxes are scaled on both axes.
    return np.stack([cv2.resize(i, (size, size), interpolation=interpolation) for i in images])


def read_clips(cfg, reader, frames, whole_frame, squeeze=False):
    """
    The clips of windows of an opened Video, B x T numbers of frames, each read once: their centre
    crops, or all of their frames, `squeezed` for a network of squares where `squeeze` is set.
    Returns a batch, a Sample without labels.
    """
    needed, places = np.unique(frames, return_inverse=True)
    images = reader.read(needed, cfg.DATA.TEST_CROP_SIZE)
    if squeeze:
        images = squeezed(images, cfg.DATA.TEST_CROP_SIZE)
    return batch_of_frames(cfg, images, places.reshape(frames.shape), whole_frame)


def batch_of_frames(cfg, images, places, whole_frame):
    """As `read_clips`, of frames that are scaled for a test; `places`, B x T, are among them."""
    images = crop_of_view(cfg, *images.shape[1:3], whole_frame).cut(images)
    return Sample(join_clips([to_pathways(cfg, images[clip]) for clip in places]))


# --- Pathways to a network ---------------------------------------------------------------


def network_input(cfg, batch, device):
    """
    What a network's call is given of a batch.

    Args:
        batch (Sample): of `collate`, `batch_of_views` or `read_clips`.

    Returns:
        (list[Tensor], dict): the pathways, float on the device, normalised by DATA.MEAN and
            DATA.STD, or the backbone's map; and by name what stands beside them, objects or
            persons' boxes.
    """
    inputs, given = [p.to(device, non_blocking=True).float() for p in batch.pathways], {}
    if batch.are_maps:
        given["are_maps"] = True
    else:
        _normalise(cfg, inputs)
    if batch.objects is not None:
        given["objects"] = Objects(*(tensor.to(device) for tensor in batch.objects))
    if batch.boxes is not None:
        given["boxes"] = batch.boxes.to(device)
    return inputs, given


def _normalise(cfg, pathways):
    """By DATA.MEAN and DATA.STD, in place: floats are most of what a worker's batch takes."""
    shape = (1, -1, 1, 1, 1)
    for pathway in pathways:
        mean, std = (
            255 * torch.tensor(numbers, device=pathway.device).view(shape)
            for numbers in (cfg.DATA.MEAN, cfg.DATA.STD)
        )
        pathway.sub_(mean).div_(std)
