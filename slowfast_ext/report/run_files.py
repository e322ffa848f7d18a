"""What an OUTPUT_DIR holds of a run; what is missing of it is said in a sentence."""

import contextlib
import json
import os
import tempfile
from functools import cached_property

import numpy as np
import yaml

from slowfast_ext import upstream
from slowfast_ext.config.defaults import default_config, keys_of
from slowfast_ext.config.schema import Scope
from slowfast_ext.datasets.contract import class_names
from slowfast_ext.engine import loaders
from slowfast_ext.engine.checkpoint import last_checkpoint, stored_class_names
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import build_trained, follow_network
from slowfast_ext.engine.weights import read_weights
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.predictions import read_predictions
from slowfast_ext.utils.paths import pathmgr


class Run:
    """
    A run by what its OUTPUT_DIR holds.

    Each attribute is read where it is first asked for and raises SlowFastExtError where it
    cannot be had.

    Args:
        folder (str): the OUTPUT_DIR.
        options (list[str]): KEY, VALUE, ... in place of the run's own.

    Raises:
        SlowFastExtError: there is nothing of a run.
    """

    def __init__(self, folder, options=()):
        self.folder, self.options = folder, list(options)
        if not pathmgr.isdir(folder):
            raise SlowFastExtError(f"{folder}: there is no such folder; name a run's OUTPUT_DIR")
        if not (pathmgr.isfile(self._path("results.json")) or self._last_checkpoint()):
            raise SlowFastExtError(
                f"{folder}: holds neither results.json nor checkpoints; name a run's OUTPUT_DIR"
            )

    def _path(self, name):
        return os.path.join(self.folder, name)

    @cached_property
    def results(self):
        """The object of results.json."""
        path = self._path("results.json")
        if not pathmgr.isfile(path):
            raise SlowFastExtError(f"{path} is not there: the run was not tested yet")
        try:
            with pathmgr.open(path, "r") as stream:
                results = json.load(stream)
        except (OSError, ValueError, RecursionError) as error:
            raise SlowFastExtError(f"{path} cannot be read ({error}): test again") from error
        if not _is_result(results):
            raise SlowFastExtError(f"{path} is not a result of slowfast_ext: test again")
        return results

    @cached_property
    def class_names(self):
        """[A]: of the test, or of the checkpoint where the run was not tested."""
        if self._tested:
            return [str(of.get("name")) for of in self.results["per_class"]]
        stored = stored_class_names(self.checkpoint_path, self.checkpoint)
        return class_names(self.cfg) if stored is None else stored

    @cached_property
    def _tested(self):
        """As `results`, empty where there are none: the checkpoint may tell the rest."""
        try:
            return self.results
        except SlowFastExtError:
            return {}

    # --- The network --------------------------------------------------------------------

    @cached_property
    def checkpoint_path(self):
        """The checkpoint that was tested, or the last one that there is."""
        tested = self._tested.get("protocol", {}).get("checkpoint")
        if isinstance(tested, str) and pathmgr.isfile(tested):
            return tested
        last = self._last_checkpoint()
        if last is None:
            where = f" and {tested}, which was tested, is gone" if tested else ""
            raise SlowFastExtError(f"{self._path('checkpoints')} holds no checkpoint{where}")
        return last

    def _last_checkpoint(self):
        return last_checkpoint(self.folder, "tune") or last_checkpoint(self.folder, "train")

    @cached_property
    def checkpoint(self):
        """What that file holds."""
        return read_weights(self.checkpoint_path, "pytorch")

    @cached_property
    def network(self):
        """The network of `checkpoint_path` on this machine's device, in evaluation."""
        return build_trained(self.cfg, self.checkpoint_path, self.checkpoint)[0]

    # --- Settings and data ---------------------------------------------------------------

    @cached_property
    def settings(self):
        """The run's config as a plain tree."""
        if "config" in self._tested:
            return self._tested["config"]
        try:
            settings = yaml.safe_load(self.checkpoint["cfg"])
        except (KeyError, AttributeError, yaml.YAMLError):
            settings = None
        if not isinstance(settings, dict):
            raise SlowFastExtError(f"{self.checkpoint_path}: does not say with which settings")
        return settings

    @cached_property
    def cfg(self):
        """The run's config for one centre view a video on this machine."""
        plugins = self.settings.get("PLUGINS")
        if plugins and "PLUGINS" not in self.options[::2]:
            # The folder may come from elsewhere, and importing a module runs it.
            raise SlowFastExtError(
                f"the run has PLUGINS {plugins}, which a report imports only where you name them: "
                f'--opts PLUGINS "{plugins}"'
            )
        # What a report computes itself, it computes on this machine, whatever the run's was.
        own = {key: upstream.get_key(default_config(), key) for key in keys_of(Scope.MACHINE)}
        own |= {"NUM_GPUS": 0, "TEST.RATE_WEIGHTS": "", "FEATURES.PATH": ""}
        own = {key: value for key, value in own.items() if key not in self.options[::2]}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as stream:
            yaml.safe_dump(self.settings, stream, allow_unicode=True)
            stream.flush()
            try:
                cfg = checked_config(stream.name, self.options, own=own)
            except SlowFastExtError as error:
                text = str(error).removeprefix(f"{stream.name}: ")
                raise SlowFastExtError(
                    f"the run's settings are not this version's ({text})"
                ) from error
        # Pictures and maps are of one view; a test's thirty would cost thirty times the reading.
        cfg.TEST.VIEWS = [[cfg.DATA.SAMPLING_RATE, 1, 1]]
        cfg.TEST.CHECKPOINT_FILE_PATH, cfg.TEST.CHECKPOINT_TYPE = "", "pytorch"
        return cfg

    @cached_property
    def test_set(self):
        """The data set of TEST.DATASET, one centre view a video."""
        root = self.cfg.DATA.PATH_TO_DATA_DIR
        advice = (
            "start the command where the run was started, or name the place with --opts "
            "DATA.PATH_TO_DATA_DIR PLACE"
        )
        # A data set that makes its own videos is not to make them for a report.
        if root and not pathmgr.exists(root):
            raise SlowFastExtError(f"the data set is not at {root}: {advice}")
        try:
            dataset = loaders.build_dataset(self.cfg, "test")
        except SlowFastExtError as error:
            raise SlowFastExtError(f"the data set cannot be read ({error}): {advice}") from error
        with contextlib.suppress(SlowFastExtError):  # Without it the test's own names tell.
            stored = stored_class_names(self.checkpoint_path, self.checkpoint)
            follow_network(dataset, self.checkpoint_path, stored)
        return dataset

    @cached_property
    def predictions(self):
        """
        Scores of videos as wholes.

        Returns:
            tuple[ndarray, ndarray]: float64 scores, V x A, a row of -inf where a video has none;
                labels, V x A, above 0 present, below unknown, in the order of `test_set`.
        """
        if self.settings.get("DETECTION", {}).get("ENABLE"):
            raise SlowFastExtError(
                "it is drawn for videos as wholes; predictions.csv has persons' boxes, which "
                "`evaluate ava` scores"
            )
        path = self._path("predictions.csv")
        if not pathmgr.isfile(path):
            raise SlowFastExtError(f"{path} is not there: the run was not tested yet")
        ids, names, scores = read_predictions(path)
        dataset = self.test_set
        places = {video_id: place for place, video_id in enumerate(dataset.video_ids)}
        unknown = [video_id for video_id in ids if video_id not in places]
        if unknown or names != list(dataset.class_names):
            what = f"the video '{unknown[0]}'" if unknown else "other activities than it"
            raise SlowFastExtError(
                f"{path} has {what}, which the test list does not have: the list has changed since "
                "the test; test again"
            )
        matrix = np.full(dataset.labels.shape, -np.inf)
        matrix[[places[video_id] for video_id in ids]] = scores
        return matrix, dataset.labels


def _is_result(found):
    """Whether an object is what `results_object` makes of a test, as far as a report reads it."""
    if not isinstance(found, dict):
        return False
    sections = ("config", "protocol", "counts", "versions")
    if not all(isinstance(found.get(name), dict) for name in sections):
        return False
    skipped, views = found["counts"].get("skipped"), found["protocol"].get("views")
    rows, by_rate = found.get("per_class"), found.get("by_rate") or []
    lists = (rows, by_rate, views or [])
    if not (isinstance(skipped or {}, dict) and all(isinstance(part, list) for part in lists)):
        return False
    if not all(isinstance(part, dict) for part in rows + by_rate):
        return False
    groups = found.get("by_frequency") or []
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        return False
    if not all({"group", "most", "least", "mAP"} <= set(group) for group in groups):
        return False
    if not _is_calibration(found.get("calibration")):
        return False
    figures = [of.get("mAP") for of in (found, *groups)] + [row.get("ap") for row in rows]
    for group in by_rate:
        precisions = group.get("ap")
        if not {"rate", "clips", "crops", "mAP"} <= set(group) or not isinstance(precisions, list):
            return False
        if len(precisions) != len(rows):
            return False
        figures += [group["mAP"], *precisions]
    return all(figure is None or isinstance(figure, int | float) for figure in figures)


def _is_calibration(found):
    if found is None:
        return True
    curve = found.get("curve") if isinstance(found, dict) else None
    if not isinstance(curve, list) or not all(isinstance(p, list) and len(p) == 3 for p in curve):
        return False
    # Where no label is known there is nothing to measure.
    error = [found.get("expected_calibration_error")] if curve else []
    numbers = [*error, *(value for p in curve for value in p)]
    return all(isinstance(number, int | float) for number in numbers)
