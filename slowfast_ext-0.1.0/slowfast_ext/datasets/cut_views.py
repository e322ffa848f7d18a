"""Views of a video that are cut from its frames when they are asked for."""

import torch


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
