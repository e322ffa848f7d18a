"""The metrics against a line-by-line port of Charades' own script."""

import math
import time

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.multilabel import (
    average_precision,
    frequency_groups,
    multilabel_metrics,
)


def charades_v1_classify(scores, labels):
    """
    Charades_v1_classify.m with plain loops.

    Args:
        scores (list): of V lists of A float.
        labels (list): of V lists of A bool.

    Returns:
        tuple: per-class AP (list, nan without positives), mAP, weighted AP; the means are
            nan where the script's are.
    """
    num_videos, num_classes = len(scores), len(scores[0])
    scores = [list(row) for row in scores]
    for video in range(num_videos):
        if sum(labels[video]) == 0:
            for activity in range(num_classes):
                scores[video][activity] = -math.inf
    per_class, weighted, all_positives = [], 0.0, 0
    for activity in range(num_classes):
        # [so, sortind] = sort(-conf): MATLAB's sort is stable.
        order = sorted(range(num_videos), key=lambda video: -scores[video][activity])
        sorted_labels = [labels[video][activity] for video in order]
        num_positives = sum(sorted_labels)
        true_positives = false_positives = 0
        total = 0.0
        for is_positive in sorted_labels:
            if is_positive:
                true_positives += 1
            else:
                false_positives += 1
            precision = true_positives / (true_positives + false_positives)
            if is_positive:
                total += precision
        per_class.append(total / num_positives if num_positives else math.nan)
        weighted += per_class[-1] * num_positives
        all_positives += num_positives
    return per_class, sum(per_class) / num_classes, weighted / all_positives


def random_case(seed, num_videos=60, num_classes=7, decimals=1):
    """Scores with ties (rounded), and labels with about a fifth of the videos unlabelled."""
    generator = np.random.default_rng(seed)
    scores = np.round(generator.random((num_videos, num_classes)), decimals)
    labels = generator.random((num_videos, num_classes)) < 0.25
    labels[generator.random(num_videos) < 0.2] = False
    labels[np.arange(num_classes), np.arange(num_classes)] = True
    return scores, labels


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("decimals", [0, 1, 12])
def test_equals_the_official_script(seed, decimals):
    scores, labels = random_case(seed, decimals=decimals)
    per_class, mean, weighted = charades_v1_classify(scores.tolist(), labels.tolist())
    metrics = multilabel_metrics(scores, labels)
    np.testing.assert_allclose(metrics.average_precision, per_class, rtol=1e-12)
    assert metrics.mean == pytest.approx(mean, rel=1e-12)
    assert metrics.weighted == pytest.approx(weighted, rel=1e-12)
    assert metrics.num_unlabelled == sum(not any(row) for row in labels.tolist())
    np.testing.assert_array_equal(metrics.positives, labels.sum(axis=0))


def test_hand_computed():
    # Class 0 ranks the videos 0, 1, 2 (positives at 1 and 3): (1/1 + 2/3) / 2 = 5/6.
    # Class 1 ranks them 2, 1, 0 (positive at 2): 1/2.
    # Video 3 has no activity, so its top scores count for nothing.
    scores = np.array([[0.9, 0.1], [0.8, 0.5], [0.7, 0.6], [1.0, 1.0]])
    labels = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=bool)
    metrics = multilabel_metrics(scores, labels)
    np.testing.assert_allclose(metrics.average_precision, [5 / 6, 1 / 2])
    assert metrics.mean == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert metrics.weighted == pytest.approx((2 * 5 / 6 + 1 / 2) / 3)
    assert metrics.num_unlabelled == 1


def test_unlabelled_videos_equal_leaving_them_out():
    scores, labels = random_case(3)
    kept = labels.any(axis=1)
    everything = multilabel_metrics(scores, labels)
    only_kept = multilabel_metrics(scores[kept], labels[kept])
    np.testing.assert_allclose(
        everything.average_precision, only_kept.average_precision, rtol=1e-12
    )
    assert everything.num_unlabelled > 0
    assert only_kept.num_unlabelled == 0
    # As ordinary negatives they would lower the result.
    assert average_precision(scores[:, 0], labels[:, 0]) < everything.average_precision[0]


def test_labelled_video_without_scores_sorts_last():
    """Its row is -inf; an unlabelled video that comes before it then counts, as officially."""
    scores = np.array([[0.9], [0.5], [0.4], [-np.inf]])
    labels = np.array([[True], [False], [False], [True]])
    metrics = multilabel_metrics(scores, labels)
    assert metrics.average_precision[0] == pytest.approx((1 + 2 / 4) / 2)
    per_class, _, _ = charades_v1_classify(scores.tolist(), labels.tolist())
    assert metrics.average_precision[0] == pytest.approx(per_class[0])


def test_class_without_positives_has_no_ap_and_leaves_the_means():
    scores, labels = random_case(1)
    labels[:, 4] = False
    per_class, script_mean, _ = charades_v1_classify(scores.tolist(), labels.tolist())
    metrics = multilabel_metrics(scores, labels)
    assert math.isnan(script_mean)
    assert math.isnan(metrics.average_precision[4])
    assert metrics.positives[4] == 0
    others = [value for value in per_class if not math.isnan(value)]
    assert metrics.mean == pytest.approx(sum(others) / len(others))
    weights = np.delete(metrics.positives, 4)
    assert metrics.weighted == pytest.approx(np.average(others, weights=weights))


def test_no_positives_at_all():
    metrics = multilabel_metrics(np.zeros((3, 2)), np.zeros((3, 2), dtype=bool))
    assert np.isnan(metrics.average_precision).all()
    assert math.isnan(metrics.mean)
    assert math.isnan(metrics.weighted)
    assert metrics.num_unlabelled == 3
    assert math.isnan(average_precision([0.1, 0.2], [False, False]))


def test_equal_scores_keep_the_given_order():
    labels = np.array([[False, True], [True, False], [True, False]])
    metrics = multilabel_metrics(np.full((3, 2), 0.5), labels)
    np.testing.assert_allclose(metrics.average_precision, [(1 / 2 + 2 / 3) / 2, 1.0])


def test_ties_are_not_grouped():
    """With grouped ties (scikit-learn) both orders would give 1/2: one threshold, 1 of 2."""
    assert average_precision([0.5, 0.5], [True, False]) == 1.0
    assert average_precision([0.5, 0.5], [False, True]) == 0.5


def test_average_precision_is_one_column():
    scores, labels = random_case(5)
    labels[~labels.any(axis=1), 0] = True
    metrics = multilabel_metrics(scores, labels)
    columns = [average_precision(scores[:, i], labels[:, i]) for i in range(scores.shape[1])]
    np.testing.assert_array_equal(metrics.average_precision, columns)


def test_the_input_is_left_alone():
    scores, labels = random_case(2)
    before = scores.copy()
    multilabel_metrics(scores, labels)
    np.testing.assert_array_equal(scores, before)


def test_nan_scores_are_refused():
    scores, labels = random_case(0)
    scores[7, 2] = np.nan
    with pytest.raises(SlowFastExtError, match=r"1 of 420 scores are NaN.*row 7.*activity 2"):
        multilabel_metrics(scores, labels)
    with pytest.raises(SlowFastExtError, match="NaN"):
        average_precision([0.5, np.nan], [True, False])


def test_shapes_must_agree():
    with pytest.raises(SlowFastExtError, match=r"\[3, 2\].*\[3, 4\]"):
        multilabel_metrics(np.zeros((3, 2)), np.zeros((3, 4), dtype=bool))
    with pytest.raises(SlowFastExtError, match="do not fit"):
        average_precision([0.1, 0.2], [True])


def test_charades_size_is_fast():
    scores, labels = random_case(0, num_videos=1863, num_classes=157, decimals=12)
    multilabel_metrics(scores, labels)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        multilabel_metrics(scores, labels)
        seconds.append(time.process_time() - start)
    # About 0.03 s of the processor, while a loop over videos and classes would take over 0.3 s.
    assert min(seconds) < 0.2


def test_classes_are_grouped_in_thirds_by_their_counts_in_training():
    precision = np.array([0.1, 0.2, np.nan, 0.4, 0.5, 0.6, np.nan])
    found = frequency_groups(precision, [3, 90, 1, 3, 40, 7, 0])
    assert [(g["group"], g["classes"], g["most"], g["least"]) for g in found] == [
        ("head", [1, 4, 5], 90, 7),
        ("middle", [0, 3], 3, 3),
        ("tail", [2, 6], 1, 0),
    ]
    assert [g["mAP"] for g in found[:2]] == pytest.approx([(0.2 + 0.5 + 0.6) / 3, 0.25])
    assert np.isnan(found[2]["mAP"])
    assert [g["group"] for g in frequency_groups(precision[:2], [1, 2])] == ["head", "middle"]


# --- Unknown labels ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_what_is_unknown_is_left_out_of_its_class_alone(seed):
    """Each class as if the videos that do not know it were not there; ties and all."""
    scores, labels = random_case(seed)
    hidden = np.random.default_rng(seed + 100).random(labels.shape) < 0.4
    metrics = multilabel_metrics(scores, np.where(hidden, -1, labels))
    behind = ~(labels & ~hidden).any(1) & ~hidden.any(1)
    for activity in range(labels.shape[1]):
        kept = [
            (-math.inf if behind[video] else scores[video, activity], labels[video, activity])
            for video in range(len(labels))
            if not hidden[video, activity]
        ]
        kept.sort(key=lambda pair: -pair[0])
        precisions = [
            sum(label for _, label in kept[: rank + 1]) / (rank + 1)
            for rank, (_, label) in enumerate(kept)
            if label
        ]
        found = metrics.average_precision[activity]
        assert found == pytest.approx(np.mean(precisions), rel=1e-12)
        assert metrics.positives[activity] == len(precisions)
    assert metrics.unknown.tolist() == hidden.sum(0).tolist()
    assert metrics.mean == pytest.approx(metrics.average_precision.mean())


def test_a_video_of_which_something_is_unknown_is_a_negative_of_the_rest():
    """Not one without activity, which the script moves behind all others."""
    scores, labels = np.array([[0.9, 0.9], [0.8, 0.1]]), np.array([[0, -1], [1, 0]])
    metrics = multilabel_metrics(scores, labels)
    assert metrics.average_precision[0] == 0.5 and math.isnan(metrics.average_precision[1])
    assert metrics.num_unlabelled == 0
    labels[0, 1] = 0
    assert multilabel_metrics(scores, labels).average_precision[0] == 1.0


def test_where_all_is_known_the_metrics_stay_to_the_bit():
    scores, labels = random_case(3)
    of_bools, of_numbers = (
        multilabel_metrics(scores, labels),
        multilabel_metrics(scores, labels * 1.0),
    )
    for name, value in vars(of_bools).items():
        np.testing.assert_array_equal(value, vars(of_numbers)[name])
    assert not of_bools.unknown.any()
