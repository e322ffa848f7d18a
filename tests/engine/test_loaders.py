"""Which videos, in which order, in which process."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from slowfast_ext.engine.loaders import Batches, BrokenVideo, TrainingBatches, repeat_factors
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils import distributed


def batches_of(monkeypatch, rank, world, batch_size, num_videos=11, epoch=0, repeats=None):
    monkeypatch.setattr(distributed, "rank", lambda: rank)
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    batches = TrainingBatches(num_videos, batch_size, 3, repeats)
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


def test_a_video_is_repeated_by_its_rarest_activity():
    labels = np.zeros((100, 3), np.float32)
    labels[:50, 0] = labels[:4, 1] = labels[0, 2] = 1
    labels[60:, 1] = -1  # Not known: 4 of 60 have it, and of 100 the others.
    factors = repeat_factors(labels, 0.25)
    wanted = [(0.25 / 0.01) ** 0.5, *[(0.25 * 60 / 4) ** 0.5] * 3, *[1] * 96]
    np.testing.assert_allclose(factors, wanted, rtol=1e-6)
    assert (repeat_factors(labels, 0.001) == 1).all()
    assert (repeat_factors(np.zeros((5, 2)), 0.5) == 1).all()


def test_repeated_videos_come_as_often_as_their_share_and_each_time_as_another_clip(monkeypatch):
    repeats = np.array([3.5, 1, 1, 1, 1, 1, 1, 1, 0.75, 0.75])  # 12 in all, for 10 places.
    counted = Counter()
    for epoch in range(300):
        keys = sum(batches_of(monkeypatch, 0, 1, 5, 10, epoch, repeats), [])
        assert len(set(keys)) == len(keys) == 10
        counts = Counter(index for _, index in keys)
        assert set(counts.values()) <= {1, 2, 3} and counts[0] in (2, 3)
        own = {number for number, index in keys if index == 0}
        assert own == {epoch + 1_000_003 * before for before in range(counts[0])}
        counted += counts
    found = np.array([counted[index] for index in range(10)]) / 300
    np.testing.assert_allclose(found, repeats / 1.2, atol=0.08)


def test_processes_share_repeated_batches(monkeypatch):
    repeats = np.linspace(0.5, 3, 11)
    whole = batches_of(monkeypatch, 0, 1, 4, repeats=repeats)
    shares = [batches_of(monkeypatch, rank, 2, 2, repeats=repeats) for rank in range(2)]
    assert whole == batches_of(monkeypatch, 0, 1, 4, repeats=repeats)
    for batch, first, second in zip(whole, *shares, strict=True):
        assert sorted(batch) == sorted(first + second)


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


def test_whether_labels_are_unknown_is_found_once_and_not_at_each_step():
    """AVA's labels are those of all persons, joined: most of a second on each access."""
    asked = []

    class Known(SimpleNamespace):
        has_unknown = property(lambda self: asked.append(self) or False)

    dataset = Known()
    batches = Batches(SimpleNamespace(dataset=SimpleNamespace(dataset=dataset)), skip=False)
    assert not batches.has_unknown and not batches.has_unknown
    assert asked == [dataset]
