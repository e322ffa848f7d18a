"""A stand-in of AVA's movies and annotations through every command, one after another."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.ava_margins import DETECTION, prepare
from benchmarks.ava_stand_in import LABEL_MAP
from slowfast_ext.__main__ import build_parser
from slowfast_ext.engine.main import main

SMALL = {
    "DATA.TRAIN_JITTER_SCALES": "[48, 56]",
    "DATA.TRAIN_CROP_SIZE": "48",
    "DATA.TEST_CROP_SIZE": "48",
    "DATA_LOADER.NUM_WORKERS": "0",
    "SOLVER.MAX_EPOCH": "2",
    "SOLVER.WARMUP_EPOCHS": "0.0",
    "TRAIN.BATCH_SIZE": "4",
    "TUNE.MAX_ITER": "2",
    "NUM_GPUS": "0",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder after prepare, train, tune and test."""
    folder = tmp_path_factory.mktemp("ava")
    keys = prepare(str(folder), 0, 3, 2)
    pairs = {**DETECTION, **SMALL, **keys, "OUTPUT_DIR": str(folder / "output")}
    config = "configs/Synthetic/ACTIVITY_SLOWFAST.yaml"
    main(["--cfg", config, *(word for pair in pairs.items() for word in pair)])
    return folder


def test_every_keyframe_is_tested_at_three_rates(run):
    results = json.loads((run / "output" / "results.json").read_text())
    assert results["protocol"]["views"] == [[4, 1, 1], [8, 1, 1], [2, 1, 1]]
    counts = results["counts"]
    assert counts["keyframes"]["evaluated"] == 6
    assert counts["keyframes"]["without_detections"] == 0
    assert counts["detections"]["read"] == counts["boxes"] * 11
    assert 0 < results["mAP"] <= 1


def test_the_detections_give_the_same_again(run, capsys):
    annotations = run / "ava" / "annotations"
    words = ["evaluate", "ava", "--json", "--ground-truth", str(annotations / "ava_val_v2.2.csv")]
    words += ["--detections", str(run / "output" / "predictions.csv")]
    args = build_parser().parse_args([*words, "--labelmap", str(annotations / LABEL_MAP)])
    args.run(args)
    again = json.loads(capsys.readouterr().out)
    assert again["mAP"] == json.loads((run / "output" / "results.json").read_text())["mAP"]


def test_the_page_names_every_config():
    text = Path("docs/AVA.md").read_text(encoding="utf-8")
    configs = {path.stem for path in Path("configs/AVA").glob("*.yaml")} - {"BASE"}
    named = set(re.findall(r"`([A-Z0-9_]+)\.yaml`", text))
    assert named == {name for name in configs if not name.endswith("_V2.1")}
    assert configs == named | {f"{name}_V2.1" for name in named}
