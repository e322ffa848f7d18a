"""What a test of videos as wholes measures."""

from types import SimpleNamespace

import numpy as np
import pytest

from slowfast_ext.engine import classification


def test_a_video_that_could_not_be_read_is_scored_last():
    """Three videos, one activity each: the second, skipped, was the only one of activity 1."""
    labels = np.array([[1, 0], [0, 1], [1, 0]])
    scores = {0: np.array([0.2, 0.9]), 2: np.array([0.1, 0.8])}
    metrics = classification.measure(None, SimpleNamespace(labels=labels), scores)
    # Ranked third behind two negatives.
    assert metrics.average_precision == pytest.approx([1, 1 / 3])
    assert metrics.positives.tolist() == [2, 1]
