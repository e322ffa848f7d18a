"""
What was found of video files before: in memory, bounded, and in a folder that all processes share.

A file counts as the same for as long as its path, its size and the times at which the file system
says that it was changed are the same, and FFmpeg is.
"""

import collections
import functools
import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, replace

import av
import numpy as np

from slowfast_ext.datasets.file_facts import FileFacts
from slowfast_ext.datasets.frame_index import PACKET, FrameIndex
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.arrays import open_arrays
from slowfast_ext.utils.paths import is_local, open_atomically, pathmgr, require_writable_in

logger = logging.getLogger(__name__)

# To be raised where `find_facts` finds something else in the same file, or it is stored otherwise.
FORMAT = 2

MOST_BYTES = 2**25
"""Of one process's memory: 19 hours of video at 30 frames a second."""

# Beside the arrays: the objects that hold them.
_BYTES_OF_A_FILE = 2000
_NAME = "video_index"
_FLAGS = ("is_counted", "can_seek", "are_chunks")


@dataclass(frozen=True)
class KnownFile:
    """
    What is known of one file, as it is now.

    Attributes:
        facts (FileFacts or None): None: nothing yet.
        keep (callable): is given the FileFacts that were found; returns them as they are kept.
    """

    facts: FileFacts | None
    keep: object


class KnownFiles:
    """
    Files and their FileFacts, the last used ones.

    Args:
        most_bytes (int): of memory for them.
    """

    def __init__(self, most_bytes=MOST_BYTES):
        self.most_bytes, self.num_bytes = most_bytes, 0
        self._of = collections.OrderedDict()

    def find(self, path, folder=None):
        """
        Args:
            path (str): of a video file.
            folder (str or None): where what is found is stored, too.

        Returns:
            KnownFile
        """
        identity = _identity(path)
        if identity is None:
            # Opening it says what is wrong.
            return KnownFile(None, lambda facts: facts)
        key = identity["path"]
        kept_as, facts = self._of.get(key, (None, None))
        if kept_as == identity:
            self._of.move_to_end(key)
            return KnownFile(facts, None)
        name = hashlib.sha256(os.fsencode(key)).hexdigest()
        stored = folder and os.path.join(folder, name[:2], f"{name[2:34]}.npz")
        facts = _read(stored, identity) if stored else None
        if facts:
            self._remember(identity, facts)

        def keep(facts):
            # Without what the array was cut from.
            facts = replace(facts, index=replace(facts.index, keys=facts.index.keys.copy()))
            self._remember(identity, facts)
            if stored:
                _write(stored, identity, facts)
            return facts

        return KnownFile(facts, keep)

    def _remember(self, identity, facts):
        self._forget(identity["path"])
        if _size(facts) > self.most_bytes:
            return
        self._of[identity["path"]] = identity, facts
        self.num_bytes += _size(facts)
        while self.num_bytes > self.most_bytes:
            self._forget(next(iter(self._of)))

    def _forget(self, key):
        _, facts = self._of.pop(key, (None, None))
        self.num_bytes -= _size(facts) if facts else 0


KNOWN_FILES = KnownFiles()
"""Of this process."""


def _identity(path):
    """What tells a file from another, and one reader from another; None: there is no file."""
    try:
        if not (is_local(path) or pathmgr.exists(path)):
            return None
        local_path = os.path.abspath(pathmgr.get_local_path(path))
        status = os.stat(local_path)
    except OSError:
        return None
    return {
        "path": local_path,
        "size": status.st_size,
        # The second, of the file's record, cannot be set back, as copying programs do to the first.
        "changed": [status.st_mtime_ns, status.st_ctime_ns],
        "reader": _reader(),
    }


@functools.cache
def _reader():
    libraries = {name: av.library_versions[name] for name in ("libavformat", "libavcodec")}
    return json.loads(json.dumps([FORMAT, av.__version__, libraries]))


def _size(facts):
    index = facts.index
    arrays = (index.marks, index.ticks, index.keys)
    return _BYTES_OF_A_FILE + sum(array.nbytes for array in arrays if array is not None)


# --- In a folder -------------------------------------------------------------------------


def known_folder(cfg):
    """
    The folder that DATA.INDEX_CACHE names; None: in memory alone.

    Says once, in a warning, where nothing can be written there.
    """
    folder, output_dir = cfg.DATA.INDEX_CACHE, os.path.abspath(cfg.OUTPUT_DIR)
    if not folder and os.path.isdir(output_dir):
        # Not where a run's files came from another machine, on which its folder was.
        # Beside it, for further runs; but nothing is put above the folder that one works in.
        beside = output_dir if output_dir == os.getcwd() else os.path.dirname(output_dir)
        folder = os.path.join(beside, _NAME)
    if folder in ("", "none"):
        return None
    _try(folder)
    return folder


@functools.cache
def _try(folder):
    try:
        require_writable_in(folder, ["x"], "DATA.INDEX_CACHE")
    except SlowFastExtError as error:
        _warn_once(folder, error)


@functools.cache
def _warn_once(folder, reason):
    logger.warning(
        f"{reason}; what is found of video files is kept in memory, and found anew by each process"
    )


def _write(path, identity, facts):
    index = facts.index
    arrays = {"keys": index.keys, "marks": index.marks, "ticks": index.ticks, "turn": facts.turn}
    rest = asdict(replace(facts, index=None, turn=None))
    rest |= {name: bool(getattr(index, name)) for name in _FLAGS}
    rest["has_ticks"] = index.ticks is not None
    text = json.dumps({"identity": identity, "facts": rest})
    arrays = {name: array for name, array in arrays.items() if array is not None}
    folder = os.path.dirname(os.path.dirname(path))
    try:
        with open_atomically(path, "wb") as stream:
            np.savez(stream, text=np.frombuffer(text.encode(), np.uint8), **arrays)
    except OSError as error:
        # A full disk, or one that nobody may write to, must not end a training.
        _warn_once(folder, f"{folder} takes no file ({error.strerror or error})")


def _read(path, identity):
    """The FileFacts of the file of this identity; None where they are not there, or another's."""
    try:
        with open_arrays(path) as arrays:
            stored = json.loads(arrays["text"].tobytes())
            if stored["identity"] != identity:
                return None
            return _facts_of(stored["facts"], arrays)
    except FileNotFoundError:
        return None
    except Exception as error:  # Whatever zipfile, numpy and json make of other bytes.
        logger.warning(f"{path}: damaged ({error}); what it held is found anew")
        return None


def _facts_of(rest, arrays):
    of_index = {name: rest.pop(name) for name in _FLAGS}
    ticks = arrays["ticks"] if rest.pop("has_ticks") else None
    index = FrameIndex(arrays["marks"], ticks, arrays["keys"].astype(PACKET), **of_index)
    rest |= {"index": index, "turn": arrays["turn"], "aspect": tuple(rest["aspect"])}
    return FileFacts(**rest)
