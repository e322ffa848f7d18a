"""From the heads' predictions to the study's numbers: rows, paired differences, correlations."""

import functools
from typing import NamedTuple

import numpy as np
import torch

from projects.study.gate import gated, learn_gate
from projects.study.rates import by_rate, views_of
from projects.study.rows import COMPLETE
from projects.study.statistics import off_diagonal, rank_correlation
from slowfast_ext.datasets.synthetic.motion import ACTIVITIES, PERIODS
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings, draw_labels
from slowfast_ext.evaluation.intervals import interval
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.rate_weights import combine_views, learn_weights, shares_of, weighted
from slowfast_ext.models.correlation import cooccurrence

SPEEDS = tuple(PERIODS)
_SETTINGS = SyntheticSettings(twins=True)
# The speed of each activity.
SPEED_OF = np.array([_SETTINGS.motions[motion][0] for motion, _ in _SETTINGS.activities])


class Score(NamedTuple):
    """
    What one row gives with one seed.

    Attributes:
        metrics: "mAP" and, by the activities' speed, "slow", "normal", "fast": mean average
            precision, fractions.
        num_parameters: of the head.
        weights: A x R, of a row with weighted rates; else None.
    """

    metrics: dict
    num_parameters: int
    weights: np.ndarray | None


def score(row, experiment):
    """A row's Score in one seed's experiment."""
    if row.whole_rate is not None:
        run = experiment.trained_whole(row.recipe, row.whole_rate)
        return Score(_by_speed(run["average_precision"]), int(run["num_parameters"]), None)
    outcome = experiment.outcome(row.recipe)
    if row.rates == "mean":
        weights = None
        views = [view for group in row.views for view in views_of(group)]
        scores = combine_views(outcome.predictions[:, views].swapaxes(0, 1), "mean")
    else:
        predictions = by_rate(outcome.predictions, row.views)
        scores, weights = _with_learned_rates(row, experiment, predictions)
    precisions = multilabel_metrics(scores, outcome.labels > 0).average_precision
    return Score(_by_speed(precisions), outcome.num_parameters, weights)


def _with_learned_rates(row, experiment, predictions):
    """Test predictions, R x V x A -> V x A, and what each activity weighs the rates with."""
    order = [list(row.recipe.tuned).index(rate) for rate, _, _ in row.views]
    training, labels = experiment.held_out(row.recipe)
    fitted_to = (training[:, order].swapaxes(0, 1), labels, shares_of(row.views))
    if row.rates == "gated":
        return gated(predictions, learn_gate(*fitted_to)), None
    weights = learn_weights(*fitted_to)
    return weighted(predictions, weights), weights


def _by_speed(precisions):
    # An activity without positives has no average precision.
    means = {speed: float(np.nanmean(precisions[speed == SPEED_OF])) for speed in SPEEDS}
    return {"mAP": float(np.nanmean(precisions)), **means}


def summarise(rows, scores):
    """
    Args:
        rows (list[Row]): of the tables asked for.
        scores (dict[Row, list[Score]]): one Score a seed, in one order for all rows.

    Returns:
        tuple[list[dict], list[dict]]: a dict per row and one per difference between rows; the
            values per metric are dicts of `mean`, `low`, `high` and `per_seed`.
    """
    by_name = {(row.table, row.name): row for row in rows}
    lines = [_row_line(row, scores[row]) for row in rows]
    differences = [
        difference(row, by_name[row.table, other], scores)
        for row in rows
        for other in row.against
        if (row.table, other) in by_name
    ]
    return lines, differences


def _row_line(row, scores):
    line = {
        "table": row.table,
        "row": row.name,
        "options": [str(option) for option in row.recipe.settings()],
        "views": [list(group) for group in row.views],
        "parameters": scores[0].num_parameters,
        "metrics": over_seeds([score.metrics for score in scores]),
    }
    if scores[0].weights is not None:
        mean = np.mean([score.weights for score in scores], axis=0)
        rates = [str(rate) for rate, _, _ in row.views]
        line["weights"] = {
            name: dict(zip(rates, activity_weights, strict=True))
            for name, activity_weights in zip(_SETTINGS.class_names, mean.tolist(), strict=True)
        }
    return line


def difference(row, other, scores):
    """What `row` gives above `other`, paired by seed."""
    pairs = zip(scores[row], scores[other], strict=True)
    gains = [
        {k: mine.metrics[k] - theirs.metrics[k] for k in mine.metrics} for mine, theirs in pairs
    ]
    return {
        "table": row.table,
        "row": row.name,
        "against": other.name,
        "metrics": over_seeds(gains),
    }


def over_seeds(metrics):
    """[{metric: value}] of all seeds -> {metric: {mean, low, high, per_seed}}."""
    values = {name: [seed_metrics[name] for seed_metrics in metrics] for name in metrics[0]}
    return {
        name: {**interval(seed_values)._asdict(), "per_seed": seed_values}
        for name, seed_values in values.items()
    }


# --------------------------------------------------------------------------------------
# The correlation map
# --------------------------------------------------------------------------------------


@functools.cache
def true_frequencies(seed=0, num_videos=20_000):
    """P(k | j) of the generator, A x A, counted over labels that it draws."""
    random, settings = np.random.default_rng(seed), SyntheticSettings()
    labels = np.zeros((num_videos, len(ACTIVITIES)), np.float32)
    for video in labels:
        video[draw_labels(random, settings)] = 1
    return cooccurrence(torch.from_numpy(labels)).double().numpy()


def correlation_parts(experiment):
    """
    What the complete head's Corr is made of in one seed's experiment, mean over the test clips.

    Mask is counted from the training labels, so that Corr = Attn_C + Mask agrees with the
    generator's frequencies for that alone: what was learned is Attn_C.

    Returns:
        dict[str, ndarray]: `Corr`, `Attn_C` and `Mask`, A x A.
    """
    outcome = experiment.outcome(COMPLETE)
    return {
        "Corr": outcome.correlation,
        "Attn_C": outcome.correlation - outcome.mask,
        "Mask": outcome.mask,
    }


def correlation_summary(parts_by_seed):
    """
    Spearman's rank correlation of Corr's parts with the generator's true conditional
    frequencies, off the diagonal.

    Args:
        parts_by_seed (list[dict[str, ndarray]]): `correlation_parts` of each seed.

    Returns:
        tuple[dict, dict]: part -> its interval over seeds, as `over_seeds`; part, or `truth`,
            -> lists, A x A, the mean over seeds.
    """
    truth = true_frequencies()
    agreements = [
        {
            name: rank_correlation(off_diagonal(part), off_diagonal(truth))
            for name, part in parts.items()
        }
        for parts in parts_by_seed
    ]
    means = {name: np.mean([parts[name] for parts in parts_by_seed], 0) for name in agreements[0]}
    matrices = {"truth": truth, **means}
    return over_seeds(agreements), {name: matrix.tolist() for name, matrix in matrices.items()}
