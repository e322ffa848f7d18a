"""The loss for groups with persons, and what a test on Volleyball measures and writes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slowfast_ext import upstream
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.engine import volleyball
from slowfast_ext.engine.test import task_of
from slowfast_ext.engine.trainer import Fitting, loss_function
from slowfast_ext.evaluation.predictions import read_predictions


@pytest.fixture
def cfg(tmp_path):
    cfg = add_slowfast_ext_config(upstream.base_config())
    cfg.NUM_GPUS, cfg.MODEL.LOSS_FUNC, cfg.OUTPUT_DIR = 0, "cross_entropy", str(tmp_path)
    cfg.DETECTION.ENABLE = True
    return cfg


def one_hot(places, number):
    return F.one_hot(torch.tensor(places, dtype=torch.long), number).float()


@pytest.mark.parametrize("persons", [[2, 0, 8, 8], []])
def test_the_loss_is_the_groups_and_the_weighted_persons(cfg, persons):
    cfg.VOLLEYBALL.PERSONS_WEIGHT = 0.25
    torch.manual_seed(0)
    groups = tuple(torch.randn(3, 8) for _ in range(2))
    of_persons = tuple(torch.randn(len(persons), 9) for _ in range(2))
    batch = Sample(
        [], one_hot([1, 7, 0], 8), None, boxes=torch.zeros(len(persons), 5), persons=None
    )._replace(person_labels=one_hot(persons, 9).reshape(-1, 9))
    fitting = SimpleNamespace(cfg=cfg, loss=loss_function(cfg))
    found = Fitting._loss_of(fitting, batch, (groups, of_persons))
    wanted = sum(-of.log_softmax(1)[[0, 1, 2], [1, 7, 0]].mean() for of in groups)
    for logits in of_persons if persons else ():
        wanted += 0.25 * -logits.log_softmax(1)[range(4), persons].mean()
    torch.testing.assert_close(found, wanted)


def data_set(task, labels):
    """Two moments of two and three persons."""
    counts = (2, 3)
    moments = [SimpleNamespace(moment=SimpleNamespace(actions=np.zeros(n))) for n in counts]
    names = list("abcd")
    return SimpleNamespace(
        task=task, labels=labels, listed=moments, class_names=names, video_ids=["4/9", "5/7"]
    )


def test_persons_are_matched_by_their_places(cfg):
    labels = np.eye(4)[[3, 1, 0, 0, 2]]
    scores = np.eye(4)[[1, 0, 2]] * 0.6 + 0.1
    # The first person of the first moment has no scores, nor the second of the other.
    found = {0: (np.array([1]), scores[:1]), 1: (np.array([0, 2]), scores[1:])}
    metrics = volleyball.measure(cfg, data_set("persons", labels), found)
    assert (metrics.accuracy, metrics.num_unscored) == (3 / 5, 2)
    volleyball.write(cfg, data_set("persons", labels), found, metrics)
    ids, names, written = read_predictions(f"{cfg.OUTPUT_DIR}/predictions.csv")
    assert ids == ["4/9/1", "5/7/0", "5/7/2"] and names == list("abcd")
    np.testing.assert_array_equal(written, scores)


def test_a_moment_that_cannot_be_read_counts_as_wrong(cfg):
    labels = np.eye(4)[[3, 1]]
    found = {1: (np.arange(3), np.array([[0.1, 0.7, 0.1, 0.1]]))}
    metrics = volleyball.measure(cfg, data_set("group", labels), found)
    assert (metrics.accuracy, metrics.num_unscored) == (0.5, 1)
    without_boxes = {1: np.array([0.1, 0.7, 0.1, 0.1])}
    assert volleyball.measure(cfg, data_set("group", labels), without_boxes).accuracy == 0.5
    # The class of the other moment has no accuracy: of it nothing is scored.
    assert "mean per class 1.0000" in volleyball.table(data_set("group", labels), metrics, {})


def test_the_data_set_decides_the_task(cfg):
    cfg.TEST.DATASET = "Volleyball"
    assert task_of(cfg) is volleyball
    cfg.TEST.DATASET = "ava"
    assert task_of(cfg) is not volleyball
