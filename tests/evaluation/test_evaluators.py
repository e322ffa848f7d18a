"""What a test of each kind of data set measures, says and writes, without a network."""

from types import SimpleNamespace

import numpy as np
import pytest

from slowfast_ext import upstream
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.datasets import Ava
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation import evaluators
from slowfast_ext.evaluation.evaluators import (
    AvaEvaluator,
    ClipsEvaluator,
    VolleyballEvaluator,
    build_evaluator,
)
from slowfast_ext.evaluation.predictions import read_predictions
from tests.ava_tree import PERSONS, options, write_tree


@pytest.fixture
def cfg(tmp_path):
    cfg = add_slowfast_ext_config(upstream.base_config())
    cfg.OUTPUT_DIR, cfg.DETECTION.ENABLE = str(tmp_path), True
    return cfg


def test_a_data_set_names_its_evaluator(cfg):
    dataset = SimpleNamespace(evaluator="VolleyballEvaluator")
    assert type(build_evaluator(cfg, dataset)) is VolleyballEvaluator
    wrong = "SimpleNamespace.evaluator is 'ClipEvaluator': .*ClipsEvaluator, "
    with pytest.raises(SlowFastExtError, match=wrong):
        build_evaluator(cfg, SimpleNamespace(evaluator="ClipEvaluator"))


# --- Videos as wholes ------------------------------------------------------------------


def test_a_video_that_could_not_be_read_is_scored_last(cfg):
    """Three videos, one activity each: the second, skipped, was the only one of activity 1."""
    labels = np.array([[1, 0], [0, 1], [1, 0]])
    dataset = SimpleNamespace(labels=labels, num_videos_with_objects=None)
    evaluator = ClipsEvaluator(cfg, dataset)
    # A score may be 0, too.
    scores = {0: np.array([0.2, 0.9]), 2: np.array([0.1, 0.0])}
    metrics = evaluator.measure(scores)
    # Ranked third behind two negatives.
    assert metrics.average_precision == pytest.approx([1, 1 / 3])
    assert metrics.positives.tolist() == [2, 1]
    assert evaluator.figures(metrics) == {"mAP": metrics.mean, "weighted_mAP": metrics.weighted}
    protocol, counts = evaluator.describe(scores, metrics)
    assert protocol["videos_without_scores"] == "ranked last"
    assert counts == {"videos": 2, "videos_without_activity": 0}


def test_unknown_labels_are_counted_and_left_out(cfg):
    labels = np.array([[1, 0], [-1, 1], [0, -1], [-1, 0]])
    dataset = SimpleNamespace(labels=labels, num_videos_with_objects=None, class_names=["a", "b"])
    evaluator = ClipsEvaluator(cfg, dataset)
    scores = {0: [0.5, 0.9], 1: [0.9, 0.4], 2: [0.1, 0.8], 3: [0.8, 0.2]}
    metrics = evaluator.measure({index: np.array(of) for index, of in scores.items()})
    assert metrics.average_precision.tolist() == [1, 0.5]
    protocol, counts = evaluator.describe(scores, metrics)
    assert protocol["unknown_labels"] == "left out of their class"
    assert counts["unknown_labels"] == {"a": 2, "b": 1}
    assert counts["videos_without_activity"] == 0


# --- Persons on AVA's keyframes --------------------------------------------------------


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("ava")
    write_tree(root)
    return root


def ava_scores(tree, cfg, **changes):
    """An evaluator of the tree's test set, and scores."""
    pairs = {**options(tree), **{f"AVA.{key}": value for key, value in changes.items()}}
    cfg.merge_from_list([str(word) for pair in pairs.items() for word in pair])
    dataset = Ava(cfg, "test")
    counts = [len(keyframe.boxes) for keyframe in dataset.keyframes]
    scores = {i: (np.arange(n), np.full((n, 3), 0.5)) for i, n in enumerate(counts)}
    return AvaEvaluator(cfg, dataset), scores


def test_an_action_0_of_the_ground_truth_is_refused_before_anything_is_scored(tree, cfg):
    (tree / "annotations" / "zero.csv").write_text("three,0902,.1,.1,.5,.9,0\n")
    with pytest.raises(SlowFastExtError, match="three,0902 has the action 0"):
        ava_scores(tree, cfg, GROUNDTRUTH_FILE="zero.csv")


def test_the_exclusions_are_reported_and_an_absent_file_is_warned_of(tree, cfg, caplog):
    evaluator, scores = ava_scores(tree, cfg, EXCLUSION_FILE="none.csv")
    protocol, _ = evaluator.describe(scores, evaluator.measure(scores))
    path = str(tree / "annotations" / "none.csv")
    assert protocol["exclusion_file"] is None
    assert [path in record.getMessage() for record in caplog.records] == [True]
    (tree / "annotations" / "some.csv").write_text("three,0902\n")
    evaluator, scores = ava_scores(tree, cfg, EXCLUSION_FILE="some.csv")
    protocol, counts = evaluator.describe(scores, evaluator.measure(scores))
    assert protocol["exclusion_file"] == str(tree / "annotations" / "some.csv")
    assert counts["detections"]["dropped"]["keyframe_excluded"] > 0


def test_what_it_measures_by_is_read_once(tree, cfg, monkeypatch):
    evaluator, scores = ava_scores(tree, cfg)
    monkeypatch.setattr(evaluators, "read_ground_truth", None)
    first, second = evaluator.measure(scores), evaluator.measure(scores)
    assert first.mean == second.mean and len(first.detections) == 3 * len(PERSONS)


def test_scores_that_are_not_finite_name_the_first_keyframe(tree, cfg):
    evaluator, scores = ava_scores(tree, cfg)
    for index in (2, 1):
        scores[index][1][0, 1] = np.nan
    with pytest.raises(SlowFastExtError, match="scores on three,0903 are not finite"):
        evaluator.measure(scores)


# --- Volleyball ------------------------------------------------------------------------


def volleyball(cfg, task, labels):
    """The evaluator of two moments of two and three persons."""
    counts = (2, 3)
    moments = [SimpleNamespace(moment=SimpleNamespace(actions=np.zeros(n))) for n in counts]
    dataset = SimpleNamespace(
        task=task,
        labels=labels,
        listed=moments,
        class_names=list("abcd"),
        video_ids=["4/9", "5/7"],
    )
    return VolleyballEvaluator(cfg, dataset)


def test_persons_are_matched_by_their_places(cfg):
    evaluator = volleyball(cfg, "persons", np.eye(4)[[3, 1, 0, 0, 2]])
    scores = np.eye(4)[[1, 0, 2]] * 0.6 + 0.1
    # The first person of the first moment has no scores, nor the second of the other.
    found = {0: (np.array([1]), scores[:1]), 1: (np.array([0, 2]), scores[1:])}
    metrics = evaluator.measure(found)
    assert (metrics.accuracy, metrics.num_unscored) == (3 / 5, 2)
    assert list(evaluator.figures(metrics)) == [
        *("mAP", "weighted_mAP", "accuracy", "clip_accuracy"),
        *("mean_class_accuracy", "class_accuracy", "confusion"),
    ]
    evaluator.write(found, metrics)
    ids, names, written = read_predictions(f"{cfg.OUTPUT_DIR}/predictions.csv")
    assert ids == ["4/9/1", "5/7/0", "5/7/2"] and names == list("abcd")
    np.testing.assert_array_equal(written, scores)


def test_a_moment_that_cannot_be_read_counts_as_wrong(cfg):
    evaluator = volleyball(cfg, "group", np.eye(4)[[3, 1]])
    metrics = evaluator.measure({1: (np.arange(3), np.array([[0.1, 0.7, 0.1, 0.1]]))})
    assert (metrics.accuracy, metrics.num_unscored) == (0.5, 1)
    without_boxes = {1: np.array([0.1, 0.7, 0.1, 0.1])}
    assert evaluator.measure(without_boxes).accuracy == 0.5
    # The class of the other moment has no accuracy: of it nothing is scored.
    assert "mean per class 1.0000" in evaluator.table(metrics, {})
