"""A stand-in of AVA's movies and annotations through every command, one after another."""

import importlib
import io
import json
import re
import shutil

import pandas as pd
import pytest

from projects.study.ava_margins import DETECTION, ava_keys, prepare
from projects.study.ava_stand_in import LABEL_MAP
from slowfast_ext.__main__ import build_parser
from slowfast_ext.commands.run_net import main
from slowfast_ext.engine.extract import SPLITS, extract
from slowfast_ext.engine.setup import checked_config
from tests.helpers import OTHER_LIBRARIES, ROOT, SHALLOW, shallow_networks

SMALL = {
    **SHALLOW,
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
    train_and_test(folder, prepare(str(folder), 0, 3, 2))
    return folder


def words_of(folder, keys, **changes):
    pairs = {**DETECTION, **SMALL, **keys, "OUTPUT_DIR": str(folder / "output"), **changes}
    config = ROOT / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"
    return ["--cfg", str(config), *(word for pair in pairs.items() for word in pair)]


def train_and_test(folder, keys, **changes):
    with shallow_networks():
        main(words_of(folder, keys, **changes))


def evaluated(folder, capsys):
    """The result of `evaluate ava` on what was written there."""
    annotations = folder / "ava" / "annotations"
    words = ["evaluate", "ava", "--json", "--ground-truth", str(annotations / "ava_val_v2.2.csv")]
    words += ["--detections", str(folder / "output" / "predictions.csv")]
    args = build_parser().parse_args([*words, "--labelmap", str(annotations / LABEL_MAP)])
    capsys.readouterr()
    importlib.import_module(args.module).run(args)
    return json.loads(capsys.readouterr().out)


def results_of(folder):
    return json.loads((folder / "output" / "results.json").read_text())


def test_every_keyframe_is_tested_at_three_rates(run):
    results = results_of(run)
    assert results["protocol"]["views"] == [[4, 1, 1], [8, 1, 1], [2, 1, 1]]
    counts = results["counts"]
    assert counts["keyframes"]["evaluated"] == 6
    assert counts["keyframes"]["without_detections"] == 0
    assert counts["detections"]["read"] == counts["boxes"] * 11
    assert 0 < results["mAP"] <= 1


def test_the_detections_give_the_same_again(run, capsys):
    assert evaluated(run, capsys)["mAP"] == results_of(run)["mAP"]


def test_stored_features_give_the_same_heads_and_detections(run, tmp_path):
    """Tuned and tested from the whole maps, of which the persons' regions are taken."""
    checkpoint = str(run / "output" / "checkpoints" / "checkpoint_epoch_00002.pyth")
    keys = {**ava_keys(str(run / "ava")), "TRAIN.ENABLE": "False"}
    keys |= {"TRAIN.CHECKPOINT_FILE_PATH": checkpoint, "FEATURES.DTYPE": "float32"}
    words = words_of(tmp_path / "extracted", keys, **{"FEATURES.CLIPS": "1"})
    with shallow_networks():
        extract(checked_config(words[1], words[2:]), str(tmp_path / "maps"), SPLITS[1:4])
    outputs = []
    for name, path in (("videos", ""), ("maps", str(tmp_path / "maps"))):
        train_and_test(tmp_path / name, keys, **{"FEATURES.PATH": path})
        outputs.append((tmp_path / name / "output" / "predictions.csv").read_text())
    assert outputs[0] == outputs[1]

    half = {**keys, "FEATURES.DTYPE": "float16"}
    words = words_of(tmp_path / "extracted", half)
    with shallow_networks():
        extract(checked_config(words[1], words[2:]), str(tmp_path / "half"), ["test"])
    tuned = tmp_path / "videos" / "output" / "checkpoints" / "checkpoint_tune_epoch_00001.pyth"
    own = {"TEST.CHECKPOINT_FILE_PATH": str(tuned), "TUNE.ENABLE": "False"}
    train_and_test(tmp_path, half, **own, **{"FEATURES.PATH": str(tmp_path / "half")})
    texts = [outputs[0], (tmp_path / "output" / "predictions.csv").read_text()]
    whole, halved = (pd.read_csv(io.StringIO(text), header=None) for text in texts)
    assert 0 < (whole.iloc[:, -1] - halved.iloc[:, -1]).abs().max() < 2e-3
    assert whole.iloc[:, :-1].equals(halved.iloc[:, :-1])
    assert abs(results_of(tmp_path)["mAP"] - results_of(tmp_path / "videos")["mAP"]) <= 1e-3


def test_persons_in_a_real_video(real_data, tmp_path, capsys):
    """Hand-written boxes on the frames of a video of 10 s."""
    (tmp_path / "videos").mkdir()
    shutil.copy(real_data / "videos" / "demo.mp4", tmp_path / "videos" / "demo.mp4")
    write_annotations(tmp_path / "annotations")
    words = ["prepare", "ava", "--annotations", str(tmp_path / "annotations")]
    words += ["--videos", str(tmp_path / "videos"), "--out", str(tmp_path / "ava")]
    args = build_parser().parse_args(words)
    importlib.import_module(args.module).run(args)
    keys = ava_keys(str(tmp_path / "ava"))
    train_and_test(tmp_path, keys, **{"MODEL.NUM_CLASSES": "2", "TRAIN.BATCH_SIZE": "2"})
    again, results = evaluated(tmp_path, capsys), results_of(tmp_path)
    assert again["mAP"] == results["mAP"] is not None
    assert again["counts"]["detections"] == {**results["counts"]["detections"]}
    assert again["counts"]["detections"]["read"] == 2 * 2 * len(SECONDS)


SECONDS = (902, 904, 906)


def write_annotations(folder):
    folder.mkdir()
    boxes = ("0.1,0.2,0.5,0.9", "0.4,0.1,0.8,1.0")
    truth = [f"demo,{s:04d},{box},{i + 1},{i}" for s in SECONDS for i, box in enumerate(boxes)]
    persons = [f"demo,{s:04d},{box},,0.9" for s in SECONDS for box in boxes]
    for split in ("train", "val"):
        (folder / f"ava_{split}_v2.2.csv").write_text("\n".join(truth) + "\n")
        (folder / f"ava_{split}_excluded_timestamps_v2.2.csv").write_text("")
    (folder / "ava_val_predicted_boxes.csv").write_text("\n".join(persons) + "\n")
    items = [f'item {{\n  name: "{name}"\n  id: {i}\n}}\n' for i, name in ((1, "walk"), (2, "sit"))]
    (folder / LABEL_MAP).write_text("".join(items))


def test_the_page_names_every_config():
    text = (ROOT / "docs" / "AVA.md").read_text(encoding="utf-8")
    configs = {path.stem for path in (ROOT / "configs" / "AVA").glob("*.yaml")}
    configs -= {"BASE", *OTHER_LIBRARIES}  # docs/BACKBONES.md names those.
    named = set(re.findall(r"`([A-Z0-9_]+)\.yaml`", text))
    assert named == {name for name in configs if not name.endswith("_V2.1")}
    rows = {name for name in named if not name.endswith("_LONG")}
    assert configs == named | {f"{name}_V2.1" for name in rows}
