"""AVA's configs, from training to the detections file, on a stand-in tree."""

import functools
import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from slowfast_ext.__main__ import build_parser
from slowfast_ext.commands.run_net import main
from slowfast_ext.config.load import load_config
from slowfast_ext.config.schema import flattened
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.train import training_stage
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paper.numbers import ROWS
from tests.ava_tree import PERSONS, options, write_tree
from tests.helpers import OTHER_LIBRARIES, SHALLOW

pytestmark = pytest.mark.usefixtures("shallow")
CONFIGS = Path(__file__).parents[2] / "configs" / "AVA"
LONG = sorted(CONFIGS.glob("*_LONG.yaml"))
OTHERS = ("BASE", *OTHER_LIBRARIES, *(path.stem for path in LONG))
ROW_CONFIGS = [path for path in sorted(CONFIGS.glob("*.yaml")) if path.stem not in OTHERS]
LABEL_MAP = "ava_action_list_v2.2_for_activitynet_2019.pbtxt"

SMALL = {
    "RESNET.DEPTH": "50",
    "DATA.NUM_FRAMES": "8",
    "DATA.TRAIN_JITTER_SCALES": "[32, 40]",
    "DATA.TRAIN_CROP_SIZE": "32",
    "DATA.TEST_CROP_SIZE": "32",
    "DATA_LOADER.NUM_WORKERS": "0",
    "SOLVER.MAX_EPOCH": "1",
    "SOLVER.BASE_LR": "0.001",
    "SOLVER.WARMUP_EPOCHS": "0.0",
    "TRAIN.BATCH_SIZE": "2",
    "TRAIN.CHECKPOINT_FILE_PATH": "",
    "TRAIN.ENABLE": "True",
    "TEST.CHECKPOINT_FILE_PATH": "",
    "TUNE.MAX_ITER": "1",
    "NUM_GPUS": "0",
}
NARROW = {"RESNET.WIDTH_PER_GROUP": "8", "ACTIVITY.GROUPS": "8", "ACTIVITY.DIM": "16"}
SLOWFAST = {
    "NONLOCAL.LOCATION": "[[[], []], [[], []], [[0], []], [[], []]]",
    **SHALLOW,
    **NARROW,
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("ava")
    write_tree(root)
    for path in list((root / "annotations").iterdir()):
        older = path.name.replace("v2.2", "v2.1").replace("2019", "2018")
        (path.parent / older).write_bytes(path.read_bytes())
    return root


def arguments(path, tree, output_dir, **changes):
    pairs = {**options(tree), **SMALL, "OUTPUT_DIR": str(output_dir)}
    pairs.update(SLOWFAST if path.stem.startswith("SLOWFAST") else {})
    pairs.update({key.replace("__", "."): str(value) for key, value in changes.items()})
    return ["--cfg", str(path), *(word for pair in pairs.items() for word in pair)]


def rows_of(path):
    names = ["video", "second", "x1", "y1", "x2", "y2", "action", "score"]
    return pd.read_csv(path, names=names)


@pytest.mark.parametrize("path", ROW_CONFIGS, ids=lambda path: path.stem)
def test_a_config_trains_and_tests_at_reduced_size(path, tree, tmp_path):
    main(arguments(path, tree, tmp_path))
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["task"] == "action_detection"
    assert results["counts"]["boxes"] == len(PERSONS)
    rows = rows_of(tmp_path / "predictions.csv")
    assert len(rows) == len(PERSONS) * 3 and rows["score"].between(0, 1).all()


def test_training_without_a_positive_is_refused(tree, tmp_path):
    """As where all boxes are a detector's, which name no action."""
    changes = {"AVA__TRAIN_GT_BOX_LISTS": "[]"}
    changes["AVA__TRAIN_PREDICT_BOX_LISTS"] = "['ava_train_predicted_boxes.csv']"
    path = CONFIGS / "SLOWFAST_101_ACTIVITY.yaml"
    with pytest.raises(SlowFastExtError, match="none of its 6 training items has a label"):
        main(arguments(path, tree, tmp_path, **changes))
    assert not (tmp_path / "checkpoints").exists()


@functools.cache
def loaded(path):
    """A config's values, to be left as they are."""
    return checked_config(str(path), ["NUM_GPUS", "0"])


@pytest.mark.parametrize("path", ROW_CONFIGS, ids=lambda path: path.stem)
def test_a_config_names_a_row_of_the_paper(path):
    cfg = loaded(path)
    assert cfg.ACTIVITY.TABLE_ROW in {row.id for row in ROWS}
    assert f"ava_val_{cfg.ACTIVITY.TABLE_ROW[-4:]}.csv" == cfg.AVA.GROUNDTRUTH_FILE


def test_every_row_of_table_5_has_a_config():
    rows = {loaded(path).ACTIVITY.TABLE_ROW for path in ROW_CONFIGS}
    assert rows == {row.id for row in ROWS if row.table == "5" and not row.other_work}


def keys_of(cfg):
    return flattened(yaml.safe_load(cfg.dump()))


@pytest.mark.parametrize(
    ("baseline", "ours"),
    [
        (f"{baseline}{version}", f"{ours}{version}")
        for version in ("", "_V2.1")
        for baseline, ours in (
            ("CSN_152", "CSN_152_ACTIVITY"),
            ("SLOWFAST_101_TRAINED_ON", "SLOWFAST_101_ACTIVITY"),
        )
    ],
)
def test_a_pair_differs_in_the_head_alone(baseline, ours):
    """The same start, training, tuning, rates and number of clips."""
    theirs, own = (keys_of(loaded(CONFIGS / f"{name}.yaml")) for name in (baseline, ours))
    different = {key for key in own if own[key] != theirs[key]}
    assert different == {"ACTIVITY.HEAD", "ACTIVITY.TABLE_ROW", "OUTPUT_DIR"}
    assert own["TUNE.ENABLE"] and own["TEST.VIEWS"] == [[4, 1, 1], [8, 1, 1], [2, 1, 1]]


# Section 3.7, and section 5's test.
RECIPE = {
    **{"SOLVER.WEIGHT_DECAY": 1.25e-5, "TRAIN.MAX_ITER": 50_000, "AVA.TEST_CROP": "centre"},
    **{"SOLVER.BASE_LR": 0.035, "TRAIN.BATCH_SIZE": 12, "AVA.DETECTION_SCORE_THRESH": 0.8},
}
UPSTREAMS = {
    **{"SOLVER.WEIGHT_DECAY": 1e-7, "TRAIN.MAX_ITER": 0, "AVA.TEST_CROP": "full"},
    **{"SOLVER.MAX_EPOCH": 20, "SOLVER.STEPS": [0, 10, 15], "SOLVER.WARMUP_EPOCHS": 5.0},
    **{"SOLVER.WARMUP_START_LR": 0.000125, "SOLVER.BASE_LR": 0.035, "ACTIVITY.TABLE_ROW": ""},
}


@pytest.mark.parametrize("path", [*ROW_CONFIGS, *LONG], ids=lambda path: path.stem)
def test_a_config_has_the_papers_recipe_or_the_long_one(path):
    keys, wanted = keys_of(load_config(str(path))), UPSTREAMS if path in LONG else RECIPE
    assert {key: keys[key] for key in wanted} == wanted


def test_training_ends_after_its_iterations():
    cfg = loaded(CONFIGS / "CSN_152_ACTIVITY.yaml")
    # 210,000 keyframes make 17,500 batches.
    assert training_stage(cfg, 17_500).num_iterations == 50_000
    assert training_stage(cfg, 10_000).num_iterations == 40_000  # SOLVER.MAX_EPOCH of them.


def test_the_detections_are_read_back_with_the_same_result(tree, tmp_path, capsys):
    main(arguments(CONFIGS / "SLOWFAST_101_ACTIVITY.yaml", tree, tmp_path))
    results = json.loads((tmp_path / "results.json").read_text())
    capsys.readouterr()
    annotations = tree / "annotations"
    files = {
        "--ground-truth": annotations / "ava_val_v2.2.csv",
        "--detections": tmp_path / "predictions.csv",
        "--labelmap": annotations / LABEL_MAP,
    }

    def command(words):
        args = build_parser().parse_args(words)
        importlib.import_module(args.module).run(args)

    words = ["evaluate", "ava", *(str(word) for pair in files.items() for word in pair), "--json"]
    command(words)
    again = json.loads(capsys.readouterr().out)
    assert again["mAP"] == results["mAP"] is not None
    assert again["per_class"] == results["per_class"]
    command([*words, "--protocol", "pyslowfast"])
    by_pyslowfast = json.loads(capsys.readouterr().out)["mAP"]
    assert by_pyslowfast == results["protocol"]["mAP_by_pyslowfast"]


def test_scores_are_the_mean_over_the_rates(tree, tmp_path):
    path = CONFIGS / "SLOWFAST_101_ACTIVITY.yaml"
    main(arguments(path, tree, tmp_path))
    checkpoint = tmp_path / "checkpoints" / "checkpoint_tune_epoch_00001.pyth"
    found = []
    for name, views in (("2", "[[2,1,1]]"), ("8", "[[8,1,1]]"), ("both", "[[2,1,1],[8,1,1]]")):
        changes = {"TEST__VIEWS": views, "TEST__CHECKPOINT_FILE_PATH": checkpoint}
        changes |= {"TRAIN__ENABLE": False, "TUNE__ENABLE": False}
        main(arguments(path, tree, tmp_path / name, **changes))
        found.append(rows_of(tmp_path / name / "predictions.csv")["score"].to_numpy())
    np.testing.assert_allclose(found[2], (found[0] + found[1]) / 2, rtol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 1e-6


def test_boxes_outside_a_centre_crop_are_counted(tree, tmp_path, capsys):
    """And what makes the mAP low is said, as by `evaluate ava`."""
    path = CONFIGS / "SLOWFAST_101.yaml"
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    for source in (tree / "annotations").iterdir():
        (annotations / source.name).write_bytes(source.read_bytes())
    with open(annotations / "ava_val_predicted_boxes.csv", "a") as stream:
        stream.write("three,0902,0.0,0.0,0.05,0.5,,0.99\n")
    with open(annotations / "ava_val_v2.2.csv", "a") as stream:
        stream.write("three,0902,10,20,30,40,1,9\n")
    changes = {"AVA__ANNOTATION_DIR": annotations, "AVA__TEST_CROP": "centre"}
    main(arguments(path, tree, tmp_path / "out", **changes))
    counts = json.loads((tmp_path / "out" / "results.json").read_text())["counts"]
    assert (counts["boxes"], counts["boxes_outside_the_crop"]) == (len(PERSONS) + 1, 1)
    assert "note: ground truth: 1 of " in capsys.readouterr().out


def test_two_processes_with_unequal_persons_equal_one(tree, tmp_path, run_net):
    """Batch-norm frozen, no dropout; a clip of one process may have no person, the other three."""
    changes = {
        "MODEL__FROZEN_BN": True,
        "MODEL__DROPOUT_RATE": 0.0,
        "SOLVER__BASE_LR": 0.002,
        "SOLVER__MAX_EPOCH": 2,
        "DATA__TRAIN_JITTER_SCALES": "[64, 64]",
        "DATA__TRAIN_CROP_SIZE": 24,
        "TUNE__ENABLE": False,
        "TEST__VIEWS": "[]",
    }
    path = CONFIGS / "SLOWFAST_101_ACTIVITY.yaml"
    for name, ranks in (("one", 1), ("two", 2)):
        done = run_net(arguments(path, tree, tmp_path / name, **changes), ranks=ranks)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (
        torch.load(tmp_path / name / "checkpoints" / "checkpoint_epoch_00002.pyth")["model_state"]
        for name in ("one", "two")
    )
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=1e-5, rtol=0)
    scores = [rows_of(tmp_path / name / "predictions.csv")["score"] for name in ("one", "two")]
    np.testing.assert_allclose(scores[1], scores[0], atol=1e-4, rtol=0)
