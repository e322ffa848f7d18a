"""Computing a frozen backbone's maps once, for `slowfast_ext.datasets.stored_maps`."""

import logging
import math
import os
import shutil
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import torch

from slowfast_ext import upstream
from slowfast_ext.config.schema import flattened
from slowfast_ext.datasets import clips
from slowfast_ext.datasets.augmentation import check_augmented_features
from slowfast_ext.datasets.stored_maps import (
    FORMAT,
    MapFolder,
    Split,
    backbone_digest,
    first_epoch,
    settings_of,
)
from slowfast_ext.engine import loaders
from slowfast_ext.engine.batch_size import batch_size_per_process
from slowfast_ext.engine.progress import Progress
from slowfast_ext.engine.scoring import view_batches
from slowfast_ext.engine.train import build_network
from slowfast_ext.engine.trained import network_to_test
from slowfast_ext.engine.weights import load_start
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones import map_shape
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import is_local, make_folder, pathmgr, remove_leftovers

logger = logging.getLogger(__name__)

SPLITS = ("train", "tune", "val", "test", "train-views")
_MOST_WAITING = 4  # Items computed and not yet written: what a slow disk costs of memory.


def extract(cfg, folder, names):
    """
    Writes the maps of the splits `names` of SPLITS into `folder`; what is there already is not
    computed again. The work is shared by all processes.

    Raises SlowFastExtError: there is no backbone to take, the folder holds features of another
    config, they would not fit, or a video cannot be read.
    """
    check_augmented_features(cfg, "extract")
    upstream.setup_logging()  # How far it is, where there is no terminal to draw a bar on.
    network = backbone_network(cfg).to(distributed.device(cfg)).eval()
    network.freeze_backbone()
    list_of = {"train-views": "train"}
    splits = [Split(name, loaders.build_dataset(cfg, list_of.get(name, name))) for name in names]
    maps = _folder(cfg, folder, network, splits)
    if distributed.is_main_process():
        for name in ("", *names):  # Of an extraction that was killed.
            remove_leftovers(os.path.join(folder, name))
    missing = {split: _missing(maps, split) for split in splits}
    _check_space(cfg, network, maps, missing)
    if distributed.is_main_process():
        maps.write()
    with ThreadPoolExecutor(1) as writer:
        for split, facts in missing.items():
            _extract_split(_Extraction(cfg, network, maps, split, writer, facts))
    if distributed.is_main_process():
        print(f"wrote {folder}: set FEATURES.PATH {folder} to train, tune and test from it")


def backbone_network(cfg):
    """The network whose backbone a run of this config has, frozen."""
    if not (cfg.ACTIVITY.FREEZE_BACKBONE and cfg.TRAIN.CHECKPOINT_FILE_PATH):
        return network_to_test(cfg)[1]
    network = build_network(cfg, None)
    logger.info(f"extract: {load_start(cfg, network)}")
    return network


def _folder(cfg, path, network, splits):
    """The folder with its description, which goes on with what is there."""
    description = {
        "format": FORMAT,
        "dtype": cfg.FEATURES.DTYPE,
        "backbone": backbone_digest(network),
        "settings": settings_of(cfg),
        "splits": {},
    }
    make_folder(path, "--out")
    if pathmgr.exists(os.path.join(path, "features.json")):
        there = MapFolder.open(path).description
        refuse_other(path, {k: v for k, v in description.items() if k != "splits"}, there)
        description["splits"] = dict(there["splits"])
    elif pathmgr.ls(path):
        raise SlowFastExtError(f"--out {path}: holds other files: name a new folder")
    for split in splits:
        facts = split.facts(cfg)
        if split.name in description["splits"]:
            refuse_other(path, facts, description["splits"][split.name], f"{split.name}: ")
        description["splits"][split.name] = facts
    return MapFolder(path, description)


def refuse_other(path, wanted, there, where=""):
    """Raises SlowFastExtError for the first of a folder's facts that is another one there."""
    wanted, there = flattened(wanted), flattened(there)
    for key, value in wanted.items():
        if there.get(key) != value:
            raise SlowFastExtError(
                f"--out {path}: holds features of another extraction: {where}"
                f"{key.removeprefix('settings.')} {there.get(key)!r} (now {value!r}); name another "
                "folder"
            )


def _missing(maps, split):
    """{index: what its file will say of itself}, the items of this process still to do."""
    own = range(distributed.rank(), len(split.dataset), distributed.world_size())
    # Before any is read: one that changes while features are computed is then told from them.
    facts_of = maps.facts_of_items(split.name, split.dataset)
    items = ((index, facts_of(index)) for index in own)
    return {i: f for i, f in items if not _is_done(maps, maps.item_path(split.name, i), f)}


def _is_done(maps, path, wanted):
    if is_local(path) and not os.path.exists(path):
        return False
    try:
        stored, _ = maps.read_item(path)
    except SlowFastExtError as error:
        logger.warning(f"{error}; it is made again")
        return False
    return "broken" not in stored and all(stored.get(k) == v for k, v in wanted.items())


# --- Room on the disk ---------------------------------------------------------------------------


def _check_space(cfg, network, maps, missing):
    """Says how much is written; raises SlowFastExtError where the disk does not hold it."""
    folder, facts = maps.path, maps.description["splits"]
    sizes = [
        _bytes_of_item(cfg, network, split.has_clips, facts[split.name]) * len(items)
        for split, items in missing.items()
    ]
    total = sum(distributed.gather(sum(sizes)))
    counts = ", ".join(f"{len(split.dataset)} of {split.name}" for split in missing)
    if distributed.is_main_process():
        print(f"features of {counts}; about {_size(total)} are still to write to {folder}")
    if is_local(folder) and total > shutil.disk_usage(folder).free:
        free = shutil.disk_usage(folder).free
        raise SlowFastExtError(
            f"--out {folder}: about {_size(total)} are to be written and {_size(free)} are "
            "free: choose another disk, FEATURES.DTYPE float16 or fewer FEATURES.CLIPS"
        )


def _size(number):
    """Bytes, as people say them."""
    return f"{number / 1e9:.2f} GB" if number >= 1e8 else f"{number / 1e6:.2f} MB"


def _bytes_of_item(cfg, network, has_clips, facts):
    """About, since frames as wholes differ in size; `facts` of its split."""
    data = cfg.DATA
    if has_clips:
        size, number = data.TRAIN_CROP_SIZE, facts["clips"]
    else:
        size, number = data.TEST_CROP_SIZE, sum(n * crops for _, n, crops in facts["views"])
    sized = cfg.clone()
    sized.DATA.TRAIN_CROP_SIZE = size
    values = math.prod(map_shape(sized, network.backbone)[:4])
    return number * values * getattr(torch, cfg.FEATURES.DTYPE).itemsize


# --- Computing ----------------------------------------------------------------------------------


class _Clips(torch.utils.data.Dataset):
    """Of each item the training clips that are extracted, [(name, Sample)]."""

    maps = None

    def __init__(self, cfg, split):
        self.dataset, self.first = split.dataset, first_epoch(cfg, split.name)
        self.num_clips, self.video_ids = split.num_clips(cfg), split.dataset.video_ids

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        numbers = range(self.num_clips)
        return index, [(f"clip{n}", self.dataset[self.first + n, index]) for n in numbers]


class _Extraction:
    """What extracting the items of a split needs; `facts` are those of `_missing`."""

    def __init__(self, cfg, network, maps, split, writer, facts):
        self.cfg, self.network, self.maps, self.split = cfg, network, maps, split
        self.writer, self.waiting, self.device = writer, [], distributed.device(cfg)
        self.facts = facts

    def features(self, batch):
        """F of a Sample's clips, on the CPU."""
        inputs, _ = clips.network_input(self.cfg, batch, self.device)
        return self.network.backbone_map(inputs).float().cpu()

    def write(self, index, samples, **further):
        """Writes an item's file beside the computing."""
        while len(self.waiting) >= _MOST_WAITING:
            self.waiting.pop(0).result()
        path = self.maps.item_path(self.split.name, index)
        facts = self.facts[index] | further
        self.waiting.append(self.writer.submit(self.maps.write_item, path, facts, samples))

    def finish(self, broken):
        """Waits for the files; writes what could not be read, too."""
        for index, reason in broken.items():
            self.write(index, {}, broken=reason)
        for written in self.waiting:
            written.result()


def _extract_split(extraction):
    cfg, split = extraction.cfg, extraction.split
    source = _Clips(cfg, split) if split.has_clips else split.dataset
    batches = loaders.item_loader(cfg, source, extraction.facts)
    extract_items = _extract_clips if split.has_clips else _extract_views
    with Progress(f"extract {split.name}", len(batches), cfg.LOG_PERIOD) as progress:
        items = _stepped(batches, progress)
        extract_items(extraction, items)
    extraction.finish(batches.broken)


def _stepped(batches, progress):
    for items in batches:
        yield from items
        progress.step()


def _extract_views(extraction, samples):
    """All views of each item, in batches as a test has them."""
    cfg = extraction.cfg
    with inference(cfg, extraction.network, extraction.device):
        for sample in samples:
            parts = [extraction.features(batch) for batch in view_batches(cfg, sample)]
            kept = sample._replace(pathways=[torch.cat(parts)], are_maps=True)
            extraction.write(sample.index, {"views": kept})


def _extract_clips(extraction, items):
    """Training clips in batches of the training's size, whatever items they are of."""
    # Kernels that are chosen by a batch's size would round otherwise than the training's.
    size = batch_size_per_process(extraction.cfg, "TRAIN.BATCH_SIZE")
    waiting, found, expected = [], defaultdict(dict), {}
    precision = extraction.cfg.TRAIN.MIXED_PRECISION
    with torch.no_grad(), torch.autocast("cuda", torch.float16, enabled=precision):
        for index, samples in items:
            expected[index] = len(samples)
            waiting += [(index, name, sample) for name, sample in samples]
            while len(waiting) >= size:
                _compute(extraction, waiting[:size], size, found, expected)
                waiting = waiting[size:]
        if waiting:
            _compute(extraction, waiting, size, found, expected)


def _compute(extraction, batch, size, found, expected):
    """The maps of a batch, filled up to its `size`; writes the items that are complete with it."""
    samples = [sample for _, _, sample in batch]
    padded = samples + samples[-1:] * (size - len(samples))
    pathways = clips.join_clips([sample.pathways for sample in padded])
    features = extraction.features(clips.Sample(pathways))
    for (index, name, sample), of_clip in zip(batch, features, strict=False):
        # A copy: a slice would keep the whole batch.
        found[index][name] = sample._replace(pathways=[of_clip.clone()], are_maps=True)
        if len(found[index]) == expected[index]:
            extraction.write(index, found.pop(index))
