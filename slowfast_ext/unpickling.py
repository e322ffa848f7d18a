"""Reading other people's pickles without executing anything in them."""

import pickle

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paths import pathmgr


class _ArraysOnly(pickle.Unpickler):
    """Reads numpy arrays and plain values; whatever else a pickle asks for is refused."""

    _ALLOWED = {
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("_codecs", "encode"),
    }

    def find_class(self, module, name):
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"asks for {module}.{name}")
        return super().find_class(module, name)


def load_arrays(stream):
    """
    What a pickle of numpy arrays and plain values holds.

    Args:
        stream (binary file): a pickle of Python 2 or 3.

    Raises:
        pickle.UnpicklingError: it asks for anything else, or any other error where it is
            damaged.
    """
    return _ArraysOnly(stream, encoding="latin1").load()


def read_arrays(path):
    """
    What a file holds, as of `load_arrays`.

    Raises:
        SlowFastExtError: it cannot be read, is damaged or asks for anything else.
    """
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
