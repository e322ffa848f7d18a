"""Thresholds per activity, fitted and kept."""

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.predict.thresholds import (
    best_threshold,
    fit_thresholds,
    read_temperatures,
    read_thresholds,
    write_temperatures,
    write_thresholds,
)
from tests.helpers import f1_at

NAMES = ["run", "jump, high", "wave"]


@pytest.mark.parametrize("decimals", [1, 3])
def test_no_other_threshold_has_a_higher_f1(decimals):
    random = np.random.default_rng(decimals)
    for _ in range(50):
        labels = random.random(12) < 0.4
        labels[0] = True
        scores = np.round(random.random(12) * 0.8 + 0.1 + labels * 0.1, decimals)
        threshold, f1 = best_threshold(scores, labels)
        assert f1 == pytest.approx(f1_at(threshold, scores, labels))
        assert f1 == pytest.approx(max(f1_at(score, scores, labels) for score in scores))
        assert threshold not in scores


def test_midway_between_the_scores_that_it_parts():
    scores, labels = np.array([0.2, 0.9, 0.6, 0.1]), np.array([False, True, True, False])
    assert best_threshold(scores, labels) == (pytest.approx(0.4), 1.0)


def test_windows_of_which_it_is_unknown_are_left_out_of_their_activity():
    random = np.random.default_rng(4)
    scores, labels = random.random((40, 3)), random.integers(-1, 2, (40, 3))
    found = fit_thresholds(scores, labels)
    for activity in range(3):
        known = labels[:, activity] >= 0
        wanted = best_threshold(scores[known, activity], labels[known, activity] > 0)
        assert tuple(of[activity] for of in found) == wanted


def test_written_and_read(tmp_path):
    scores = np.array([[0.9, 2e-8, 0.1], [0.25, 6e-8, 0.1]])
    labels = np.array([[True, False, False], [False, True, False]])
    thresholds, f1 = fit_thresholds(scores, labels)
    assert thresholds.tolist() == pytest.approx([0.575, 4e-8, 0.5])
    path = str(tmp_path / "thresholds.csv")
    assert read_thresholds(path, NAMES).tolist() == [0.5] * 3
    write_thresholds(path, NAMES, thresholds, f1)
    assert (tmp_path / "thresholds.csv").read_text() == (
        'activity,threshold,f1\nrun,0.575,1.0000\n"jump, high",4e-08,1.0000\nwave,0.5,\n'
    )
    assert read_thresholds(path, NAMES).tolist() == thresholds.tolist()


def test_temperatures_are_written_and_read(tmp_path):
    path = str(tmp_path / "temperatures.csv")
    none = [[1.0] * 3, [0.0] * 3]
    assert np.array(read_temperatures(path, NAMES)).tolist() == none
    written = np.array([[0.5, 1 / 3, 20.0], [0.0, -2.3, 1e-9]])
    write_temperatures(path, NAMES, *written)
    assert np.array_equal(read_temperatures(path, NAMES), written)
    # As they were written before there were shifts.
    (tmp_path / "temperatures.csv").write_text(
        'activity,temperature\nwave,2\n"jump, high",1\nrun,0.5\n'
    )
    found = np.array(read_temperatures(path, NAMES)).tolist()
    assert found == [[0.5, 1.0, 2.0], [0.0] * 3]
    header = "activity,temperature,shift\n"
    (tmp_path / "temperatures.csv").write_text(f'{header}run,1,0\n"jump, high",1,0\nwave,1,inf\n')
    with pytest.raises(SlowFastExtError, match=":4: the shift must be a number"):
        read_temperatures(path, NAMES)
    (tmp_path / "temperatures.csv").write_text("activity,temperature\nrun,0\nwave,-1\n")
    with pytest.raises(SlowFastExtError) as caught:
        read_temperatures(path, NAMES)
    assert str(caught.value).count("the temperature must be above 0") == 2
    assert str(caught.value).endswith(
        "or fit the temperatures again, by predict --fit-temperatures"
    )


def test_of_another_run(tmp_path):
    path = tmp_path / "thresholds.csv"
    path.write_text("activity,threshold,f1\nrun,x,\nfly,0.5,\nwave,nan,\n")
    with pytest.raises(SlowFastExtError) as caught:
        read_thresholds(str(path), NAMES)
    assert str(caught.value).replace(f"{tmp_path}/", "").split("\n") == [
        "thresholds.csv: 6 bad rows; correct or remove:",
        "thresholds.csv:2: the threshold must be a number",
        'thresholds.csv:3: "fly" is not in classes.txt',
        "thresholds.csv:4: the threshold must be a number",
        *(f'thresholds.csv: no row for "{name}"' for name in NAMES),
        "or fit the thresholds again, by predict --fit-thresholds",
    ]
    twice = "".join(f"{name},0.5,\n" for name in ("run", '"jump, high"', "wave", "run"))
    path.write_text(f"activity,threshold,f1\n{twice}")
    with pytest.raises(SlowFastExtError, match=':5: "run" has a row already'):
        read_thresholds(str(path), NAMES)
    path.write_text("run,0.5\n")
    with pytest.raises(SlowFastExtError, match="its first line must be activity,threshold,f1"):
        read_thresholds(str(path), NAMES)
