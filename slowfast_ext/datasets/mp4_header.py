"""
What an MP4 or QuickTime file's header declares, read without trusting it.

FFmpeg makes room for as many frames as a header of some hundred bytes names, before it reads
one; and PyAV tells how a video is turned only with a decoded frame.
"""

import os
import struct
from dataclasses import dataclass, field

import numpy as np

# The boxes that hold the others that matter here.
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
# Boxes of one file: far more than any that was recorded or cut into fragments.
_MOST_BOXES = 200_000
_IDENTITY = np.eye(2)


@dataclass
class Mp4Header:
    """
    What the boxes of a file declare; of a file of another kind, nothing.

    Attributes:
        num_samples (int): frames of all tracks, sound's included.
        orientation (float array): 2 x 2, what its first video's frames are multiplied with to
            be shown: (x, y) -> (x, y) @ orientation.
        problem (str): what makes it a file not to open; empty where nothing does.
    """

    num_samples: int = 0
    orientation: np.ndarray = field(default_factory=_IDENTITY.copy)
    problem: str = ""

    @property
    def _is_turned(self):
        """True where upright frames have the stored ones' height as width."""
        (a, _), (_, d) = self.orientation
        return a == d == 0 and self.orientation.any()

    def upright_size(self, height, width):
        """(int, int): height and width of upright frames, from the stored ones'."""
        return (width, height) if self._is_turned else (height, width)

    def upright(self, image):
        """A stored frame [H, W, 3] turned, and mirrored, as the header says."""
        signs = self.orientation.sum(axis=0)
        if self._is_turned:
            image = image.transpose(1, 0, 2)
        image = image[:, ::-1] if signs[0] < 0 else image
        image = image[::-1] if signs[1] < 0 else image
        return np.ascontiguousarray(image)


def read_mp4_header(path):
    """
    Args:
        path (str): a local file of any kind.

    Returns:
        Mp4Header

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as stream:
        return _Walk(stream, os.path.getsize(path)).header


class _Walk:
    """Goes through the boxes of a file, but not into the tables and frames that they hold."""

    def __init__(self, stream, size):
        self.header, self._stream, self._num_boxes = Mp4Header(), stream, 0
        self._movie = _IDENTITY
        self._track, self._found_video = _IDENTITY, False
        self._boxes(0, size)
        if self.header.num_samples > size:
            self.header.problem = (
                f"its header names {self.header.num_samples} frames and sounds, the file has "
                f"{size} bytes"
            )

    def _boxes(self, start, end):
        """The boxes from one byte to another; ends where they are none."""
        while start + 8 <= end and not self.header.problem:
            self._num_boxes += 1
            if self._num_boxes > _MOST_BOXES:
                self.header.problem = f"its header has more than {_MOST_BOXES} parts"
                return
            size, kind = struct.unpack(">I4s", self._read(start, 8))
            content = start + 8
            if size == 1 and start + 16 <= end:
                (size,) = struct.unpack(">Q", self._read(content, 8))
                content += 8
            stop = end if size == 0 else start + size
            if stop < content:
                return
            self._box(kind, content, min(stop, end))
            start = stop

    def _read(self, start, size):
        self._stream.seek(start)
        return self._stream.read(size)

    def _box(self, kind, start, end):
        if kind in _CONTAINERS:
            self._boxes(start, end)
        elif kind == b"cmov":
            # Compressed: it could become of any size. Last written about 2005.
            self.header.problem = "its header is compressed, which is not read: convert it"
        elif kind in (b"stsz", b"stz2"):
            self._count(start, end, 8)
        elif kind == b"trun":
            self._count(start, end, 4)
        elif kind == b"mvhd":
            self._movie = self._matrix(start, end, (36, 48))
        elif kind == b"tkhd":
            self._track = self._matrix(start, end, (40, 52))
        elif kind == b"hdlr" and self._read(start + 8, 4) == b"vide" and not self._found_video:
            self._found_video = True
            self._orient(self._track @ self._movie)

    def _orient(self, matrix):
        self.header.orientation = matrix
        zeros = matrix == 0
        if not (zeros.all() or (zeros == _IDENTITY).all() or (zeros != _IDENTITY).all()):
            self.header.problem = "it is to be shown at a slant, which is not done: convert it"

    def _count(self, start, end, offset):
        """Adds the number of frames that a box declares."""
        data = self._read(start + offset, 4) if start + offset + 4 <= end else b""
        self.header.num_samples += int.from_bytes(data, "big")

    def _matrix(self, start, end, offsets):
        """The upper left 2 x 2 of the matrix of a header's box, of version 0 or 1."""
        offset = offsets[self._read(start, 1) == b"\1"]
        data = self._read(start + offset, 20) if start + offset + 20 <= end else b""
        if len(data) < 20:
            return _IDENTITY
        a, b, _, c, d = struct.unpack(">5i", data)
        return np.array([[a, b], [c, d]]) / 65536
