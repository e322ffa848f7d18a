"""
Which PySlowFast is installed, and its config: what can be told before torch is imported.

Importing torch and PySlowFast's models takes seconds; a wrong key is told in a fraction of one.
"""

import importlib.util
import os

from slowfast_ext.errors import SlowFastExtError

INSTALL_COMMAND = "pip install pyslowfast"

try:
    from slowfast.config import defaults as _defaults
except ImportError as error:
    if importlib.util.find_spec("slowfast") is None:
        raise SlowFastExtError(f"PySlowFast is not installed: {INSTALL_COMMAND}") from error
    raise SlowFastExtError(
        f"PySlowFast is installed but cannot be imported ({error}): install what it needs with "
        "pip install '.[main]', see INSTALL.md"
    ) from error

# GitHub's main, which has a registry of models; otherwise `pyslowfast` 1.0.
IS_MAIN = any(
    os.path.exists(os.path.join(folder, "models", "build.py"))
    for folder in importlib.util.find_spec("slowfast").submodule_search_locations
)


def base_config():
    """Upstream's defaults, unfrozen: `fvcore`'s CfgNode."""
    # Its assert_and_infer_cfg is not called: `slowfast_ext.config` says the same in sentences.
    return _defaults.get_cfg()


def get_key(cfg, key):
    """The value of a dotted key, None where this upstream does not have it."""
    for name in key.split("."):
        if name not in cfg:
            return None
        cfg = cfg[name]
    return cfg
