"""Weights over the rates: the plain mean, a best rate that was planted, their file."""

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.rate_weights import (
    combine_views,
    learn_weights,
    means_by_rate,
    read_rate_weights,
    shares_of,
    weighted,
    write_rate_weights,
)

VIEWS = [(4, 4, 3), (8, 3, 3), (2, 3, 3)]
NAMES = ["run", "jump, high"]
SHARES = np.array([0.4, 0.3, 0.3])


@pytest.fixture
def planted():
    """
    Activity 0 shows at rate 4 alone, 1 at rate 8, 2 at rate 2, 3 at all: predictions of 400
    videos and of 2,000 others, each R x V x A, and their labels.
    """
    random = np.random.default_rng(0)
    informative = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], bool)

    def draw(num_videos):
        labels = random.random((num_videos, 4)) < 0.3
        informative_at = informative[:, None]  # R x 1 x A
        signal = np.where(informative_at, 3.0 * labels - 1.8, -0.85)
        noisy = signal + random.normal(0, 1, signal.shape)
        return 1 / (1 + np.exp(-noisy)), labels

    return draw(400), draw(2000)


def test_a_planted_best_rate_is_found(planted):
    (training, labels), (test, test_labels) = planted
    weights = learn_weights(training, labels, SHARES)
    np.testing.assert_allclose(weights.sum(1), 1)
    assert weights[:3].argmax(1).tolist() == [0, 1, 2]
    assert (weights[:3].max(1) > 0.8).all()
    assert (weights[3] > 0.1).all()
    learned = multilabel_metrics(weighted(test, weights), test_labels).mean
    plain = multilabel_metrics(weighted(test, np.tile(SHARES, (4, 1))), test_labels).mean
    assert learned > plain + 0.05


def test_strong_regularisation_gives_the_plain_mean(planted):
    weights = learn_weights(*planted[0], SHARES, strength=1e4)
    np.testing.assert_allclose(weights, np.tile(SHARES, (4, 1)), atol=1e-3)


def test_unknown_labels_have_no_part_in_the_weights(planted):
    """Each activity's weights are those of the videos that know it."""
    training, labels = planted[0]
    hidden = np.random.default_rng(1).random(labels.shape) < 0.5
    found = learn_weights(training, np.where(hidden, -1, labels), SHARES)
    for activity in range(4):
        known = ~hidden[:, activity]
        alone = (training[:, known, activity, None], labels[known, activity, None])
        np.testing.assert_allclose(found[activity], learn_weights(*alone, SHARES)[0], atol=1e-4)


def test_the_weights_are_a_minimum(planted):
    training, labels = planted[0]
    weights = learn_weights(training, labels, SHARES, strength=0.1)

    def objective(w):
        p = weighted(training, w)
        loss = -np.where(labels, np.log(p), np.log(1 - p)).mean(0).sum()
        return loss + 0.1 * (w * np.log(w / SHARES)).sum()

    random = np.random.default_rng(1)
    for _ in range(50):
        other = weights * np.exp(random.normal(0, 0.05, weights.shape))
        assert objective(weights) < objective(other / other.sum(1, keepdims=True))


def test_shares_give_the_mean_over_all_views():
    views = np.random.default_rng(2).random((30, 5, 4))
    by_rate = means_by_rate(views, VIEWS)
    np.testing.assert_allclose(by_rate[1], views[12:21].mean(0))
    np.testing.assert_allclose(shares_of(VIEWS), SHARES)
    weights = np.tile(shares_of(VIEWS), (4, 1))
    np.testing.assert_allclose(weighted(by_rate, weights), combine_views(views, "mean"))


# --- The file --------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path):
    path, weights = str(tmp_path / "w.csv"), np.array([[0.5, 0.25, 0.25], [1 / 3, 2 / 3, 0]])
    write_rate_weights(path, NAMES, VIEWS, weights)
    read = read_rate_weights(path, NAMES, VIEWS)
    np.testing.assert_allclose(read, weights, atol=1e-6)
    np.testing.assert_allclose(read.sum(1), 1)


@pytest.mark.parametrize(
    "rows, message",
    [
        (["activity,rate 4,rate 2,rate 8"], "its first line must be activity,rate 4,rate 8,rate 2"),
        ([], "its first line must be"),
        (["", "swim,1,0,0"], ':2: "swim" is not an activity'),
        (["", "run,1,0,0", "run,1,0,0"], ':3: "run" has a row already'),
        (["", "run,1,0"], ":2: must have 3 weights"),
        (["", "run,0.5,0,0"], ":2: must have 3 weights, none below 0, that sum to 1"),
        (["", "run,nan,0,1"], ":2: must have 3 weights"),
        (["", "run,2,-1,0"], ":2: must have 3 weights"),
        (["", "run,1,0,0"], 'no row for "jump, high"'),
    ],
)
def test_a_bad_file_is_named(tmp_path, rows, message):
    path = tmp_path / "w.csv"
    lines = [row or "activity,rate 4,rate 8,rate 2" for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(SlowFastExtError, match="w.csv") as caught:
        read_rate_weights(str(path), NAMES, VIEWS)
    assert message in str(caught.value)
