"""What becomes of a study whose processes end otherwise than they should."""

import multiprocessing
import os
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from projects.study import workers


def test_a_killed_process_is_not_waited_for():
    message = "killed.*start the same command again"
    with pytest.raises(ChildProcessError, match=message), workers._pool(2) as pool:
        assert pool.submit(max, 1, 2).result() == 2
        pool.submit(os._exit, 9).result()
    assert not multiprocessing.active_children()


def test_what_is_computed_ends_where_another_seed_fails():
    with pytest.raises(ValueError, match="invalid literal"), workers._pool(2) as pool:
        computing = pool.submit(time.sleep, 300)
        pool.submit(int, "wrong").result()
    # Had it been waited for, it would have ended well.
    assert isinstance(computing.exception(), BrokenProcessPool)
    assert not multiprocessing.active_children()
