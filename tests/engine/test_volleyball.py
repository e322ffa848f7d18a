"""The loss for groups with persons."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from slowfast_ext import upstream
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.engine.losses import build_loss
from slowfast_ext.engine.trainer import Trainer


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
    trainer = SimpleNamespace(cfg=cfg, loss_function=build_loss(cfg, None))
    found = Trainer.loss(trainer, batch, (groups, of_persons))
    wanted = sum(-of.log_softmax(1)[[0, 1, 2], [1, 7, 0]].mean() for of in groups)
    for logits in of_persons if persons else ():
        wanted += 0.25 * -logits.log_softmax(1)[range(4), persons].mean()
    torch.testing.assert_close(found, wanted)
