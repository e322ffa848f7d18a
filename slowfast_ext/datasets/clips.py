"""What a data set gives for one key."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data._utils.collate import default_collate

from slowfast_ext.datasets import views
from slowfast_ext.models.objects import Objects, join_objects
from slowfast_ext.upstream import pack_pathways


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
        for view, of_view, crop in zip(views.numpy(), numbers.numpy(), crops, strict=True):
            rows = slice(crop.top, crop.top + crop.height)
            columns = slice(crop.left, crop.left + crop.width)
            view[:] = planes[of_view, rows, columns]
        return views


def collate(samples):
    """
    Samples of clips -> one Sample: pathways B x 3 x T x H x W, labels B x A, index [B].

    For detection labels are those of all persons, P x A, and boxes P x 5, the clip's place
    in the batch first.
    """
    pathways, labels, indices, objects, boxes, persons, actions = zip(*samples, strict=True)
    pathways, indices = default_collate(pathways), default_collate(indices)
    if boxes[0] is not None:
        actions = None if actions[0] is None else torch.cat(actions)
        of_persons = (join_boxes(boxes), torch.cat(persons), actions)
        return Sample(pathways, torch.cat(labels), indices, None, *of_persons)
    joined = None if objects[0] is None else join_objects(objects)
    return Sample(pathways, torch.stack(labels), indices, joined)


def join_boxes(of_clips):
    """Boxes of clips, P x 4 each -> those of their batch, P x 5, the clip's place first."""
    places = [torch.full((len(boxes), 1), float(place)) for place, boxes in enumerate(of_clips)]
    return torch.cat([torch.cat(places), torch.cat(of_clips)], dim=1)


def network_input(cfg, pathways, device):
    """Pathways, uint8 -> float on the device, normalised by DATA.MEAN and DATA.STD."""
    shape = (1, -1, 1, 1, 1)
    mean, std = (
        255 * torch.tensor(numbers, device=device).view(shape)
        for numbers in (cfg.DATA.MEAN, cfg.DATA.STD)
    )
    # In place: what a clip takes as float is most of what a worker's batch takes.
    return [p.to(device, non_blocking=True).float().sub_(mean).div_(std) for p in pathways]


def views_input(cfg, sample, chosen, device):
    """A slice of a test sample's views -> the network's input and what it is given beside it."""
    inputs = network_input(cfg, [pathway[chosen] for pathway in sample.pathways], device)
    objects = None if sample.objects is None else join_objects(sample.objects[chosen])
    boxes = None if sample.boxes is None else join_boxes([sample.boxes] * len(inputs[0]))
    return inputs, further_input(objects, boxes, device)


def further_input(objects, boxes, device):
    """What a network's call is given beside the pathways; Objects and boxes are None or given."""
    given = {}
    if objects is not None:
        given["objects"] = Objects(*(tensor.to(device) for tensor in objects))
    if boxes is not None:
        given["boxes"] = boxes.to(device)
    return given


def read_clips(cfg, reader, frames):
    """
    The clips of windows, their centre crops or, with TEST.WHOLE_FRAME, all of them.

    Args:
        reader (datasets.decoding.Video): the opened video.
        frames (int array): B x T, numbers of frames; each is read once.

    Returns:
        list[Tensor]: a pathway each, B x 3 x T x H x W, uint8.
    """
    size = cfg.DATA.TEST_CROP_SIZE
    needed, position = np.unique(frames, return_inverse=True)
    images = reader.read(needed, size)
    if not cfg.TEST.WHOLE_FRAME:
        top, left = views.test_crop_offset(*images.shape[1:3], size, 0, 1)
        images = views.Crop(top, left, size, size).cut(images)
    clips = []
    for of_clip in position.reshape(frames.shape):
        clip = np.ascontiguousarray(images[of_clip].transpose(3, 0, 1, 2))
        clips.append(pack_pathways(cfg, torch.from_numpy(clip)))
    return [torch.stack(clips_of_pathway) for clips_of_pathway in zip(*clips, strict=True)]
