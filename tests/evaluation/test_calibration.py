"""Calibration against sums over single pairs, what is fitted against others near and far."""

import numpy as np
import pytest
import torch

from slowfast_ext.config.defaults import default_config
from slowfast_ext.engine.losses import build_loss
from slowfast_ext.evaluation.calibration import calibration, fit_temperatures, tempered


def error_by_hand(pairs):
    """Over 15 bins: share of the pairs in a bin x |mean score - frequency|."""
    total = 0
    for place in range(15):
        inside = [(p, y) for p, y in pairs if min(int(p * 15), 14) == place]
        if inside:
            score, frequency = (sum(values) / len(inside) for values in zip(*inside, strict=True))
            total += len(inside) / len(pairs) * abs(score - frequency)
    return total


def test_calibration_is_its_definition():
    random = np.random.default_rng(0)
    scores, labels = random.random((40, 3)), (random.random((40, 3)) < 0.4).astype(np.float32)
    scores[0, 0], scores[1, 0] = 0.0, 1.0
    scores[5] = -np.inf  # Not read.
    labels[7, 1] = -1  # Not known.
    pairs = [
        [(scores[v, a], labels[v, a]) for v in range(40) if v != 5 and labels[v, a] >= 0]
        for a in range(3)
    ]
    found = calibration(scores, labels)
    assert found["per_class"] == pytest.approx([error_by_hand(of_class) for of_class in pairs])
    together = sum(pairs, [])
    assert found["expected_calibration_error"] == pytest.approx(error_by_hand(together))
    assert sum(count for *_, count in found["curve"]) == len(together) == 3 * 39 - 1
    lowest = [(p, y) for p, y in together if p < 1 / 15]
    mean, frequency = (sum(values) / len(lowest) for values in zip(*lowest, strict=True))
    assert found["curve"][0] == pytest.approx([mean, frequency, len(lowest)])


def test_without_any_score_there_is_nothing_to_calibrate():
    found = calibration(np.full((2, 1), -np.inf), np.ones((2, 1)))
    assert found == {"expected_calibration_error": None, "per_class": [None], "curve": []}


def cost(scores, labels, temperature, shift):
    """Platt's cross-entropy of one activity, by its definition, from the scores' odds."""
    positives = int((labels > 0).sum())
    likely = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    odds = (scores / (1 - scores)) ** (1 / temperature) * np.exp(shift)
    targets = np.where(labels > 0, *likely)
    return np.log1p(odds).mean() - (targets * np.log(odds)).mean()


# Times a temperature, and beside a shift: near and far.
STEPS = [(f, s) for f in (0.9, 0.99, 1, 1.01, 1.1) for s in (-0.5, -0.01, 0, 0.01, 0.5)]


def test_no_other_temperature_and_shift_make_the_labels_more_probable():
    random = np.random.default_rng(1)
    logits = random.normal(size=(400, 3)) * [4, 0.5, 2]
    true = 1 / (1 + np.exp(-logits / [3, 0.25, 1] - [0, 0.5, -2]))
    labels = (random.random((400, 3)) < true).astype(float)
    scores = 1 / (1 + np.exp(-logits))
    temperatures, shifts = fit_temperatures(scores, labels)
    assert temperatures == pytest.approx([3, 0.25, 1], rel=0.25)
    assert shifts == pytest.approx([0, 0.5, -2], abs=0.4)
    for a, fitted in enumerate(zip(temperatures, shifts, strict=True)):
        best = cost(scores[:, a], labels[:, a], *fitted)
        for factor in (0.5, 0.98, 0.999, 1.001, 1.02, 2):
            for step in (-1, -0.02, -0.001, 0, 0.001, 0.02, 1):
                other = fitted[0] * factor, fitted[1] + step
                assert best <= cost(scores[:, a], labels[:, a], *other) + 1e-12
    before, after = (
        calibration(s, labels) for s in (scores, tempered(scores, temperatures, shifts))
    )
    name = "expected_calibration_error"
    assert after[name] < 0.5 * before[name]


@pytest.mark.parametrize("loss,error", [("bce", 0), ("asymmetric", 0.3), ("focal", 0.1)])
def test_what_a_loss_does_to_the_scores_is_undone(loss, error):
    """Of a network that minimises it exactly, for an activity of one in ten windows."""
    random = np.random.default_rng(0)
    true = 1 / (1 + np.exp(-random.normal(-3, 1.5, size=(4000, 1))))
    labels = (random.random(true.shape) < true).astype(float)
    cfg = default_config()
    cfg.MODEL.LOSS_FUNC = loss
    logits = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    each = build_loss(cfg, lambda: labels).double()
    each.reduction = "none"
    yes, no = (each(logits, torch.full_like(logits, y)).numpy() for y in (1.0, 0.0))
    learnt = (true.T * yes + (1 - true.T) * no).argmin(0)
    scores = logits.sigmoid().numpy()[learnt]
    found = scores, tempered(scores, *fit_temperatures(scores, labels))
    before, after = (calibration(s, labels)["expected_calibration_error"] for s in found)
    assert before >= error and after < 0.02


def test_weighted_positives_are_undone():
    # LOSS.POS_WEIGHT 10 raises the logits that a network learns by log 10.
    random = np.random.default_rng(0)
    logits = random.normal(-3, 1.5, size=(4000, 1))
    labels = (random.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
    scores = 1 / (1 + np.exp(-logits - np.log(10)))
    temperatures, shifts = fit_temperatures(scores, labels)
    assert temperatures == pytest.approx([1], abs=0.1) and shifts == pytest.approx([-2.3], abs=0.2)
    found = scores, tempered(scores, temperatures, shifts), tempered(scores, temperatures, 0.0)
    before, after, unshifted = (calibration(s, labels)["expected_calibration_error"] for s in found)
    assert after < 0.02 and min(before, unshifted) > 0.25


def test_each_activity_is_fitted_by_itself():
    random = np.random.default_rng(3)
    scores = random.random((60, 40)) ** random.uniform(0.1, 6, 40)
    labels = (random.random((60, 40)) < random.uniform(0.05, 0.95, 40)).astype(float)
    together = fit_temperatures(scores, labels)
    for a in range(40):
        alone = fit_temperatures(scores[:, [a]], labels[:, [a]])
        for all_of, own in zip(together, alone, strict=True):
            assert all_of[a] == pytest.approx(own[0], rel=1e-4, abs=1e-4)


def test_many_rare_activities_of_any_scale_are_fitted_as_well():
    random = np.random.default_rng(0)
    frequencies = 10 ** random.uniform(-2, -0.3, 157)
    true = random.normal(0, 2, (400, 157)) + np.log(frequencies / (1 - frequencies))
    labels = (random.random(true.shape) < 1 / (1 + np.exp(-true))).astype(float)
    logits = true * random.choice([0.3, 1, 3, 8], 157) + random.normal(0, 3, 157)
    scores = 1 / (1 + np.exp(-logits))
    scores = np.clip(scores, 1e-7, 1 - 1e-7)  # As certain as a score is taken to be.
    temperatures, shifts = fit_temperatures(scores, labels)
    for a in np.flatnonzero(labels.any(0)):
        best = cost(scores[:, a], labels[:, a], temperatures[a], shifts[a])
        for factor, step in STEPS:
            # Both limits of the temperature hold for some.
            other = np.clip(temperatures[a] * factor, 0.05, 20), shifts[a] + step
            assert best <= cost(scores[:, a], labels[:, a], *other) + 1e-9


def test_unknown_labels_change_no_temperature():
    random = np.random.default_rng(2)
    scores, labels = random.random((50, 1)), (random.random((50, 1)) < 0.5).astype(float)
    more = np.concatenate([labels, [[-1.0]] * 9])
    wanted = fit_temperatures(scores, labels)
    found = fit_temperatures(np.concatenate([scores, [[0.999]] * 9]), more)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_an_activity_without_both_labels_keeps_its_scores():
    scores = np.array([[0.1, 0.9, 0.01], [0.3, 0.8, 0.98]])
    temperatures, shifts = fit_temperatures(scores, np.array([[0, 1, 0], [0, 1, 1]]))
    assert temperatures[:2].tolist() == [1, 1] and shifts[:2].tolist() == [0, 0]
    # Of one label each Platt's targets are 1/3 and 2/3: two windows make nobody sure.
    assert tempered(scores, temperatures, shifts)[:, 2] == pytest.approx([1 / 3, 2 / 3], abs=1e-3)
    assert np.array_equal(tempered(scores, np.ones(3), np.zeros(3)), scores)


def test_scores_that_mislead_are_levelled():
    random = np.random.default_rng(5)
    scores = random.random((200, 1))
    labels = (random.random((200, 1)) > scores).astype(float)
    temperatures, shifts = fit_temperatures(scores, labels)
    assert temperatures == pytest.approx([20])
    # The shift that is best at this temperature.
    assert tempered(scores, temperatures, shifts).mean() == pytest.approx(labels.mean(), abs=0.01)


def test_the_order_of_scores_stays():
    scores = np.linspace(0.001, 0.999, 50)[:, None]
    for temperature, shift in ((0.2, 0.0), (1.0, -3.0), (7.0, 2.0)):
        found = tempered(scores, np.array([temperature]), np.array([shift]))
        assert (np.diff(found[:, 0]) > 0).all()
        at_half = tempered(np.array([[0.5]]), temperature, shift)
        assert at_half == pytest.approx(1 / (1 + np.exp(-shift)))
