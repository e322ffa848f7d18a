"""A stand-in for Volleyball through every command, and the configs of both sports."""

import csv
import json
import re

import numpy as np
import pytest
import torch

from projects.study.volleyball_margins import prepare, run
from slowfast_ext.datasets.volleyball_annotations import ACTIONS, GROUPS, read_moments
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paper.numbers import ROWS
from tests.helpers import ROOT, SHALLOW

CONFIGS = {path.stem: path for path in (ROOT / "configs" / "Volleyball").glob("*.yaml")}
ROWS_OF = {
    "PERSONS": "6/baseline persons",
    "PERSONS_ACTIVITY": "6/ours persons",
    "GROUP_S": "6/baseline group (s)",
    "GROUP_S_ACTIVITY": "6/ours group (s)",
    "GROUP_BB": "6/baseline group (bb)",
    "GROUP_BB_ACTIVITY": "6/ours group (bb)",
}
SMALL = {
    **SHALLOW,
    "DATA.TRAIN_JITTER_SCALES": "[48, 56]",
    "DATA.TRAIN_CROP_SIZE": "48",
    "DATA.TEST_CROP_SIZE": "48",
    "DATA_LOADER.NUM_WORKERS": "0",
    "SOLVER.MAX_EPOCH": "1",
    "SOLVER.WARMUP_EPOCHS": "0.0",
    "TRAIN.BATCH_SIZE": "3",
    "NUM_GPUS": "0",
    "ACTIVITY.FREEZE_BACKBONE": "False",
    "TRAIN.CHECKPOINT_FILE_PATH": "",
}


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    return prepare(str(tmp_path_factory.mktemp("volleyball")), 0, 6, 3)


def predictions(folder):
    """ids and scores of the predictions.csv of the one run below a folder."""
    (path,) = folder.glob("*/predictions.csv")
    with open(path, newline="") as stream:
        _, *rows = csv.reader(stream)
    return [row[0] for row in rows], np.array([row[1:] for row in rows], float)


def test_persons_are_tested_by_their_boxes(lists, tmp_path, shallow):
    options = {"TUNE.ENABLE": "True", "TUNE.MAX_ITER": "1", "TEST.VIEWS": "[[2,1,1],[4,1,1]]"}
    results = run(str(tmp_path), lists, "ours", "persons", 0, {**SMALL, **options})
    ids, scores = predictions(tmp_path)
    listed = read_moments(f"{lists}/test.csv")
    truth = np.concatenate([found.moment.actions for found in listed])
    assert ids[0] == "4/100/0" and len(ids) == len(truth) == 24
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-5)
    assert results["accuracy"] == (scores.argmax(1) == truth).mean()
    assert sum(map(sum, results["confusion"].values())) == 24
    assert results["protocol"]["views"] == [[2, 1, 1], [4, 1, 1]]
    assert (results["counts"]["videos"], results["counts"]["persons"]) == (3, 24)
    assert 0 <= results["clip_accuracy"] <= 1 and 0 < results["mAP"] <= 1
    assert [of["name"] for of in results["per_class"]] == list(ACTIONS)


def test_persons_are_trained_with_a_sigmoid_for_each_action(lists, tmp_path, shallow):
    options = {"MODEL.LOSS_FUNC": "bce_logit", "MODEL.HEAD_ACT": "sigmoid"}
    results = run(str(tmp_path), lists, "ours", "persons", 0, {**SMALL, **options})
    _, scores = predictions(tmp_path)
    truth = np.concatenate([f.moment.actions for f in read_moments(f"{lists}/test.csv")])
    assert results["accuracy"] == (scores.argmax(1) == truth).mean()
    assert not np.allclose(scores.sum(1), 1, atol=0.1)
    # Of the training's 6 moments, counted apart.
    present = np.zeros((6, 9))
    for row, found in zip(present, read_moments(f"{lists}/train.csv"), strict=True):
        row[found.moment.actions] = 1
    (path,) = tmp_path.glob("*/checkpoints/checkpoint_epoch_00001.pyth")
    mask = torch.load(path, weights_only=True)["model_state"]["head.correlation.mask"]
    for j, k in np.ndindex(9, 9):
        occurs = present[:, j].sum()
        wanted = (present[:, j] * present[:, k]).sum() / occurs if occurs else 0
        assert mask[j, k] == pytest.approx(wanted)
    assert (mask - torch.diag(mask.diagonal())).max() > 0


@pytest.mark.parametrize(("head", "task"), [("baseline", "s"), ("ours", "bb")])
def test_groups_are_tested_with_and_without_persons(lists, tmp_path, shallow, head, task):
    results = run(str(tmp_path), lists, head, task, 0, SMALL)
    ids, scores = predictions(tmp_path)
    assert ids == ["4/100", "4/200", "5/100"] and scores.shape == (3, 8)
    truth = np.array([found.moment.group for found in read_moments(f"{lists}/test.csv")])
    assert results["accuracy"] == (scores.argmax(1) == truth).mean()
    assert list(results["confusion"]) == list(GROUPS)
    assert results["protocol"]["with_persons"] == (task == "bb")
    (path,) = tmp_path.glob("*/results.json")
    # Strict: a class that does not occur has no accuracy, which is no NaN there.
    json.loads(path.read_text(), parse_constant=pytest.fail)


def test_clips_are_multi_label(lists, tmp_path, shallow):
    options = {
        **SMALL,
        "VOLLEYBALL.TASK": "clip",
        "MODEL.NUM_CLASSES": "9",
        "MODEL.LOSS_FUNC": "bce_logit",
        "MODEL.HEAD_ACT": "sigmoid",
    }
    results = run(str(tmp_path), lists, "ours", "s", 0, options)
    _, scores = predictions(tmp_path)
    labels = np.zeros((3, 9), bool)
    for row, found in zip(labels, read_moments(f"{lists}/test.csv"), strict=True):
        row[found.moment.actions] = True
    assert results["accuracy"] == results["clip_accuracy"] == ((scores >= 0.5) == labels).mean()
    assert "confusion" not in results


@pytest.mark.parametrize("name", sorted(CONFIGS.keys() - {"BASE"}))
def test_a_config_loads_and_names_its_row(name):
    cfg = checked_config(str(CONFIGS[name]), ["NUM_GPUS", "0"])
    assert ROWS_OF.get(name, "") == cfg.ACTIVITY.TABLE_ROW
    assert (cfg.ACTIVITY.HEAD == "ActivityHead") == name.endswith("_ACTIVITY")


def test_every_cell_of_the_table_has_a_config():
    assert sorted(ROWS_OF.values()) == sorted(
        row.id for row in ROWS if row.table == "6" and not row.other_work
    )
    assert ROWS_OF.keys() <= CONFIGS.keys()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("DETECTION.ENABLE False", "DETECTION.ENABLE is False: it must be True for"),
        ("MODEL.NUM_CLASSES 8", "MODEL.NUM_CLASSES is 8: it must be 9 for"),
        ("MODEL.LOSS_FUNC cross_entropy", "MODEL.HEAD_ACT is 'sigmoid': it must be softmax"),
        ("TEST.DATASET Ava", "TEST.DATASET is 'Ava': it must be Volleyball"),
        ("TEST.SAVE_RESULTS_PATH x", "TEST.SAVE_RESULTS_PATH is 'x': it must be empty"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(options, sentence):
    with pytest.raises(SlowFastExtError, match=re.escape(sentence)):
        checked_config(str(CONFIGS["PERSONS"]), ["NUM_GPUS", "0", *options.split()])


def test_a_group_has_one_activity():
    options = ["NUM_GPUS", "0", "MODEL.LOSS_FUNC", "bce_logit"]
    sentence = "MODEL.LOSS_FUNC is 'bce_logit': it must be cross_entropy"
    with pytest.raises(SlowFastExtError, match=re.escape(sentence)):
        checked_config(str(CONFIGS["GROUP_S"]), options)


def test_hockey_s_config_reads_lists():
    path = ROOT / "configs" / "Hockey" / "CSN_152_ACTIVITY.yaml"
    cfg = checked_config(str(path), ["NUM_GPUS", "0"])
    assert (cfg.TRAIN.DATASET, cfg.TEST.DATASET) == ("MultiLabelVideos",) * 2
    assert cfg.ACTIVITY.TABLE_ROW == "" and cfg.TUNE.ENABLE


def test_the_page_names_every_config():
    text = (ROOT / "docs" / "SPORTS.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z_]+)\.yaml`", text))
    assert named == CONFIGS.keys() - {"BASE"}
