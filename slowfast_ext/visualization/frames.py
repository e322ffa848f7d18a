"""A video's frames one after the other, for pictures that are as long as it."""

import cv2
import numpy as np

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
