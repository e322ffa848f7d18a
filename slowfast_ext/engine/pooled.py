"""One vector a window along whole videos: the form that networks of temporal detection read."""

import json
import os

import numpy as np
import torch

from slowfast_ext import upstream
from slowfast_ext.config.schema import require_clips_alone
from slowfast_ext.datasets import clips
from slowfast_ext.datasets.stored_maps import backbone_digest, settings_of
from slowfast_ext.datasets.video import open_by_config
from slowfast_ext.datasets.windows import list_windows, window_seconds
from slowfast_ext.engine import loaders
from slowfast_ext.engine.batch_size import batch_size_per_process
from slowfast_ext.engine.extract import backbone_network, refuse_other
from slowfast_ext.engine.progress import Progress
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.inference import inference
from slowfast_ext.utils import distributed
from slowfast_ext.utils.paths import is_local, make_folder, open_atomically
from slowfast_ext.utils.text import read_text


def extract_pooled(cfg, folder, names, every=None):
    """
    Writes of every video of the splits `names` FOLDER/ID.npy, float32, W x C: the mean over T', H'
    and W' of the backbone's map of each window, `every` seconds from one to the next (None: a
    window's length). FOLDER/windows.json says which. What is there already is kept, but for videos
    that are newer than it.

    Raises SlowFastExtError: no backbone, FOLDER holds others, two videos of one name, a video that
    cannot be read or a config whose network, or data set, needs more than a video.
    """
    require_clips_alone(cfg, "--pooled is given nothing but videos")
    upstream.setup_logging()
    every = every or window_seconds(cfg)
    network = backbone_network(cfg).to(distributed.device(cfg)).eval()
    videos = {}
    for name in names:
        dataset = loaders.build_dataset(cfg, name)
        for index, video_id in enumerate(dataset.video_ids):
            media, path = dataset.media_path(index), _target(folder, video_id)
            if media is None:
                kind = type(dataset).__name__
                raise SlowFastExtError(f"--pooled: {kind} does not say which file {video_id} is")
            if videos.setdefault(path, media) != media:
                raise SlowFastExtError(f"{videos[path]} and {media} would both be {path}")
    _describe(cfg, folder, network, every)
    # Shared before looking at what is there, which another process may write meanwhile.
    shared = list(videos)[distributed.rank() :: distributed.world_size()]
    own = [path for path in shared if not _is_done(path, videos[path])]
    with (
        inference(cfg, network, distributed.device(cfg)),
        Progress("extract", len(own), cfg.LOG_PERIOD) as progress,
    ):
        for path in own:
            vectors = _vectors(cfg, network, videos[path], every)
            with open_atomically(path, "wb") as stream:
                np.save(stream, vectors)
            progress.step()


def _target(folder, video_id):
    stem = os.path.splitext(video_id)[0]
    if os.path.isabs(stem) or ".." in stem.split("/"):
        stem = os.path.basename(stem)
    return os.path.join(folder, f"{stem}.npy")


def _is_done(path, media):
    """True where vectors are there that are not older than the video."""
    if not os.path.exists(path):
        return False
    return not is_local(media) or os.path.getmtime(media) <= os.path.getmtime(path)


def _describe(cfg, folder, network, every):
    """Writes windows.json; raises SlowFastExtError where there is one of another extraction."""
    make_folder(folder, "--out")
    facts = {
        "seconds_from_window_to_window": every,
        "seconds_of_a_window": window_seconds(cfg),
        "sampling_rate": cfg.DATA.SAMPLING_RATE,
        "whole_frame": cfg.TEST.WHOLE_FRAME,
        "precision": cfg.TEST.PRECISION,
        "backbone": backbone_digest(network),
        "settings": settings_of(cfg),
    }
    path = os.path.join(folder, "windows.json")
    if os.path.exists(path):
        try:
            there = json.loads(read_text(path))
            if not isinstance(there, dict):
                raise ValueError("no object")
        except ValueError as error:
            raise SlowFastExtError(f"{path}: not JSON ({error}): name another folder") from error
        refuse_other(folder, facts, there)
    elif distributed.is_main_process():
        with open_atomically(path) as stream:
            json.dump(facts, stream, indent=1)


def _vectors(cfg, network, path, every):
    size, device = batch_size_per_process(cfg, "TEST.BATCH_SIZE"), distributed.device(cfg)
    found = []
    with open_by_config(cfg, path) as reader:
        for frames in list_windows(cfg, reader.info, every).batches(size):
            batch = clips.read_clips(cfg, reader, frames, cfg.TEST.WHOLE_FRAME)
            inputs, _ = clips.network_input(cfg, batch, device)
            found.append(network.backbone_map(inputs).float().mean((2, 3, 4)).cpu())
    return torch.cat(found).numpy()
