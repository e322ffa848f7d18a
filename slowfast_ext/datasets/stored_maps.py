"""
A frozen backbone's maps of clips, kept in files in place of computing them again.

FOLDER/features.json says what the maps are of; FOLDER/SPLIT/000123.npz holds those of an item and
what else its clips have. numpy's .npz, not compressed: an array is read by itself, so that memory
holds one clip's map whatever there is on disk; checksums tell damage; nothing is executed.
"""

import functools
import json
import math
import os
import pickle
from typing import NamedTuple

import numpy as np
import torch
import yaml

from slowfast_ext.config.defaults import scope_of
from slowfast_ext.config.schema import Scope, flattened
from slowfast_ext.datasets.clips import Sample, channel_order
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.objects import Objects
from slowfast_ext.utils.arrays import open_arrays
from slowfast_ext.utils.digests import digest_of, digest_of_json
from slowfast_ext.utils.distributed import rank, world_size
from slowfast_ext.utils.paths import is_local, open_atomically, pathmgr
from slowfast_ext.utils.text import shortened

FORMAT = 1
# numpy has no bfloat16: its bits are kept.
_STORED_AS = {"float16": torch.float16, "bfloat16": torch.int16, "float32": torch.float32}
_FIELDS = ("labels", "boxes", "persons", "person_labels")
# Where data lie is not what they are; which rates there are is said of each split; persons' regions
# are cut out of a map when it is read.
_NOT_OF_MAPS = (
    "DATA.PATH_TO_DATA_DIR",
    "DATA.PATH_PREFIX",
    "DATA.SAMPLING_RATE",
    "DATA.ENSEMBLE_METHOD",
    "AVA.FRAME_DIR",
    "AVA.FRAME_LIST_DIR",
    "AVA.ANNOTATION_DIR",
    "DETECTION.ALIGNED",
    "DETECTION.ROI_XFORM_RESOLUTION",
)


class Split(NamedTuple):
    """
    What is stored of a data set: "train", "tune", "val", "test", or "train-views", all views of
    the training list.

    Attributes:
        name (str): one of those.
        dataset (ActivityDataset): what the items are of.
    """

    name: str
    dataset: object

    @property
    def has_clips(self):
        """Training clips, and not all views of a video."""
        return self.name in ("train", "tune")

    def num_clips(self, cfg):
        """Training clips that are stored of a video: FEATURES.CLIPS, but not more than epochs."""
        batches = max(len(self.dataset) // (cfg.TRAIN.BATCH_SIZE * cfg.NUM_SHARDS), 1)
        epochs = cfg.SOLVER.MAX_EPOCH
        if self.name == "tune":
            epochs = math.ceil(cfg.TUNE.MAX_ITER / batches)
        elif cfg.TRAIN.MAX_ITER:
            epochs = min(epochs, math.ceil(cfg.TRAIN.MAX_ITER / batches))
        return min(cfg.FEATURES.CLIPS, epochs)

    def facts(self, cfg):
        """What its maps depend on beside the backbone and the settings, as JSON has it."""
        dataset = self.dataset
        content = dict(dataset.content)
        listed = content.pop("videos", ())
        for name in ("root", "rates", "views", "class_names"):
            content.pop(name, None)
        segments = [getattr(video, "segments", None) for video in listed]
        # Nothing is added where all is known: maps of such lists are as before there was this.
        unknown = enumerate(getattr(video, "unknown", None) for video in listed)
        unknown = [(place, of) for place, of in unknown if of]
        try:
            lists = digest_of(content, dataset.video_ids, segments, *unknown)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise SlowFastExtError(
                f"{type(dataset).__name__}: features of other lists could not be told ({error}): "
                "leave out of its `content` what was not read"
            ) from error
        facts = {
            "lists": lists,
            "items": len(dataset),
            "classes": list(dataset.class_names),
        }
        if self.has_clips:
            first = first_epoch(cfg, self.name)
            draws = {"clips": self.num_clips(cfg), "seed": cfg.RNG_SEED, "first_epoch": first}
            rates = getattr(dataset, "rates", [cfg.DATA.SAMPLING_RATE])
            precision = {"mixed_precision": cfg.TRAIN.MIXED_PRECISION}
            return {**facts, "rates": list(rates), **draws, **precision}
        groups = [(cfg.DATA.SAMPLING_RATE, 1, 1)]
        if self.name != "val":
            groups = dataset.view_groups(cfg)
        whole = cfg.TEST.WHOLE_FRAME and self.name != "val"
        views_of_split = {"views": [list(group) for group in groups], "whole_frame": whole}
        return {**facts, **views_of_split, "precision": cfg.TEST.PRECISION}


def first_epoch(cfg, stage):
    """The number of a stage's first epoch, "train" or "tune", in the order of random draws."""
    # So that no stage repeats another's.
    return cfg.SOLVER.MAX_EPOCH if stage == "tune" else 0


def settings_of(cfg):
    """{key: value} of what a backbone's map of given frames depends on."""
    settings = {"channel order": channel_order(cfg)}
    for key, value in flattened(yaml.safe_load(cfg.dump())).items():
        scope = scope_of(key)
        of_network = Scope.NETWORK in scope and Scope.HEAD not in scope
        of_pixels = key.startswith(("DATA.", "AVA.")) and scope & (Scope.TRAINING | Scope.SCORES)
        if (of_network or of_pixels) and key not in _NOT_OF_MAPS:
            settings[key] = value
    return settings


def backbone_digest(network):
    """Digits of a network's backbone's weights."""
    return digest_of(state=network.backbone.state_dict())


def stamp(path):
    """What tells a video from another that has taken its place: [bytes or files, time]."""
    if path is None or not is_local(path):
        return None
    try:
        status = os.stat(path)
        size = len(os.listdir(path)) if os.path.isdir(path) else status.st_size
    except OSError as error:
        raise SlowFastExtError(f"{path}: cannot be read: {error.strerror or error}") from error
    return [size, status.st_mtime_ns]


# --- The folder -------------------------------------------------------------------------------


class MapFolder:
    """
    A folder of stored maps.

    Args:
        path (str): the folder.
        description (dict): what features.json holds: `format`, `dtype`, `backbone`, `settings`
            and, by name, `splits`.
    """

    def __init__(self, path, description):
        self.path, self.description = path, description

    @classmethod
    def open(cls, path):
        """The folder as it is; raises SlowFastExtError where it is none."""
        name = os.path.join(path, "features.json")
        try:
            with pathmgr.open(name) as stream:
                description = json.load(stream)
        except FileNotFoundError as error:
            raise SlowFastExtError(
                f"{path}: holds no features.json: `python -m slowfast_ext extract --cfg YAML "
                f"--out {path}` makes the features of a config"
            ) from error
        except (OSError, ValueError) as error:
            raise SlowFastExtError(f"{name}: cannot be read ({error})") from error
        parts = {"format": int, "dtype": str, "backbone": str, "settings": dict, "splits": dict}
        known = isinstance(description, dict) and description.get("format") == FORMAT
        if not known or not all(isinstance(description.get(p), parts[p]) for p in parts):
            raise SlowFastExtError(f"{name}: is not of this version's form; extract anew")
        return cls(path, description)

    def write(self):
        """Writes features.json, unless it says the same: a folder may be complete and read-only."""
        path = os.path.join(self.path, "features.json")
        if pathmgr.exists(path) and MapFolder.open(self.path).description == self.description:
            return
        with open_atomically(path) as stream:
            json.dump(self.description, stream, indent=1)

    def item_path(self, split, index):
        """The file of an item."""
        return os.path.join(self.path, split, f"{index:06d}.npz")

    def facts_of_items(self, split, dataset):
        """
        A function of an item's number -> what its file says of itself: by it a stale one is told.
        """
        common = {name: self.description[name] for name in ("dtype", "backbone", "settings")}
        # Once for all items: a data set makes the list of its ids anew whenever it is asked.
        of, ids = digest_of_json([common, self.description["splits"][split]]), dataset.video_ids
        stamp_once = functools.cache(stamp)  # A movie's folder is that of hundreds of keyframes.

        def facts(index):
            return {"of": of, "id": ids[index], "file": stamp_once(dataset.media_path(index))}

        return facts

    # --- Items -------------------------------------------------------------------------------

    def write_item(self, path, facts, samples):
        """
        Writes an item's file.

        Args:
            path (str): of `item_path`.
            facts (dict): of `facts_of_items`; with `broken`, why it could not be read.
            samples (dict): {name: Sample with features}.
        """
        arrays = {"facts": np.array(json.dumps(facts))}
        for name, sample in samples.items():
            for field, value in self._arrays_of(sample).items():
                arrays[f"{name}.{field}"] = value
        with open_atomically(path, "wb") as stream:
            np.savez(stream, **arrays)

    def _arrays_of(self, sample):
        dtype = self.description["dtype"]
        stored = sample.pathways[0].to(getattr(torch, dtype))
        if not stored.isfinite().all():
            raise SlowFastExtError(
                f"FEATURES.DTYPE is {dtype!r}: a map has values that it cannot hold; set bfloat16 "
                "or float32"
            )
        arrays = {"map": stored.view(_STORED_AS[dtype]).numpy()}
        for field in _FIELDS:
            if getattr(sample, field) is not None:
                arrays[field] = getattr(sample, field).numpy()
        objects = sample.objects
        if objects is not None:
            # Of a clip or, in a list, of each view.
            listed = [objects] if isinstance(objects, Objects) else objects
            for place, of_view in enumerate(listed):
                for field, value in of_view._asdict().items():
                    arrays[f"objects.{place}.{field}"] = value.numpy()
        return arrays

    def read_item(self, path, name=None):
        """
        The item's facts and, where it could be read, its Sample by its name, else None; raises
        SlowFastExtError where the file is damaged or has no such sample.
        """
        try:
            with open_arrays(path) as arrays:
                facts = json.loads(str(arrays["facts"]))
                is_wanted = name is not None and "broken" not in facts
                return facts, self._sample(arrays, name) if is_wanted else None
        except FileNotFoundError as error:
            raise SlowFastExtError(f"{path}: is missing: extract goes on where it ended") from error
        except Exception as error:  # zipfile, zlib and numpy each have errors of their own.
            reason = shortened(str(error) or type(error).__name__)
            raise SlowFastExtError(
                f"{path}: is damaged or no file of features ({reason}): remove it and extract "
                "again, which makes what is missing"
            ) from error

    def _sample(self, arrays, name):
        fields = {
            field.removeprefix(f"{name}."): field
            for field in arrays
            if field.startswith(f"{name}.")
        }
        kept = {f: torch.from_numpy(arrays[fields[f]]) for f in _FIELDS if f in fields}
        features = torch.from_numpy(arrays[fields["map"]])
        if self.description["dtype"] == "bfloat16":
            features = features.view(torch.bfloat16)
        objects = []
        while f"objects.{len(objects)}.boxes" in fields:
            prefix = f"{name}.objects.{len(objects)}"
            values = (torch.from_numpy(arrays[f"{prefix}.{f}"]) for f in Objects._fields)
            objects.append(Objects(*values))
        kept["objects"] = objects or None
        return Sample([features], **kept, are_maps=True)


# --- Reading in place of videos -----------------------------------------------------------------


class StoredMaps:
    """
    What loaders read in place of a data set's items: `maps[epoch, index]`, `maps[index]`.

    Args:
        cfg (CfgNode): names the folder, FEATURES.PATH.
        split (str): "train", "tune", "val" or "test".
        dataset (ActivityDataset): of the split.

    Raises:
        SlowFastExtError: the folder has no such features, or of other lists, settings or videos.
    """

    def __init__(self, cfg, split, dataset):
        self.cfg, self.split, self.dataset = cfg, split, dataset
        self.folder = MapFolder.open(cfg.FEATURES.PATH)
        self._ready, self._is_checked = set(), False
        # At once: later the data set takes its network's order of classes.
        names = {split, _views_name(split)}
        self._wanted = {name: Split(name, dataset).facts(cfg) for name in names}
        _refuse_other_settings(self.folder, settings_of(cfg))

    def ready(self, clips):
        """
        Raises SlowFastExtError where what a run reads, training clips or views, is not there, or is
        of other lists, settings or videos.
        """
        name = self.split if clips else _views_name(self.split)
        used = {"train": self.cfg.TRAIN.ENABLE, "tune": self.cfg.TUNE.ENABLE}
        if name in self._ready or not used.get(name, True):
            return
        self._require(name)
        # Each process looks at a part: one that finds something ends them all.
        self._check_items(name, range(rank(), len(self.dataset), world_size()))
        self._ready.add(name)

    def _require(self, name):
        """Raises where what is stored of a split is not as this config asks for it."""
        splits = self.folder.description["splits"]
        if name not in splits:
            stored = ", ".join(splits) or "none"
            raise SlowFastExtError(
                f"{self.folder.path}: has no features of {name}, but of {stored}: extract them "
                f"with --splits {name}"
            )
        stored, wanted = splits[name], self._wanted[name]
        different = [key for key in wanted if stored.get(key) != wanted[key]]
        if set(map(tuple, wanted.get("views", ()))) <= set(map(tuple, stored.get("views", ()))):
            different = [key for key in different if key != "views"]  # `_views` takes its own.
        if name in ("train", "tune"):
            # Whose draws they are may differ: a run of another seed takes the same clips.
            different = [key for key in different if key not in ("clips", "seed", "first_epoch")]
        if different:
            key = different[0]
            shown = "" if key == "lists" else f" ({stored.get(key)}, now {wanted[key]})"
            raise SlowFastExtError(
                f"{self.folder.path}: its features of {name} are of other {key}{shown}: extract "
                "anew into another folder"
            )

    def _check_items(self, name, indices):
        """Raises where an item is missing or stale."""
        facts_of = self.folder.facts_of_items(name, self.dataset)
        for index in indices:
            path = self.folder.item_path(name, index)
            (stored, _), wanted = self.folder.read_item(path), facts_of(index)
            if any(stored.get(key) != wanted[key] for key in ("of", "id")):
                raise SlowFastExtError(
                    f"{path}: is of another extraction: extract again, which makes it anew"
                )
            if stored.get("file") != wanted["file"]:
                raise SlowFastExtError(
                    f"{path}: {self.dataset.media_path(index)} has changed since (its size or "
                    "time): extract again, which makes its features anew"
                )

    def check_network(self, network):
        """Raises SlowFastExtError where the maps are of another backbone's weights."""
        if not self._is_checked and self.folder.description["backbone"] != backbone_digest(network):
            raise SlowFastExtError(
                f"{self.folder.path}: its features are of another backbone's weights than this "
                "network has: extract anew into another folder"
            )
        self._is_checked = True  # Frozen, it stays as it is.

    def __getitem__(self, key):
        """A training clip of (epoch, index), all views of an index: a Sample with features."""
        if not isinstance(key, tuple):
            return self._views(key)
        epoch, index = key
        stored = self.folder.description["splits"][self.split]
        clip = (epoch - first_epoch(self.cfg, self.split)) % stored["clips"]
        sample = self._read(self.split, index, f"clip{clip}")
        if sample.objects is not None:
            sample = sample._replace(objects=sample.objects[0])
        return sample

    def _views(self, index):
        """A Sample of the views that this run tests, which may be fewer than there are."""
        split = _views_name(self.split)
        sample, wanted = self._read(split, index, "views"), self._wanted[split]["views"]
        stored, chosen = self.folder.description["splits"][split]["views"], []
        if stored == wanted:
            return sample
        for group in wanted:
            first = sum(clips * crops for _, clips, crops in stored[: stored.index(group)])
            chosen += range(first, first + group[1] * group[2])
        objects = sample.objects and [sample.objects[place] for place in chosen]
        return sample._replace(pathways=[sample.pathways[0][chosen]], objects=objects)

    def _read(self, split, index, name):
        facts, sample = self.folder.read_item(self.folder.item_path(split, index), name)
        if sample is None:
            raise SlowFastExtError(facts["broken"])
        sample = sample._replace(index=index)
        names = self.folder.description["splits"][split]["classes"]
        if names != list(self.dataset.class_names):
            # The data set has taken its network's order since.
            places = [names.index(name) for name in self.dataset.class_names]
            sample = sample._replace(labels=sample.labels[..., places])
        return sample


def _views_name(split):
    return "train-views" if split in ("train", "tune") else split


def _refuse_other_settings(folder, wanted):
    stored = folder.description["settings"]
    # A key that only one of them has belongs to the other version of PySlowFast.
    different = [
        f"{key} {stored[key]!r} (now {wanted[key]!r})"
        for key in sorted(stored.keys() & wanted.keys())
        if stored[key] != wanted[key]
    ]
    if different:
        raise SlowFastExtError(
            f"{folder.path}: its features were extracted with {', '.join(different)}: set them as "
            "they were, or extract anew into another folder"
        )
