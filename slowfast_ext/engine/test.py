"""Testing: the last checkpoint over all views of each item, its metrics, the result files."""

import logging
import os

from slowfast_ext import upstream
from slowfast_ext.engine import loaders
from slowfast_ext.engine.partial_scores import PartialScores
from slowfast_ext.engine.scoring import evaluate, measured, score_videos
from slowfast_ext.engine.tensorboard import TensorBoard
from slowfast_ext.engine.trained import follow_network, network_to_test
from slowfast_ext.evaluation.evaluators import build_evaluator
from slowfast_ext.evaluation.multilabel import frequency_groups
from slowfast_ext.evaluation.rate_weights import combination, stacked, unstacked, view_combination
from slowfast_ext.evaluation.results import numbers_of, results_object, write_results
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import make_folder, place_of, require_same_place

logger = logging.getLogger(__name__)


def test(cfg):
    """
    Tests the last checkpoint over the views of TEST.VIEWS; writes predictions.csv and results.json,
    and returns what the latter holds. What a stopped test has scored is not scored again.

    Raises:
        SlowFastExtError: no checkpoint, one of another network, or a video cannot be read.
    """
    dataset = loaders.build_dataset(cfg, "test")
    evaluator = build_evaluator(cfg, dataset)
    path, network, loaded, history = network_to_test(cfg)
    follow_network(dataset, path, history.class_names)
    combine = combination(cfg, dataset.view_groups(cfg), dataset.class_names)
    # What does not fit was refused before anything is written.
    make_folder(cfg.OUTPUT_DIR, "OUTPUT_DIR")
    place = place_of(cfg.OUTPUT_DIR)
    upstream.setup_logging(cfg.OUTPUT_DIR)
    logger.info(f"test: {loaded}")
    loaders.log_dataset("test", dataset)
    history.warn_of_unfinished(path)
    partial = PartialScores(cfg, network, dataset)
    evaluation, by_rate = _evaluate_by_rate(evaluator, network, combine, partial)
    results = _results(evaluator, evaluation, by_rate, path, history)
    if distributed.is_main_process():
        # A test takes hours, in which a mount may go away.
        require_same_place(cfg.OUTPUT_DIR, place)
        evaluator.write(evaluation.scores, evaluation.metrics)
        write_results(os.path.join(cfg.OUTPUT_DIR, "results.json"), results)
        partial.remove()
        board = TensorBoard(cfg, "test")
        board.add_evaluation(0, evaluation, dataset.class_names, by_rate)
        board.close()
        print(evaluator.table(evaluation.metrics, results))
        if evaluation.skipped:
            print(
                f"{len(evaluation.skipped)} of {len(dataset)} could not be read and count as not "
                "recognised; results.json names them"
            )
    return results


def _evaluate_by_rate(evaluator, network, combine, partial):
    """
    `evaluate` of a test, and results.json's `by_rate`: where there are several groups of views, of
    each `rate`, `clips`, `crops`, the figures that are numbers, and `ap`, [A].
    """
    cfg, dataset = evaluator.cfg, evaluator.dataset
    groups = dataset.view_groups(cfg)
    if len(groups) == 1:
        return evaluate(evaluator, network, "test", combine, partial), []
    stack = stacked(combine, groups)
    scores, skipped = score_videos(cfg, network, dataset, "test", stack, partial)

    def group_figures(place, group):
        found = measured(evaluator, unstacked(scores, place), skipped)
        return {
            **dict(zip(("rate", "clips", "crops"), group, strict=True)),
            **numbers_of(found.figures),
            "ap": found.metrics.average_precision,
        }

    # One after the other: AVA's metrics hold a row for each person and class.
    by_rate = [group_figures(place, group) for place, group in enumerate(groups, 1)]
    return measured(evaluator, unstacked(scores, 0), skipped), by_rate


def _results(evaluator, evaluation, by_rate, path, history):
    """What results.json holds."""
    cfg, dataset = evaluator.cfg, evaluator.dataset
    groups, ids = dataset.view_groups(cfg), dataset.video_ids
    own_protocol, own_counts = evaluator.describe(evaluation.scores, evaluation.metrics)
    protocol = {
        "dataset": cfg.TEST.DATASET,
        "checkpoint": path,
        "training": str(history) or None,
        "views": [list(group) for group in groups],
        "num_views": sum(clips * crops for _, clips, crops in groups),
        "whole_frame": cfg.TEST.WHOLE_FRAME,
        "precision": cfg.TEST.PRECISION,
        "combination": view_combination(cfg),
        **own_protocol,
    }
    counts = {
        **own_counts,
        "skipped": {ids[index]: reason for index, reason in sorted(evaluation.skipped.items())},
        "skipped_in_training": history.skipped,
    }
    return results_object(
        task=evaluator.task,
        metrics=evaluation.metrics,
        class_names=dataset.class_names,
        protocol=protocol,
        counts=counts,
        row=cfg.ACTIVITY.TABLE_ROW,
        config=cfg,
        class_ids=evaluator.class_ids,
        figures={
            **evaluation.figures,
            "by_rate": by_rate,
            "calibration": evaluator.calibration(evaluation.scores),
            **_by_frequency(evaluator, evaluation.metrics, history.positives),
        },
    )


def _by_frequency(evaluator, metrics, positives):
    """results.json's entries by how often the training's labels have each class, where known."""
    if positives is None or max(evaluator.outputs, default=0) >= len(positives):
        return {}
    counts = [positives[output] for output in evaluator.outputs]
    groups = frequency_groups(metrics.average_precision, counts)
    return {"training_positives": counts, "by_frequency": groups}
