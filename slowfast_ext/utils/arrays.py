"""Reading numpy's .npz files such that damage is always told."""

import contextlib
import io
import zipfile
from collections.abc import Mapping

import numpy as np

from slowfast_ext.utils.paths import pathmgr


@contextlib.contextmanager
def open_arrays(path):
    """
    Opens a file of `np.savez`: a Mapping of names to arrays, each read when it is asked for.

    Raises FileNotFoundError and, there or when an array is read, whatever zipfile, zlib and numpy
    make of other bytes.
    """
    with pathmgr.open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
        yield _Arrays(archive)


class _Arrays(Mapping):
    def __init__(self, archive):
        self._archive = archive

    def __iter__(self):
        return (name.removesuffix(".npy") for name in self._archive.namelist())

    def __len__(self):
        return len(self._archive.namelist())

    def __getitem__(self, name):
        # To its end, where the checksum is compared: np.load reads as much as the array's own
        # header says, and a damaged one may say less.
        data = self._archive.read(f"{name}.npy")
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
