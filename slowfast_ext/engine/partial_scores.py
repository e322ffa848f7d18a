"""The scores of a test that is under way, kept so that it goes on where it was stopped."""

import contextlib
import logging
import os
import pickle
import re
import time

import numpy as np
import yaml

from slowfast_ext.config.defaults import scope_of
from slowfast_ext.config.schema import Scope, flattened
from slowfast_ext.evaluation.results import installed_versions
from slowfast_ext.utils import distributed
from slowfast_ext.utils.arrays import open_arrays
from slowfast_ext.utils.digests import digest_of, digest_of_json
from slowfast_ext.utils.paths import is_local, open_atomically, pathmgr

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_SAVES = 30.0  # What a kill costs of a test, at most.


class PartialScores:
    """
    A test's scores so far, in OUTPUT_DIR/partial_scores.

    Each save is a new file of what was scored since the last; a file's name begins with the
    test's fingerprint, so that no other test takes it. As a context it saves what it has at its
    end, however that comes: measuring, or another process, may still fail.

    Attributes:
        done (dict): index -> scores, as of an Evaluation, of earlier runs of the same test; the
            same in every process.
    """

    def __init__(self, cfg, network, dataset):
        self.folder = os.path.join(cfg.OUTPUT_DIR, "partial_scores")
        self.num_videos, self.num_classes = len(dataset), cfg.MODEL.NUM_CLASSES
        # One process looks, since others may already write; all write under its fingerprint.
        is_main = distributed.is_main_process()
        found = self._found(fingerprint(cfg, network, dataset)) if is_main else None
        self.fingerprint, self.done, self.number = distributed.gather(found)[0]
        if self.done:
            logger.info(f"test: {len(self.done)} of {self.num_videos} were scored before")
        self.new, self.saved_at = {}, time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        with contextlib.suppress(OSError):  # It must not hide what ended the test.
            self._save()

    def add(self, index, scores):
        """Takes the scores of one video, and saves where it is time to."""
        self.new[index] = scores
        if time.monotonic() - self.saved_at >= SECONDS_BETWEEN_SAVES:
            self._save()

    def remove(self):
        """Removes the folder, with what other tests have left there."""
        for name in self._names():
            pathmgr.rm(os.path.join(self.folder, name))
        if is_local(self.folder):
            with contextlib.suppress(OSError):
                os.rmdir(self.folder)

    def _save(self):
        if not self.new:
            return
        name = f"{self.fingerprint}_{distributed.rank():04d}_{self.number:06d}.npz"
        with open_atomically(os.path.join(self.folder, name), "wb") as stream:
            np.savez(stream, **_to_arrays(self.new))
        self.number += 1
        self.new, self.saved_at = {}, time.monotonic()

    def _names(self):
        return sorted(pathmgr.ls(self.folder)) if pathmgr.isdir(self.folder) else []

    def _found(self, digits):
        """A fingerprint, the scores of earlier runs, and a number that no file of theirs has."""
        done, names = {}, self._names()
        pattern = re.compile(rf"{digits}_\d+_\d+\.npz")
        for name in names:
            if pattern.fullmatch(name):
                # A video scored twice, by runs killed before they saw it, has equal scores.
                done.update(self._read(os.path.join(self.folder, name)))
        return digits, done, len(names)

    def _read(self, path):
        """The scores of one file; none where it is damaged, and they are computed again."""
        try:
            with open_arrays(path) as arrays:
                scores = _from_arrays(arrays)
            for index, value in scores.items():
                shape = np.shape(value[1] if isinstance(value, tuple) else value)
                if not 0 <= index < self.num_videos or shape[-1:] != (self.num_classes,):
                    raise ValueError(f"scores of shape {shape} for video {index}")
        except Exception as error:  # zipfile, zlib and numpy each have errors of their own.
            logger.warning(f"{path}: is damaged ({error}); its videos are scored again")
            return {}
        return scores


def fingerprint(cfg, network, dataset):
    """
    16 hexadecimal digits, equal for tests whose scores are equal: of config, weights, lists and
    boxes, rate weights and versions. The videos are taken to be what they were.
    """
    # The weights count themselves, not how they were trained, nor where they stand.
    settings = {
        key: value
        for key, value in flattened(yaml.safe_load(cfg.dump())).items()
        if Scope.SCORES in scope_of(key)
    }
    facts = digest_of_json([settings, distributed.device(cfg).type, installed_versions()])
    weights = None
    if cfg.TEST.RATE_WEIGHTS:
        with pathmgr.open(cfg.TEST.RATE_WEIGHTS, "rb") as stream:
            weights = stream.read()
    try:
        return digest_of(facts, weights, dataset.content, state=network.state_dict())
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        # A registered data set may hold an open file or a lambda: no later test is known to equal.
        logger.warning(f"test: once stopped it begins anew; its data set: {error}")
        return os.urandom(8).hex()


def _to_arrays(scores):
    """Names of arrays -> arrays; of a keyframe its persons and their scores."""
    arrays = {}
    for index, value in scores.items():
        persons, value = value if isinstance(value, tuple) else (None, value)
        arrays[f"scores_{index}"] = value
        if persons is not None:
            arrays[f"persons_{index}"] = persons
    return arrays


def _from_arrays(arrays):
    """What `_to_arrays` was given."""
    scores = {}
    for name in arrays:
        kind, _, index = name.partition("_")
        if kind == "scores":
            persons = f"persons_{index}"
            value = arrays[name]
            scores[int(index)] = (arrays[persons], value) if persons in arrays else value
    return scores
