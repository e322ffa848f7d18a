"""Videos to look at: all frames of one with their times, and the sizes that they are shown in."""

import cv2
import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr, require_writable

# Frames that are decoded at once.
_CHUNK = 8
# Text on smaller pictures cannot be read.
_LEAST_WIDTH = 640


def picture_size(height, width, wanted_height=0, wanted_width=0):
    """
    The size that a frame is shown in: even, as H.264 needs it.

    Args:
        wanted_height (int), wanted_width (int): 0: as the other one and the frame's shape say;
            both 0: the frame's own size, or at least 640 pixels wide.
    Returns:
        (int, int): height and width.
    """
    if wanted_height and not wanted_width:
        wanted_width = width * wanted_height / height
    wanted_width = wanted_width or max(width, _LEAST_WIDTH)
    wanted_height = wanted_height or height * wanted_width / width
    return max(2, 2 * round(wanted_height / 2)), max(2, 2 * round(wanted_width / 2))


def all_images(reader):
    """Yields (number, RGB image) of every frame of an opened video."""
    for start in range(0, reader.info.length, _CHUNK):
        numbers = range(start, min(start + _CHUNK, reader.info.length))
        yield from zip(numbers, reader.read(numbers), strict=True)


def resized(image, height, width):
    """An image, height x width x 3, that lies in memory pixel by pixel, as OpenCV draws on it."""
    image = np.ascontiguousarray(image)
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def check_mp4(path, key):
    """Raises SlowFastExtError where `path`, which `key` gives, cannot be written as an MP4 file."""
    if not path.lower().endswith(".mp4"):
        raise SlowFastExtError(f"{key} is {path!r}: it must be the name of an .mp4 file to write")
    if pathmgr.isdir(path):
        raise SlowFastExtError(f"{key} {path} is a folder: name an .mp4 file")
    require_writable(path, key)
