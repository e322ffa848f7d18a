"""Opening and writing files through iopath, so that stores registered there work."""

import contextlib
import errno
import os
import re
import tempfile
from pathlib import Path

from iopath.common.file_io import PathManagerFactory

from slowfast_ext.errors import SlowFastExtError

# The instance that PySlowFast's main uses: a handler (s3://, ...) that a user registers
# there serves lists, videos, weights and results alike.
pathmgr = PathManagerFactory.get(key="pyslowfast")

# The project's configs: beside the package in a clone, within it once installed.
_PACKAGE = Path(__file__).parents[1]
_CLONES = _PACKAGE.parent / "configs"
CONFIGS = _CLONES if (_CLONES / "Synthetic").is_dir() else _PACKAGE / "configs"


def is_local(path):
    """True where `path` is a file of this machine rather than of a registered store."""
    return "://" not in str(path)


def has_store(path):
    """False where `path` names a store (s3://...) that no registered handler serves."""
    # iopath would take an unknown store for a folder of this machine.
    return is_local(path) or any(str(path).startswith(p) for p in pathmgr._path_handlers)


def no_such_video(path):
    """What is said where there is no video, before torch is imported or when it is opened."""
    return f"{path}: no such video file or folder; check the path"


def leads_outside(folder, text, allowed):
    """
    True where a path `text`, as a list has it, leads out of the folder that relative ones start
    at as it must not; `allowed` is DATA.PATHS_OUTSIDE.
    """
    is_absolute = not is_local(text) or os.path.isabs(text)
    if allowed == "any" or (allowed == "absolute" and is_absolute):
        return False
    path = text if is_absolute else os.path.join(folder, text)
    if is_local(folder) and is_local(path):
        # A link within the folder may lead out of it.
        path, folder = os.path.realpath(path), os.path.realpath(folder)
    inside = os.path.join(folder, "")  # With a slash: /data2 is not within /data.
    return not f"{path}/".startswith(inside) or ".." in path.removeprefix(inside).split("/")


def require_writable(path, key):
    """Raises SlowFastExtError, which names `key`, where the file cannot be written."""
    # Nothing is left behind; the file's folders need not exist.
    if not path:
        raise SlowFastExtError(f"{key} is empty: name a file")
    if not is_local(path):
        return
    if os.path.isdir(path):
        raise SlowFastExtError(f"{key}: {path} is a folder, and must be a file")
    target = _target(path)
    if _is_special(target):
        if not os.access(target, os.W_OK):
            raise SlowFastExtError(f"{key}: {path} permits no writing")
        return
    folder = os.path.dirname(os.path.abspath(target))
    while not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        what = "a link to nothing" if os.path.islink(folder) else "a file"
        raise SlowFastExtError(f"{key}: {path} cannot be written: {folder} is {what}")
    try:
        # Permissions do not tell of file systems that let nobody write.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise SlowFastExtError(
            f"{key}: {path} cannot be written: {folder} takes no file ({reason})"
        ) from error


def require_writable_in(folder, names, key):
    """As `require_writable`, of files of these names in `folder`, which need not exist."""
    if not folder:
        # It would be the current folder.
        raise SlowFastExtError(f"{key} is empty: name a folder")
    if pathmgr.exists(folder) and not pathmgr.isdir(folder):
        raise SlowFastExtError(f"{key} {folder} is a file: name a folder")
    for name in names:
        require_writable(os.path.join(folder, name), key)


def _target(path):
    """The file that a link leads to, so that the file is replaced and not the link."""
    return os.path.realpath(path) if os.path.islink(path) else path


def _is_special(path):
    """True for a pipe or a device, such as /dev/stdout, which nothing may replace."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def make_folder(path, key):
    """Makes the folder `path`, which `key` names, where it is missing."""
    try:
        pathmgr.mkdirs(path)
    except OSError as error:
        raise SlowFastExtError(
            f"{key} is {path!r}: the folder cannot be made: {error.strerror or error}"
        ) from error


def place_of(folder):
    """What tells a folder of this machine from another that has taken its name; None of a store."""
    if not is_local(folder):
        return None
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def require_same_place(folder, place):
    """Raises OSError where `folder` is not the one any more whose `place_of` was `place`."""
    # Where a mount went away its empty mount point would silently take what is written.
    try:
        found = place_of(folder)
    except FileNotFoundError:
        found = "none"
    if found != place:
        reason = "is not the folder any more that the run began with (a mount that went away?)"
        raise OSError(errno.ESTALE, reason, folder)


def remove_leftovers(folder):
    """
    Removes the partial files in `folder` whose writers were killed on this machine; this process
    must not be writing there. In a container the next run has the same process id.
    """
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        # Linux's process ids have 7 digits at most; larger numbers are none of this project's.
        found = re.fullmatch(r".+\.partial-([1-9]\d{0,6})", name)
        if found and not _is_another(int(found.group(1))):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))


def _is_another(process):
    """True where a process with this id, other than this one, is alive."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # It is another user's.
    return True


@contextlib.contextmanager
def open_atomically(path, mode="w"):
    """
    Opens `path` for writing such that it appears whole or not at all.

    The text or bytes go into a file beside it that takes the name at the end. A store
    shows a file only once it is closed, so there it is written directly, and so are pipes
    and devices.
    """
    newline = None if "b" in mode else ""
    encoding = None if "b" in mode else "utf-8"
    if not is_local(path):
        with pathmgr.open(path, mode) as stream:
            yield stream
        return
    target = _target(path)
    if _is_special(target):
        with open(target, mode, newline=newline, encoding=encoding) as stream:
            yield stream
        return
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    partial = f"{target}.partial-{os.getpid()}"
    try:
        # A killed process of the same id may have left it, as a second name of another file.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        with open(partial, mode, newline=newline, encoding=encoding) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())  # A power cut must not leave an empty file of the final name.
        os.replace(partial, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError) and error.filename in (None, partial):
            # The name that the user knows; a full disk gives none.
            error.filename = path
        raise
