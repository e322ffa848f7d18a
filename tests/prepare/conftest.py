"""What the tests of several forms of labels share."""

import pytest


@pytest.fixture(scope="module")
def videos(tmp_path_factory, write_moving_square):
    """The folder of a.mp4, b.mp4 and c.mp4, of 10 frames and 1 s each: all_forms tells of them."""
    folder = tmp_path_factory.mktemp("videos")
    write_moving_square(folder / "a.mp4", 10, fps=10, width=48, height=32)
    for name in "bc":
        (folder / f"{name}.mp4").write_bytes((folder / "a.mp4").read_bytes())
    return folder
