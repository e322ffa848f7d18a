"""
Multi-label activity recognition for PySlowFast.

    import slowfast_ext
    slowfast_ext.register()

enters ActivityNetwork and the data sets into upstream's registries, and the heads into
`slowfast_ext.models.HEAD_REGISTRY`; GitHub main's own tools/run_net.py then trains and tests
ActivityNetwork. The import alone needs neither torch nor PySlowFast.
"""

__version__ = "0.1.0"
__all__ = ["load", "register"]


def register():
    """
    Imports what registers itself, the networks, the heads and the data sets, and makes the network
    known to PySlowFast's own programs.
    """
    import slowfast_ext.datasets
    import slowfast_ext.models  # noqa: F401
    from slowfast_ext.upstream_programs import enter_programs

    enter_programs()


def __getattr__(name):
    # Only on demand: it imports torch and PySlowFast.
    if name == "load":
        from slowfast_ext.recognition import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
