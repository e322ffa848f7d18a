"""What becomes of a study whose processes end otherwise than they should."""

import multiprocessing
import os

import pytest

from slowfast_ext.study import workers


def test_a_killed_process_is_not_waited_for():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        processes = multiprocessing.active_children()
        assert workers._wait(pool.apply_async(max, [1, 2]), processes) == 2
        with pytest.raises(ChildProcessError, match="killed.*start the same command again"):
            workers._wait(pool.apply_async(os._exit, [9]), processes)
