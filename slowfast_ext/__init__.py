"""Multi-label activity recognition for PySlowFast; importing it registers models and heads."""

__version__ = "0.1.0"
__all__ = ["load"]


def __getattr__(name):
    # Only on demand: it imports torch and PySlowFast.
    if name == "load":
        from slowfast_ext.recognition import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
