"""A data set and a measure of a user's own, in a module outside of the package."""

import json
import re
import sys

import pytest
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.datasets.contract import dataset_class
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.evaluators import EVALUATOR_REGISTRY
from slowfast_ext.report import sections
from slowfast_ext.report.run_files import Run
from slowfast_ext.upstream import DATASET_REGISTRY, OWN_DATASETS

MODULE = """
from dataclasses import dataclass

from slowfast_ext.config.schema import refuse
from slowfast_ext.datasets import Synthetic
from slowfast_ext.evaluation.evaluators import EVALUATOR_REGISTRY, ClipsEvaluator
from slowfast_ext.evaluation.multilabel import MultilabelMetrics
from slowfast_ext.upstream import register_dataset


@dataclass(frozen=True, eq=False)
class FirstMetrics(MultilabelMetrics):
    first_score: float


@EVALUATOR_REGISTRY.register()
class FirstEvaluator(ClipsEvaluator):
    task = "first"

    def measure(self, scores):
        highest = [of_video.max() for of_video in scores.values()]
        metrics = super().measure(scores)
        return FirstMetrics(**vars(metrics), first_score=float(sum(highest) / len(highest)))

    def figures(self, metrics):
        return {**super().figures(metrics), "first_score": metrics.first_score}


@register_dataset
class Kitchen(Synthetic):
    evaluator = "FirstEvaluator"

    @classmethod
    def check_config(cls, cfg):
        super().check_config(cfg)
        if cfg.SYNTHETIC.SIZE > 32:
            refuse(cfg, "SYNTHETIC.SIZE", "must be at most 32 in a kitchen")
"""


@pytest.fixture
def kitchen(tmp_path, monkeypatch):
    (tmp_path / "users_kitchen.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    datasets = dict.fromkeys(("TRAIN__DATASET", "TEST__DATASET"), "Kitchen")
    yield {"PLUGINS": "['users_kitchen']", **datasets}
    del sys.modules["users_kitchen"]
    del DATASET_REGISTRY._obj_map["Kitchen"], OWN_DATASETS._obj_map["Kitchen"]
    del EVALUATOR_REGISTRY._obj_map["FirstEvaluator"]


def test_its_measure_stands_wherever_means_do(kitchen, arguments, tmp_path, capsys):
    board = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    out = tmp_path / "out"
    options = {**kitchen, "TENSORBOARD__ENABLE": True, "SOLVER__MAX_EPOCH": 1, "TUNE__MAX_ITER": 1}
    main(arguments(out, **options))
    results = json.loads((out / "results.json").read_text())
    figures = [results, *results["by_rate"]]
    assert results["task"] == "first" and len(figures) == 3
    assert all(0 < found["first_score"] <= 1 for found in figures)
    shown = re.findall(r"^first score +(0.\d{4})$", capsys.readouterr().out, re.MULTILINE)
    assert shown == [f"{results['first_score']:.4f}"]
    assert re.search(r": val mAP .*, first score 0\.", (out / "stdout.log").read_text())
    tags = board.EventAccumulator(str(out / "runs-Kitchen" / "test")).Reload().Tags()["scalars"]
    assert {"first score", "first score by rate/rate 2"} <= set(tags)
    tiles = {tile["name"]: tile["value"] for tile in sections.summary(Run(str(out)))}
    assert tiles["first score"] == results["first_score"]


def test_its_rule_of_the_config_is_asked(kitchen, arguments, tmp_path):
    _, path, *words = arguments(tmp_path, **kitchen, SYNTHETIC__SIZE=48)
    with pytest.raises(SlowFastExtError, match="SYNTHETIC.SIZE is 48: it must be at most 32 in a"):
        checked_config(path, words)


def test_a_registered_class_that_is_none_of_ours_is_named(arguments, tmp_path, monkeypatch):
    class Stream(torch.utils.data.IterableDataset):
        """No item has an index, as of main's Ptvkinetics."""

    monkeypatch.setitem(DATASET_REGISTRY._obj_map, "Stream", Stream)
    _, path, *words = arguments(tmp_path, TEST__DATASET="stream")
    cfg = checked_config(path, words)
    wrong = f"TEST.DATASET is 'stream': {__name__}.Stream is no ActivityDataset"
    with pytest.raises(SlowFastExtError, match=f"{wrong}; this engine reads Ava, "):
        dataset_class(cfg, "TEST.DATASET")
