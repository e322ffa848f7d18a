"""Files appear whole or not at all, and what cannot be written is known before."""

import os
import threading

import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import (
    open_atomically,
    place_of,
    remove_leftovers,
    require_same_place,
    require_writable,
)


def write(path, text="new"):
    with open_atomically(path) as stream:
        stream.write(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sub" / "file"
    write(path, "old")
    with pytest.raises(ZeroDivisionError), open_atomically(path) as stream:
        stream.write("new")
        raise ZeroDivisionError
    assert path.read_text() == "old" and names(path.parent) == ["file"]
    write(path)
    assert path.read_text() == "new" and names(path.parent) == ["file"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_a_link(tmp_path, exists):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "file"
    if exists:
        target.write_text("old")
    (tmp_path / "link").symlink_to("elsewhere/file")
    (tmp_path / "link to link").symlink_to("link")
    require_writable(tmp_path / "link to link", "--out")
    write(tmp_path / "link to link")
    assert target.read_text() == "new" and names(tmp_path / "elsewhere") == ["file"]
    assert (tmp_path / "link").is_symlink() and (tmp_path / "link to link").is_symlink()


def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    require_writable(pipe, "--out")
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write(pipe)
    reader.join(timeout=10)
    assert read == ["new"] and pipe.is_fifo() and names(tmp_path) == ["pipe"]


def test_a_failure_names_the_path_that_was_given(tmp_path):
    path = tmp_path / ("x" * 250)  # No room for the ending of the partial file.
    with pytest.raises(OSError) as error:
        write(path)
    assert error.value.filename == path and not names(tmp_path)


def test_what_can_be_written_is_not_touched(tmp_path):
    (tmp_path / "old").write_text("old")
    for name in ("old", "new", "a/b/c"):
        require_writable(tmp_path / name, "--out")
    require_writable("s3://bucket/x", "--out")
    with pytest.raises(SlowFastExtError, match="--out is empty"):
        require_writable("", "--out")
    assert names(tmp_path) == ["old"] and (tmp_path / "old").read_text() == "old"


@pytest.mark.parametrize(
    "name,reason",
    [
        ("folder", "--out: .*/folder is a folder, and must be a file"),
        ("file/x", "--out: .*/file/x cannot be written: .*/file is a file"),
        ("file/x/y", "cannot be written: .*/file is a file"),
        ("dangling/x", "cannot be written: .*/dangling is a link to nothing"),
        ("/proc/x/y", "--out: /proc/x/y cannot be written: /proc takes no file"),
    ],
)
def test_what_cannot_be_written_is_said_before(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    (tmp_path / "dangling").symlink_to("nowhere/x")
    with pytest.raises(SlowFastExtError, match=reason):
        require_writable(os.path.join(tmp_path, name), "--out")
    assert names(tmp_path) == ["dangling", "file", "folder"]


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as error:
        write(tmp_path / "file")
    assert error.value.filename == tmp_path / "file" and names(tmp_path) == []


def test_another_folder_of_the_same_name_is_told(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    place = place_of(folder)
    require_same_place(folder, place)
    folder.rename(tmp_path / "elsewhere")
    for is_there in (False, True):
        if is_there:
            folder.mkdir()
        with pytest.raises(OSError, match="a mount that went away") as error:
            require_same_place(folder, place)
        assert error.value.filename == folder


def test_leftovers_of_the_killed_are_removed_and_no_others(tmp_path):
    ended = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(ended, 0)
    alive = f"a.pyth.partial-{os.getppid()}"
    kept = {alive, "a.pyth", "a.partial-x", f"a.partial-{2**70}"}
    # In a container a run has the id of the one before.
    for name in [*kept, f"a.pyth.partial-{ended}", f"b.pyth.partial-{os.getpid()}"]:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert set(names(tmp_path)) == kept
    remove_leftovers("s3://bucket/out")
