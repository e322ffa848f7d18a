"""Testing: all views of each video, their mean, the metrics, the result files."""

import contextlib
import logging
import os
from dataclasses import dataclass

import numpy as np

from slowfast_ext import upstream
from slowfast_ext.engine import loaders
from slowfast_ext.engine.partial_scores import PartialScores
from slowfast_ext.engine.progress import Progress
from slowfast_ext.engine.tensorboard import TensorBoard
from slowfast_ext.engine.trained import network_to_test, scores_of
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.ava import AvaMetrics
from slowfast_ext.evaluation.evaluators import build_evaluator
from slowfast_ext.evaluation.multilabel import MultilabelMetrics
from slowfast_ext.evaluation.rate_weights import (
    combination,
    plain_combination,
    stacked,
    unstacked,
    view_combination,
)
from slowfast_ext.evaluation.results import (
    numbers_of,
    results_object,
    write_results,
)
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import make_folder, place_of, require_same_place

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """
    What a network says of a data set.

    Attributes:
        scores (dict): index -> the scores of a video, or of a keyframe's persons, that could be
            read.
        skipped (dict): index -> reason of those that could not.
        metrics (MultilabelMetrics | AvaMetrics): of `scores`; what was skipped counts as not
            recognised.
        figures (dict): the evaluator's, of the metrics.
    """

    scores: dict
    skipped: dict
    metrics: MultilabelMetrics | AvaMetrics
    figures: dict


def test(cfg):
    """
    Tests the last checkpoint over the views of TEST.VIEWS; writes results.json and predictions.csv.

    A test that was stopped goes on: videos that it has scored are not scored again.

    Returns:
        dict: what results.json holds.

    Raises:
        SlowFastExtError: no checkpoint, one of another network, or a video cannot be read.
    """
    dataset = loaders.build_dataset(cfg, "test")
    evaluator = build_evaluator(cfg, dataset)
    combine = combination(cfg, dataset.view_groups(cfg), dataset.class_names)
    path, network, loaded, history = network_to_test(cfg)
    # What does not fit was refused before anything is written.
    make_folder(cfg.OUTPUT_DIR, "OUTPUT_DIR")
    place = place_of(cfg.OUTPUT_DIR)
    upstream.setup_logging(cfg.OUTPUT_DIR)
    logger.info(f"test: {loaded}")
    loaders.log_objects("test", dataset)
    history.warn_of_unfinished(path)
    partial = PartialScores(cfg, network, dataset)
    evaluation, by_rate = _evaluate_by_rate(evaluator, network, combine, partial)
    results = _results(evaluator, evaluation, by_rate, path, history)
    if distributed.is_main_process():
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


def evaluate(evaluator, network, name, combine=None, partial=None):
    """
    Scores every item of the evaluator's data set in all its views and measures.

    Args:
        evaluator (Evaluator): of the data set.
        network, name, partial: as `score_videos`.
        combine (callable | None): as `score_videos`; None: the plain combination of views.

    Returns:
        Evaluation: the same in every process.
    """
    cfg, dataset = evaluator.cfg, evaluator.dataset
    combine = combine or plain_combination(cfg)
    return _measured(evaluator, *score_videos(cfg, network, dataset, name, combine, partial))


def _measured(evaluator, scores, skipped):
    metrics = evaluator.measure(scores)
    return Evaluation(scores, skipped, metrics, evaluator.figures(metrics))


def _evaluate_by_rate(evaluator, network, combine, partial):
    """
    `evaluate` of a test; where it has several groups of views, also of each group by itself.

    Returns:
        tuple[Evaluation, list[dict]]: the second is results.json's `by_rate`: `rate`, `clips`,
            `crops`, the figures that are numbers, and `ap`, [A], of each group.
    """
    cfg, dataset = evaluator.cfg, evaluator.dataset
    groups = dataset.view_groups(cfg)
    if len(groups) == 1:
        return evaluate(evaluator, network, "test", combine, partial), []
    stack = stacked(combine, groups)
    scores, skipped = score_videos(cfg, network, dataset, "test", stack, partial)
    by_rate = []
    # One after the other: AVA's hold a row for each person and class.
    for place, group in enumerate(groups, 1):
        found = _measured(evaluator, unstacked(scores, place), skipped)
        by_rate.append(
            {
                **dict(zip(("rate", "clips", "crops"), group, strict=True)),
                **numbers_of(found.figures),
                "ap": found.metrics.average_precision,
            }
        )
        del found
    return _measured(evaluator, unstacked(scores, 0), skipped), by_rate


def score_videos(cfg, network, dataset, name, combine, partial=None):
    """
    Scores every video of `dataset`; the work is shared by all processes.

    Args:
        network (ActivityNetwork): on its device, not wrapped.
        name (str): what the log calls it.
        combine (callable): the float64 probabilities of a video's views, views x ... x A, ->
            its scores.
        partial (PartialScores | None): what was scored before; is given what is scored now.

    Returns:
        tuple[dict, dict]: `scores` and `skipped` of an Evaluation, the same in every process.

    Raises:
        SlowFastExtError: no video can be read.
    """
    network.eval()
    scores = dict(partial.done) if partial else {}
    batches = loaders.evaluation_loader(cfg, dataset, scores)
    device = distributed.device(cfg)
    with (
        inference(cfg, network, device),
        partial or contextlib.nullcontext(),
        Progress(name, len(batches), cfg.LOG_PERIOD) as progress,
    ):
        for items in batches:
            for sample in items:
                scores[sample.index] = video_scores(cfg, network, sample, combine)
                if partial:
                    partial.add(sample.index, scores[sample.index])
            progress.step()
    scores = {k: v for part in distributed.gather(scores) for k, v in part.items()}
    skipped = {k: v for part in distributed.gather(batches.broken) for k, v in part.items()}
    if not scores:
        raise SlowFastExtError("no video of the list could be read")
    return scores, skipped


def video_scores(cfg, network, sample, combine):
    """A video's views, combined; of a keyframe its persons, [P], and their scores, P x A."""
    size = loaders.batch_size_per_process(cfg, "TEST.BATCH_SIZE")
    num_views = len(sample.pathways[0])
    scores = []
    for start in range(0, num_views, size):
        batch = sample.batch_of_views(slice(start, min(start + size, num_views)))
        scores.append(scores_of(cfg, network, batch))
    scores = np.concatenate(scores)
    probabilities = scores.reshape(num_views, -1, scores.shape[-1])
    if sample.persons is None:
        return combine(probabilities.squeeze(1))
    return sample.persons.numpy(), combine(probabilities)


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
        figures={**evaluation.figures, "by_rate": by_rate},
    )
