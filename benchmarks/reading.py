"""What the benchmarks of reading share: configs, stand-in videos, the comparison of views."""

import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from benchmarks.networks import config
from benchmarks.timing import alternate, milliseconds, ratio_row, require_equal
from slowfast_ext.datasets.clips import Sample, network_input
from slowfast_ext.datasets.contract import ActivityDataset

CLASSES = 157
# Of the difference in grey levels: upstream scales in floats, ours rounds to whole levels. What
# rounding alone does is 0.25 in the mean.
TOLERANCE = 0.5


def video_folder(paths):
    """A temporary folder with `classes.txt` and a `test.csv` of `paths`; to be cleaned up."""
    folder = tempfile.TemporaryDirectory()
    names = [f"c{index:03d}" for index in range(CLASSES)]
    Path(folder.name, "classes.txt").write_text("\n".join(names) + "\n")
    rows = "".join(f"{path},c000\n" for path in paths)
    Path(folder.name, "test.csv").write_text("path,labels\n" + rows)
    return folder


def config_of_test(root, dataset, options):
    """The Charades test at the paper's size, on the CPU, with a dict's keys set."""
    own = {"DATA.PATH_TO_DATA_DIR": root, "DATA.TEST_CROP_SIZE": 256, "TEST.DATASET": dataset}
    # Upstream's loaders show pixels as they are stored.
    own["DATA.PIXEL_ASPECT"] = False
    return config("Charades/TABLE3D_RATES_2_4_8", {**own, **options})


def draw_scene(width, height):
    """Blotches and grain, twice as wide as a frame: height x 2 width x 3."""
    random = np.random.default_rng(0)
    coarse = random.uniform(0, 255, (height // 16, width // 8, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (2 * width, height), interpolation=cv2.INTER_CUBIC)
    scene += cv2.GaussianBlur(random.normal(0, 24, scene.shape).astype(np.float32), (0, 0), 1)
    return scene.clip(0, 255).astype(np.uint8)


def upstream_configs(cfg):
    """One config for each rate of TEST.VIEWS: upstream's loaders know one rate at a time."""
    for rate, clips, crops in ActivityDataset.view_groups(cfg):
        of_rate = cfg.clone()
        of_rate.DATA.SAMPLING_RATE = rate
        of_rate.TEST.NUM_ENSEMBLE_VIEWS, of_rate.TEST.NUM_SPATIAL_CROPS = clips, crops
        yield of_rate


def views_of(datasets):
    """Yields the pathways of all views of the only video, from upstream's loaders."""
    return (dataset[index][0] for dataset in datasets for index in range(len(dataset)))


def stacked(views):
    """Pathways of views -> V x 3 x T x H x W of each pathway."""
    return [torch.stack(of_pathway) for of_pathway in zip(*views, strict=True)]


def grey_levels(cfg, pathways):
    """Normalised pathways -> 0..255."""
    shape = (1, -1, 1, 1, 1)
    mean, std = (torch.tensor(v).view(shape) for v in (cfg.DATA.MEAN, cfg.DATA.STD))
    return [(p * std + mean) * 255 for p in pathways]


def require_equal_views(what, cfg, ours, theirs):
    """Ends the benchmark where views differ; ours uint8, theirs normalised; returns a note."""
    pairs = zip((p[:] for p in ours), grey_levels(cfg, theirs), strict=True)
    difference = max((a.float() - b).abs().mean().item() for a, b in pairs)
    return require_equal(f"{what}, mean difference in grey levels", difference, TOLERANCE)


def normalised_views(cfg, pathways):
    """Yields what the network gets of views, one at a time."""
    for view in cut(pathways):
        yield network_input(cfg, Sample(view), torch.device("cpu"))[0]


def cut(pathways):
    """Yields each view's pathways, [1 x 3 x T x H x W]."""
    for place in range(len(pathways[0])):
        yield [pathway[place : place + 1] for pathway in pathways]


def compare(what, against, cfg, sources, note, least, repeats):
    """
    The rows of both, as they come and with ours normalised as upstream's already are.

    Args:
        sources (tuple of callables): ours gives all views in uint8, as the test takes them;
            theirs an iterator of normalised views, each dropped for the next; the last decodes
            each frame once, which bounds both.
    """
    ours, theirs, decode = sources
    sides = {
        "ours": lambda: [None for _ in cut(ours())],
        "upstream": lambda: [None for _ in theirs()],
        "ours, normalised": lambda: [None for _ in normalised_views(cfg, ours())],
    }
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    seconds = alternate(sides, repeats)
    normalised = f"{what}, ours normalised too"

    def limit():
        (decoding,) = alternate({"decoding": decode}, repeats).values()
        return f"decoding each frame once takes {milliseconds(decoding)}"

    return [
        ratio_row(what, against, seconds, "ours", "upstream", note, least=least, limit=limit),
        ratio_row(normalised, against, seconds, "ours, normalised", "upstream"),
    ]


def frames_of(path):
    """All frames of a video file, decoded from its start: L x H x W x 3, RGB."""
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
