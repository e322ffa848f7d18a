"""Testing: all views of each video, their mean, the metrics, the result files."""

import contextlib
import logging
import os
from dataclasses import dataclass

import torch

from slowfast_ext import upstream
from slowfast_ext.datasets.clips import views_input
from slowfast_ext.engine import classification, detection, loaders, volleyball
from slowfast_ext.engine.partial_scores import PartialScores
from slowfast_ext.engine.progress import Progress
from slowfast_ext.engine.tensorboard import TensorBoard
from slowfast_ext.engine.trained import network_to_test
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.ava import AvaMetrics
from slowfast_ext.evaluation.multilabel import MultilabelMetrics
from slowfast_ext.evaluation.rate_weights import (
    combination,
    plain_combination,
    stacked,
    unstacked,
    view_combination,
)
from slowfast_ext.evaluation.results import installed_versions, results_object, write_results
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import make_folder, place_of, require_same_place

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """
    What a network says of a data set.

    Attributes:
        scores: index -> the scores of a video, or of a keyframe's persons, that could be read.
        skipped: index -> reason of those that could not.
        metrics: of `scores`; what was skipped counts as not recognised.
    """

    scores: dict
    skipped: dict
    metrics: MultilabelMetrics | AvaMetrics


def task_of(cfg):
    """The module that knows what this config's test measures and writes."""
    if cfg.TEST.DATASET.lower() == "volleyball":
        return volleyball
    return detection if cfg.DETECTION.ENABLE else classification


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
    evaluation, by_rate = _evaluate_by_rate(cfg, network, dataset, combine, partial)
    results = _results(cfg, dataset, evaluation, path, history, by_rate)
    if distributed.is_main_process():
        require_same_place(cfg.OUTPUT_DIR, place)
        task_of(cfg).write(cfg, dataset, evaluation.scores, evaluation.metrics)
        write_results(os.path.join(cfg.OUTPUT_DIR, "results.json"), results)
        partial.remove()
        board = TensorBoard(cfg, "test")
        board.add_metrics(0, evaluation.metrics, dataset.class_names, by_rate)
        board.close()
        print(task_of(cfg).table(dataset, evaluation.metrics, results))
        if evaluation.skipped:
            print(
                f"{len(evaluation.skipped)} of {len(dataset)} could not be read and count as not "
                "recognised; results.json names them"
            )
    return results


def evaluate(cfg, network, dataset, name, combine=None, partial=None):
    """
    Scores every video of `dataset` in all its views and measures.

    Args:
        as `score_videos`; `combine` is the plain combination of views where it is None.

    Returns:
        Evaluation: the same in every process.
    """
    combine = combine or plain_combination(cfg)
    scores, skipped = score_videos(cfg, network, dataset, name, combine, partial)
    return Evaluation(scores, skipped, task_of(cfg).measure(cfg, dataset, scores))


def _evaluate_by_rate(cfg, network, dataset, combine, partial):
    """
    `evaluate` of a test; where it has several groups of views, also of each group by itself.

    Returns:
        tuple[Evaluation, list[dict]]: the second is results.json's `by_rate`: `rate`, `clips`,
            `crops`, `mAP`, `weighted_mAP` and `ap`, [A], of each group.
    """
    groups = dataset.view_groups(cfg)
    if len(groups) == 1:
        return evaluate(cfg, network, dataset, "test", combine, partial), []
    stack = stacked(combine, groups)
    scores, skipped = score_videos(cfg, network, dataset, "test", stack, partial)

    def measured(place):
        of_place = unstacked(scores, place)
        return Evaluation(of_place, skipped, task_of(cfg).measure(cfg, dataset, of_place))

    # One after the other: AVA's hold a row for each person and class.
    by_rate = [
        {
            **dict(zip(("rate", "clips", "crops"), group, strict=True)),
            **_means_and_ap(measured(place).metrics),
        }
        for place, group in enumerate(groups, 1)
    ]
    return measured(0), by_rate


def _means_and_ap(metrics):
    return {
        "mAP": metrics.mean,
        "weighted_mAP": metrics.weighted,
        "ap": metrics.average_precision,
    }


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
    device = distributed.device(cfg)
    num_views = len(sample.pathways[0])
    outputs = []
    for start in range(0, num_views, size):
        chunk = slice(start, min(start + size, num_views))
        inputs, further = views_input(cfg, sample, chunk, device)
        outputs.append(network(inputs, **further).double().cpu())
    probabilities = torch.cat(outputs).unflatten(0, (num_views, -1)).numpy()
    if sample.persons is None:
        return combine(probabilities.squeeze(1))
    return sample.persons.numpy(), combine(probabilities)


def _results(cfg, dataset, evaluation, path, history, by_rate):
    task, ids = task_of(cfg), dataset.video_ids
    groups = dataset.view_groups(cfg)
    own_protocol, own_counts, figures = task.describe(
        cfg, dataset, evaluation.scores, evaluation.metrics
    )
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
        task=task.TASK,
        metrics=evaluation.metrics,
        class_names=dataset.class_names,
        protocol=protocol,
        counts=counts,
        row=cfg.ACTIVITY.TABLE_ROW,
        config=cfg,
        versions=installed_versions(),
        class_ids=task.class_ids(dataset),
        figures={**figures, "by_rate": by_rate},
    )
