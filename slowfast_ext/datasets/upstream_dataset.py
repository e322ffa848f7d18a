"""PySlowFast's own data sets under this engine: slower than ours, each view read by itself."""

import contextlib
import functools
import os

import numpy as np
import torch
import torchvision
from torch.utils.data import IterableDataset

from slowfast_ext.config.schema import refuse, require_clips_alone
from slowfast_ext.datasets import views
from slowfast_ext.datasets.augmentation import AUGMENTS
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.datasets.contract import ActivityDataset, adapts_upstreams, names_by_output
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.upstream import IS_MAIN, seeded
from slowfast_ext.utils.paths import pathmgr

# Of upstream's those that read pictures by OpenCV, as BGR; the others' videos are RGB.
_READ_BGR = ("Charades", "Ssv2")


@adapts_upstreams
@functools.cache
def adapted(upstreams):
    """
    A class of ActivityDataset around one of upstream's registry, `upstreams`; None for what is not
    read by its index, clip by clip.
    """
    is_indexed = isinstance(upstreams, type) and issubclass(upstreams, torch.utils.data.Dataset)
    if not is_indexed or issubclass(upstreams, IterableDataset) or upstreams.__name__ == "Imagenet":
        return None
    # By upstream's own code.
    augments = {"Kinetics": AUGMENTS, "Ssv2": ("AUG.ENABLE",)}.get(upstreams.__name__, ())
    facts = {"upstreams": upstreams, "augments": augments}
    return type(upstreams.__name__, (UpstreamDataset,), facts)


class UpstreamDataset(ActivityDataset):
    """
    One of upstream's data sets, with its lists, decoding and augmentation.

    Upstream gives a view an item, of one sampling rate: a video's are gathered, and each rate has
    an instance. One clip is the middle one of three, and one crop likewise: upstream takes the
    first, or fails. Pixels are rounded to whole levels. Labels that are numbers become one of A.

    Args: those of ActivityDataset.

    Raises:
        SlowFastExtError: upstream's data set cannot be built, or reads no item.
    """

    upstreams = None

    @classmethod
    def check_config(cls, cfg):
        if not (cfg.TRAIN.ENABLE or cfg.TUNE.ENABLE or cfg.TEST.ENABLE):
            return  # Upstream's default names a data set where none is read, as for a demo.
        require_clips_alone(cfg, f"upstream's {cls.__name__} gives no boxes here")
        if cfg.TEST.WHOLE_FRAME:
            refuse(cfg, "TEST.WHOLE_FRAME", f"must be False for upstream's {cls.__name__}")
        if cfg.AUG.ENABLE and cfg.AUG.NUM_SAMPLE > 1:
            refuse(cfg, "AUG.NUM_SAMPLE", f"must be 1 for upstream's {cls.__name__}")

    @classmethod
    def read_class_names(cls, cfg):
        """Those of classes.txt; upstream's lists have numbers alone, and need none."""
        if pathmgr.exists(os.path.join(cfg.DATA.PATH_TO_DATA_DIR, "classes.txt")):
            return super().read_class_names(cfg)
        return names_by_output("", {}, cfg.MODEL.NUM_CLASSES)

    @classmethod
    def channel_order(cls, cfg):
        """What upstream's key makes of what it reads."""
        is_bgr = (cls.__name__ in _READ_BGR) != (IS_MAIN and cfg.DATA.REVERSE_INPUT_CHANNEL)
        return "BGR" if is_bgr else "RGB"

    def __init__(self, cfg, split):
        # What main's Kinetics decodes by; its other way, pyav, fails in main itself.
        is_decoded = IS_MAIN and type(self).__name__ == "Kinetics"
        if is_decoded and not hasattr(torchvision.io, "_probe_video_from_memory"):
            raise SlowFastExtError(
                "upstream's Kinetics decodes by functions that torchvision "
                f"{torchvision.__version__} does not have: take TRAIN.DATASET and TEST.DATASET "
                "MultiLabelVideos, or an older torchvision"
            )
        self.cfg, self.class_names = cfg, self.read_class_names(cfg)
        self.rates = cfg.TUNE.RATES if split == "tune" else [cfg.DATA.SAMPLING_RATE]
        self.is_training = split in ("train", "tune")
        if self.is_training:
            groups = [(rate, 1, 1) for rate in self.rates]
        else:
            groups = [(self.rates[0], 1, 1)] if split == "val" else self.view_groups(cfg)
        self.parts = [_Part(self, *group) for group in groups]
        first = self.parts[0]
        self.video_ids = [
            path if isinstance(path, str) else os.path.basename(os.path.dirname(path[0]))
            for path in first.of_videos("_path_to_videos")
        ]
        labels = first.of_videos("_labels")
        self.labels = np.zeros((len(labels), len(self.class_names)), np.float32)
        for row, label in zip(self.labels, labels, strict=True):
            row[list(_flat(label))] = 1

    def __reduce__(self):
        # Its class has no name of its own to be found by in a worker that is not forked.
        return _empty, (self.upstreams,), vars(self)

    @property
    def content(self):
        """As the contract has it, without upstream's own objects."""
        return {name: value for name, value in super().content.items() if name != "parts"}

    def media_path(self, index):
        """A video's file, or the folder of its frames."""
        path = self.parts[0].dataset._path_to_videos[index * self.parts[0].per_video]
        return path if isinstance(path, str) else os.path.dirname(path[0])

    def __len__(self):
        return len(self.video_ids)

    def __getitem__(self, key):
        """As the contract has it; pathways of all views are tensors, V x 3 x T x H x W."""
        if isinstance(key, tuple):
            epoch, index = key
            draws = views.sample_random(self.cfg.RNG_SEED, epoch, index)
            part = self.parts[draws.integers(len(self.parts))]
            with seeded(draws):
                pathways, labels = part.item(index)
            return Sample(pathways, self._row(labels), index)
        clips = [part.item(place)[0] for part in self.parts for place in part.places(key)]
        pathways = [torch.stack(pathway) for pathway in zip(*clips, strict=True)]
        return Sample(pathways, torch.from_numpy(self.labels[key]), key)

    def _row(self, labels):
        labels = torch.as_tensor(labels)
        if labels.dim():
            return labels.float()
        return torch.nn.functional.one_hot(labels, len(self.class_names)).float()


def _empty(upstreams):
    """What unpickling fills."""
    return object.__new__(adapted(upstreams))


class _Part:
    """Upstream's data set of one sampling rate, for training or for so many clips and crops."""

    def __init__(self, owner, rate, clips, crops):
        self.owner, cfg = owner, owner.cfg.clone()
        cfg.DATA.SAMPLING_RATE = rate
        # Of one, the middle of three.
        asked = [3 if number == 1 else number for number in (clips, crops)]
        cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS = asked
        self.mode = "train" if owner.is_training else "test"
        self.per_video = 1 if owner.is_training else asked[0] * asked[1]
        clip_places, crop_places = ([1] if n == 1 else range(n) for n in (clips, crops))
        self.views = [clip * asked[1] + crop for clip in clip_places for crop in crop_places]
        self.name = f"upstream's {owner.upstreams.__name__}"
        with self._errors_named("cannot be built"):
            self.dataset = owner.upstreams(cfg, self.mode)

    @contextlib.contextmanager
    def _errors_named(self, what):
        try:
            yield
        except Exception as error:  # Upstream asserts, or raises anything.
            reason = str(error) or type(error).__name__
            raise SlowFastExtError(f"{self.name} {what}: {reason}") from error

    def of_videos(self, name):
        """A list of its data set's, an entry a video."""
        return getattr(self.dataset, name)[:: self.per_video]

    def places(self, index):
        """The items of a video's views."""
        return [index * self.per_video + view for view in self.views]

    def item(self, place):
        """An item's pathways, uint8, 3 x T x H x W each, and its labels."""
        with self._errors_named(f"cannot read {self.owner.video_ids[place // self.per_video]}"):
            found = self.dataset[place]
            if found is None:  # main's Kinetics, after its hundred attempts.
                raise ValueError("it gave up; the lines of its log above say why")
            pathways, labels, *_ = found
            return [self._levels(pathway) for pathway in pathways], labels

    def _levels(self, pathway):
        """Normalised colours -> levels 0..255: the engine normalises them again."""
        data = self.owner.cfg.DATA
        # Upstream normalises before it turns the channels; 1.0 turns none.
        step = -1 if IS_MAIN and data.REVERSE_INPUT_CHANNEL else 1
        mean, std = (torch.tensor(n[::step]).view(-1, 1, 1, 1) for n in (data.MEAN, data.STD))
        return ((pathway * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)


def _flat(label):
    """A number, or lists of numbers in lists -> the numbers."""
    if not isinstance(label, (list, tuple)):
        yield int(label)
        return
    for part in label:
        yield from _flat(part)
