"""Each benchmark ends where one of its sides is wrong, and not where both are right."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import (
    accuracy,
    ava_evaluation,
    charades_evaluation,
    head,
    network,
    processes,
    reading,
    whole_test,
)
from slowfast_ext.evaluation import multilabel
from slowfast_ext.models.observations import GroupLinear


@pytest.fixture(autouse=True)
def nothing_written(monkeypatch):
    for module in (ava_evaluation, charades_evaluation, head, network, whole_test):
        monkeypatch.setattr(module, "report", lambda name, rows: None)


def alike_or_not(check, right, wrong, match):
    """`check(right)` passes, `check(wrong)` ends the program with a sentence."""
    check(right)
    with pytest.raises(SystemExit, match=match):
        check(wrong)


@pytest.fixture
def small_head(monkeypatch):
    monkeypatch.setattr(head, "CHANNELS", 64)
    monkeypatch.setattr(head, "ACTIVITIES", 5)


def test_head_forward(small_head, monkeypatch):
    head.against_plain(32, 1)
    right = GroupLinear.transposed  # The plain side does not use it.
    monkeypatch.setattr(GroupLinear, "transposed", lambda *args: 2 * right(*args))
    with pytest.raises(SystemExit, match="head forward, n = 32: the two sides differ"):
        head.against_plain(32, 1)


def test_head_backward(small_head, monkeypatch):
    right = head.gradients
    monkeypatch.setattr(
        head,
        "gradients",
        lambda module, features: [
            g * (1.01 if isinstance(module, head.PlainHead) else 1) for g in right(module, features)
        ],
    )
    with pytest.raises(SystemExit, match="head backward, n = 32: the two sides differ"):
        head.against_plain(32, 1)


def test_network():
    def gradients(value):
        return lambda: [torch.tensor([value])]

    def check(value):
        training = SimpleNamespace(network=nn.Module(), head_gradients=gradients(1.0))
        training.network.backbone = nn.Identity()
        tuning = SimpleNamespace(head_gradients=gradients(value))
        network.equal_gradients(training, tuning)

    alike_or_not(check, 1.0, 1.001, "gradients")


def test_processes():
    alone = nn.Linear(3, 2)
    alone(torch.ones(1, 3)).sum().backward()
    other = copy.deepcopy(alone)
    other.weight.grad = alone.weight.grad * 1.01
    other.bias.grad = alone.bias.grad
    alike_or_not(
        lambda shared: processes.require_equal_gradients(shared, alone), alone, other, "gradients"
    )


def test_reading():
    cfg = SimpleNamespace(DATA=SimpleNamespace(MEAN=[0.45] * 3, STD=[0.225] * 3))
    ours = torch.randint(0, 256, (2, 3, 4, 5, 5), dtype=torch.uint8)
    right = (ours / 255 - 0.45) / 0.225
    alike_or_not(
        lambda theirs: reading.require_equal_views("views", cfg, [ours], [theirs]),
        right,
        right.roll(1, 2),
        "grey levels",
    )


def test_whole_test():
    def check(score):
        timer = whole_test.Timer()
        for side, value in (("float32", 0.5), ("bfloat16", score), ("upstream", 0.5)):
            timer.add(side, lambda value=value: torch.full((1, 3), value))
        whole_test.rows_of(timer, 0.0)

    alike_or_not(check, 0.504, 0.51, "scores in bfloat16")


def test_accuracy():
    def check(score):
        exact = accuracy.Tested(0.5, np.full((2, 3), 0.5), 1.0)
        accuracy.require_equal_scores(exact, accuracy.Tested(0.5, np.full((2, 3), score), 1.0))

    alike_or_not(check, 0.504, 0.51, "scores in bfloat16")


def test_charades_evaluation(monkeypatch):
    monkeypatch.setattr(charades_evaluation, "NUM_VIDEOS", 400)
    monkeypatch.setattr("sys.argv", ["charades_evaluation", "--repeats", "1"])
    right = multilabel.multilabel_metrics

    def check(error):
        monkeypatch.setattr(
            charades_evaluation,
            "multilabel_metrics",
            lambda *args: SimpleNamespace(mean=right(*args).mean + error),
        )
        charades_evaluation.main()

    alike_or_not(check, 0.0, 1e-6, "mAP")


def test_ava_evaluation(monkeypatch, tmp_path):
    monkeypatch.setattr(ava_evaluation, "write_files", lambda *_, **__: (1, 1))
    monkeypatch.setattr(ava_evaluation, "by_loops", lambda *_: 0.5)
    monkeypatch.setattr(ava_evaluation.ava_annotations, "read_detections", lambda _: None)
    (tmp_path / "ground_truth.csv").write_text("")

    def check(mean):
        monkeypatch.setattr(ava_evaluation, "ours", lambda *_: mean)
        ava_evaluation.port_row(tmp_path, tmp_path, 1)

    alike_or_not(check, 0.5, 0.5001, "mAP")
