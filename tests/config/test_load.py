"""Keys are checked before anything is built; a mistake is one sentence."""

import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.config.defaults import GONE
from slowfast_ext.config.load import load_config
from slowfast_ext.engine.setup import checked_config
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

STEPS = ["SOLVER.LR_POLICY", "steps_with_relative_lrs", "SOLVER.STEPS"]


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
        (["RESNET.DEPTH", "77"], "RESNET.DEPTH is 77: it must be one of"),
        (["SLOWFAST.ALPHA", "3"], "DATA.NUM_FRAMES is 32: it must be a multiple of SLOWFAST.ALPHA"),
        (["DATA.INPUT_CHANNEL_NUM", "[3]"], "it must be [3, 3] for MODEL.ARCH slowfast"),
        (["MODEL.ARCH", "i3d"], "DATA.INPUT_CHANNEL_NUM is [3, 3]: it must be [3] for"),
        (["MODEL.ARCH", "maskmvit"], "MODEL.ARCH is 'maskmvit': it must be one of"),
        # 12 is no multiple of SLOWFAST.BETA_INV.
        (["RESNET.WIDTH_PER_GROUP", "12"], "cannot be built from the keys of MODEL, RESNET"),
        (
            ["RESNET.NUM_BLOCK_TEMP_KERNEL", "[[3]]"],
            "the network cannot be built from the keys of MODEL",
        ),
        (["BN.NORM_TYPE", "sub_batchnorm"], "BN.NORM_TYPE is 'sub_batchnorm': it must be one of"),
        (["BN.NUM_BATCHES_PRECISE", "0"], "BN.NUM_BATCHES_PRECISE is 0: it must be at least 1"),
        (["DATA.SAMPLING_RATE", str(10**18)], "it must be at most 10000"),
        (["TUNE.RATES", f"[2, {10**18}]"], "whole numbers in 1..10000"),
        (["TEST.VIEWS", f"[[{10**18}, 1, 1]]"], "whole numbers in 1..10000"),
        (["DATA.FRAME_FOLDER_FPS", "0.0"], "DATA.FRAME_FOLDER_FPS is 0.0: it must be above 0"),
        (["DATA.TRAIN_JITTER_SCALES", f"[256, {10**9}]"], "nor above 8192"),
        (["RNG_SEED", str(2**64)], "it must be below 2**63"),
        (["OUTPUT_DIR", "a\0b"], "it must not contain the character NUL"),
        (["SOLVER.WEIGHT_DECAY", "-1.0"], "SOLVER.WEIGHT_DECAY is -1.0: it must not be negative"),
        (["SOLVER.WARMUP_EPOCHS", "-1.0"], "SOLVER.WARMUP_EPOCHS is -1.0: it must not be"),
        (["SOLVER.WARMUP_START_LR", "-1.0"], "SOLVER.WARMUP_START_LR is -1.0: it must not be"),
        (["SOLVER.MOMENTUM", "0.0"], "SOLVER.NESTEROV is True: it needs SOLVER.MOMENTUM above 0"),
        (["SOLVER.DAMPENING", "0.5"], "SOLVER.NESTEROV is True: it needs SOLVER.MOMENTUM above 0"),
        (["SOLVER.MOMENTUM", "-0.5"], "torch does not take the numbers of SOLVER"),
        ([*STEPS, "[0, 5]", "SOLVER.LRS", "[1]"], "a number for each of the 2 SOLVER.STEPS"),
        ([*STEPS, "[3, 5]", "SOLVER.LRS", "[1, 0.1]"], "SOLVER.STEPS is [3, 5]: it must be epochs"),
        (["TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", "(1, 2)"], "it must list parts of tensors' names"),
        (["SOLVER.AVA", "x"], "unknown key SOLVER.AVA; did you mean SOLVER.GAMMA?"),
        (["TRAIN.CHECKPOINT_PATH", "x"], "did you mean TRAIN.CHECKPOINT_FILE_PATH?"),
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
        (["SOLVER.BASE_LR", "[1]"], "SOLVER.BASE_LR"),
        (["ACTIVITY.BACKBONE", "X4D"], "no model is named 'X4D'"),
        (["SOLVER.CLIP_GRAD_VAL", "much"], "SOLVER.CLIP_GRAD_VAL is 'much': it must be a number"),
        (["NUM_GPUS", "0", "TRAIN.MIXED_PRECISION", "True"], "TRAIN.MIXED_PRECISION is True: it"),
        (["NUM_GPUS"], "'NUM_GPUS' has no value"),
        (["TRAIN.BATCH_SIZE", "0"], "TRAIN.BATCH_SIZE is 0: it must be at least 1"),
    ],
)
def test_a_mistake_is_one_sentence(options, sentence):
    with pytest.raises(SlowFastExtError) as error:
        checked_config(None, OURS + options)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


BAD_TRAIN = "bad.yaml:5: TRAIN stands in line 1 already"


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
        ("TRAIN:\n  ENABLE: True\nTEST:\n  ENABLE: True\nTRAIN:\n  BATCH_SIZE: 2\n", BAD_TRAIN),
        ("TEST:\n  VIEWS: &a [*a]\n", "bad.yaml:2: an anchor that is used within itself"),
        ("TEST:\n  VIEWS: " + "[" * 5000 + "]" * 5000, "is nested too deeply"),
        ("!!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, sentence):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SlowFastExtError) as error:
        checked_config(str(path), OURS)
    assert sentence in str(error.value)


def test_a_base_of_a_file_is_checked_too(tmp_path):
    (tmp_path / "base.yaml").write_text("TRAIN:\n  ENABLE: True\nTRAIN:\n  BATCH_SIZE: 2\n")
    (tmp_path / "top.yaml").write_text("_BASE_: base.yaml\n")
    with pytest.raises(SlowFastExtError, match=r"base\.yaml:3: TRAIN stands in line 1 already"):
        checked_config(str(tmp_path / "top.yaml"), OURS)


def test_of_a_key_that_stands_twice_the_last_is_taken_with_a_warning(tmp_path, caplog):
    path = tmp_path / "twice.yaml"
    path.write_text("SOLVER:\n  BASE_LR: 0.1\n  MAX_EPOCH: 2\n  BASE_LR: 0.2\n")
    assert checked_config(str(path), OURS).SOLVER.BASE_LR == 0.2
    checked_config(str(path), OURS)  # As a command does, once before torch is imported: told once.
    (record,) = caplog.records
    sentence = "twice.yaml:4: BASE_LR stands in line 2 already, and the last alone is taken"
    assert record.levelname == "WARNING" and sentence in record.getMessage()


def test_plain_sgd_is_one_switch_away():
    words = [
        "SOLVER.OPTIMIZING_METHOD",
        "sgd",
        "SOLVER.MOMENTUM",
        "0.0",
        "SOLVER.NESTEROV",
        "False",
    ]
    assert checked_config(None, OURS + words).SOLVER.MOMENTUM == 0


@pytest.mark.skipif(upstream.IS_MAIN, reason="main has no such keys")
@pytest.mark.parametrize(
    "options,sentence",
    [
        (["BN.EPSILON", "0.0"], "BN.EPSILON is 0.0: it must be above 0"),
        (["BN.MOMENTUM", "1.5"], "BN.MOMENTUM is 1.5: it must lie in [0, 1]"),
    ],
)
def test_keys_of_1_0_alone(options, sentence):
    with pytest.raises(SlowFastExtError) as error:
        checked_config(None, OURS + options)
    assert sentence in str(error.value)


@pytest.mark.skipif(not upstream.IS_MAIN, reason="1.0 has no such keys")
@pytest.mark.parametrize(
    "key,value",
    [
        ("DATA.TRAIN_CROP_NUM_SPATIAL", "2"),
        ("DATA.TRAIN_CROP_NUM_TEMPORAL", "2"),
        ("DATA.TRAIN_JITTER_MOTION_SHIFT", "True"),
        ("DATA.TRAIN_JITTER_FPS", "1.0"),
        ("DATA.DUMMY_LOAD", "True"),
        ("TEST.NUM_TEMPORAL_CLIPS", "[3]"),
        ("TRAIN.KILL_LOSS_EXPLOSION_FACTOR", "2.0"),
        ("VIS_MASK.ENABLE", "True"),
    ],
)
def test_keys_of_main_without_a_use_here_are_refused(key, value):
    with pytest.raises(SlowFastExtError, match=f"{key} is .*: it is not done by this engine"):
        checked_config(None, [*OURS, key, value])


def test_a_rank_needs_the_evidence_that_it_is_of():
    with pytest.raises(SlowFastExtError, match=r"EVIDENCE_RANK is 4: it needs ACTIVITY.EVIDENCE"):
        checked_config(None, [*OURS, "ACTIVITY.EVIDENCE_RANK", "4"])


def test_decay_rates_of_adamw():
    words = ["SOLVER.OPTIMIZING_METHOD", "adamw", "SOLVER.BETAS", "(2, 3)"]
    with pytest.raises(SlowFastExtError, match=r"'adamw': torch does not take .* beta"):
        checked_config(None, OURS + words)


def test_a_path_that_leads_nowhere_is_named(tmp_path):
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for path in (f"{__file__}/x.yaml", f"{tmp_path}/loop.yaml", f"{300 * 'x'}.yaml"):
        with pytest.raises(SlowFastExtError, match=rf"cannot read {path} \(.+\); check the path"):
            checked_config(path)


def test_missing_file_is_named():
    with pytest.raises(SlowFastExtError, match=r"cannot read nowhere\.yaml \(No such .*; check"):
        checked_config("nowhere.yaml")


@pytest.mark.skipif(upstream.IS_MAIN, reason="main honours the key")
def test_what_only_main_honours_is_refused_by_name():
    with pytest.raises(SlowFastExtError, match=r"SOLVER.COSINE_END_LR .* needs GitHub's main"):
        checked_config(None, OURS + ["SOLVER.COSINE_END_LR", "1e-6"])


def test_learning_rates_grow_with_the_machines_where_asked_to():
    words = ["SOLVER.BASE_LR_SCALE_NUM_SHARDS", "True", "NUM_SHARDS", "3", "SOLVER.BASE_LR", "0.1"]
    assert pytest.approx(0.3) == checked_config(None, OURS + words).SOLVER.BASE_LR


def test_all_gpus_that_there_are():
    cfg = checked_config(None, [*OURS, "NUM_GPUS", "-1", "TRAIN.BATCH_SIZE", "64"])
    assert torch.cuda.device_count() == cfg.NUM_GPUS


def test_a_whole_number_serves_where_a_float_is_meant(tmp_path):
    """Stock files of 1.0's time have WARMUP_EPOCHS: 34."""
    path = tmp_path / "stock.yaml"
    path.write_text("SOLVER:\n  WARMUP_EPOCHS: 34\n", encoding="utf-8")
    cfg = checked_config(str(path), [*OURS, "SOLVER.BASE_LR", "1", "TRAIN.BATCH_SIZE", "4"])
    assert (cfg.SOLVER.WARMUP_EPOCHS, cfg.SOLVER.BASE_LR) == (34.0, 1.0)
    assert isinstance(cfg.SOLVER.BASE_LR, float) and cfg.TRAIN.BATCH_SIZE == 4


@pytest.mark.parametrize("key", [key for key in GONE if "." in key])
def test_a_key_that_is_gone_has_no_effect(tmp_path, key):
    """Checkpoints and configs of its time name it."""
    section, _, name = key.partition(".")
    (tmp_path / "old.yaml").write_text(f"{section}:\n  {name}: 3\n")
    cfg = load_config(str(tmp_path / "old.yaml"), [key, "4"])
    assert name not in cfg[section]


def test_a_section_that_is_gone_has_no_effect(tmp_path):
    """main's stock SSv2 files of MViT have it, and main itself refuses them for it."""
    (tmp_path / "old.yaml").write_text("PREFETCH:\n  NUM_LOADERS: 3\n")
    assert "PREFETCH" not in load_config(str(tmp_path / "old.yaml"))


@pytest.mark.parametrize(
    "name,arch,backbone",
    [("PTVSlowFast", "slowfast", "PTVSlowFast"), ("MViT", "slow", "MViT"), ("ResNet", "i3d", "")],
)
def test_a_files_own_network_stays_below_ours(tmp_path, name, arch, backbone):
    (tmp_path / "stock.yaml").write_text(f"MODEL:\n  MODEL_NAME: {name}\n  ARCH: {arch}\n")
    (tmp_path / "own.yaml").write_text("_BASE_: stock.yaml\nMODEL: {MODEL_NAME: ActivityNetwork}\n")
    ours = ["MODEL.MODEL_NAME", "ActivityNetwork"]
    for file, options in (("stock.yaml", ours), ("own.yaml", [])):
        assert backbone == load_config(str(tmp_path / file), options).ACTIVITY.BACKBONE
    chosen = load_config(str(tmp_path / "own.yaml"), ["ACTIVITY.BACKBONE", "CSN"])
    assert chosen.ACTIVITY.BACKBONE == "CSN"
    assert load_config(str(tmp_path / "stock.yaml")).ACTIVITY.BACKBONE == ""


def test_values_from_python_need_no_texts(tmp_path):
    options = ["MODEL.DROPOUT_RATE", 0.25, "SOLVER.BASE_LR", 1, "TEST.VIEWS", [(2, 1, 1)]]
    options += ["OUTPUT_DIR", tmp_path, "TRAIN.ENABLE", False, "SOLVER.CLIP_GRAD_VAL", None]
    cfg = load_config(None, options)
    assert (cfg.MODEL.DROPOUT_RATE, cfg.SOLVER.BASE_LR, cfg.TEST.VIEWS) == (0.25, 1.0, [(2, 1, 1)])
    assert (str(tmp_path), False) == (cfg.OUTPUT_DIR, cfg.TRAIN.ENABLE)
    with pytest.raises(SlowFastExtError, match="SOLVER.BASE_LR is fast, of type str"):
        load_config(None, ["SOLVER.BASE_LR", "fast"])
    with pytest.raises(SlowFastExtError, match="TRAIN.BATCH_SIZE is 0.5, of type float"):
        load_config(None, ["TRAIN.BATCH_SIZE", 0.5])
    with pytest.raises(SlowFastExtError, match="command line: int too large"):
        load_config(None, ["SOLVER.BASE_LR", 10**400])
