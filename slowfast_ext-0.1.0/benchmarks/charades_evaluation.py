"""
Charades' evaluation, 1,863 videos and 157 activities, beside a port of its script in plain loops.

    python -m benchmarks.charades_evaluation [--repeats 15]
"""

import importlib.util

import numpy as np

from benchmarks.timing import (
    ROOT,
    alternate,
    benchmark_parser,
    ratio_row,
    report,
    require_equal,
    row,
)
from slowfast_ext.evaluation.multilabel import multilabel_metrics

NUM_VIDEOS, NUM_CLASSES = 1863, 157


def plain_port():
    """The tests' line-by-line port of Charades_v1_classify.m."""
    path = ROOT / "tests" / "evaluation" / "test_multilabel.py"
    spec = importlib.util.spec_from_file_location("plain_port", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.charades_v1_classify


def main():
    parser = benchmark_parser(__doc__)
    args = parser.parse_args()
    random = np.random.default_rng(0)
    scores = random.random((NUM_VIDEOS, NUM_CLASSES))
    labels = random.random(scores.shape) < 6.8 / NUM_CLASSES
    port, lists = plain_port(), (scores.tolist(), labels.tolist())
    difference = abs(multilabel_metrics(scores, labels).mean - port(*lists)[1])
    note = require_equal("mAP", difference, 1e-9)
    sides = {"ours": lambda: multilabel_metrics(scores, labels), "port": lambda: port(*lists)}
    seconds = alternate(sides, args.repeats)
    what = f"Charades' evaluation, {NUM_VIDEOS} x {NUM_CLASSES}"
    milliseconds = [1e3 * s for s in seconds["ours"]]
    rows = [
        row(f"{what}, ms", "itself", milliseconds, most=50),
        ratio_row(what, "its script in plain loops", seconds, "ours", "port", note),
    ]
    report("charades_evaluation", rows)


if __name__ == "__main__":
    main()
