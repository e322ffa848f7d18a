"""A small run's OUTPUT_DIR, whose names are such as a page must not believe."""

import cv2
import numpy as np
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.engine import checkpoint
from slowfast_ext.engine.checkpoint import History
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.evaluation.calibration import calibration
from slowfast_ext.evaluation.multilabel import frequency_groups, multilabel_metrics
from slowfast_ext.evaluation.predictions import write_predictions
from slowfast_ext.evaluation.results import results_object, write_results
from tests.helpers import CONFIG, SHALLOW, shallow_networks

NAMES = ["<script>alert(1)</script>", "cooks & eats", 'says "</script>"', "never seen"]
IDS = ["<img src=x onerror=alert(1)>", "b", "c", "d", "e", "f"]
LABELS = np.array(
    [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]]
)
SCORES = np.random.default_rng(0).random((6, 4))
GROUPS = [(4, 1, 2), (2, 1, 1)]
MASK_OF_RUN = np.array([[1, 0.6, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])


def make_data(folder):
    """A data set of folders of frames."""
    rng = np.random.default_rng(1)
    for video_id in IDS:
        (folder / video_id).mkdir(parents=True)
        for number in range(8):
            image = rng.integers(0, 256, (32, 40, 3), np.uint8)
            cv2.imwrite(str(folder / video_id / f"{number}.png"), image)
    (folder / "classes.txt").write_text("\n".join(NAMES) + "\n")
    rows = [
        '"{}","{}"'.format(v, ";".join(NAMES[k] for k in np.flatnonzero(of)).replace('"', '""'))
        for v, of in zip(IDS, LABELS, strict=True)
    ]
    (folder / "test.csv").write_text("\n".join(["path,labels", *rows]) + "\n")


def make_run(folder, data):
    """results.json, predictions.csv and a checkpoint, as a run leaves them."""
    options = {
        **SHALLOW,
        "TRAIN.DATASET": "MultiLabelVideos",
        "TEST.DATASET": "MultiLabelVideos",
        "DATA.PATH_TO_DATA_DIR": str(data),
        "DATA.TRAIN_JITTER_SCALES": "[32, 32]",
        "DATA.TRAIN_CROP_SIZE": "32",
        "DATA.TEST_CROP_SIZE": "32",
        "MODEL.NUM_CLASSES": "4",
        "NUM_GPUS": "0",
        "OUTPUT_DIR": str(folder),
    }
    words = [word for pair in options.items() for word in pair]
    cfg = checked_config(CONFIG, words)
    torch.manual_seed(0)
    network = upstream.model_class("ActivityNetwork")(cfg)
    network.set_cooccurrence(torch.as_tensor(MASK_OF_RUN))
    history = History({"train": (2, 2)})
    history.add_point("train", 1, 0.9, 0.1, None)
    history.add_point("train", 2, 0.7, 0.05, 0.4)
    path = checkpoint.checkpoint_path(str(folder), "tune", 2)
    (folder / "checkpoints").mkdir(parents=True)
    state = {"model_state": network.state_dict(), **history.state(), "cfg": cfg.dump()}
    checkpoint.save_checkpoint(path, state)
    write_predictions(str(folder / "predictions.csv"), IDS, NAMES, SCORES)
    metrics = multilabel_metrics(SCORES, LABELS)
    by_rate = [
        {"rate": rate, "clips": 1, "crops": 1, "mAP": 0.5, "ap": metrics.average_precision}
        for rate, *_ in GROUPS
    ]
    results = results_object(
        task="multi_label_classification",
        metrics=metrics,
        class_names=NAMES,
        protocol={"checkpoint": path, "views": GROUPS, "num_views": 3, "combination": "mean"},
        counts={"videos": 6, "skipped": {}},
        row="",
        config=cfg,
        figures={
            "by_rate": by_rate,
            "calibration": calibration(SCORES, LABELS),
            "by_frequency": frequency_groups(metrics.average_precision, [2, 40, 9, 5]),
        },
    )
    write_results(str(folder / "results.json"), results)


@pytest.fixture(scope="module", autouse=True)
def shallow():
    """Every report builds its run's network."""
    with shallow_networks():
        yield


@pytest.fixture(scope="session")
def finished_report_run(tmp_path_factory):
    """(OUTPUT_DIR, data set); no test changes them."""
    folder = tmp_path_factory.mktemp("report")
    data, output = folder / "data", folder / "run"
    make_data(data)
    with shallow_networks():
        make_run(output, data)
    return output, data


@pytest.fixture
def run_folder(finished_report_run, tmp_path):
    """A copy of the OUTPUT_DIR's files, to be changed; its data set is the common one."""
    source = finished_report_run[0]
    target = tmp_path / "run"
    (target / "checkpoints").mkdir(parents=True)
    for path in source.rglob("*"):
        if path.is_file() and path.name != "report.html":
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
    return target
