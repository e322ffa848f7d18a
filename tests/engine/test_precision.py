"""TEST.PRECISION, TEST.WHOLE_FRAME and TEST.VIEWS, over a finished run."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn as nn

from slowfast_ext.commands.run_net import main
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.inference import inference
from slowfast_ext.upstream import base_config


def run_test(arguments, finished_run, folder, **changes):
    """results.json and the scores of a test of the finished run with other settings."""
    path = finished_run / "checkpoints" / "checkpoint_tune_epoch_00002.pyth"
    main(
        arguments(
            folder,
            TRAIN__ENABLE=False,
            TUNE__ENABLE=False,
            TEST__CHECKPOINT_FILE_PATH=path,
            **changes,
        )
    )
    scores = pd.read_csv(folder / "predictions.csv").drop(columns="id").to_numpy()
    return json.loads((folder / "results.json").read_text()), scores


def test_scores_in_bfloat16_are_near_those_in_float32(arguments, finished_run, tmp_path):
    _, exact = run_test(arguments, finished_run, tmp_path / "exact")
    results, near = run_test(arguments, finished_run, tmp_path / "near", TEST__PRECISION="bfloat16")
    assert results["protocol"]["precision"] == "bfloat16"
    assert 0 < np.abs(near - exact).max() < 5e-3


def test_the_network_is_left_as_it_was():
    cfg = add_slowfast_ext_config(base_config())
    cfg.TEST.PRECISION = "bfloat16"
    network = nn.Sequential(nn.Conv3d(3, 4, 3), nn.Linear(2, 2))
    strides = network[0].weight.stride()
    with pytest.raises(ValueError), inference(cfg, network, torch.device("cpu")):
        assert network[0].weight.stride() != strides
        assert network[0](torch.ones(1, 3, 4, 4, 4)).dtype == torch.bfloat16
        assert not torch.is_grad_enabled()
        raise ValueError
    assert network[0].weight.stride() == strides


def test_the_whole_frame_takes_the_place_of_the_crops(arguments, finished_run, tmp_path):
    results, whole = run_test(arguments, finished_run, tmp_path / "whole", TEST__WHOLE_FRAME=True)
    assert results["protocol"]["views"] == [[4, 1, 1], [2, 1, 1]]
    assert results["protocol"]["whole_frame"] and results["protocol"]["num_views"] == 2
    # Frames are square here: the whole one is the centre crop.
    _, centre = run_test(
        arguments, finished_run, tmp_path / "centre", TEST__VIEWS="[[4, 1, 1], [2, 1, 1]]"
    )
    np.testing.assert_allclose(whole, centre, atol=1e-6)


def test_each_group_of_views_is_measured_by_itself_too(arguments, finished_run, tmp_path):
    together = json.loads((finished_run / "results.json").read_text())["by_rate"]
    assert [(of["rate"], of["clips"], of["crops"]) for of in together] == [(4, 1, 2), (2, 1, 1)]
    alone, _ = run_test(arguments, finished_run, tmp_path, TEST__VIEWS="[[2, 1, 1]]")
    assert together[1]["ap"] == [row["ap"] for row in alone["per_class"]]
    assert together[1]["mAP"] == alone["mAP"] and alone["by_rate"] == []


def test_an_unknown_precision_is_refused():
    with pytest.raises(SlowFastExtError, match="TEST.PRECISION is 'half': .*bfloat16"):
        checked_config("configs/Synthetic/ACTIVITY_SLOWFAST.yaml", ["TEST.PRECISION", "half"])
