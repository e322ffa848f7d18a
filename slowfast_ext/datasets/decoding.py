"""The name by which scripts know `slowfast_ext.datasets.video`."""

from slowfast_ext.datasets.video import open_video

__all__ = ["open_video"]
