"""Modules of one's own, which PLUGINS names: they register heads and data sets."""

import importlib
import os
import sys
import traceback

from slowfast_ext.errors import SlowFastExtError


def import_plugins(names, cfg=None):
    """
    Imports modules, those in the current folder too; the function `add_config` of each that has one
    may add keys to `cfg`. Raises SlowFastExtError, which says why a module cannot be imported.
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
            what = " ".join(f"cannot be imported: {type(error).__name__}: {error}".split())
            what += line_of_plugin([name], error)
            # Another name is of a module that the plug-in itself imports.
            if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
                what = f"is no module of {os.getcwd()}, nor of Python's path: check its name"
            raise SlowFastExtError(f"PLUGINS: {name} {what}") from error


def line_of_plugin(names, error):
    """The innermost line of a plug-in that an error has passed, as " (FILE:LINE)"; else ""."""
    packages = {name.partition(".")[0] for name in names}
    passed = [
        f" ({frame.f_code.co_filename}:{line})"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] in packages
    ]
    return passed[-1] if passed else ""
