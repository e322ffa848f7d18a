import pickle

import pytest
import torch

from slowfast_ext.datasets.clips import CutViews
from slowfast_ext.datasets.views import Crop


@pytest.fixture
def planes():
    return torch.randint(0, 255, (12, 9, 10), dtype=torch.uint8)


@pytest.fixture
def views(planes):
    """Three views of two frames each."""
    numbers = torch.randint(0, 12, (3, 3, 2))
    return CutViews(planes, numbers, [Crop(0, 0, 4, 5), Crop(5, 5, 4, 5), Crop(2, 1, 4, 5)])


def test_slices_are_cut_from_the_planes(views, planes):
    whole = views[:]
    assert len(views) == 3 and views.shape == whole.shape == (3, 3, 2, 4, 5)
    for view, numbers, crop in zip(whole, views.numbers, views.crops, strict=True):
        for channel in range(3):
            for time in range(2):
                plane = planes[numbers[channel, time]]
                part = plane[crop.top : crop.top + 4, crop.left : crop.left + 5]
                assert torch.equal(view[channel, time], part)
    assert torch.equal(views[1:3], whole[1:3])
    assert views[3:].shape == (0, 3, 2, 4, 5)


def test_single_views_and_iteration(views):
    assert torch.equal(views[-1], views[:][2])
    assert torch.equal(torch.stack(list(views)), views[:])
    with pytest.raises(IndexError):
        views[3]


def test_pathways_share_their_frames_between_processes(planes, views):
    """What a loader's worker sends holds the frames once."""
    both = [views, CutViews(planes, views.numbers[:, :, :1], views.crops)]
    one, two = (len(pickle.dumps(each)) for each in (both[:1], both))
    assert two < one + planes.nbytes
