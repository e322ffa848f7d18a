"""Modules of one's own, which PLUGINS names: they register heads, backbones and data sets."""

import importlib
import os
import sys
import traceback

from slowfast_ext.errors import SlowFastExtError


def import_plugins(names, cfg=None):
    """
    Imports modules, those in the current folder too, and lets each add keys to a config.

    Args:
        names (sequence[str]): as PLUGINS.
        cfg (CfgNode | None): goes to the function `add_config` of each module that has one.

    Raises:
        SlowFastExtError: names the module and says why it cannot be imported.
    """
    if names and os.getcwd() not in sys.path:
        # Last, so that no file there is taken for an installed package.
        sys.path.append(os.getcwd())
    for name in names:
        try:
            module = importlib.import_module(name)
            if cfg is not None and hasattr(module, "add_config"):
                module.add_config(cfg)
        except (Exception, SystemExit) as error:  # Whatever the module does.
            raise SlowFastExtError(f"PLUGINS: {name} {_what_failed(name, error)}") from error


def _what_failed(name, error):
    if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
        return f"is no module of {os.getcwd()}, nor of Python's path: check its name"
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    # The user's line, not that of the library below it, nor of Python's own import.
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f" ({f.filename}:{f.lineno})" for f in frames if f.filename.startswith(os.getcwd())]
    return f"cannot be imported: {reason}{lines[-1] if lines else ''}"
