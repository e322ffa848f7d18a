"""The sections of a report that are read off files, as plain objects for the page."""

import numpy as np

from slowfast_ext import upstream
from slowfast_ext.config.defaults import default_config
from slowfast_ext.config.schema import all_keys, flattened
from slowfast_ext.engine.checkpoint import History
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.results import numbers_of, plain
from slowfast_ext.prepare.bouts import bouts_of, read_spans
from slowfast_ext.report.ethogram import ethogram_pictures
from slowfast_ext.report.time_budget import by_activity
from slowfast_ext.report.time_budget import time_budget as budget_by_video

# Points of a precision-recall curve that are kept; more cannot be seen.
MOST_POINTS = 150
MOST_ETHOGRAMS = 12
"""Videos of which a page shows when what goes on; `summary` writes all."""


def summary(run):
    """The figures at the top: [{name, value}]; a fraction's value is a float."""
    results = run.results
    figures = [(name.replace("_", " "), value) for name, value in numbers_of(results).items()]
    counts, protocol = results["counts"], results["protocol"]
    for group in results.get("by_frequency") or []:
        seen = f"{group['least']} to {group['most']} in training"
        figures.append((f"mAP of the {group['group']} ({seen})", group["mAP"]))
    figures += [("videos tested", counts.get("videos")), ("views each", protocol.get("num_views"))]
    skipped = counts.get("skipped") or {}
    figures.append(("videos not read", len(skipped) or None))
    return [{"name": name, "value": value} for name, value in figures if value is not None]


def curves(run):
    """[{name, points: [epoch from 1, mean loss, learning rate, val mAP or None]}] by stage."""
    history = History()
    history.update(run.checkpoint_path, run.checkpoint)
    stages = [{"name": name, "points": points} for name, points in history.curves.items()]
    if not any(stage["points"] for stage in stages):
        raise SlowFastExtError(
            f"{run.checkpoint_path} holds no curves: it was written by an earlier version, or "
            "by another project"
        )
    return plain(stages)


def classes(run):
    """[{name, ap, positives, by_rate: [ap]}], by falling AP, those without one last."""
    results = run.results
    by_rate = [of["ap"] for of in results.get("by_rate") or []]
    rows = [
        {
            "name": str(of.get("name")),
            "ap": of.get("ap"),
            "positives": of.get("positives"),
            "by_rate": [precisions[place] for precisions in by_rate],
        }
        for place, of in enumerate(results["per_class"])
    ]
    return sorted(rows, key=lambda row: (row["ap"] is None, -(row["ap"] or 0)))


def rates(run):
    """[{name, mAP}] of each sampling rate by itself and, last, of all together."""
    results = run.results
    by_rate, protocol = results.get("by_rate"), results["protocol"]
    if not by_rate:
        views = protocol.get("views") or []
        if len(views) == 1:
            raise SlowFastExtError(f"the test had one sampling rate, {views[0][0]} (TEST.VIEWS)")
        raise SlowFastExtError("results.json has no figures by rate: test again")
    bars = [{"name": rate_name(of, by_rate), "mAP": of["mAP"]} for of in by_rate]
    together = {"mean": "sum of all", "weighted by rate": "all, weighted"}
    name = together.get(protocol.get("combination"), "all together")
    return [*bars, {"name": name, "mAP": results.get("mAP")}]


def rate_name(group, groups):
    """`rate 4`, with its views where another group has the rate too."""
    if sum(of["rate"] == group["rate"] for of in groups) == 1:
        return f"rate {group['rate']}"
    return f"rate {group['rate']}, {group['clips']} x {group['crops']} views"


def precision_recall(run):
    """
    Precision over recall as the average precision ranks: unlabelled and unread videos last.

    Returns:
        list[dict]: `name`, `ap` and `points` [recall, precision] of all (video, activity) pairs
            together and of each activity that has positives.
    """
    scores, labels = run.predictions
    ranked = np.where((labels != 0).any(1)[:, None], scores, -np.inf)
    metrics, known = multilabel_metrics(scores, labels), labels >= 0
    found = [("all activities together", ranked[known], labels[known] > 0, None)]
    names = run.test_set.class_names
    order = np.argsort(-metrics.average_precision, kind="stable")
    for place in order[metrics.positives[order] > 0]:
        ap, of_class = float(metrics.average_precision[place]), known[:, place]
        found.append((names[place], ranked[of_class, place], labels[of_class, place] > 0, ap))
    if len(found) == 1:
        raise SlowFastExtError("no test video has any activity")
    return [
        {"name": name, "ap": ap, "points": recall_precision(class_scores, positives)}
        for name, class_scores, positives, ap in found
    ]


def calibration(run):
    """{error, points: [mean score, frequency, number of (video, activity) pairs]} of the test."""
    found = run.results.get("calibration")
    if not found or not found["curve"]:
        raise SlowFastExtError(
            "results.json has no calibration: it is measured of videos as wholes; test again if "
            "it was written by an earlier version"
        )
    return {"error": found["expected_calibration_error"], "points": found["curve"]}


def recall_precision(scores, positives):
    """[V] scores and [V] bool -> at most MOST_POINTS [recall, precision], by falling score."""
    hits = positives[np.argsort(-scores, kind="stable")]
    found = np.cumsum(hits)
    at_hits = np.flatnonzero(hits)
    if len(at_hits) > MOST_POINTS:
        chosen = np.linspace(0, len(at_hits) - 1, MOST_POINTS).round().astype(int)
        at_hits = at_hits[chosen]
    recall, precision = found[at_hits] / found[-1], found[at_hits] / (at_hits + 1)
    return np.stack([recall, precision], 1).round(4).tolist()


def time_budget(file):
    """
    What a file of spans says: how long what goes on, and when.

    Args:
        file (LabelFile): what `predict` wrote, or labels.

    Returns:
        dict: `rows` of `time_budget.by_activity` as dicts, None for what an activity that does not
            occur has none of; `has_subjects`; `has_unknown`, whether the file calls some time
            unknown; `pictures` [(video, data URI)] of the first MOST_ETHOGRAMS of its `num_videos`.

    Raises:
        SlowFastExtError: what is wrong with the file.
    """
    spans, seconds = read_spans(file)
    bouts = bouts_of(spans)
    activities = sorted({*file.declared, *bouts["activity"]})
    table = by_activity(budget_by_video(bouts, seconds, activities), seconds)
    shown = dict(list(seconds.items())[:MOST_ETHOGRAMS])
    return {
        "rows": table.astype(object).where(table.notna(), None).to_dict("records"),
        "has_subjects": any(table["subject"]),
        "has_unknown": any(row.unknown for row in file.rows),
        "pictures": ethogram_pictures(bouts, shown, activities),
        "num_videos": len(seconds),
        "source": file.path,
    }


def settings(run):
    """[(key, value)] as text: those set away from their defaults, then all."""
    own = flattened(run.settings)
    defaults = default_config()
    known = set(all_keys(defaults))
    changed = {
        key: value
        for key, value in own.items()
        if key not in known or value != plain(upstream.get_key(defaults, key))
    }
    return {
        name: sorted((key, str(value)) for key, value in part.items())
        for name, part in (("changed", changed), ("all", own))
    }


def versions(run):
    """[(name, text)] of what the result depends on, and how it was made."""
    protocol, results = run.results["protocol"], run.results
    made = {
        "tested": results.get("date"),
        "training": protocol.get("training"),
        "checkpoint": protocol.get("checkpoint"),
        "views (rate, clips, crops)": protocol.get("views"),
        "combination of views": protocol.get("combination"),
        "average precision": protocol.get("average_precision"),
        "row of the paper's tables": results.get("row") or None,
    }
    both = {**made, **results["versions"]}
    return [(name, str(value)) for name, value in both.items() if value is not None]
