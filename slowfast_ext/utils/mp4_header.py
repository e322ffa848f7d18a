"""
What an MP4 or QuickTime file's header declares, read without trusting it.

FFmpeg makes room for as many frames as a header of some hundred bytes names, before it reads
one; PyAV tells how a video is turned only with a decoded frame, and not where edits begin.
"""

import os
import struct
from dataclasses import dataclass, field

import numpy as np

# The boxes that FFmpeg looks for others in: a table counts wherever it lies in them.
_CONTAINERS = {
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex"),
    *(b"edts", b"dinf", b"udta", b"tref", b"sinf", b"schi", b"wave", b"ilst"),
}
# What FFmpeg would also take from between the bytes of a codec's description.
_OF_TABLES = (b"trak", b"hdlr", b"stts", b"stsc", b"stsz", b"stz2", b"stco", b"co64", b"cmov")
# Boxes of one file: far more than any that was recorded or cut into fragments.
_MOST_BOXES = 200_000
# Bytes: of a million rows.
_LARGEST_TABLE = 2**24
_IDENTITY = np.eye(2)


@dataclass
class Mp4Header:
    """
    What the boxes of a file declare; of a file of another kind, nothing.

    Attributes:
        num_entries (int): what FFmpeg makes room for: frames of all tracks, sound's included,
            at least; where old sound has no frames, its pieces.
        orientations (dict[int, float array]): of each track by its number, 2 x 2, what frames are
            multiplied with to be shown: (x, y) -> (x, y) @ orientation.
        empty_start (float): seconds in which by the edits of all tracks nothing is shown yet.
        problem (str): what makes it a file not to open; empty where nothing does.
    """

    num_entries: int = 0
    orientations: dict = field(default_factory=dict)
    empty_start: float = 0.0
    problem: str = ""


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


@dataclass
class _Track:
    """
    What the tables of a track declare.

    Attributes:
        num_samples (int): frames, or what old sound counts: 1/44100 s of a second, say.
        num_chunks (int), most_per_chunk (int): the runs that samples are stored in.
        durations (list): of each table of durations its rows, and the first row's duration.
        kinds (set[bytes]): of its handlers: of sound, of video, or of where the data lie.
        number (int or None): what it is known by.
        matrix (float array): 2 x 2, of its own.
        empty_start (int): what its edits begin with, in the movie's units, that shows nothing.
    """

    num_samples: int = 0
    num_chunks: int = 0
    most_per_chunk: int = 0
    durations: list = field(default_factory=list)
    kinds: set = field(default_factory=set)
    number: int | None = None
    matrix: np.ndarray = field(default_factory=_IDENTITY.copy)
    empty_start: int = 0

    @property
    def num_entries(self):
        # FFmpeg cuts a chunk of such sound into pieces of 160 samples or more.
        pieces = self.num_chunks * (self.most_per_chunk // 160 + 1)
        is_sound = self.kinds - {b"alis", b"url "} == {b"soun"}
        return pieces + (0 if is_sound and self.durations == [(1, 1)] else self.num_samples)


class _Walk:
    """Goes through the boxes of a file, but not into the frames that they hold."""

    def __init__(self, stream, size):
        self.header, self._stream, self._num_boxes = Mp4Header(), stream, 0
        self._movie, self._units_a_second = _IDENTITY, 0
        # Tables without a track are of none, or of the fragments' tracks.
        self._tracks = [_Track()]
        self._boxes(0, size)
        self._tell()
        if self.header.num_entries > size:
            self._refuse(
                f"its header names {self.header.num_entries} frames and sounds, the file has "
                f"{size} bytes"
            )

    def _tell(self):
        """Sets what is known of the tracks when all are."""
        self.header.num_entries = sum(track.num_entries for track in self._tracks)
        shown = [track for track in self._tracks if track.kinds & {b"vide", b"soun"}]
        self.header.orientations = {track.number: track.matrix @ self._movie for track in shown}
        if shown and self._units_a_second:
            empty = min(track.empty_start for track in shown)
            self.header.empty_start = empty / self._units_a_second

    def _refuse(self, problem):
        self.header.problem = self.header.problem or problem

    def _boxes(self, start, end):
        """The boxes from one byte to another; ends where they are none."""
        while start + 8 <= end and not self.header.problem:
            self._num_boxes += 1
            if self._num_boxes > _MOST_BOXES:
                self._refuse(f"its header has more than {_MOST_BOXES} parts")
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

    def _number(self, start, end):
        """The whole number of four bytes; 0 where the box ends before."""
        return int.from_bytes(self._read(start, 4), "big") if start + 4 <= end else 0

    def _box(self, kind, start, end):
        track = self._tracks[-1]
        if kind == b"trak":
            self._tracks.append(_Track())
            self._boxes(start, end)
        elif kind in _CONTAINERS or (kind == b"free" and self._holds_movie(start)):
            self._boxes(start, end)
        elif kind == b"meta":
            # With or without four bytes before the boxes.
            self._boxes(start + 4 * (self._read(start + 4, 4) != b"hdlr"), end)
        elif kind == b"cmov":
            # Compressed: it could become of any size. Last written about 2005.
            self._refuse("its header is compressed, which is not read: convert it")
        elif kind in (b"stsz", b"stz2"):
            track.num_samples += self._number(start + 8, end)
        elif kind == b"trun":
            track.num_samples += self._number(start + 4, end)
        elif kind in (b"stco", b"co64"):
            track.num_chunks += self._number(start + 4, end)
        elif kind == b"stts":
            track.durations.append((self._number(start + 4, end), self._number(start + 12, end)))
        elif kind in (b"stsc", b"stsd"):
            self._check_table(kind, track, start, end)
        elif kind == b"mvhd":
            self._movie = self._matrix(start, end, (36, 48))
            self._units_a_second = self._number(start + self._by_version(start, (12, 20)), end)
        elif kind == b"tkhd":
            track.matrix = self._matrix(start, end, (40, 52))
            track.number = self._number(start + self._by_version(start, (12, 20)), end)
        elif kind == b"elst":
            self._check_edits(track, start, end)
        elif kind == b"hdlr":
            track.kinds.add(self._read(start + 8, 4))

    def _holds_movie(self, start):
        """True for the header of a movie under the name of free space, where FFmpeg finds it."""
        return self._read(start + 4, 4) in (b"mvhd", b"cmov")

    def _check_table(self, kind, track, start, end):
        """The samples a chunk; and of the codecs' descriptions that no other table lies there."""
        size = end - start - 8
        if size > _LARGEST_TABLE or (kind == b"stsc" and 12 * self._number(start + 4, end) > size):
            self._refuse("its header has a table that is larger than its place")
            return
        table = self._read(start + 8, max(size, 0))
        if kind == b"stsc":
            rows = np.frombuffer(table[: len(table) // 12 * 12], ">u4").reshape(-1, 3)
            track.most_per_chunk = max(track.most_per_chunk, *rows[:, 1].tolist(), 0)
        elif any(name in table for name in _OF_TABLES):
            self._refuse("its header has tables where none belong")

    def _check_edits(self, track, start, end):
        """The first edit, where it shows nothing: its place in the media is -1."""
        size = self._by_version(start, (4, 8))
        edit = self._read(start + 8, 2 * size) if start + 8 + 2 * size <= end else b""
        if edit[size:] == b"\xff" * size and self._number(start + 4, end):
            track.empty_start = int.from_bytes(edit[:size], "big")

    def _by_version(self, start, offsets):
        """Of what a box of version 0 or of version 1 has."""
        return offsets[self._read(start, 1) == b"\1"]

    def _matrix(self, start, end, offsets):
        """The upper left 2 x 2 of the matrix of a header's box, of version 0 or 1."""
        offset = self._by_version(start, offsets)
        data = self._read(start + offset, 20) if start + offset + 20 <= end else b""
        if len(data) < 20:
            return _IDENTITY
        a, b, _, c, d = struct.unpack(">5i", data)
        return np.array([[a, b], [c, d]]) / 65536
