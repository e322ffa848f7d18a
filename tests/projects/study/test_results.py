"""Rows and differences from predictions, with seeds that are made up."""

import numpy as np
import pytest
import yaml

from projects.study import report
from projects.study.fitting import Outcome
from projects.study.rates import PLACES
from projects.study.results import (
    SPEED_OF,
    correlation_parts,
    correlation_summary,
    score,
    summarise,
    true_frequencies,
)
from projects.study.rows import ALL_ADDED, CONTROLS, ROWS, TITLES, rows_of, rows_of_control
from slowfast_ext.datasets.synthetic.scenes import APART, TOGETHER, SyntheticSettings
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.paper.numbers import find_row
from slowfast_ext.utils.paths import CONFIGS

CLASS_NAMES = SyntheticSettings(twins=True).class_names


class MadeUp:
    """An experiment whose heads say random things, each recipe its own with each seed."""

    def __init__(self, seed, maps):
        self.seed, self.maps = seed, maps

    def _random(self, recipe):
        return np.random.default_rng([self.seed, *str(recipe).encode()])

    def outcome(self, recipe):
        random = self._random(recipe)
        shape = self.maps.views.shape[:2]
        correlation = random.random((12, 12))
        predictions, labels = random.random((*shape, 12)), self.maps.view_labels.numpy()
        return Outcome(predictions, labels, correlation, correlation / 2, 1234)

    def held_out(self, recipe):
        return self._random(recipe).random((10, 3, 12)), self.maps.video_labels.numpy()

    def trained_whole(self, recipe, rate):
        precisions = self._random((recipe, rate)).random(12)
        return {"average_precision": precisions, "num_parameters": 99}


@pytest.fixture
def experiments(small_maps):
    return [MadeUp(seed, small_maps) for seed in (1, 2, 3)]


@pytest.fixture
def scores(experiments):
    return {row: [score(row, experiment) for experiment in experiments] for row in ROWS}


def test_a_row_is_the_map_of_the_mean_over_its_views(experiments, scores, small_maps):
    row = next(row for row in ROWS if (row.table, row.name) == ("3d", "2+4"))
    wanted = {(4, i / 4) for i in range(5)} | {(2, i / 4) for i in range(5)}
    views = [place in wanted for place in PLACES]
    assert sum(views) == 10
    mean = experiments[1].outcome(row.recipe).predictions[:, views].mean(1)
    metrics = multilabel_metrics(mean, small_maps.view_labels.numpy() > 0)
    found = scores[row][1].metrics
    assert found["mAP"] == pytest.approx(metrics.mean)
    slow = [i for i, name in enumerate(CLASS_NAMES) if name.split()[0] in ("crosses", "climbs")]
    assert found["slow"] == pytest.approx(metrics.average_precision[slow].mean())


def test_speeds_are_those_of_the_motions():
    by_motion = {name.split()[0]: speed for name, speed in zip(CLASS_NAMES, SPEED_OF, strict=True)}
    assert by_motion == {
        **{"crosses": "slow", "climbs": "slow", "hops": "normal"},
        **{"circles": "normal", "shakes": "fast", "nods": "fast"},
    }


def test_differences_are_paired_by_seed(scores):
    rows = rows_of(["3c"])
    _, differences = summarise(rows, scores)
    of_row = {row.name: scores[row] for row in rows}
    found = next(d for d in differences if (d["row"], d["against"]) == ("complete", "baseline"))
    pairs = zip(of_row["complete"], of_row["baseline"], strict=True)
    gains = [mine.metrics["fast"] - theirs.metrics["fast"] for mine, theirs in pairs]
    fast = found["metrics"]["fast"]
    assert fast["per_seed"] == pytest.approx(gains)
    half = 4.3027 * np.std(gains, ddof=1) / 3**0.5
    assert fast["high"] - fast["mean"] == pytest.approx(half)
    assert len(differences) == 7


def test_one_recipe_gives_one_row_in_both_tables(scores):
    lines, _ = summarise(rows_of(["3c", "3d"]), scores)
    by_name = {(line["table"], line["row"]): line["metrics"]["mAP"] for line in lines}
    assert by_name["3c", "complete"] == by_name["3d", "4"]


def test_learned_weights_are_listed_by_activity(scores):
    lines, differences = summarise(rows_of(["rates"]), scores)
    weights = lines[1]["weights"]
    assert list(weights) == list(CLASS_NAMES)
    assert all(sum(of_rates.values()) == pytest.approx(1) for of_rates in weights.values())
    assert list(weights[CLASS_NAMES[0]]) == ["4", "8", "2"]
    assert "weights" not in lines[2]
    pairs = [(d["row"], d["against"]) for d in differences]
    assert pairs == [
        ("weighted per activity", "plain mean"),
        ("gated per video", "plain mean"),
        ("gated per video", "weighted per activity"),
    ]


def test_whole_networks_are_the_engines(experiments, scores):
    row = next(row for row in ROWS if (row.table, row.name) == ("whole", "complete"))
    precisions = experiments[2].trained_whole(row.recipe, row.whole_rate)["average_precision"]
    assert scores[row][2].metrics["mAP"] == pytest.approx(precisions.mean())
    assert scores[row][2].num_parameters == 99


def test_rows_refer_to_rows_that_there_are():
    names = {(row.table, row.name) for row in ROWS}
    assert len(names) == len(ROWS)
    assert all((row.table, other) in names for row in ROWS for other in row.against)
    assert {row.table for row in ROWS} == set(TITLES)
    not_the_papers = {"3c": ["even attention"], "3d": ["4 tuned on 4"], "3e": []}
    for table, wanted in not_the_papers.items():
        strange = [row.name for row in rows_of([table]) if find_row(table, row.name) is None]
        assert strange == wanted
    for name, (_, differences) in CONTROLS.items():
        wanted = {(table, row) for table, *pair in differences for row in pair}
        assert {(row.table, row.name) for row in rows_of_control(name)} == wanted


def test_true_frequencies_show_the_pairs():
    truth = true_frequencies(num_videos=20_000)
    np.testing.assert_allclose(np.diag(truth), 1)
    for first, second in TOGETHER:
        assert truth[first, second] > 0.75
    for first, second in APART:
        assert truth[first, second] == truth[second, first] == 0


def test_agreement_of_corr_and_of_its_parts(experiments, monkeypatch):
    truth = np.random.default_rng(3).random((12, 12))
    monkeypatch.setattr("projects.study.results.true_frequencies", lambda: truth)
    mask = np.random.default_rng(4).random((12, 12))
    outcome = Outcome(np.zeros(0), np.zeros(0), mask - truth, mask, 1)
    monkeypatch.setattr(MadeUp, "outcome", lambda self, recipe: outcome)
    parts = [correlation_parts(experiment) for experiment in experiments]
    agreement, matrices = correlation_summary(parts)
    np.testing.assert_allclose(matrices["Mask"], mask)
    np.testing.assert_allclose(matrices["truth"], truth)
    assert agreement["Attn_C"]["mean"] == pytest.approx(-1)
    assert abs(agreement["Mask"]["mean"]) < 0.5


class TestReport:
    def test_study(self, scores, experiments):
        tables = list(TITLES)
        lines, differences = summarise(rows_of(tables), scores)
        result = {"titles": TITLES, "rows": lines, "differences": differences, "seeds": [1, 2, 3]}
        result["correlation"], _ = correlation_summary(list(map(correlation_parts, experiments)))
        text = report.study_text({**result, "backbone_rates": [2, 4]})
        assert "Seeds: 1, 2, 3. Backbone trained at the rates: 2, 4." in text
        for line in lines:
            assert f"{100 * line['metrics']['mAP']['mean']:.1f}" in text
        gain = differences[0]["metrics"]["mAP"]
        ends = f"[{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"
        assert f"{100 * gain['mean']:+.1f} {ends}" in text

    @pytest.mark.parametrize(
        "low, high, verdict",
        [
            (-0.01, 0.02, "contains 0 and is narrower"),
            (-0.03, 0.04, "contains 0 and is not narrower"),
            (0.01, 0.02, "excludes 0 and is narrower"),
            (-0.03, -0.01, "the gain is a loss"),
        ],
    )
    def test_verdict_of_a_control(self, low, high, verdict):
        assert verdict in _control_text((0.07, 0.09), (low, high))

    @pytest.mark.parametrize("low, high", [(-0.09, -0.07), (-0.01, 0.09), (0, 0.02)])
    def test_without_a_gain_nothing_could_vanish(self, low, high):
        text = _control_text((low, high), (-0.001, 0.001))
        assert text.endswith("a - b: there was no gain with the property that could vanish")
        assert "narrower" not in text

    @pytest.mark.parametrize("without, columns", [("speeds", ["mAP"]), ("places", report.METRICS)])
    def test_without_several_speeds_there_are_no_columns_by_speed(self, without, columns):
        text = _control_text((0.07, 0.09), (-0.01, 0.02), without=without)
        heads = [line for line in text.splitlines() if line.startswith("difference")]
        assert heads[0].split()[1:] == [*report.METRICS, "mAP", "by", "seed"]
        assert heads[1].split()[1:] == [*columns, "mAP", "by", "seed"]


def _control_text(*intervals, without="places"):
    """The report of one difference, of its (low, high) with the property and without it."""
    result = {"without": without, "seeds": [1, 2], "backbone_rates": [4]}
    for name, (low, high) in zip(("with_property", "without_property"), intervals, strict=True):
        mean = (low + high) / 2
        value = {"mean": mean, "low": low, "high": high, "per_seed": [mean]}
        metrics = dict.fromkeys(report.METRICS, value)
        row = {"table": "3c", "row": "a", "parameters": 9, "metrics": metrics}
        result[name] = {"rows": [row], "differences": [{**row, "against": "b"}]}
    return report.control_text(result)


def test_what_is_added_is_what_the_quickstarts_config_adds():
    with open(CONFIGS / "Synthetic" / "EXTENDED_FROZEN.yaml") as stream:
        added = yaml.safe_load(stream)["ACTIVITY"]
    assert {f"ACTIVITY.{key}": value for key, value in added.items()} == ALL_ADDED
