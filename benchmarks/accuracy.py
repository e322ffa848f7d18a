"""
What the faster settings of a test cost in mAP and in scores, on what `make quickstart` trained.

    python -m benchmarks.accuracy [--run DIR]

TEST.PRECISION bfloat16 must keep the scores within 5e-3 and mAP within 0.1 point of float32's.
Where the scores are further apart, the benchmark fails after it has written its rows.
TEST.WHOLE_FRAME is another test: its mAP and its speed stand beside those of the three crops, on
the same videos set in 16:9 frames at a random place, as square ones have one crop, the frame
itself. The network has not seen such borders; so both tests of these videos lose.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.networks import config
from benchmarks.timing import ROOT, benchmark_parser, report, require_equal, row
from benchmarks.wide_videos import write_wide
from slowfast_ext.datasets import clips
from slowfast_ext.engine import checkpoint, loaders
from slowfast_ext.engine.scoring import evaluate
from slowfast_ext.engine.trained import trained_network
from slowfast_ext.errors import SlowFastExtError, exit_with_sentence
from slowfast_ext.evaluation.evaluators import build_evaluator
from slowfast_ext.models.inference import inference

VIDEOS = ROOT / "build" / "synthetic"
RUN = ROOT / "output" / "synthetic" / "activity_head"
SCORES_WITHIN = 5e-3


class Tested(NamedTuple):
    """mAP, scores (videos x A) and seconds of a test."""

    mean: float
    scores: np.ndarray
    seconds: float


def run_test(options):
    """A test of the quickstart's head with a dict's keys set."""
    cfg = config("Synthetic/ACTIVITY_FROZEN", options)
    dataset = loaders.build_dataset(cfg, "test")
    network = trained_network(cfg)
    start = time.perf_counter()
    found = evaluate(build_evaluator(cfg, dataset), network, "test")
    seconds = time.perf_counter() - start
    scores = np.stack([found.scores[index] for index in sorted(found.scores)])
    return Tested(found.metrics.mean, scores, seconds)


def map_difference(options):
    """How far the last map F of one video's views in bfloat16 is from float32's, as text."""
    cfg = config("Synthetic/ACTIVITY_FROZEN", options)
    views = [pathway[:] for pathway in loaders.build_dataset(cfg, "test")[0].pathways]
    inputs = clips.network_input(cfg, clips.Sample(views), torch.device("cpu"))[0]
    network, maps = trained_network(cfg), {}
    for precision in ("float32", "bfloat16"):
        cfg.TEST.PRECISION = precision
        with inference(cfg, network, torch.device("cpu")):
            maps[precision] = network.features(inputs).float()
    distance = (maps["bfloat16"] - maps["float32"]).norm() / maps["float32"].norm()
    return f"the maps that the head gets differ by {distance:.2g} of their norm"


def score_difference(exact, near):
    """The largest of all videos and classes."""
    return np.abs(near.scores - exact.scores).max()


def require_equal_scores(exact, near):
    """Ends the benchmark where the scores are not those in float32."""
    require_equal("scores in bfloat16 and float32", score_difference(exact, near), SCORES_WITHIN)


def precision_rows(exact, near, limit):
    """Scores and mAP in bfloat16; `limit` is asked, as in `row`, where the scores are too far."""
    difference, points = score_difference(exact, near), 100 * abs(near.mean - exact.mean)
    what = "scores in bfloat16, largest distance"
    note = f"mAP {near.mean:.4f} beside {exact.mean:.4f}"
    return [
        row(what, "float32", [difference], most=SCORES_WITHIN, limit=limit),
        row("mAP in bfloat16, points away", "float32", [points], most=0.1, note=note),
    ]


def whole_frame_rows(crops, whole):
    """mAP and speed of the whole frame, both one round."""
    note = f"mAP {whole.mean:.4f} beside {crops.mean:.4f}; one round"
    points = 100 * (whole.mean - crops.mean)
    seconds = f"{whole.seconds:.1f} s beside {crops.seconds:.1f} s; one round"
    against = "three crops, 16:9 frames"
    return [
        row("mAP of the whole frame, points more", against, [points], note=note),
        row("a test of the whole frame", against, [crops.seconds / whole.seconds], note=seconds),
    ]


def main():
    parser = benchmark_parser(__doc__, repeats=None)
    parser.add_argument("--run", type=Path, default=RUN, metavar="DIR", help="its OUTPUT_DIR")
    parser.add_argument("--videos", type=Path, default=VIDEOS, metavar="DIR")
    args = parser.parse_args()
    path = checkpoint.last_checkpoint(str(args.run), "tune")
    if path is None:
        raise SlowFastExtError(f"{args.run} has no tuned checkpoint: run `make quickstart` first")
    # By name: it may be tested on other videos than those of its training.
    own = {"TEST.CHECKPOINT_FILE_PATH": path, "DATA.PATH_TO_DATA_DIR": args.videos}
    exact, near = run_test(own), run_test({**own, "TEST.PRECISION": "bfloat16"})
    rows = precision_rows(exact, near, lambda: map_difference(own))
    with tempfile.TemporaryDirectory() as folder:
        write_wide(args.videos, Path(folder))
        wide = {**own, "DATA.PATH_TO_DATA_DIR": folder, "TEST.DATASET": "MultiLabelVideos"}
        rows += whole_frame_rows(run_test(wide), run_test({**wide, "TEST.WHOLE_FRAME": True}))
    report("accuracy", rows)
    require_equal_scores(exact, near)


if __name__ == "__main__":
    with exit_with_sentence():
        main()
