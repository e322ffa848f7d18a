"""How a video's frames are turned, and mirrored, to be shown."""

import numpy as np

from slowfast_ext.errors import SlowFastExtError

IDENTITY = np.eye(2)


class Orientation:
    """
    A turn by quarters and a mirror.

    Args:
        path (str): of the video, for the message.
        matrix (float array): 2 x 2, what frames are multiplied with to be shown:
            (x, y) -> (x, y) @ matrix.

    Raises:
        SlowFastExtError: it is a turn by other than quarters.
    """

    def __init__(self, path="", matrix=IDENTITY):
        zeros = matrix == 0
        if not (zeros.all() or (zeros == IDENTITY).all() or (zeros != IDENTITY).all()):
            raise SlowFastExtError(
                f"{path}: it is to be shown at a slant, which is not done: convert it, or take it "
                "out of the list"
            )
        self._signs = matrix.sum(axis=0)
        self._is_turned = matrix[0, 0] == matrix[1, 1] == 0 and bool(matrix.any())

    def size(self, height, width):
        """(int, int): height and width of upright frames, from the stored ones'."""
        return (width, height) if self._is_turned else (height, width)

    def upright(self, image):
        """A stored frame [H, W, 3] turned, and mirrored."""
        if self._is_turned:
            image = image.transpose(1, 0, 2)
        image = image[:, ::-1] if self._signs[0] < 0 else image
        image = image[::-1] if self._signs[1] < 0 else image
        return np.ascontiguousarray(image)


def displayed(frame):
    """The matrix that the container or the codec's headers give a decoded frame of PyAV's."""
    found = [side for side in frame.side_data if side.type.name == "DISPLAYMATRIX"]
    if not found:
        return IDENTITY
    a, b, _, c, d = np.frombuffer(bytes(found[0]), "=i4")[:5] / 65536
    return np.array([[a, b], [c, d]])
