"""Every config of Charades loads, builds, and runs one step of training and of a test."""

import csv
import functools
import json
from pathlib import Path

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.commands.run_net import main
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings
from slowfast_ext.datasets.synthetic.videos import write_video
from slowfast_ext.engine.checkpoint import checkpoint_path
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.paper.numbers import ROWS
from tests.helpers import OTHER_LIBRARIES, SHALLOW

CONFIGS = sorted((Path(__file__).parents[1] / "configs" / "Charades").glob("*.yaml"))
# Files that others build on: no backbone, or no row of their own.
ABSTRACT = ("BASE", "TABLE3_HEAD")
OTHERS = (*ABSTRACT, *OTHER_LIBRARIES, "X3D_XL_ACTIVITY")
ROW_CONFIGS = [path for path in CONFIGS if path.stem not in OTHERS]
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
FEWER_BLOCKS = {
    "SLOWFAST": {**SHALLOW, "NONLOCAL.LOCATION": "[[[], []], [[], []], [[0], []], [[], []]]"},
    "NONLOCAL": {
        "RESNET.NUM_BLOCK_TEMP_KERNEL": "[[1], [1], [1], [1]]",
        "NONLOCAL.LOCATION": "[[[]], [[0]], [[0]], [[]]]",
    },
}


@functools.cache
def loaded(path):
    """A config's values, to be left as they are."""
    return checked_config(str(path), ["NUM_GPUS", "0"])


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
def test_a_config_trains_and_tests_at_reduced_size(path, charades, tmp_path, shallow):
    small = {**SMALL, "DATA.PATH_TO_DATA_DIR": str(charades), "OUTPUT_DIR": str(tmp_path)}
    small.update(FEWER_BLOCKS.get(path.stem.split("_")[0], {}))
    main(["--cfg", str(path), *(word for pair in small.items() for word in pair)])
    results = json.loads((tmp_path / "results.json").read_text())
    # The one test video has boxes.
    with_objects = 1 if path.stem.startswith("TABLE2") else None
    assert results["counts"].get("videos_with_objects") == with_objects
    log = (tmp_path / "stdout.log").read_text()
    for said in ("train: 2 of 2 videos have boxes", "test: 1 of 1 videos have boxes"):
        assert (said in log) == bool(with_objects)


# What section 3.7 and the docs say of every row.
TRAINING = {
    "SOLVER.BASE_LR": 0.035,
    "SOLVER.OPTIMIZING_METHOD": "sgd",
    "SOLVER.MOMENTUM": 0.9,
    "SOLVER.WEIGHT_DECAY": 1.25e-5,
    "TRAIN.BATCH_SIZE": 12,
    # 50,000 iterations of 12 of the 7,985 training videos.
    "SOLVER.MAX_EPOCH": 50_000 // (7985 // 12),
    "DATA.NUM_FRAMES": 32,
    "DATA.SAMPLING_RATE": 4,
    "DATA.TARGET_FPS": 24,
    "DATA.TRAIN_JITTER_SCALES": [256, 320],
    "DATA.TRAIN_CROP_SIZE": 224,
    "DATA.TEST_CROP_SIZE": 256,
    "DATA.RANDOM_FLIP": True,
    "MODEL.NUM_CLASSES": 157,
    "MODEL.LOSS_FUNC": "bce_logit",
    "MODEL.DROPOUT_RATE": 0.5,
    "ACTIVITY.DIM": 128,
    "TUNE.MAX_ITER": 10_000,
}

BACKBONES = {
    "CSN-152": {
        "ACTIVITY.BACKBONE": "CSN",
        "ACTIVITY.CSN_FORM": "ip",
        "RESNET.DEPTH": 152,
        # Those of VMZ, which trained the weights.
        "DATA.MEAN": [0.43216, 0.394666, 0.37645],
        "DATA.STD": [0.22803, 0.22145, 0.216989],
    },
    "SlowFast-101": {
        "MODEL.ARCH": "slowfast",
        "RESNET.DEPTH": 101,
        "NONLOCAL.LOCATION": [[[], []], [[], []], [[6, 13, 20], []], [[], []]],
        "DATA.MEAN": [0.45] * 3,
        "DATA.STD": [0.225] * 3,
    },
    "Nonlocal-101": {
        "MODEL.ARCH": "i3d",
        "RESNET.DEPTH": 101,
        "NONLOCAL.LOCATION": [[[]], [[1, 3]], [[1, 3, 5]], [[]]],
        "DATA.MEAN": [0.45] * 3,
        "DATA.STD": [0.225] * 3,
    },
}

# Views by the rates that a row's name has.
VIEWS = {
    "4": [[4, 10, 3]],
    "2+4": [[4, 5, 3], [2, 5, 3]],
    "2+4+8": [[4, 4, 3], [8, 3, 3], [2, 3, 3]],
}
POOLED = {"ACTIVITY.HEAD": "PoolHead"}
COMPLETE = {
    "ACTIVITY.HEAD": "ActivityHead",
    "ACTIVITY.ACTIVITY_FEATURES": True,
    "ACTIVITY.CORRELATION": True,
    "ACTIVITY.GROUPS": 32,
    "ACTIVITY.NUM_OBSERVATIONS": 64,
}
UNCORRELATED = {**COMPLETE, "ACTIVITY.CORRELATION": False}
OBJECTS = {"OBJECTS.NUM_CLASSES": 36}


def at_rates(rates, tuned=False):
    """The test's views and, where the network is tuned, the rates of its clips."""
    tuning = {"TUNE.RATES": sorted(map(int, rates.split("+")))} if tuned else {}
    return {"TEST.VIEWS": VIEWS[rates], "TUNE.ENABLE": tuned, **tuning}


TUNED = at_rates("2+4+8", tuned=True)
# TABLE_ROW -> the keys that make it that row; without another backbone it has CSN-152.
MEANING = {
    **{f"1/{name}": {**keys, **POOLED, **at_rates("4")} for name, keys in BACKBONES.items()},
    **{f"1/{name} ours": {**keys, **COMPLETE, **TUNED} for name, keys in BACKBONES.items()},
    "2/CSN-152": {**POOLED, **OBJECTS, **at_rates("4")},
    "2/CSN-152 ours": {**COMPLETE, **OBJECTS, **TUNED},
    **{
        f"3a/n={n}": {**UNCORRELATED, "ACTIVITY.GROUPS": n, **at_rates("4")} for n in (1, 8, 32, 64)
    },
    **{
        f"3b/K={k}": {**UNCORRELATED, "ACTIVITY.NUM_OBSERVATIONS": k, **at_rates("4")}
        for k in (16, 32, 64, 128)
    },
    "3c/baseline": {**POOLED, **at_rates("4")},
    "3e/baseline": {**POOLED, **at_rates("4")},
    "3c/no activity-specific": {"ACTIVITY.HEAD": "ChannelCorrelationHead", **at_rates("4")},
    "3c/a map per activity": {
        **COMPLETE,
        "ACTIVITY.ACTIVITY_FEATURES": False,
        **at_rates("4"),
    },
    "3c/no activity correlation": {**UNCORRELATED, **at_rates("4")},
    "3c/complete": {**COMPLETE, **at_rates("4")},
    **{f"3d/{rates}": {**COMPLETE, **at_rates(rates)} for rates in VIEWS},
    **{f"3d/{r} tuned": {**COMPLETE, **at_rates(r, tuned=True)} for r in ("2+4", "2+4+8")},
    "3e/two-stage transformer": {"ACTIVITY.HEAD": "TwoStageTransformerHead", **at_rates("4")},
    "3e/ours": {**UNCORRELATED, **at_rates("4")},
}


@pytest.mark.parametrize("path", ROW_CONFIGS, ids=lambda path: path.stem)
def test_a_config_is_the_row_that_it_names(path):
    cfg = loaded(path)
    row = cfg.ACTIVITY.TABLE_ROW
    wanted = {
        **TRAINING,
        **({} if row.startswith("1/") else BACKBONES["CSN-152"]),
        "OBJECTS.NUM_CLASSES": 0,
        "ACTIVITY.FORM": "as_printed" if path.stem.endswith("AS_PRINTED") else "default",
        # What Table 3d tests was trained for 3c.
        "TRAIN.ENABLE": not row.startswith("3d"),
        **MEANING[row],
    }
    if "LFB" in path.stem:
        # The same row, of the network whose weights are published.
        wanted["NONLOCAL.LOCATION"] = [[[]], [[1, 3]], [[6, 13, 20]], [[]]]
    assert {key: upstream.get_key(cfg, key) for key in wanted} == wanted


@pytest.mark.parametrize("name", ["4", "2_4", "2_4_8", "2_4_TUNED", "2_4_8_TUNED"])
def test_table_3d_goes_on_from_the_complete_head(name):
    complete = loaded(CONFIGS[0].with_name("TABLE3C_COMPLETE.yaml"))
    path = checkpoint_path(complete.OUTPUT_DIR, "train", complete.SOLVER.MAX_EPOCH)
    cfg = loaded(CONFIGS[0].with_name(f"TABLE3D_RATES_{name}.yaml"))
    tested = "" if cfg.TUNE.ENABLE else path
    assert tested == cfg.TEST.CHECKPOINT_FILE_PATH
    assert path in (cfg.TRAIN.CHECKPOINT_FILE_PATH, tested)


def test_no_two_configs_leave_their_results_in_one_folder():
    assert len({loaded(path).OUTPUT_DIR for path in ROW_CONFIGS}) == len(ROW_CONFIGS)


@needs_main
def test_x3d_xl_gives_280_channels():
    network = upstream.model_class("ActivityNetwork")(
        checked_config(str(X3D_XL), ["NUM_GPUS", "0"])
    )
    clip = torch.zeros(1, 3, 4, 64, 64)
    assert network.features([clip]).shape == (1, 280, 4, 2, 2)


def test_every_row_of_tables_1_to_3_has_a_config():
    rows = {loaded(path).ACTIVITY.TABLE_ROW for path in ROW_CONFIGS}
    assert rows == {row.id for row in ROWS if row.table[0] in "123" and not row.other_work}
