"""
The whole 30-view test of one video with SlowFast-R50 at 256: read, network, mean over the views.

    python -m benchmarks.whole_test [--views 30]

Beside it upstream's loop: each view read by pyslowfast 1.0's own loader, which decodes the video
anew, and the same network in float32, one view after the other. The sides take turns at every
view; a view's share of reading, done once, counts with it. Scores in bfloat16 must lie within 5e-3
of those in float32.
"""

import copy
import functools
import itertools
import statistics
import time
from pathlib import Path

import torch

from benchmarks.limits import limit_of
from benchmarks.networks import R50
from benchmarks.reading import config_of_test, cut, upstream_configs, video_folder, views_of
from benchmarks.timing import (
    DATA,
    alternate,
    benchmark_parser,
    ratio_row,
    report,
    require_equal,
    row,
)
from slowfast_ext.datasets.clips import Sample, network_input
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.models import ActivityNetwork
from slowfast_ext.models.inference import set_layout

CPU = torch.device("cpu")
PRECISIONS = ("float32", "bfloat16")


def settings(root):
    """The test's config, with SlowFast-R50."""
    base = {"MODEL.ARCH": "slowfast", "DATA.INPUT_CHANNEL_NUM": [3, 3], "DATA.TARGET_FPS": 30}
    return config_of_test(root, "MultiLabelVideos", {**R50, **base})


class Timer:
    """Scores of views and the seconds that each took, by side."""

    def __init__(self):
        self.seconds, self.scores = {}, {}

    def add(self, side, function):
        """Calls `function`, which gives a view's scores."""
        start = time.perf_counter()
        scores = function()
        self.seconds.setdefault(side, []).append(time.perf_counter() - start)
        self.scores.setdefault(side, []).append(scores)

    def mean(self, side):
        return torch.cat(self.scores[side]).double().mean(0)


def networks_of(cfg):
    """The same network for each precision, laid out as the engine lays it out for a whole test."""
    torch.manual_seed(0)
    network = ActivityNetwork(cfg).eval()
    networks = {"float32": network, "bfloat16": copy.deepcopy(network)}
    set_layout(networks["bfloat16"], torch.channels_last_3d)
    return networks


def score(cfg, precision, network, pathways):
    """A view's scores, from its pathways in uint8."""
    in_half = precision == "bfloat16"
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=in_half):
        return network(network_input(cfg, Sample(pathways), CPU)[0])


def score_as_upstream(network, views):
    """The scores of the next view of upstream's loaders."""
    with torch.no_grad():
        return network([pathway[None] for pathway in next(views)])


def time_views(sides, num_views):
    """
    A Timer of all sides over the first views; the first of them is not timed.

    Args:
        sides (dict[str, callable]): each gives an iterator of functions, one a view, that give
            the view's scores.
    """
    timer = Timer()
    for start in sides.values():
        next(start())()
    started = {side: start() for side, start in sides.items()}
    for _ in range(num_views):
        for side, views in started.items():
            timer.add(side, lambda views=views: next(views)())
    return timer


def sides_of(cfg, networks, dataset, loaders):
    """The sides for `time_views`: ours in both precisions, and upstream's loop."""
    views = list(cut(dataset[0].pathways))

    def own(precision):
        network = networks[precision]
        return (lambda view=view: score(cfg, precision, network, view) for view in views)

    def upstreams():
        theirs = views_of(loaders)
        return (lambda: score_as_upstream(networks["float32"], theirs) for _ in views)

    ours = {precision: lambda p=precision: own(p) for precision in PRECISIONS}
    return {**ours, "upstream": upstreams}


def rows_of(timer, reading, limit=None):
    """The rows; `reading` is what one view's share of reading takes, `limit` as `row` takes it."""
    whole = {p: [reading + s for s in timer.seconds[p]] for p in PRECISIONS}
    whole["upstream"] = timer.seconds["upstream"]
    difference = (timer.mean("bfloat16") - timer.mean("float32")).abs().max().item()
    note = require_equal("scores in bfloat16 and float32", difference, 5e-3)
    what, against = "a view of a whole test of SlowFast-R50", "upstream's loop in float32"
    return [
        ratio_row(
            f"{what}, {precision}",
            against,
            whole,
            precision,
            "upstream",
            text,
            least=least,
            limit=limit,
        )
        for precision, least, text in (("float32", None, ""), ("bfloat16", 2.5, note))
    ]


def whole_frame_row(cfg, network, dataset, repeats):
    """Three crops of a clip beside one view of the whole frame."""
    whole = cfg.clone()
    whole.TEST.WHOLE_FRAME = True
    frame = next(cut(MultiLabelVideos(whole, "test")[0].pathways))
    crops = list(itertools.islice(cut(dataset[0].pathways), 3))
    sides = {
        "crops": lambda: [score(cfg, "bfloat16", network, crop) for crop in crops],
        "whole frame": lambda: score(cfg, "bfloat16", network, frame),
    }
    seconds = alternate(sides, repeats)
    note = f"{frame[0].shape[-1]} pixels wide"
    return ratio_row(
        "a clip's whole frame", "its three crops", seconds, "whole frame", "crops", note
    )


def main():
    from slowfast.datasets.kinetics import Kinetics

    parser = benchmark_parser(__doc__, repeats=None)
    parser.add_argument("--video", type=Path, default=DATA / "videos" / "test.mp4")
    parser.add_argument("--views", type=int, default=30)
    args = parser.parse_args()
    with video_folder([args.video]) as root:
        cfg = settings(root)
        dataset = MultiLabelVideos(cfg, "test")
        Path(root, "list").mkdir()
        Path(root, "list", "test.csv").write_text(f"{args.video} 0\n")
        theirs = settings(root)
        theirs.DATA.PATH_TO_DATA_DIR = str(Path(root, "list"))
        loaders = [Kinetics(of_rate, "test") for of_rate in upstream_configs(theirs)]
        networks = networks_of(cfg)
        (reading,) = alternate({"read": lambda: dataset[0]}).values()
        timer = time_views(sides_of(cfg, networks, dataset, loaders), args.views)
        view = next(cut(dataset[0].pathways))

        def limit():
            one_view = functools.partial(score, cfg, "bfloat16", networks["bfloat16"], view)
            return limit_of(one_view, *networks["float32"].parameters(), dtype=torch.bfloat16)

        rows = rows_of(timer, statistics.median(reading) / len(dataset.views), limit)
        totals = [sum(timer.seconds[p]) for p in PRECISIONS]
        for precision, total in zip(PRECISIONS, totals, strict=True):
            what = f"the network's {args.views} views, {precision}, seconds"
            rows.append(row(what, "itself", [total]))
        repeats = max(args.views // 2, 1)
        rows.append(whole_frame_row(cfg, networks["bfloat16"], dataset, repeats))
    report("whole_test", rows)


if __name__ == "__main__":
    main()
