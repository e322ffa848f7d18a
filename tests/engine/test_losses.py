"""Losses against their equations, worked out in numpy one label at a time."""

import math

import numpy as np
import pytest
import torch
import torch.nn as nn

from slowfast_ext.config.defaults import default_config
from slowfast_ext.config.load import load_config
from slowfast_ext.engine.losses import build_loss, frequencies, over_known, positive_weights
from slowfast_ext.engine.setup import check_config
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import CONFIG

# Of 8 rows; the last activity never happens, so that nothing divides by its positives.
ROWS = np.array([[1, 1, 0, 0]] * 4 + [[1, 0, 0, 0]] * 2 + [[0, 0, 1, 0]] + [[0, 0, 0, 0]])
LOGITS = [[2.0, -1.0, 0.5, 3.0], [-3.0, 0.0, 1.5, -0.2], [0.3, 4.0, -2.0, -6.0]]
LABELS = [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def config(name, **options):
    cfg = default_config()
    cfg.MODEL.LOSS_FUNC = name
    for key, value in options.items():
        cfg.LOSS[key] = value
    return cfg


def value_of(name, **options):
    """What `build_loss` gives, and its gradient, in float64."""
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    loss = build_loss(config(name, **options), lambda: ROWS).double()
    value = loss(logits, torch.tensor(LABELS, dtype=torch.float64))
    value.backward()
    return value.item(), logits.grad


def by_hand(cost, labels=LABELS):
    """The mean of cost(p, label, activity, row of labels) over the labels that are known."""
    costs = [
        cost(sigmoid(x), y, a, row)
        for logits, row in zip(LOGITS, labels, strict=True)
        for a, (x, y) in enumerate(zip(logits, row, strict=True))
        if y >= 0
    ]
    return sum(costs) / len(costs)


def cross_entropy(p, y, *_):
    return -math.log(p if y else 1 - p)


def focal(p, y, *_):
    right = p if y else 1 - p
    return (0.3 if y else 0.7) * (1 - right) ** 1.5 * -math.log(right)


def asymmetric(p, y, *_):
    if y:
        return (1 - p) * -math.log(p)
    shifted = max(p - 0.1, 0)
    return shifted**3 * -math.log(1 - shifted)


def equalization(p, y, activity, row):
    # 6 and 4 of 8 rows have the first two, 1 and 0 of 8 the others: below a fifth.
    is_left_out = activity in (2, 3) and not y and 1 in row
    return (0.25 if is_left_out else 1) * cross_entropy(p, y)


def weighted(p, y, activity, *_):
    # (8 - n) / n for n = 6, 4, 1 and 0 positives, at most 3.
    return (2 / 6, 1, 3, 3)[activity] * cross_entropy(p, y) if y else cross_entropy(p, y)


def softened(p, y, *_):
    y = 0.9 * y + 0.05
    return y * -math.log(p) + (1 - y) * -math.log(1 - p)


CASES = {
    "bce_logit": ({}, cross_entropy),
    "bce": ({}, cross_entropy),
    "focal": ({"FOCAL_ALPHA": 0.3, "FOCAL_GAMMA": 1.5}, focal),
    "asymmetric": ({"ASYMMETRIC_GAMMAS": [1.0, 3.0], "ASYMMETRIC_MARGIN": 0.1}, asymmetric),
    "equalization": ({"EQUALIZATION_FREQUENCY": 0.2, "EQUALIZATION_SHARE": 0.75}, equalization),
    "bce_logit weighted": ({"POS_WEIGHT": 3.0}, weighted),
    "bce smoothed": ({"LABEL_SMOOTHING": 0.1}, softened),
}


@pytest.mark.parametrize("case", CASES)
def test_a_loss_is_its_equation(case):
    options, cost = CASES[case]
    assert value_of(case.split()[0], **options)[0] == pytest.approx(by_hand(cost), rel=1e-6)


def test_without_keys_of_its_own_a_loss_is_upstreams_to_the_bit():
    logits, labels = torch.tensor(LOGITS), torch.tensor(LABELS).float()
    for name in ("bce", "bce_logit"):
        loss = build_loss(config(name), None)  # Counts no rows.
        assert torch.equal(loss(logits, labels), nn.BCEWithLogitsLoss()(logits, labels))


@pytest.mark.parametrize("name", ["focal", "asymmetric", "equalization"])
def test_with_its_own_part_switched_off_each_is_the_cross_entropy(name):
    off = {"FOCAL_ALPHA": -1.0, "FOCAL_GAMMA": 0.0, "EQUALIZATION_SHARE": 0.0}
    off |= {"ASYMMETRIC_GAMMAS": [0.0, 0.0], "ASYMMETRIC_MARGIN": 0.0}
    (value, gradient), (plain, plain_gradient) = value_of(name, **off), value_of("bce_logit")
    assert value == pytest.approx(plain)
    torch.testing.assert_close(gradient, plain_gradient)


@pytest.mark.parametrize("case", [name for name in CASES if name not in ("bce", "bce_logit")])
def test_without_reduction_each_label_has_its_cost(case):
    """By which labels that are not known are left out."""
    options, cost = CASES[case]
    loss = build_loss(config(case.split()[0], **options), lambda: ROWS).double()
    loss.reduction = "none"
    values = loss(torch.tensor(LOGITS).double(), torch.tensor(LABELS).double())
    for row, (logits, labels) in enumerate(zip(LOGITS, LABELS, strict=True)):
        for a in range(4):
            wanted = cost(sigmoid(logits[a]), labels[a], a, labels)
            assert values[row, a].item() == pytest.approx(wanted, rel=1e-6)


def test_what_is_not_known_is_not_counted():
    """An activity is as frequent as it is among the rows that know of it."""
    rows = np.array([[1, -1], [1, -1], [0, 1], [-1, 0], [-1, 0], [-1, 0]])
    assert frequencies(torch.tensor(rows)).tolist() == pytest.approx([2 / 3, 1 / 4])
    assert positive_weights(torch.tensor(rows), 9.0).tolist() == [0.5, 3.0]
    # Known where it happens alone: its positives must still cost something.
    assert positive_weights(torch.tensor([[1], [-1], [1]]), 9.0).tolist() == [1.0]


PARTLY_KNOWN = [[1, -1, 1, 0], [-1, 1, 0, 0], [0, 0, -1, 0]]


def value_of_known(name, labels, **options):
    """As `value_of`, over the known labels."""
    logits = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    loss = build_loss(config(name, **options), lambda: ROWS).double()
    value = over_known(loss, logits, torch.tensor(labels, dtype=torch.float64))
    value.backward()
    return value.item(), logits.grad


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_known_costs_nothing(case):
    options, cost = CASES[case]
    value, gradient = value_of_known(case.split()[0], PARTLY_KNOWN, **options)
    assert value == pytest.approx(by_hand(cost, PARTLY_KNOWN), rel=1e-6)
    assert (gradient[[0, 1, 2], [1, 0, 2]] == 0).all() and (gradient != 0).sum() >= 7


@pytest.mark.parametrize("case", CASES)
def test_where_all_is_known_the_loss_stays_to_the_bit(case):
    name, options = case.split()[0], CASES[case][0]
    value, gradient = value_of_known(name, LABELS, **options)
    wanted, its_gradient = value_of(name, **options)
    assert value == wanted and torch.equal(gradient, its_gradient)


@pytest.mark.parametrize("case", CASES)
def test_clips_of_which_nothing_is_known_teach_nothing(case):
    value, gradient = value_of_known(case.split()[0], [[-1] * 4] * 3, **CASES[case][0])
    assert value == 0 and not gradient.any()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("name", ["cross_entropy", "soft_cross_entropy"])
def test_a_softmax_refuses_unknown_labels(name, smoothing):
    with pytest.raises(SlowFastExtError, match="softmax's loss weighs .*set it to bce_logit"):
        value_of_known(name, PARTLY_KNOWN, LABEL_SMOOTHING=smoothing)


def test_extreme_logits_stay_finite():
    for name in CASES:
        logits = torch.tensor([[-1e4, 1e4, -80.0, 80.0]] * 2, requires_grad=True)
        loss = build_loss(config(name.split()[0], **CASES[name][0]), lambda: ROWS)
        value = loss(logits, torch.tensor([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]]))
        value.backward()
        assert value.isfinite() and logits.grad.isfinite().all()


def test_a_softmax_is_smoothed_as_torch_smooths_it():
    logits, labels = torch.tensor(LOGITS), torch.eye(4)[[2, 0, 3]]
    for name in ("cross_entropy", "soft_cross_entropy"):
        loss = build_loss(config(name, LABEL_SMOOTHING=0.2), None)
        wanted = nn.CrossEntropyLoss(label_smoothing=0.2)(logits, labels)
        torch.testing.assert_close(loss(logits, labels), wanted)


WRONG = {
    "MODEL.LOSS_FUNC hinge": "must be one of bce, .*focal, asymmetric, equalization",
    "LOSS.FOCAL_GAMMA 0.5": "must be 0, or 1 or more",
    "LOSS.ASYMMETRIC_GAMMAS [1.0]": "must be two numbers",
    "LOSS.ASYMMETRIC_GAMMAS [1.0,0.5]": "must be two numbers",
    "LOSS.LABEL_SMOOTHING 1.0": r"must lie in \[0, 1\)",
    "LOSS.POS_WEIGHT -1": "must not be negative",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_key_is_named(words):
    with pytest.raises(SlowFastExtError, match=f"^{words.split()[0]} is .* {WRONG[words]}"):
        load_config(None, words.split())


def test_classes_that_exclude_each_other_have_no_weight_of_positives():
    words = ["MODEL.LOSS_FUNC", "cross_entropy", "MODEL.HEAD_ACT", "softmax"]
    cfg = load_config(CONFIG, [*words, "LOSS.POS_WEIGHT", "3.0", "NUM_GPUS", "0"])
    with pytest.raises(SlowFastExtError, match=r"LOSS.POS_WEIGHT is 3.0: .*softmax"):
        check_config(cfg)
