"""Rates weighted per activity, from the fit to the test."""

import importlib
import json

import numpy as np
import pytest

from slowfast_ext.__main__ import build_parser
from slowfast_ext.commands.run_net import main
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.predictions import read_predictions
from slowfast_ext.evaluation.rate_weights import read_rate_weights, write_rate_weights

VIEWS = [[4, 2, 1], [2, 1, 1]]


@pytest.fixture
def test_with(finished_run, arguments, tmp_path, data_dir):
    """`test_with(views, weights=None)` tests the finished network; weights are A x R."""
    checkpoint = finished_run / "checkpoints" / "checkpoint_tune_epoch_00002.pyth"
    off = {"TRAIN__ENABLE": False, "TUNE__ENABLE": False}

    def scores(views, weights=None):
        changes = {}
        if weights is not None:
            with open(f"{data_dir}/classes.txt") as stream:
                names = stream.read().splitlines()
            path = tmp_path / "weights.csv"
            write_rate_weights(str(path), names, views, np.tile(weights, (len(names), 1)))
            changes = {"TEST__RATE_WEIGHTS": path}
        of_test = {"TEST__VIEWS": views, "TEST__CHECKPOINT_FILE_PATH": checkpoint}
        main(arguments(tmp_path / "test", **of_test, **changes, **off))
        return read_predictions(str(tmp_path / "test" / "predictions.csv"))[2]

    return scores


def test_the_shares_of_the_views_are_the_plain_mean(test_with, tmp_path):
    np.testing.assert_allclose(test_with(VIEWS, [2 / 3, 1 / 3]), test_with(VIEWS), atol=1e-6)


def test_all_weight_on_one_rate_is_a_test_at_that_rate(test_with, tmp_path):
    np.testing.assert_allclose(test_with(VIEWS, [0, 1]), test_with([[2, 1, 1]]), atol=1e-6)
    test_with(VIEWS, [0, 1])
    results = json.loads((tmp_path / "test" / "results.json").read_text())
    assert results["protocol"]["combination"] == "weighted by rate"


def _fit_rates(arguments):
    args = build_parser().parse_args(["fit-rates", *arguments])
    importlib.import_module(args.module).run(args)


def test_a_fit_writes_what_a_test_reads(finished_run, arguments, data_dir, capsys):
    _fit_rates(arguments(finished_run, TEST__VIEWS=VIEWS))
    path = finished_run / "rate_weights.csv"
    assert f"TEST.RATE_WEIGHTS {path}" in capsys.readouterr().out
    with open(f"{data_dir}/classes.txt") as stream:
        weights = read_rate_weights(str(path), stream.read().splitlines(), VIEWS)
    assert weights.shape == (12, 2) and len(np.unique(weights.round(4))) > 2


@pytest.mark.parametrize("views", ["[]", "[[4, 2, 1]]", "[[4, 2, 1], [4, 1, 1]]"])
def test_without_rates_to_choose_from(finished_run, arguments, views):
    with pytest.raises(SlowFastExtError, match="needs two rates or more"):
        _fit_rates(arguments(finished_run, TEST__VIEWS=views))


def test_weights_need_views(arguments, tmp_path):
    with pytest.raises(SlowFastExtError, match="TEST.RATE_WEIGHTS is 'w.csv': it needs TEST.VIEWS"):
        main(arguments(tmp_path, TEST__VIEWS="[]", TEST__RATE_WEIGHTS="w.csv"))
