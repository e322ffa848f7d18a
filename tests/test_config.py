"""Keys are checked before anything is built; a mistake is one sentence."""

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.config import load_config
from slowfast_ext.errors import SlowFastExtError

OURS = [
    *("MODEL.MODEL_NAME", "ActivityNetwork", "NUM_GPUS", "0"),
    *("MODEL.LOSS_FUNC", "bce_logit", "MODEL.HEAD_ACT", "sigmoid"),
    *("DATA.NUM_FRAMES", "32"),
    *("RESNET.SPATIAL_STRIDES", "[[1,1],[2,2],[2,2],[2,2]]"),
    *("RESNET.SPATIAL_DILATIONS", "[[1,1],[1,1],[1,1],[1,1]]"),
    *("RESNET.NUM_BLOCK_TEMP_KERNEL", "[[3,3],[4,4],[6,6],[3,3]]"),
    *("NONLOCAL.LOCATION", "[[[],[]],[[],[]],[[],[]],[[],[]]]"),
    *("NONLOCAL.GROUP", "[[1,1],[1,1],[1,1],[1,1]]"),
]


@pytest.mark.parametrize(
    "options,sentence",
    [
        (["ACTIVITY.GROPS", "8"], "unknown key ACTIVITY.GROPS; did you mean ACTIVITY.GROUPS?"),
        (["BASE_LR", "0.1"], "unknown key BASE_LR; did you mean SOLVER.BASE_LR?"),
        (["TRAIN.BATCH_SIZE", "many"], "TRAIN.BATCH_SIZE"),
        (["ACTIVITY.GROUPS", "7"], "ACTIVITY.GROUPS is 7: it must divide the backbone's 2304"),
        (["ACTIVITY.GROUPS", "256"], "ACTIVITY.DIM is 128: it must be a multiple of"),
        (["TUNE.RATES", "[2, 0]"], "TUNE.RATES is [2, 0]"),
        (["TEST.VIEWS", "[[4, 4]]"], "TEST.VIEWS is [[4, 4]]"),
        (["DATA.SAMPLING_RATE", "0"], "DATA.SAMPLING_RATE is 0: it must be at least 1"),
        (["NUM_GPUS", "4096"], f"NUM_GPUS is 4096: it must lie in 0..{torch.cuda.device_count()}"),
        (["ACTIVITY.FORM", "printed"], "ACTIVITY.FORM is 'printed': it must be one of default"),
        (["ACTIVITY.HEAD", "Head"], "ACTIVITY.HEAD is 'Head': it must be one of ActivityHead"),
        (["ACTIVITY.FREEZE_BACKBONE", "True"], "FREEZE_BACKBONE is True: it needs a trained"),
        (["MODEL.MODEL_NAME", "SlowFast"], "MODEL.MODEL_NAME is 'SlowFast'"),
        (["MULTIGRID.LONG_CYCLE", "True"], "MULTIGRID.LONG_CYCLE is True: it is not done"),
        (["BN.NORM_TYPE", "sync_batchnorm"], "BN.NORM_TYPE is 'sync_batchnorm'"),
        (["RESNET.DEPTH", "77"], "cfg.RESNET.DEPTH in _MODEL_STAGE_DEPTH"),
        (["SLOWFAST.ALPHA", "3"], "the network cannot be built from the keys of MODEL"),
        (["SOLVER.LR_POLICY", "none"], "SOLVER.LR_POLICY is 'none'"),
        (["DATA.MEAN", "[0.4]"], "DATA.MEAN is [0.4]: it must have one number"),
        (["DATA.TRAIN_JITTER_SCALES", "[320, 256]"], "must be two sizes, smallest first"),
        (["MODEL.HEAD_ACT", "softmax"], "MODEL.HEAD_ACT is 'softmax': it must be sigmoid"),
        (["DATA_LOADER.NUM_WORKERS", "-1"], "DATA_LOADER.NUM_WORKERS is -1: it must not be"),
        (["OUTPUT_DIR", "nostore://x"], "OUTPUT_DIR is 'nostore://x': it needs a handler"),
        (["TEST.VIEWS", "None"], "TEST.VIEWS is None: it must not be empty"),
        (["DATA.STD", "[0, 0, 0]"], "DATA.STD is [0, 0, 0]: it must be above 0"),
        (["DATA.MEAN", "['a', 'b', 'c']"], "DATA.MEAN"),
        (["DATA.TRAIN_JITTER_SCALES", "['a', 'b']"], "must be two sizes"),
        (["SLOWFAST.BETA_INV", "0"], "SLOWFAST.BETA_INV is 0"),
        (["SOLVER.BASE_LR", "1"], "SOLVER.BASE_LR is 1, of type int: it must be of type float"),
        (["ACTIVITY.BACKBONE", "X4D"], "no model is named 'X4D'"),
        (["SOLVER.CLIP_GRAD_VAL", "much"], "SOLVER.CLIP_GRAD_VAL is 'much': it must be a number"),
        (["NUM_GPUS"], "'NUM_GPUS' has no value"),
        (["TRAIN.BATCH_SIZE", "0"], "TRAIN.BATCH_SIZE is 0: it must be at least 1"),
    ],
)
def test_a_mistake_is_one_sentence(options, sentence):
    with pytest.raises(SlowFastExtError) as error:
        load_config(None, OURS + options)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text,sentence",
    [
        ("TRAIN: [1", "not YAML"),
        ("TRAIN:\n  BACH_SIZE: 3\n", "unknown key TRAIN.BACH_SIZE; did you mean TRAIN.BATCH_SIZE?"),
        ("_BASE_: missing.yaml\n", "missing.yaml"),
        ("TRAIN:\n", "TRAIN is None: it is a section"),
        ("TRAIN.ENABLE: True\n", "in a file ENABLE belongs below its section, TRAIN:"),
        ("- a\n- b\n", "is not sections of KEY: value pairs"),
        ("", "is not sections of KEY: value pairs"),
        ("_BASE_: bad.yaml\n", "its chain of _BASE_ never ends"),
        ("SOLVER:\n  BASE_LR: .nan\n", "SOLVER.BASE_LR is nan: it must be a finite number"),
        ("!!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, sentence):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SlowFastExtError) as error:
        load_config(str(path), OURS)
    assert sentence in str(error.value)


def test_missing_file_is_named():
    with pytest.raises(SlowFastExtError, match=r"nowhere\.yaml: cannot read"):
        load_config("nowhere.yaml")


@pytest.mark.skipif(upstream.IS_MAIN, reason="main honours the key")
def test_what_only_main_honours_is_refused_by_name():
    with pytest.raises(SlowFastExtError, match=r"SOLVER.COSINE_END_LR .* needs GitHub's main"):
        load_config(None, OURS + ["SOLVER.COSINE_END_LR", "1e-6"])


def test_learning_rates_grow_with_the_machines_where_asked_to():
    words = ["SOLVER.BASE_LR_SCALE_NUM_SHARDS", "True", "NUM_SHARDS", "3", "SOLVER.BASE_LR", "0.1"]
    assert pytest.approx(0.3) == load_config(None, OURS + words).SOLVER.BASE_LR


def test_all_gpus_that_there_are():
    cfg = load_config(None, [*OURS, "NUM_GPUS", "-1", "TRAIN.BATCH_SIZE", "64"])
    assert torch.cuda.device_count() == cfg.NUM_GPUS
