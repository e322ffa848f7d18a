"""Reading other people's pickles without executing anything in them."""

import _codecs
import pickle
import re

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr

# Booleans, integers, floats, bytes and text. Objects are pointers, and what a file says they
# point at is followed: a structured type may hide one, so there are none of those either.
_PLAIN_TYPE = re.compile(r"[?biuf][0-9]{0,2}|[SU][0-9]{1,6}")


def _refused(what):
    """The error; what it quotes of a file may be of any length."""
    return pickle.UnpicklingError(what if len(what) < 200 else f"{what[:200]}...")


class _PlainType:
    """In the place of numpy.dtype while a pickle is read: a type of `_PLAIN_TYPE` alone."""

    def __init__(self, code, *_):
        if not isinstance(code, str) or not _PLAIN_TYPE.fullmatch(code):
            raise _refused(f"holds an array that is not of numbers or text but {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        """Takes the byte order; version, sub-array, names, fields, size, ... must say nothing."""
        version, order, *parts = state[:5]
        if version != 3 or len(state) != 8 or parts != [None] * 3 or order not in tuple("<>|="):
            raise _refused("holds a structured array, not one of numbers or text")
        self.dtype = self.dtype.newbyteorder(order)


class _PlainArray(np.ndarray):
    """An array that takes its type and content from a pickle only where the type is plain."""

    def __setstate__(self, state):
        shape, plain, is_fortran, data = state[-4:]
        if not isinstance(plain, _PlainType) or not isinstance(data, (bytes, str)):
            raise _refused("holds an array that is not one of numbers or text")
        super().__setstate__((1, shape, plain.dtype, is_fortran, data))


def _new_array(*_):
    """What is set to the array of the pickle in the next step."""
    return _PlainArray(0, np.int8)


def _scalar(plain, data):
    array = _new_array()
    array.__setstate__(((1,), plain, False, data))
    return array[0]


def _no_bytes():
    """How protocols 0 to 2 write b"", the content of an empty array."""
    return b""


class _ArraysOnly(pickle._Unpickler):
    """Reads numpy arrays and plain values; whatever else a pickle asks for is refused."""

    # In Python: the one in C makes room for as many objects as a pickle of ten bytes numbers.

    _ALLOWED = {
        ("numpy", "dtype"): _PlainType,
        # Only named, as the kind of array to make: never called.
        ("numpy", "ndarray"): "numpy.ndarray",
        ("numpy.core.multiarray", "_reconstruct"): _new_array,
        ("numpy.core.multiarray", "scalar"): _scalar,
        ("numpy._core.multiarray", "_reconstruct"): _new_array,
        ("numpy._core.multiarray", "scalar"): _scalar,
        ("_codecs", "encode"): _codecs.encode,
        ("__builtin__", "bytes"): _no_bytes,
    }

    def find_class(self, module, name):
        if (module, name) not in self._ALLOWED:
            raise _refused(f"asks for {module}.{name}")
        return self._ALLOWED[module, name]


def load_arrays(stream):
    """
    What a pickle of numpy arrays and plain values, of Python 2 or 3, holds.

    Raises pickle.UnpicklingError where it asks for anything else, any error where it is damaged.
    """
    return _ArraysOnly(stream, encoding="latin1").load()


def read_arrays(path):
    """What a file holds, as of `load_arrays`; raises SlowFastExtError where that cannot be read."""
    try:
        with pathmgr.open(path, "rb") as stream:
            return load_arrays(stream)
    except OSError as error:
        raise SlowFastExtError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # A damaged pickle can raise anything.
        raise SlowFastExtError(
            f"{path}: not a pickle of arrays and plain values alone ({error}); nothing in it was "
            "executed"
        ) from error
