"""The name by which scripts know `slowfast_ext.datasets.windows`."""

from slowfast_ext.datasets.windows import list_windows

__all__ = ["list_windows"]
