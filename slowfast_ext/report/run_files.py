"""What an OUTPUT_DIR holds of a run; what is missing of it is said in a sentence."""

import json
import os
import tempfile
from functools import cached_property

import numpy as np
import yaml

from slowfast_ext import upstream
from slowfast_ext.config.defaults import default_config, keys_of
from slowfast_ext.config.schema import Scope
from slowfast_ext.datasets.class_names import class_names
from slowfast_ext.engine import loaders
from slowfast_ext.engine.checkpoint import last_checkpoint
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.trained import build_trained
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
        """[A]: of the test, or of the data set where the run was not tested."""
        if self._tested:
            return [str(of.get("name")) for of in self.results["per_class"]]
        return class_names(self.cfg)

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
        """What the file of `checkpoint_path` holds."""
        return read_weights(self.checkpoint_path, "pytorch")

    @cached_property
    def network(self):
        """The network of `checkpoint_path` on this machine's device, in evaluation."""
        network, *_ = build_trained(self.cfg, self.checkpoint_path, self.checkpoint)
        return network

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
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as stream:
            yaml.safe_dump(self.settings, stream, allow_unicode=True)
            stream.flush()
            try:
                cfg = checked_config(stream.name, self.options, own=_own_keys(self.options))
            except SlowFastExtError as error:
                text = str(error).removeprefix(f"{stream.name}: ")
                raise SlowFastExtError(
                    f"the run's settings are not this version's ({text})"
                ) from error
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
            return loaders.build_dataset(self.cfg, "test")
        except SlowFastExtError as error:
            raise SlowFastExtError(f"the data set cannot be read ({error}): {advice}") from error

    @cached_property
    def predictions(self):
        """
        Scores of videos as wholes.

        Returns:
            tuple[ndarray, ndarray]: float64 scores, V x A, a row of -inf where a video has none;
                bool labels, V x A, in the order of `test_set`.
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
        return matrix, dataset.labels > 0


def _own_keys(options):
    """What a report computes itself, it computes on this machine, whatever the run's was."""
    defaults = default_config()
    own = {key: upstream.get_key(defaults, key) for key in keys_of(Scope.MACHINE)}
    own |= {"NUM_GPUS": 0, "TEST.RATE_WEIGHTS": ""}
    return {key: value for key, value in own.items() if key not in options[::2]}


def _is_result(found):
    """Whether an object is what `results_object` makes of a test, as far as a report reads it."""
    if not isinstance(found, dict):
        return False
    sections = ("config", "protocol", "counts", "versions")
    if not all(isinstance(found.get(name), dict) for name in sections):
        return False
    rows, by_rate = found.get("per_class"), found.get("by_rate") or []
    return (
        _are_figures([found.get("mAP")])
        and isinstance(found["counts"].get("skipped") or {}, dict)
        and isinstance(found["protocol"].get("views") or [], list)
        and isinstance(rows, list)
        and all(isinstance(row, dict) for row in rows)
        and _are_figures([row.get("ap") for row in rows])
        and isinstance(by_rate, list)
        and all(_is_of_rate(group, len(rows)) for group in by_rate)
    )


def _is_of_rate(group, num_classes):
    if not (isinstance(group, dict) and {"rate", "clips", "crops", "mAP", "ap"} <= set(group)):
        return False
    precisions = group["ap"]
    is_full = isinstance(precisions, list) and len(precisions) == num_classes
    return is_full and _are_figures([group["mAP"], *precisions])


def _are_figures(values):
    return all(value is None or isinstance(value, int | float) for value in values)
