"""
What the faster settings of a test cost in mAP and in scores, on a finished run.

    python -m benchmarks.accuracy [--cfg YAML] [KEY VALUE ...]

By default of what `make quickstart` left. TEST.PRECISION bfloat16 must keep the scores within 5e-3
and mAP within 0.1 point of float32's. TEST.WHOLE_FRAME is another test: its mAP stands beside that
of the crops. Videos of square frames, as the synthetic ones, have one crop, the frame itself.
"""

import argparse
import time

import numpy as np

from benchmarks.timing import report, require_equal, row
from slowfast_ext import datasets  # noqa: F401  (registers the data sets)
from slowfast_ext.config import load_config
from slowfast_ext.engine import distributed, loaders
from slowfast_ext.engine.test import evaluate, network_to_test
from slowfast_ext.errors import exit_with_sentence

QUICKSTART = "configs/Synthetic/ACTIVITY_FROZEN.yaml"
QUICKSTARTS_RUN = ["OUTPUT_DIR", "output/synthetic/activity_head"]
SETTINGS = {
    "float32": [],
    "bfloat16": ["TEST.PRECISION", "bfloat16"],
    "whole frame": ["TEST.WHOLE_FRAME", "True"],
}


def run_test(cfg_path, options):
    """mAP, scores (videos x A) and seconds of the test of a run."""
    cfg = load_config(cfg_path, options)
    dataset = loaders.build_dataset(cfg, "test")
    network = network_to_test(cfg)[1].to(distributed.device(cfg))
    start = time.perf_counter()
    found = evaluate(cfg, network, dataset, "test")
    seconds = time.perf_counter() - start
    return found.metrics.mean, np.stack([found.scores[i] for i in sorted(found.scores)]), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--cfg", default=QUICKSTART)
    parser.add_argument("options", nargs="*", metavar="KEY VALUE")
    args = parser.parse_args()
    options = args.options or (QUICKSTARTS_RUN if args.cfg == QUICKSTART else [])
    tests = {name: run_test(args.cfg, [*options, *keys]) for name, keys in SETTINGS.items()}
    exact, scores, seconds = tests.pop("float32")
    difference = np.abs(tests["bfloat16"][1] - scores).max()
    note = require_equal("scores in bfloat16 and float32", difference, 5e-3)
    points = 100 * abs(tests["bfloat16"][0] - exact)
    rows = [row("mAP in bfloat16, points away", "float32", [points], most=0.1, note=note)]
    for name, (mean, _, own_seconds) in tests.items():
        note = f"{own_seconds:.1f} s beside {seconds:.1f} s"
        rows.append(row(f"mAP, {name}", f"{exact:.4f}, crops in float32", [mean], note=note))
    report("accuracy", rows)


if __name__ == "__main__":
    with exit_with_sentence():
        main()
