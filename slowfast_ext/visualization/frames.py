"""A video's frames one after the other, for pictures that are as long as it."""

import cv2
import numpy as np

from slowfast_ext.errors import SlowFastExtError

# Frames that are decoded at once.
_CHUNK = 8
# Text on smaller pictures cannot be read.
_LEAST_WIDTH = 640
# Narrower ones have no room for a bar; larger ones are beyond what H.264 plays and memory holds.
_LEAST_SHOWN, _MOST_SHOWN = 160, 10240


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


def demo_size(cfg, height, width):
    """
    As `picture_size`, as DEMO.DISPLAY_HEIGHT and DEMO.DISPLAY_WIDTH say.

    Raises:
        SlowFastExtError: bars do not fit under so narrow a picture, or it is too large.
    """
    wanted = cfg.DEMO.DISPLAY_HEIGHT, cfg.DEMO.DISPLAY_WIDTH
    shown = picture_size(height, width, *wanted)
    if shown[1] < _LEAST_SHOWN or max(shown) > _MOST_SHOWN:
        raise SlowFastExtError(
            f"with DEMO.DISPLAY_HEIGHT {wanted[0]} and DEMO.DISPLAY_WIDTH {wanted[1]} frames of "
            f"{width} x {height} pixels are shown in {shown[1]} x {shown[0]}: the width must be at "
            f"least {_LEAST_SHOWN}, and neither above {_MOST_SHOWN}"
        )
    return shown


class Frames:
    """
    All frames of an opened video with their times.

    Args:
        reader (datasets.decoding.Video): the opened video.
        folder_fps (float): frames per second of what stores none.

    Attributes:
        fps (float): frames per second.
        times (float array): when each frame is shown, in seconds from the first.
    """

    def __init__(self, reader, folder_fps):
        self.reader = reader
        self.fps = reader.info.fps or folder_fps
        times = reader.info.times
        self.times = np.arange(reader.info.length) / self.fps if times is None else times

    def images(self, height, width):
        """Yields (number, seconds, uint8 RGB image, height x width x 3) of every frame."""
        for start in range(0, len(self.times), _CHUNK):
            numbers = range(start, min(start + _CHUNK, len(self.times)))
            for number, image in zip(numbers, self.reader.read(numbers), strict=True):
                # In memory the channels lie one after the other.
                image = np.ascontiguousarray(image)
                if image.shape[:2] != (height, width):
                    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
                yield number, float(self.times[number]), image
