"""Which videos, in which order, in which process."""

import pytest

from slowfast_ext.engine.loaders import Batches, BrokenVideo, TrainingBatches
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed


def batches_of(monkeypatch, rank, world, batch_size, num_videos=11, epoch=0):
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    batches = TrainingBatches(num_videos, batch_size, seed=3)
    batches.start_epoch(epoch)
    return list(batches)


def test_processes_share_the_batches_of_one(monkeypatch):
    whole = batches_of(monkeypatch, 0, 1, 4)
    shares = [batches_of(monkeypatch, rank, 2, 2) for rank in range(2)]
    assert len(whole) == 2  # 11 videos in batches of 4: 3 are left out.
    for batch, first, second in zip(whole, *shares, strict=True):
        assert sorted(batch) == sorted(first + second)


def test_epochs_differ_and_repeat(monkeypatch):
    first, again = (batches_of(monkeypatch, 0, 1, 4, epoch=1) for _ in range(2))
    assert first == again
    assert first != batches_of(monkeypatch, 0, 1, 4, epoch=2)
    assert {epoch for batch in first for epoch, _ in batch} == {1}


class Loader(list):
    """Stands for a DataLoader: a list of lists of items."""


def test_a_broken_video_ends_the_run_with_its_reason():
    with pytest.raises(SlowFastExtError, match=r"a.mp4: truncated; DATA.SKIP_BROKEN_VIDEOS"):
        list(Batches(Loader([["x", BrokenVideo(4, "a.mp4: truncated")]]), skip=False))


def test_skipped_videos_are_counted():
    broken = BrokenVideo(4, "a.mp4: truncated")
    batches = Batches(Loader([["x", broken], [broken]]), skip=True)
    assert list(batches) == [["x"], []]
    assert batches.broken == {4: "a.mp4: truncated"}
