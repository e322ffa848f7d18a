"""The scores of a data set's items: all views through the network, combined, and measured."""

import contextlib
from dataclasses import dataclass

import numpy as np

from slowfast_ext.engine import loaders
from slowfast_ext.engine.batch_size import batch_size_per_process
from slowfast_ext.engine.progress import Progress
from slowfast_ext.engine.trained import scores_of
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.ava import AvaMetrics
from slowfast_ext.evaluation.multilabel import MultilabelMetrics
from slowfast_ext.evaluation.rate_weights import plain_combination
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed


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


def evaluate(evaluator, network, name, combine=None, partial=None):
    """
    Scores every item of the evaluator's data set in all its views and measures: an Evaluation, the
    same in every process. `name`, `combine` and `partial` are as of `score_videos`; without
    `combine`, the plain combination of views.
    """
    cfg, dataset = evaluator.cfg, evaluator.dataset
    combine = combine or plain_combination(cfg)
    return measured(evaluator, *score_videos(cfg, network, dataset, name, combine, partial))


def measured(evaluator, scores, skipped):
    """The Evaluation of scores."""
    metrics = evaluator.measure(scores)
    return Evaluation(scores, skipped, metrics, evaluator.figures(metrics))


def score_videos(cfg, network, dataset, name, combine, partial=None):
    """
    Scores every video of `dataset`; the work is shared by all processes.

    Args:
        network (ActivityNetwork): on its device, not wrapped.
        name (str): what the log calls it.
        combine (callable): a video's float64 probabilities, views x ... x A, -> its scores.
        partial (PartialScores | None): what was scored before; is given what is scored now.

    Returns:
        tuple[dict, dict]: `scores` and `skipped` of an Evaluation, the same in every process.

    Raises SlowFastExtError where no video can be read.
    """
    network.eval()
    if dataset.maps is not None:
        dataset.maps.check_network(network)
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
    # What earlier runs scored is in every process's part: a dict keeps one of each.
    scores = {k: v for part in distributed.gather(scores) for k, v in part.items()}
    skipped = {k: v for part in distributed.gather(batches.broken) for k, v in part.items()}
    if not scores:
        raise SlowFastExtError("no video of the list could be read")
    return scores, skipped


def video_scores(cfg, network, sample, combine):
    """A video's views, combined; of a keyframe its persons, [P], and their scores, P x A."""
    num_views = len(sample.pathways[0])
    scores = [scores_of(cfg, network, batch) for batch in view_batches(cfg, sample)]
    scores = np.concatenate(scores)
    # A batch's persons come view by view, and all views have the same ones.
    probabilities = scores.reshape(num_views, -1, scores.shape[-1])
    if sample.persons is None:
        return combine(probabilities.squeeze(1))
    return sample.persons.numpy(), combine(probabilities)


def view_batches(cfg, sample):
    """Yields a test sample's views in batches of TEST.BATCH_SIZE, as `collate` makes them."""
    size = batch_size_per_process(cfg, "TEST.BATCH_SIZE")
    for start in range(0, len(sample.pathways[0]), size):
        yield sample.batch_of_views(slice(start, start + size))
