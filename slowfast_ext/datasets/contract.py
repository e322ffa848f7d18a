"""What the engine asks of a data set, which one a config names, and what its classes are called."""

import json
import os

import torch

from slowfast_ext.datasets.lists import read_names
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import DATASET_REGISTRY, OWN_DATASETS, get_key
from slowfast_ext.utils.text import nearest, read_text


class ActivityDataset(torch.utils.data.Dataset):
    """
    The base of every data set that this engine reads.

    One of your own derives from it or, with less to write, from MultiLabelVideos, KeyframeClips
    or a data set of theirs; `register_dataset` makes it known to TRAIN.DATASET and TEST.DATASET.
    It is built as `dataset(cfg, split)` and gives a Sample for a key: `dataset[epoch, index]` is
    a training clip, `dataset[index]` all views of a test video.

    Args:
        cfg (CfgNode): with the keys of `slowfast_ext.config`.
        split (str): "train" (clips at DATA.SAMPLING_RATE), "tune" (the same videos, each clip at
            a rate drawn from TUNE.RATES), "val" (one centre view) or "test" (`view_groups`).

    Attributes:
        evaluator (str): of the class: what measures a test, by its name in EVALUATOR_REGISTRY.
        augments (tuple[str]): of the class: which of AUG.ENABLE and
            DATA.TRAIN_JITTER_SCALES_RELATIVE training clips go by; the others are refused.
        class_names (list[str]): of the A classes that are measured.
        labels (float array): rows x A, of what is measured; see `cooccurrence_labels`. 1 present,
            0 absent, -1 unknown: in no loss and in no count.
        video_ids (list[str]): one for each item.
        num_videos_with_objects (int | None): None where no objects are used.
        maps (StoredMaps | None): what loaders read in place of its items, with FEATURES.PATH.
    """

    evaluator = "ClipsEvaluator"
    augments = ()
    num_videos_with_objects = None
    maps = None

    @classmethod
    def check_config(cls, cfg):
        """Raises SlowFastExtError, before anything is built, where the config does not fit."""

    @classmethod
    def read_class_names(cls, cfg):
        """
        The names of the network's outputs, MODEL.NUM_CLASSES of them: DATA.PATH_TO_DATA_DIR's
        classes.txt. Raises SlowFastExtError.
        """
        path = os.path.join(cfg.DATA.PATH_TO_DATA_DIR, "classes.txt")
        return read_names(path, "MODEL.NUM_CLASSES", cfg.MODEL.NUM_CLASSES)

    @staticmethod
    def prepare(cfg):
        """Makes what is missing of the data, in one process before any opens it: nothing here."""

    @staticmethod
    def view_groups(cfg):
        """
        (rate, clips, crops) of a test: TEST.VIEWS or, where it is empty, upstream's keys; with
        TEST.WHOLE_FRAME one "crop", the frame.
        """
        test = cfg.TEST
        groups = test.VIEWS or [
            (cfg.DATA.SAMPLING_RATE, test.NUM_ENSEMBLE_VIEWS, test.NUM_SPATIAL_CROPS)
        ]
        if test.WHOLE_FRAME:
            return [(rate, clips, 1) for rate, clips, _ in groups]
        return groups

    @staticmethod
    def channel_order(cfg):
        """
        "RGB" or "BGR", what a network learns from. What upstream's keys mean for a data set
        depends on how upstream reads it: PyAV gives RGB, as here, OpenCV BGR.
        """
        return "BGR" if cfg.DATA.REVERSE_INPUT_CHANNEL else "RGB"

    @property
    def has_unknown(self):
        """Whether it is unknown of any item, or of a training clip, if it has a label."""
        return bool((torch.as_tensor(self.labels) < 0).any())

    @property
    def cooccurrence_labels(self):
        """Rows x A: what the co-occurrence (eq. 8) is counted from."""
        return self.labels

    @property
    def item_labels(self):
        """Items x A: the activities of each item, of its persons together where it has several."""
        return self.labels

    @property
    def content(self):
        """{name: value}: what it has read, lists, boxes and names, by which others differ."""
        return {name: value for name, value in vars(self).items() if name not in ("cfg", "maps")}

    def media_path(self, index):
        """The file or folder that an item is read from; None where no single one is known."""

    def order_classes(self, names):
        """Takes `names`, the same in another order, for the order of the network's outputs."""
        raise SlowFastExtError(
            f"{type(self).__name__} has its classes in an order of its own, not {', '.join(names)}"
        )

    def read_labels(self, path):
        """`cooccurrence_labels` of another list (ACTIVITY.COOCCURRENCE_FILE), without videos."""
        raise SlowFastExtError(f"{type(self).__name__} reads no labels from {path}")


def named_datasets(cfg):
    """The classes of this engine's that TRAIN.DATASET and TEST.DATASET name; each once."""
    found = (_serving(cfg, name) for name in (cfg.TRAIN.DATASET, cfg.TEST.DATASET))
    return [cls for cls in dict.fromkeys(found) if cls]


def dataset_class(cfg, key):
    """
    The class that TRAIN.DATASET or TEST.DATASET, the `key`, names; raises SlowFastExtError where it
    is neither an ActivityDataset nor what can be made one of upstream's.
    """
    name = (cfg.TEST if key == "TEST.DATASET" else cfg.TRAIN).DATASET
    serving = _serving(cfg, name)
    if serving:
        return serving
    ours = [cls.__name__ for cls in _known_datasets().values()]
    reads = f"this engine reads {', '.join(ours)}{nearest(name, ours)}"
    other = dict(DATASET_REGISTRY).get(name.capitalize())
    if other is not None:
        reads = f"{other.__module__}.{other.__name__} is no ActivityDataset; {reads}"
    raise SlowFastExtError(f"{key} is '{name}': {reads}")


_ADAPTERS = []


def adapts_upstreams(adapter):
    """Decorator of a function: one of upstream's data sets -> an ActivityDataset class, or None."""
    _ADAPTERS.append(adapter)
    return adapter


def _serving(cfg, name):
    """
    The class that serves as a name: ours or, with DATA.UPSTREAM_DATASETS and where there is none of
    ours, upstream's. None where there is neither.
    """
    # Upstream registers and looks up data sets by such names.
    name = name.capitalize()
    ours, theirs = _known_datasets().get(name), dict(DATASET_REGISTRY).get(name)
    if theirs is None or (ours and not cfg.DATA.UPSTREAM_DATASETS) or theirs is ours:
        return ours
    return next(filter(None, (adapt(theirs) for adapt in _ADAPTERS)), ours)


def _known_datasets():
    """{name: class} of what is in the contract's form, in this package's registry or upstream's."""
    return {
        name: cls
        for name, cls in (*OWN_DATASETS, *DATASET_REGISTRY)
        if isinstance(cls, type) and issubclass(cls, ActivityDataset)
    }


def class_names(cfg):
    """
    MODEL.NUM_CLASSES names: from DEMO.LABEL_FILE_PATH, else those of the data set that the config
    names, the training's first, else classes.txt. Raises SlowFastExtError.
    """
    path = get_key(cfg, "DEMO.LABEL_FILE_PATH")
    if path:
        # Upstream's form.
        form = f"{path}: must be a JSON object of classes and their ids from 0 on, "
        form += '{"run": 0, ...}'
        try:
            ids = json.loads(read_text(path))
        except ValueError as error:
            raise SlowFastExtError(f"{form}; {error}") from error
        if not isinstance(ids, dict) or not all(type(i) is int for i in ids.values()):
            raise SlowFastExtError(form)
        names = {i: name for name, i in ids.items()}
        return names_by_output(path, names, cfg.MODEL.NUM_CLASSES)
    # Videos of any origin need no data set, and a config may name one of upstream's.
    dataset = next(iter(named_datasets(cfg)), ActivityDataset)
    return dataset.read_class_names(cfg)


def names_by_output(path, names, number):
    """
    {output from 0 on: name} -> the names of a network's outputs, "class ID" where there is none.
    Raises SlowFastExtError for a name of an output that there is not; `path` is for its message.
    """
    outside = [i for i in names if not 0 <= i < number]
    if outside:
        raise SlowFastExtError(
            f"{path}: the class {names[outside[0]]!r} is the network's output {outside[0]}, but "
            f"with MODEL.NUM_CLASSES {number} they go from 0 to {number - 1}"
        )
    return [names.get(i, f"class {i}") for i in range(number)]
