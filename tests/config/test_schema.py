"""One row a key: none without a row, no row without a key, none twice."""

from collections import Counter

import pytest

from slowfast_ext import upstream
from slowfast_ext.config.defaults import KEYS, default_config, keys_of, scope_of
from slowfast_ext.config.load import load_config
from slowfast_ext.config.schema import (
    HEAD,
    IN_BOTH,
    IN_MAIN,
    IN_PYPI,
    NETWORK,
    NOTHING,
    RESULTS,
    TRAINING,
    TUNING,
    Main,
    Scope,
    Upstreams,
    all_keys,
)
from slowfast_ext.errors import SlowFastExtError

UPSTREAMS = set(all_keys(upstream.base_config()))
HERE = {IN_BOTH: True, IN_MAIN: upstream.IS_MAIN, IN_PYPI: not upstream.IS_MAIN}


def test_each_key_has_one_row():
    twice = [name for name, number in Counter(row.name for row in KEYS).items() if number > 1]
    assert twice == []


def test_no_key_is_declared_without_a_row():
    """Sections of main are declared with their keys over 1.0."""
    declared = set(all_keys(default_config())) - UPSTREAMS
    sections = {row.name.rpartition(".")[0] for row in KEYS if isinstance(row.default, Main)}
    sections |= {section.rpartition(".")[0] for section in sections}
    assert declared - {row.name for row in KEYS} - sections == set()


def test_a_row_is_of_a_key_that_stands_where_its_default_says():
    for row in KEYS:
        if isinstance(row.default, Main):
            is_right = not upstream.IS_MAIN or (
                upstream.get_key(upstream.base_config(), row.name) == row.default.default
            )
        elif isinstance(row.default, Upstreams):
            is_right = (row.name in UPSTREAMS) == HERE[row.default]
        else:
            is_right = row.name not in UPSTREAMS
        assert is_right, row


def test_a_row_states_what_its_key_changes_or_its_section_does():
    stated = {row.name for row in KEYS if row.scope is not None}
    for row in KEYS:
        parts = row.name.split(".")
        assert stated & {".".join(parts[:number]) for number in range(1, len(parts) + 1)}, row


def test_each_default_keeps_its_own_rule():
    cfg = default_config()
    for row in KEYS:
        row.check(cfg, cfg)


@pytest.mark.parametrize(
    "key,scope",
    [
        ("ACTIVITY.DIM", HEAD),
        ("MODEL.ARCH", NETWORK),
        ("MODEL.DROPOUT_RATE", RESULTS),
        ("MVIT.POOL_KV_STRIDE", NETWORK),
        ("MVIT.DROPPATH_RATE", RESULTS),
        ("SOLVER.MOMENTUM", TRAINING),
        ("TUNE.RATES", TUNING),
        ("DEMO.FPS", NOTHING),
        ("DATA_LOADER.PIN_MEMORY", NOTHING),
        # A plug-in's, whatever it may do.
        ("OWN_HEAD.DIM", NETWORK | TUNING),
    ],
)
def test_a_key_changes_what_its_row_says_or_its_sections(key, scope):
    assert scope_of(key) == scope


def test_only_keys_of_plugins_have_neither_a_row_nor_a_section_that_has_one():
    stated = {row.name for row in KEYS if row.scope is not None}
    assert [key for key in default_config() if key not in stated] == []


def test_keys_that_another_machine_may_not_serve():
    keys = keys_of(Scope.MACHINE)
    assert {"NUM_GPUS", "TEST.PRECISION", "TRAIN.MIXED_PRECISION"} <= set(keys)
    assert "OUTPUT_DIR" not in keys


def test_two_configs_share_no_list():
    one, other = default_config(), default_config()
    one.TUNE.RATES.append(1)
    one.DEMO.COMMON_CLASS_NAMES.clear()
    assert other.TUNE.RATES == [2, 4, 8] and other.DEMO.COMMON_CLASS_NAMES


@pytest.mark.parametrize(
    "key,value,rule",
    [
        ("ACTIVITY.LR_MULT", 0.0, "must be above 0"),
        ("DATA.STD", [0.2, 0.0, 0.2], "must be above 0"),
        ("DATA.TEST_CROP_SIZE", 10000, "must be at most 8192"),
        ("DEMO.FPS", 0, "must be above 0"),
        ("DEMO.UNCOMMON_CLASS_THRES", -0.1, r"must lie in \[0, 1\]"),
        ("MODEL.DROPOUT_RATE", 1.0, r"must lie in \[0, 1\)"),
        ("PLUGINS", ["my_head.py/x"], "must list names of modules"),
        ("RNG_SEED", -1, "must not be negative"),
        ("SOLVER.LAYER_DECAY", 0.0, r"must lie in \(0, 1\]"),
        ("TEST.NUM_SPATIAL_CROPS", 0, "must lie in 1..10000"),
        ("TUNE.RATES", [], "must be sampling rates"),
    ],
)
def test_a_rule_is_said_with_key_and_value(key, value, rule):
    with pytest.raises(SlowFastExtError, match=f"^{key} is .*: it {rule}"):
        load_config(None, [key, value])
