"""Arrays come back as they were stored, or not at all."""

import contextlib
import zipfile

import numpy as np
import pytest

from slowfast_ext.utils.arrays import open_arrays

ARRAYS = {
    "numbers": np.arange(2000),  # More than zipfile reads ahead.
    "pairs": np.array([(1, True)], [("shown_at", "i8"), ("is_key", "?")]),
    "a.text": np.array("words"),
}


@pytest.fixture
def path(tmp_path):
    np.savez(tmp_path / "arrays.npz", **ARRAYS)
    return tmp_path / "arrays.npz"


def test_they_are_those_of_numpys_own_reader(path):
    with open_arrays(str(path)) as arrays, np.load(path) as theirs:
        assert list(arrays) == theirs.files
        for name, array in ARRAYS.items():
            assert np.array_equal(arrays[name], array)
            assert arrays[name].dtype == theirs[name].dtype


def test_no_damage_gives_other_arrays(path):
    """One bit is turned over; numpy's own reader gives fewer numbers for some of them."""
    whole = path.read_bytes()
    header = 8 * whole.index(b"NUMPY")
    for bit in (*range(header, header + 8 * 80), *range(0, 8 * len(whole), 997)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with contextlib.suppress(Exception), open_arrays(str(path)) as arrays:
            for name, array in ARRAYS.items():
                found = arrays[name]
                if not (found.dtype == array.dtype and np.array_equal(found, array)):
                    pytest.fail(f"bit {bit}: {name} is {found!r}")


def test_a_file_that_ends_early_is_not_read(path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(zipfile.BadZipFile), open_arrays(str(path)) as arrays:
            dict(arrays)


def test_nothing_is_executed(path):
    np.savez(path, numbers=np.array([object()], object))
    with open_arrays(str(path)) as arrays, pytest.raises(ValueError, match="allow_pickle=False"):
        arrays["numbers"]
