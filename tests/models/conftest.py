import pytest

from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.upstream import base_config


@pytest.fixture
def head_config():
    """A small config of a head: 5 activities, K = 3, C' = 64, no dropout."""

    def make(**activity):
        cfg = add_slowfast_ext_config(base_config())
        cfg.MODEL.NUM_CLASSES = 5
        cfg.MODEL.DROPOUT_RATE = 0.0
        cfg.MODEL.HEAD_ACT = "sigmoid"
        cfg.ACTIVITY.NUM_OBSERVATIONS = 3
        cfg.ACTIVITY.DIM = 64
        cfg.ACTIVITY.GROUPS = 8
        for key, value in activity.items():
            cfg.ACTIVITY[key] = value
        return cfg

    return make
