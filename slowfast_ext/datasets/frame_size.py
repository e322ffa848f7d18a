"""How large frames may be: a file of a few bytes can declare any size, and memory follows."""

from slowfast_ext.errors import SlowFastExtError

MAX_PIXELS = 2**26
"""Of one frame: 8192 x 8192, twice 8K video."""

MAX_ASPECT = 16
"""The longer side over the shorter, which is what frames are scaled by."""


def check_frame_size(path, height, width):
    """
    Raises SlowFastExtError where frames of this size are not read.

    Args:
        path (str): of the video or image, for the message.
        height (int), width (int): in pixels, as declared.
    """
    if height * width > MAX_PIXELS:
        raise SlowFastExtError(
            f"{path}: frames of {width} x {height} pixels, where {MAX_PIXELS} pixels at most are "
            "read: scale it down, or take it out of the list"
        )
    if not 0 < max(height, width) <= MAX_ASPECT * min(height, width):
        raise SlowFastExtError(
            f"{path}: frames of {width} x {height} pixels, where the longer side may be at most "
            f"{MAX_ASPECT} times the shorter: cut it, or take it out of the list"
        )
