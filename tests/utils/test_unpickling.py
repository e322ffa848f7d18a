"""Arrays come out of a pickle; nothing of it is executed, nor followed in memory."""

import builtins
import io
import operator
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.unpickling import load_arrays, read_arrays
from tests.helpers import ROOT

RECONSTRUCT = np.zeros(1).__reduce__()[0]
SCALAR = np.float32(0).__reduce__()[0]


class Calls:
    """Pickled as a call, and with a state as a call whose result gets the state."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def array_of(kind, data=b"A" * 8, shape=(1,)):
    return Calls(RECONSTRUCT, (np.ndarray, (0,), b"b"), (1, shape, kind, False, data))


def kind_with(code, *state):
    return Calls(np.dtype, (code, False, True), state)


PLAIN = [
    np.array([[True, False]]),
    np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3)),
    np.arange(4, dtype=np.uint8),
    np.linspace(0, 1, 5, dtype=np.float16),
    np.zeros((0, 4), np.float32),
    np.array(3.5),
    np.array([b"ab", b"c"]),
    np.array(["ab", "\u00e9\U0001f600"]),
]


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_and_plain_values_are_read(protocol):
    content = {"arrays": PLAIN, "scalar": np.float32(2.5), "plain": [1, None, "x", b"\xff", (2.5,)]}
    read = load_arrays(io.BytesIO(pickle.dumps(content, protocol=protocol)))
    for array, expected in zip(read["arrays"], PLAIN, strict=True):
        # numpy brings what it reads into the machine's byte order.
        assert isinstance(array, np.ndarray) and array.dtype == expected.dtype.newbyteorder("=")
        np.testing.assert_array_equal(array, expected)
        assert array.flags.f_contiguous == expected.flags.f_contiguous
    assert read["scalar"] == np.float32(2.5) and read["scalar"].dtype == np.float32
    assert read["plain"] == content["plain"]


def test_arrays_of_python_2_are_read():
    """Their bytes are texts; written here by hand, protocol 0, with numpy's old module name."""
    pickled = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\nt"
        b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"S'\\x00\\x00\\x80?\\x00\\x00 \\xc1'\ntb."
    )
    np.testing.assert_array_equal(load_arrays(io.BytesIO(pickled)), np.float32([1, -10]))


@pytest.mark.parametrize(
    "function",
    [
        builtins.eval,
        builtins.exec,
        builtins.getattr,
        builtins.__import__,
        os.system,
        operator.attrgetter,
        np.load,
        np.frombuffer,
        pickle.loads,
    ],
)
def test_nothing_else_is_called(function):
    name = f"{function.__module__}.{function.__qualname__}"
    with pytest.raises(pickle.UnpicklingError, match=f"asks for {name}"):
        load_arrays(io.BytesIO(pickle.dumps(Calls(function, ("1",)))))


@pytest.mark.parametrize(
    "pickled", [b"c" + b"x" * 10**5 + b"\nf\n.", pickle.dumps(Calls(np.dtype, ("x" * 10**5,)))]
)
def test_little_of_a_hostile_file_is_quoted(tmp_path, pickled):
    (tmp_path / "hostile.pkl").write_bytes(pickled)
    with pytest.raises(SlowFastExtError, match=r"xxx\.\.\.\); nothing") as error:
        read_arrays(str(tmp_path / "hostile.pkl"))
    assert len(str(error.value)) < 600


# The types are what numpy's own reading of the pickle would crash on.
HOSTILE = {
    "a field of objects": array_of(
        kind_with("V8", 3, "|", None, ("bbox",), {"bbox": (np.dtype("O"), 0)}, 8, 1, 0)
    ),
    "a field added to a number": array_of(
        kind_with("f8", 3, "|", None, ("bbox",), {"bbox": (np.dtype("f8"), 0)}, 8, 1, 0)
    ),
    "objects": array_of(np.dtype("O")),
    "objects in a list": array_of(np.dtype("f8"), [b"A" * 8]),
    "an object": Calls(SCALAR, (np.dtype("O"), b"A" * 8)),
    "raw bytes": array_of(kind_with("V8")),
    "a time": np.array(["2020-01-01"], "M8[D]"),
    "a complex number": np.zeros(2, complex),
    "named fields": np.zeros(2, [("x", "f4")]),
    "an array of arrays": array_of(kind_with("f8", 3, "|", ("f4", (2,)), None, None, 8, 1, 0)),
    "a type that is no type": array_of("f8"),
    "too few bytes": array_of(np.dtype("f8"), b"A"),
    "a negative shape": array_of(np.dtype("u1"), b"A" * 8, (-1, -8)),
    "memory without content": Calls(np.ndarray, ((2**40,),)),
    "a scalar of too few bytes": Calls(SCALAR, (np.dtype("f8"), b"A")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_memory_is_followed(tmp_path, name):
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps({"BBBB1.mp4/000001.png": HOSTILE[name]}))
    with pytest.raises(SlowFastExtError, match="nothing in it was executed"):
        read_arrays(str(path))


def test_the_pointers_of_a_file_do_not_crash(tmp_path):
    """Without a crash in this process where they are followed after all."""
    (tmp_path / "hostile.pkl").write_bytes(pickle.dumps(HOSTILE["a field of objects"]))
    code = (
        "from slowfast_ext.utils.unpickling import read_arrays\n"
        f"print(read_arrays({str(tmp_path / 'hostile.pkl')!r})['bbox'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 1 and "SlowFastExtError" in ended.stderr
