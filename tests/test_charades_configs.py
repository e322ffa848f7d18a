"""Every config of Charades loads, builds, and runs one step of training and of a test."""

import csv
import json
from pathlib import Path

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.config import load_config
from slowfast_ext.datasets.synthetic_videos import SyntheticSettings, write_video
from slowfast_ext.engine.main import main
from slowfast_ext.tables.paper import ROWS

CONFIGS = sorted((Path(__file__).parents[1] / "configs" / "Charades").glob("*.yaml"))
# Files that others build on: no backbone, or no row of their own.
ABSTRACT = ("BASE", "TABLE3_HEAD")
ROW_CONFIGS = [path for path in CONFIGS if path.stem not in (*ABSTRACT, "X3D_XL_ACTIVITY")]
X3D_XL = CONFIGS[0].with_name("X3D_XL_ACTIVITY.yaml")
needs_main = pytest.mark.skipif(not upstream.IS_MAIN, reason="needs GitHub's main of PySlowFast")

SMALL = {
    "RESNET.DEPTH": "50",
    "DATA.NUM_FRAMES": "8",
    "DATA.TRAIN_JITTER_SCALES": "[64, 72]",
    "DATA.TRAIN_CROP_SIZE": "64",
    "DATA.TEST_CROP_SIZE": "64",
    "DATA_LOADER.NUM_WORKERS": "0",
    "SOLVER.MAX_EPOCH": "1",
    "SOLVER.BASE_LR": "0.001",
    "TRAIN.BATCH_SIZE": "2",
    "TRAIN.CHECKPOINT_FILE_PATH": "",
    "TRAIN.CHECKPOINT_TYPE": "pytorch",
    "TRAIN.ENABLE": "True",
    "TEST.CHECKPOINT_FILE_PATH": "",
    "TEST.VIEWS": "[[4, 1, 2], [2, 1, 1]]",
    "TUNE.MAX_ITER": "1",
    "NUM_GPUS": "0",
}


# What names blocks that the shallow networks do not have.
SHALLOW = {
    "SLOWFAST": {"NONLOCAL.LOCATION": "[[[], []], [[], []], [[4], []], [[], []]]"},
    "NONLOCAL": {"RESNET.NUM_BLOCK_TEMP_KERNEL": "[[3], [4], [6], [3]]"},
}


@pytest.fixture(scope="module")
def charades(tmp_path_factory):
    """Two training videos and one test video, listed as `prepare charades` lists them."""
    folder = tmp_path_factory.mktemp("charades")
    settings = SyntheticSettings(size=32, num_train=2, num_test=1)
    boxes = ["video,frame,class,x1,y1,x2,y2"]
    for split, count in (("train", 2), ("test", 1)):
        with open(folder / f"{split}.csv", "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["path", "labels", "start", "end"])
            for index in range(count):
                path = write_video(str(folder), settings, split, index)[0][0]
                writer.writerow([path, 92, 0.0, 1.5])
                writer.writerow([path, 147, 1.0, 2.0])
                video_id = Path(path).stem
                boxes += [f"{video_id},{frame},object 3,0.1,0.2,0.6,0.9" for frame in range(1, 60)]
    (folder / "objects.csv").write_text("\n".join(boxes) + "\n")
    (folder / "object_classes.txt").write_text("\n".join(f"object {i}" for i in range(36)))
    (folder / "classes.txt").write_text("\n".join(f"activity {i}" for i in range(157)))
    return folder


@pytest.mark.parametrize(
    "path",
    [*ROW_CONFIGS, pytest.param(X3D_XL, marks=needs_main)],
    ids=lambda path: path.stem,
)
def test_a_config_trains_and_tests_at_reduced_size(path, charades, tmp_path):
    small = {**SMALL, "DATA.PATH_TO_DATA_DIR": str(charades), "OUTPUT_DIR": str(tmp_path)}
    small.update(SHALLOW.get(path.stem.split("_")[0], {}))
    main(["--cfg", str(path), *(word for pair in small.items() for word in pair)])
    results = json.loads((tmp_path / "results.json").read_text())
    # The one test video has boxes.
    with_objects = 1 if path.stem.startswith("TABLE2") else None
    assert results["counts"].get("videos_with_objects") == with_objects


@pytest.mark.parametrize("path", ROW_CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_whole_and_names_a_row_of_the_paper(path):
    cfg = load_config(str(path), ["NUM_GPUS", "0"])
    assert cfg.ACTIVITY.TABLE_ROW in {row.id for row in ROWS}
    assert sum(clips * crops for _, clips, crops in cfg.TEST.VIEWS) == 30
    assert cfg.DATA.NUM_FRAMES == 32 and cfg.MODEL.NUM_CLASSES == 157


@needs_main
def test_x3d_xl_gives_280_channels():
    network = upstream.model_class("ActivityNetwork")(load_config(str(X3D_XL), ["NUM_GPUS", "0"]))
    clip = torch.zeros(1, 3, 4, 64, 64)
    assert network.features([clip]).shape == (1, 280, 4, 2, 2)


def test_every_row_of_tables_1_to_3_has_a_config():
    rows = {load_config(str(path), ["NUM_GPUS", "0"]).ACTIVITY.TABLE_ROW for path in ROW_CONFIGS}
    assert rows == {row.id for row in ROWS if row.table[0] in "123"}
