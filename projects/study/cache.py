"""What was computed before, kept by what it was computed from."""

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path

import av
import cv2
import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.results import installed_versions
from slowfast_ext.utils.paths import open_atomically

ROOT = Path(__file__).parents[2]
# What the videos depend on.
GENERATOR_CODE = ("slowfast_ext/datasets/synthetic/*.py",)
# What a backbone and its maps depend on, and what a head on maps does. Whole folders: computing
# once too often costs minutes, once too seldom gives figures of other code.
MAPS_CODE = (
    *("slowfast_ext/datasets/*.py", "slowfast_ext/datasets/synthetic/*.py"),
    *("slowfast_ext/models/*.py", "slowfast_ext/engine/*.py", "slowfast_ext/utils/*.py"),
    *("slowfast_ext/upstream.py", "projects/study/backbone.py"),
    *("projects/study/maps.py", "projects/study/rates.py"),
)
HEADS_CODE = (
    *("slowfast_ext/models/*.py", "slowfast_ext/engine/*.py"),
    *("slowfast_ext/datasets/clips.py", "slowfast_ext/datasets/views.py"),
    "slowfast_ext/evaluation/multilabel.py",
    *("projects/study/fitting.py", "projects/study/stored_runs.py"),
    *("projects/study/heads.py", "projects/study/*_forms.py", "projects/study/decoder_parts.py"),
)


def code_version(patterns, root=ROOT):
    """
    A hash of the clone's files that match any of the patterns, by name and content.

    Raises:
        ValueError: a pattern matches no file: what it stood for would count no more.
    """
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in _matches(root, pattern)}):
        digest.update(f"{path.relative_to(root)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _matches(root, pattern):
    found = list(root.glob(pattern))
    if not found:
        raise ValueError(f"{root} has no file {pattern}")
    return found


def key_of(*parts):
    """A short name of what JSON can write, and of the installed versions."""
    # OpenCV has several distributions with one module.
    versions = {**installed_versions(), "av": av.__version__, "cv2": cv2.__version__}
    text = json.dumps([versions, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Cache:
    """
    Files of arrays below a folder.

    Args:
        folder (str): is made.
        fresh (bool): what lies there from earlier is computed again.
    """

    def __init__(self, folder, fresh=False):
        self.folder, self.fresh = folder, fresh
        self._made = set()

    def path(self, name):
        """Where `name` lies; its folder need not exist."""
        return os.path.join(self.folder, name)

    def has(self, name):
        """True where `name` need not be computed."""
        usable = not self.fresh or name in self._made
        return usable and os.path.isfile(self.path(name))

    def arrays(self, name, names, compute):
        """
        Args:
            name (str): ends in .npz.
            names (collection[str]): of the arrays.
            compute (callable): gives a dict of arrays, where there are none yet.

        Returns:
            dict[str, ndarray]

        Raises:
            SlowFastExtError: the file is not one that this wrote.
        """
        if not self.has(name):
            arrays = compute()
            with open_atomically(self.path(name), "wb") as stream:
                np.savez(stream, **arrays)
            self._made.add(name)
        with self._reading(name), np.load(self.path(name), allow_pickle=False) as stored:
            return {key: stored[key] for key in names}

    @contextlib.contextmanager
    def _reading(self, name):
        """Raises SlowFastExtError in place of what reading a damaged or foreign file raises."""
        try:
            yield
        except Exception as error:  # A damaged file can raise anything.
            if isinstance(error, OSError):
                raise
            raise SlowFastExtError(
                f"{self.path(name)}: damaged; delete it, or compute all anew with --fresh"
            ) from error

    def start_folder(self, name, prefix):
        """
        The path of a folder, which goes on with what it holds. Others beside it that start with the
        prefix are deleted: they are of other settings or code; with `fresh`, so is what it holds.
        """
        path = Path(self.path(name))
        is_old = self.fresh and name not in self._made
        for other in path.parent.glob(f"{prefix}*"):
            if other.name != path.name or is_old:
                shutil.rmtree(other) if other.is_dir() else other.unlink()
        self._made.add(name)
        return str(path)
