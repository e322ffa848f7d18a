"""Configs over folders of transformers' networks, and what is said of those that do not fit."""

import pytest

from slowfast_ext.config.defaults import default_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones.inputs import take_input


def config_of(folder, **changes):
    """A config whose backbone is the folder's, with the input that it expects."""
    cfg = default_config()
    cfg.ACTIVITY.BACKBONE = f"transformers:{folder}"
    cfg.MODEL.NUM_CLASSES = 3
    cfg.ACTIVITY.GROUPS, cfg.ACTIVITY.DIM, cfg.ACTIVITY.NUM_OBSERVATIONS = 8, 16, 4
    keys = {key.replace("__", "."): value for key, value in changes.items()}
    cfg.merge_from_list([word for pair in keys.items() for word in pair])
    take_input(cfg, keys)
    return cfg


def refusal(function, *args):
    with pytest.raises(SlowFastExtError) as caught:
        function(*args)
    return str(caught.value)
