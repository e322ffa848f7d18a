"""Which keys of a checkpoint must be those of the run that takes it."""

import pickle
import re

import pytest
import yaml

from slowfast_ext.config import compare
from slowfast_ext.config.defaults import default_config
from slowfast_ext.config.load import load_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import base_config


@pytest.fixture
def cfg():
    return default_config()


@pytest.mark.parametrize("text", ["- a", None, "", "a: ["])
def test_a_checkpoint_without_settings_is_named(cfg, text):
    with pytest.raises(SlowFastExtError, match=r"x\.pyth: does not say with which settings"):
        compare.check_same_config("x.pyth", {"cfg": text}, cfg, "train")


def test_other_settings_are_named(cfg):
    state = {"cfg": cfg.dump()}
    cfg.SOLVER.BASE_LR = 0.25
    with pytest.raises(SlowFastExtError, match=r"SOLVER.BASE_LR 0.1 \(now 0.25\)"):
        compare.check_same_config("x.pyth", state, cfg, "train")


def test_settings_that_do_not_change_what_is_learnt_may_differ(cfg):
    state = {"cfg": cfg.dump()}
    cfg.OUTPUT_DIR, cfg.NUM_GPUS, cfg.TEST.VIEWS = "elsewhere", 0, [[2, 1, 1]]
    cfg.DATA_LOADER.NUM_WORKERS = 0
    cfg.TUNE.MAX_ITER = 7
    compare.check_same_config("x.pyth", state, cfg, "train")
    with pytest.raises(SlowFastExtError, match=r"TUNE.MAX_ITER"):
        compare.check_same_config("x.pyth", state, cfg, "tune")


def test_going_on_advises_what_helps(cfg):
    state = {"cfg": cfg.dump()}
    cfg.SOLVER.BASE_LR = 0.25
    with pytest.raises(SlowFastExtError, match="start anew there with TRAIN.AUTO_RESUME False"):
        compare.check_same_config("x.pyth", state, cfg, "train")
    cfg.TRAIN.ENABLE = False
    with pytest.raises(SlowFastExtError, match=r"OUTPUT_DIR with TRAIN.CHECKPOINT_FILE_PATH x\."):
        compare.check_same_config("x.pyth", state, cfg, "train")
    with pytest.raises(SlowFastExtError, match=r"by name with TEST.CHECKPOINT_FILE_PATH x\.pyth"):
        compare.check_tested_config("x.pyth", state, cfg, "train")


@pytest.mark.parametrize(
    "section,name,value", [("DATA", "ENSEMBLE_METHOD", "max"), ("DATA", "TEST_CROP_SIZE", 64)]
)
def test_a_test_may_cut_and_combine_views_otherwise(cfg, section, name, value):
    state = {"cfg": cfg.dump()}
    cfg[section][name] = value
    compare.check_tested_config("x.pyth", state, cfg, "train")
    with pytest.raises(SlowFastExtError, match=name):
        compare.check_same_config("x.pyth", state, cfg, "train")


def test_broken_videos_may_be_skipped_from_now_on(cfg):
    state = {"cfg": cfg.dump()}
    cfg.DATA.SKIP_BROKEN_VIDEOS = True
    compare.check_same_config("x.pyth", state, cfg, "train")


@pytest.mark.parametrize(
    "section,name,value",
    [
        ("ACTIVITY", "FORM", "as_printed"),
        ("DATA", "MEAN", [0.5, 0.5, 0.5]),
        ("SLOWFAST", "ALPHA", 4),
        ("OBJECTS", "MIN_SCORE", 0.5),
        # In which order its channels came.
        ("AVA", "BGR", True),
        ("DATA", "REVERSE_INPUT_CHANNEL", True),
    ],
)
def test_a_named_checkpoint_of_another_network_is_not_tested(cfg, section, name, value):
    state = {"cfg": cfg.dump()}
    cfg[section][name] = value
    with pytest.raises(SlowFastExtError, match=rf"x\.pyth was trained with {section}\.{name}"):
        compare.check_same_network("x.pyth", state, cfg, "do this")


def test_a_named_checkpoint_may_come_from_another_training(cfg):
    state = {"cfg": cfg.dump()}
    cfg.SOLVER.BASE_LR, cfg.MODEL.DROPOUT_RATE, cfg.DATA.SAMPLING_RATE = 7.0, 0.1, 3
    compare.check_same_network("x.pyth", state, cfg, "do this")
    # An upstream file's settings are of another head, which its own weights tell.
    compare.check_same_network("x.pyth", {"cfg": base_config().dump()}, cfg, "do this")
    compare.check_same_network("x.pyth", {}, cfg, "do this")


@pytest.mark.parametrize("key,value", [("NUM_SHARDS", 4), ("TUNE.RATES", [3])])
def test_a_test_of_a_training_needs_neither_its_machines_nor_its_tuning(cfg, key, value):
    state = {"cfg": cfg.dump()}
    cfg.merge_from_list([key, value])
    compare.check_tested_config("x.pyth", state, cfg, "train")
    with pytest.raises(SlowFastExtError, match=key):
        compare.check_same_config("x.pyth", state, cfg, "tune")


def test_plugins_are_compared_as_the_network_is(cfg):
    without = {"cfg": cfg.dump().replace("PLUGINS: []\n", "")}
    cfg.PLUGINS = ["my_head"]
    state = {"cfg": cfg.dump()}
    # An old checkpoint, of before there were any.
    compare.check_same_network("x.pyth", without, cfg, "do this")
    cfg.PLUGINS = ["my_measure"]
    wrong = r"PLUGINS \['my_head'\] \(now \['my_measure'\]\): do this"
    with pytest.raises(SlowFastExtError, match=wrong):
        compare.check_same_network("x.pyth", state, cfg, "do this")


def test_a_test_may_name_further_plugins_and_training_that_goes_on_may_not(cfg):
    cfg.PLUGINS = ["my_head"]
    state = {"cfg": cfg.dump()}
    cfg.PLUGINS = ["my_measure", "my_head"]
    compare.check_same_network("x.pyth", state, cfg, "do this")
    compare.check_tested_config("x.pyth", state, cfg, "train")
    with pytest.raises(SlowFastExtError, match=r"PLUGINS \['my_head'\] \(now "):
        compare.check_same_config("x.pyth", state, cfg, "train")


def test_what_a_command_sets_for_itself_is_not_compared(cfg):
    state = {"cfg": cfg.dump()}
    compare.set_own(cfg, {"DATA.FRAME_FOLDER_FPS": 7.0, "ACTIVITY.DIM": 64})
    for of_command in (cfg, cfg.clone(), pickle.loads(pickle.dumps(cfg))):
        assert (of_command.DATA.FRAME_FOLDER_FPS, of_command.ACTIVITY.DIM) == (7.0, 64)
        compare.check_same_config("x.pyth", state, of_command, "train")
        compare.check_tested_config("x.pyth", state, of_command, "tune")
        compare.check_same_network("x.pyth", state, of_command, "do this")
    cfg.SOLVER.BASE_LR = 0.5
    with pytest.raises(SlowFastExtError, match=r"x\.pyth was trained with SOLVER\.BASE_LR"):
        compare.check_same_config("x.pyth", state, cfg, "train")


def test_loading_takes_what_a_command_sets_for_itself(cfg):
    state = {"cfg": cfg.dump()}
    loaded = load_config(None, ["SLOWFAST.ALPHA", "4"], own={"SLOWFAST.ALPHA": 2})
    assert loaded.SLOWFAST.ALPHA == 2
    compare.check_same_network("x.pyth", state, loaded, "do this")


@pytest.mark.parametrize("check", [compare.check_same_config, compare.check_tested_config])
def test_a_checkpoint_from_before_a_part_of_the_head_has_none(cfg, check):
    settings = cfg.dump().replace("  EVIDENCE: false\n", "").replace("  EVIDENCE_RANK: 0\n", "")
    settings = settings.replace("  RESIDUAL_CORRELATION: false\n", "")
    settings = settings.replace("  CONTEXT: false\n", "").replace("  COLUMN_DIM: 0\n", "")
    keys = {"COLUMN_DIM", "CONTEXT", "EVIDENCE", "EVIDENCE_RANK", "RESIDUAL_CORRELATION"}
    assert not keys & set(re.findall(r"\w+", settings))
    check("x.pyth", {"cfg": settings}, cfg, "train")
    cfg.ACTIVITY.EVIDENCE = True
    with pytest.raises(SlowFastExtError, match=r"ACTIVITY.EVIDENCE False \(now True\)"):
        check("x.pyth", {"cfg": settings}, cfg, "train")
    with pytest.raises(SlowFastExtError, match=r"ACTIVITY.EVIDENCE False \(now True\)"):
        compare.check_same_network("x.pyth", {"cfg": settings}, cfg, "")


@pytest.mark.parametrize("check", [compare.check_same_config, compare.check_tested_config])
def test_a_checkpoint_from_before_a_key_was_trained_as_was_done_then(cfg, check):
    settings = cfg.dump().replace("  PIXEL_ASPECT: true\n", "")
    assert settings != cfg.dump()
    with pytest.raises(SlowFastExtError, match=r"DATA.PIXEL_ASPECT False \(now True\)"):
        check("x.pyth", {"cfg": settings}, cfg, "train")
    with pytest.raises(SlowFastExtError, match=r"DATA.PIXEL_ASPECT False \(now True\)"):
        compare.check_same_network("x.pyth", {"cfg": settings}, cfg, "")
    cfg.DATA.PIXEL_ASPECT = False
    check("x.pyth", {"cfg": settings}, cfg, "train")
    compare.check_same_network("x.pyth", {"cfg": settings}, cfg, "")


@pytest.mark.parametrize(
    "key,value",
    [
        ("LOSS.LABEL_SMOOTHING", 0.1),
        ("LOSS.POS_WEIGHT", 10.0),
        ("SOLVER.EMA", 0.99),
        ("SYNTHETIC.IMBALANCE", 30.0),
        ("TRAIN.REPEAT_THRESHOLD", 0.3),
    ],
)
def test_a_checkpoint_from_before_a_way_to_learn_was_trained_without_it(cfg, key, value):
    settings = yaml.safe_load(cfg.dump())
    section, _, name = key.partition(".")
    del settings[section][name]
    state = {"cfg": yaml.safe_dump(settings)}
    compare.check_same_config("x.pyth", state, cfg, "train")
    cfg.merge_from_list([key, value])
    with pytest.raises(SlowFastExtError, match=rf"{key} [\d.]+ \(now {value}\)"):
        compare.check_same_config("x.pyth", state, cfg, "train")
