"""`results.json` and the table."""

import importlib.metadata
import json
import re
import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation import results as results_module
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.results import (
    installed_versions,
    per_class_table,
    results_object,
    write_results,
)

NAMES = ["run", "sit, slowly", "jump"]


@pytest.fixture
def metrics():
    """Three classes with AP 5/6 (2 positives), 1 (1 positive) and none (0 positives)."""
    scores = np.array([[0.9, 0.1, 0.0], [0.8, 0.7, 0.3], [0.7, 0.6, 0.9]])
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]], dtype=bool)
    return multilabel_metrics(scores, labels)


def build(metrics, **changes):
    """A results object with every argument given."""
    arguments = {
        "task": "multilabel",
        "metrics": metrics,
        "class_names": NAMES,
        "protocol": {"views": [(4, 4, 3)], "merge": "mean"},
        "counts": {"videos": np.int64(3)},
        "row": "SlowFast-R50",
        "config": {"SOLVER": {"BASE_LR": np.float32(0.5), "BETAS": (0.9, float("inf"))}},
    }
    return results_object(**{**arguments, **changes})


def strict_json(text):
    """Parses JSON, refusing NaN and Infinity."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


class TestResults:
    def test_form(self, metrics):
        results = build(metrics)
        assert list(results) == [
            "task",
            "mAP",
            "weighted_mAP",
            "per_class",
            "counts",
            "protocol",
            "row",
            "date",
            "config",
            "versions",
        ]
        assert results["mAP"] == pytest.approx((5 / 6 + 1) / 2)
        assert results["weighted_mAP"] == pytest.approx((2 * 5 / 6 + 1) / 3)
        assert results["per_class"][1:] == [
            {"id": 1, "name": "sit, slowly", "ap": 1.0, "positives": 1},
            {"id": 2, "name": "jump", "ap": None, "positives": 0},
        ]
        assert results["counts"] == {"videos": 3}
        assert results["protocol"] == {"views": [[4, 4, 3]], "merge": "mean"}
        assert results["config"] == {"SOLVER": {"BASE_LR": 0.5, "BETAS": [0.9, None]}}
        assert results["row"] == "SlowFast-R50"

    def test_written_file_is_the_object(self, metrics, tmp_path):
        path, results = tmp_path / "out" / "results.json", build(metrics)
        write_results(str(path), results)
        assert strict_json(path.read_text(encoding="utf-8")) == results
        assert [file.name for file in path.parent.iterdir()] == ["results.json"]

    def test_date_is_utc_to_the_second_wherever_it_is_run(self, metrics, monkeypatch):
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        try:
            text = build(metrics)["date"]
        finally:
            monkeypatch.undo()
            time.tzset()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", text)
        age = datetime.now(timezone.utc) - datetime.fromisoformat(text)
        assert timedelta(0) <= age < timedelta(hours=1)

    def test_no_class_with_positives_gives_null(self, tmp_path):
        empty = multilabel_metrics(np.zeros((2, 3)), np.zeros((2, 3), dtype=bool))
        path = tmp_path / "results.json"
        write_results(str(path), build(empty))
        results = strict_json(path.read_text(encoding="utf-8"))
        assert results["mAP"] is None
        assert results["weighted_mAP"] is None
        assert [row["ap"] for row in results["per_class"]] == [None, None, None]

    def test_names_added_later_are_made_plain_too(self, metrics, tmp_path):
        path = tmp_path / "results.json"
        write_results(str(path), {**build(metrics), "accuracy": np.float64("nan")})
        assert strict_json(path.read_text(encoding="utf-8"))["accuracy"] is None

    def test_one_name_per_class(self, metrics):
        with pytest.raises(SlowFastExtError, match="2 class names.*3 activities"):
            build(metrics, class_names=["run", "sit"])


class TestVersions:
    def test_keys_and_types(self):
        versions = installed_versions()
        assert list(versions) == ["python", "torch", "numpy", "slowfast_ext", "pyslowfast"]
        assert versions["numpy"] == np.__version__
        assert json.dumps(versions)

    def test_absent_distributions_are_none(self, monkeypatch):
        def absent(name):
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(importlib.metadata, "version", absent)
        monkeypatch.setattr(results_module.importlib.util, "find_spec", lambda name: None)
        versions = installed_versions()
        assert versions["torch"] is None
        assert versions["pyslowfast"] is None

    @pytest.mark.parametrize("file, version", [("build.py", "main"), ("model_builder.py", "1.0")])
    def test_main_is_told_by_its_files(self, file, version, tmp_path, monkeypatch):
        """A clone in front of an installed 1.0 is main, whatever the metadata says."""
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / file).touch()
        spec = importlib.machinery.ModuleSpec("slowfast", None, is_package=True)
        spec.submodule_search_locations.append(str(tmp_path))
        monkeypatch.setattr(results_module.importlib.util, "find_spec", lambda name: spec)
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0")
        assert installed_versions()["pyslowfast"] == version


class TestTable:
    def test_sorted_with_the_unscored_last(self, metrics):
        assert per_class_table(build(metrics)).split("\n") == [
            "class                          AP  positives",
            "sit, slowly                1.0000          1",
            "run                        0.8333          2",
            "jump          no positives: no AP          0",
            "mAP                        0.9167",
            "weighted mAP               0.8889",
            "mAP is over the 2 of 3 classes with positives here; the others are left out of it",
        ]

    def test_no_remark_where_every_class_has_positives(self):
        metrics = multilabel_metrics(np.array([[0.5, 0.2]]), np.array([[True, True]]))
        lines = per_class_table(build(metrics, class_names=["run", "sit"])).split("\n")
        assert len(lines) == 5
        assert lines[-1].startswith("weighted mAP")
        assert "left out" not in lines[-1]

    def test_every_figure_that_is_a_number_is_shown(self, metrics):
        figures = {"mAP": 0.5, "top_1": 0.25, "hits": 3, "shares": [1.0], "none_yet": np.nan}
        results = build(metrics, figures=figures)
        assert list(results)[:6] == ["task", *figures]
        lines = [line.split() for line in per_class_table(results).split("\n")[4:8]]
        assert lines == [
            ["mAP", "0.5000"],
            ["top", "1", "0.2500"],
            ["hits", "3"],
            ["none", "yet", "none"],
        ]

    def test_no_positives_at_all(self):
        metrics = multilabel_metrics(np.zeros((1, 2)), np.zeros((1, 2), dtype=bool))
        lines = per_class_table(build(metrics, class_names=["run", "sit"])).split("\n")
        assert [line.split() for line in lines[3:5]] == [
            ["mAP", "none"],
            ["weighted", "mAP", "none"],
        ]
