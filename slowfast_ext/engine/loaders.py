"""From a data set to batches: which videos, in which order, in which process."""

import contextlib
import functools
import itertools
import logging
import signal
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from slowfast_ext.config.plugins import import_plugins
from slowfast_ext.datasets.contract import dataset_class
from slowfast_ext.datasets.stored_maps import StoredMaps
from slowfast_ext.datasets.upstream_dataset import UpstreamDataset
from slowfast_ext.engine.batch_size import batch_size_per_process
from slowfast_ext.engine.losses import frequencies
from slowfast_ext.errors import SlowFastExtError, interrupt_held
from slowfast_ext.utils import distributed

logger = logging.getLogger(__name__)


def build_dataset(cfg, split):
    """
    The data set of TRAIN.DATASET ("train", "tune", "val") or TEST.DATASET, with the maps of
    FEATURES.PATH; raises SlowFastExtError.
    """
    dataset_type = dataset_class(cfg, "TEST.DATASET" if split == "test" else "TRAIN.DATASET")
    distributed.main_process_first(lambda: dataset_type.prepare(cfg))
    dataset = dataset_type(cfg, split)
    if cfg.FEATURES.PATH:
        dataset.maps = StoredMaps(cfg, split, dataset)
    return dataset


class TrainingBatches:
    """
    This process's share of the batches of an epoch: lists of (epoch, index).

    The order comes from (seed, epoch) alone; process r takes every world-th sample of a
    batch from the r-th on. So the batches of an epoch are the same for any number of
    processes. The samples that do not fill the last batch are left out, as upstream does.

    Args:
        num_videos (int): of the data set; as many are drawn in an epoch.
        batch_size (int): of this process.
        seed (int): RNG_SEED.
        repeats (float array): [V], how often each is drawn, in proportion; None: each once.
    """

    def __init__(self, num_videos, batch_size, seed, repeats=None):
        self.num_videos, self.batch_size, self.seed = num_videos, batch_size, seed
        self.repeats, self.epoch = repeats, 0

    def start_epoch(self, epoch):
        """Which epoch's order and draws the next pass takes."""
        self.epoch = epoch

    def __len__(self):
        return self.num_videos // (self.batch_size * distributed.world_size())

    def __iter__(self):
        # Not torch's generator: nothing else that draws may change which videos come when.
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(self.num_videos)
        epochs = np.full(self.num_videos, self.epoch)
        if self.repeats is not None:
            order, before = _repeated(random, order, self.repeats)
            epochs = self.epoch + before * _EPOCHS_APART
        total = self.batch_size * distributed.world_size()
        for batch in range(len(self)):
            start = batch * total + distributed.rank()
            own = slice(start, (batch + 1) * total, distributed.world_size())
            yield list(zip(epochs[own].tolist(), order[own].tolist(), strict=True))


# A video that comes again within an epoch shows a clip of another one, which no run comes to. Not
# divisible by numbers of stored clips, so that a repeated clip of those is another one too.
_EPOCHS_APART = 1_000_003


def _repeated(random, order, repeats):
    """
    As many videos as `order` has, [V], each as often as its share of `repeats`, rounded up or down
    at random; and how often each has come before.
    """
    ends = np.cumsum(repeats[order])
    drawn = (np.arange(len(order)) + random.random()) * (ends[-1] / len(order))
    places = np.searchsorted(ends, drawn, side="right").clip(max=len(order) - 1)
    # In the order of the draws the same ones stand side by side.
    before = np.arange(len(order)) - np.searchsorted(places, places)
    mixed = random.permutation(len(order))
    return order[places][mixed], before[mixed]


def repeat_factors(labels, threshold):
    """
    How often a video is drawn: sqrt(threshold / frequency) of its rarest activity, 1 at least, as
    LVIS repeats pictures (Gupta et al., CVPR 2019) and detectron2 with its REPEAT_THRESHOLD.

    Args:
        labels (float array): V x A, above 0 where a video has an activity.
        threshold (float): the frequency below which activities are rare.

    Returns:
        float array: [V].
    """
    frequent = frequencies(torch.as_tensor(labels)).double().numpy()
    factors = np.sqrt(threshold / np.maximum(frequent, 1 / len(labels)))
    return np.where(labels > 0, np.maximum(factors, 1), 1).max(axis=1)


@dataclass(frozen=True)
class BrokenVideo:
    """A sample that could not be read, and why."""

    index: int
    reason: str


class ReportingBrokenVideos(torch.utils.data.Dataset):
    """A data set whose items are what `dataset`, or its maps, give, or a BrokenVideo."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, key):
        try:
            return (self.dataset if self.dataset.maps is None else self.dataset.maps)[key]
        except SlowFastExtError as error:
            # Raised in a worker, it would reach the main process as a traceback.
            return BrokenVideo(key[1] if isinstance(key, tuple) else key, str(error))


class Batches:
    """
    A loader's batches without the broken videos.

    Args:
        loader (DataLoader): of lists of items, BrokenVideo among them.
        skip (bool): DATA.SKIP_BROKEN_VIDEOS; otherwise the first broken video ends the run.

    Attributes:
        broken (dict[int, str]): index -> reason of the videos skipped so far.
    """

    def __init__(self, loader, skip):
        self.loader, self.skip, self.broken = loader, skip, {}

    def __len__(self):
        return len(self.loader)

    @property
    def maps(self):
        """The data set's StoredMaps, or None."""
        return self.loader.dataset.dataset.maps

    @property
    def labels(self):
        """The data set's, [rows x A]."""
        return self.loader.dataset.dataset.labels

    @functools.cached_property
    def has_unknown(self):
        """The data set's; each step asks, and AVA's joins the labels of all persons to say it."""
        return self.loader.dataset.dataset.has_unknown

    def start_epoch(self, epoch):
        """As `TrainingBatches`, which a training loader goes by."""
        self.loader.batch_sampler.start_epoch(epoch)

    def video_ids(self, indices):
        """The ids of videos by their indices, for messages."""
        ids = self.loader.dataset.dataset.video_ids
        return [ids[index] for index in indices]

    def broken_videos(self):
        """{video id: reason} of the videos skipped so far in this process."""
        ids = self.video_ids(self.broken)
        return dict(zip(ids, self.broken.values(), strict=True))

    def endless(self):
        """Yields lists of items, none empty, over and over; SlowFastExtError if none is read."""
        while True:
            found = False
            for items in self:
                if items:
                    found = True
                    yield items
            if not found:
                raise SlowFastExtError("no video of the list could be read")

    def __iter__(self):
        """Yields lists of items, possibly empty."""
        with interrupt_held():  # A Ctrl-C while the workers are forked would be lost.
            batches = iter(self.loader)
        for items in batches:
            # Each may be several clips of a video, AUG.NUM_SAMPLE.
            parts = (item if isinstance(item, list) else [item] for item in items)
            items = list(itertools.chain.from_iterable(parts))
            for item in items:
                if not isinstance(item, BrokenVideo):
                    continue
                if not self.skip:
                    raise SlowFastExtError(
                        f"{item.reason}; DATA.SKIP_BROKEN_VIDEOS True goes on without such videos"
                    )
                if item.index not in self.broken:
                    logger.warning(f"skipped: {item.reason}")
                self.broken[item.index] = item.reason
            yield [item for item in items if not isinstance(item, BrokenVideo)]


def log_dataset(split, dataset):
    """Says which data set serves, and how many of its videos have boxes, where it uses objects."""
    whose = "PySlowFast's own" if isinstance(dataset, UpstreamDataset) else "this package's"
    logger.info(f"{split}: {whose} {type(dataset).__name__}, {len(dataset)} items")
    found = dataset.num_videos_with_objects
    if found is not None:
        logger.info(f"{split}: {found} of {len(dataset)} videos have boxes in objects.csv")


def training_loader(cfg, dataset):
    """This process's training clips; raises SlowFastExtError where they fill no batch."""
    batch_size = batch_size_per_process(cfg, "TRAIN.BATCH_SIZE")
    repeats, threshold = None, cfg.TRAIN.REPEAT_THRESHOLD
    if threshold:
        repeats = repeat_factors(dataset.item_labels, threshold)
    batches = TrainingBatches(len(dataset), batch_size, cfg.RNG_SEED, repeats)
    if not len(batches):
        raise SlowFastExtError(
            f"TRAIN.BATCH_SIZE is {cfg.TRAIN.BATCH_SIZE} but there are only {len(dataset)} "
            "training videos: make it smaller"
        )
    if dataset.maps is not None:
        dataset.maps.ready(clips=True)
    return _loader(cfg, dataset, batch_sampler=batches)


def evaluation_loader(cfg, dataset, done=()):
    """
    One video at a time with all its views, but for those whose indices are in `done`; of the
    rest process r takes every world-th from the r-th on.
    """
    if dataset.maps is not None:
        dataset.maps.ready(clips=False)
    left = [index for index in range(len(dataset)) if index not in done]
    own = left[distributed.rank() :: distributed.world_size()]
    # No padding to equal shares, as torch's DistributedSampler does: it would score videos twice.
    return item_loader(cfg, dataset, own)


def item_loader(cfg, dataset, indices):
    """The items of these indices, one at a time."""
    return _loader(cfg, dataset, batch_sampler=[[index] for index in indices])


def _loader(cfg, dataset, **options):
    loader = DataLoader(
        ReportingBrokenVideos(dataset),
        num_workers=cfg.DATA_LOADER.NUM_WORKERS,
        pin_memory=cfg.DATA_LOADER.PIN_MEMORY and cfg.NUM_GPUS > 0,
        collate_fn=list,  # Broken videos are taken out before the rest becomes a batch.
        worker_init_fn=functools.partial(_start_worker, cfg.PLUGINS),
        **options,
    )
    return Batches(loader, cfg.DATA.SKIP_BROKEN_VIDEOS)


@contextlib.contextmanager
def worker_deaths_named():
    """Raises ChildProcessError, one sentence, where a loader's process is killed in the body."""
    try:
        yield
    except Exception as error:
        # torch raises it wherever the main process is at that moment, as at the start of a
        # thread, which raises another error on top.
        death = error
        while death and not (isinstance(death, RuntimeError) and "DataLoader worker" in str(death)):
            death = death.__cause__ or death.__context__
        if not death:
            raise
        raise ChildProcessError(
            f"a process that reads videos has ended ({str(death).splitlines()[0].rstrip('. ')}): "
            "out of memory? Fewer DATA_LOADER.NUM_WORKERS take less; start the same command again "
            "to go on"
        ) from error


def _start_worker(plugins, _worker):
    import_plugins(plugins)  # A worker that was spawned rather than forked has imported nothing.
    cv2.setNumThreads(0)  # The workers share the cores: threads of each would be too many.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The main process ends the workers.
