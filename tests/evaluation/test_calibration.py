"""Calibration against sums over single pairs, temperatures against a search over many."""

import numpy as np
import pytest

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


def cross_entropy(scores, labels, temperature):
    """By the definition, in float64, of one activity."""
    p = 1 / (1 + ((1 - scores) / scores) ** (1 / temperature))
    with np.errstate(divide="ignore"):  # A sure and wrong score costs infinitely much.
        return -np.log(np.where(labels > 0, p, 1 - p)).mean()


def test_no_other_temperature_makes_the_labels_more_probable():
    random = np.random.default_rng(1)
    logits = random.normal(size=(400, 3)) * [6, 0.5, 2]
    true = 1 / (1 + np.exp(-logits / [3, 0.25, 1]))
    labels = (random.random((400, 3)) < true).astype(float)
    scores = 1 / (1 + np.exp(-logits))
    fitted = fit_temperatures(scores, labels)
    assert fitted == pytest.approx([3, 0.25, 1], rel=0.25)
    for a, temperature in enumerate(fitted):
        best = cross_entropy(scores[:, a], labels[:, a], temperature)
        for other in np.geomspace(0.06, 19, 60):
            assert best <= cross_entropy(scores[:, a], labels[:, a], other) + 1e-12
    before, after = (calibration(s, labels) for s in (scores, tempered(scores, fitted)))
    name = "expected_calibration_error"
    assert after[name] < 0.5 * before[name]


def test_a_temperature_mends_no_shift():
    # As the docs say of LOSS.POS_WEIGHT, by which a logit grows by the weight's logarithm.
    random = np.random.default_rng(0)
    logits = random.normal(-3, 1.5, size=(4000, 1))
    labels = (random.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
    scores = 1 / (1 + np.exp(-logits - np.log(10)))
    found = tempered(scores, fit_temperatures(scores, labels))
    errors = [calibration(s, labels)["expected_calibration_error"] for s in (scores, found)]
    assert min(errors) > 0.25 and labels.mean() < 0.11


def test_unknown_labels_change_no_temperature():
    random = np.random.default_rng(2)
    scores, labels = random.random((50, 1)), (random.random((50, 1)) < 0.5).astype(float)
    more = np.concatenate([labels, [[-1.0]] * 9])
    wanted = fit_temperatures(scores, labels)
    found = fit_temperatures(np.concatenate([scores, [[0.999]] * 9]), more)
    np.testing.assert_allclose(found, wanted)


def test_an_activity_without_both_labels_keeps_its_scores():
    scores = np.array([[0.1, 0.9, 0.0], [0.3, 0.8, 1.0]])
    temperatures = fit_temperatures(scores, np.array([[0, 1, 0], [0, 1, 1]]))
    assert temperatures[:2].tolist() == [1, 1]
    # Parted by certain scores: as sure as the limit allows.
    assert temperatures[2] == pytest.approx(0.05)
    assert np.array_equal(tempered(scores, np.ones(3)), scores)


def test_the_order_of_scores_stays():
    scores = np.linspace(0.001, 0.999, 50)[:, None]
    for temperature in (0.2, 1.0, 7.0):
        found = tempered(scores, np.array([temperature]))
        assert (np.diff(found[:, 0]) > 0).all() and found[np.abs(scores - 0.5).argmin()] > 0
        assert tempered(np.array([[0.5]]), temperature) == pytest.approx(0.5)
