"""
Charades' evaluation, 1,863 videos and 157 activities, beside a port of its script in plain loops.

    python -m benchmarks.charades_evaluation [--repeats 15]
"""

import numpy as np

from benchmarks.ports import plain_port
from benchmarks.timing import (
    alternate,
    benchmark_parser,
    milliseconds,
    ratio_row,
    report,
    require_equal,
    row,
)
from slowfast_ext.evaluation.multilabel import multilabel_metrics

NUM_VIDEOS, NUM_CLASSES = 1863, 157


def main():
    parser = benchmark_parser(__doc__)
    args = parser.parse_args()
    random = np.random.default_rng(0)
    scores = random.random((NUM_VIDEOS, NUM_CLASSES))
    labels = random.random(scores.shape) < 6.8 / NUM_CLASSES
    port = plain_port("test_multilabel").charades_v1_classify
    lists = (scores.tolist(), labels.tolist())
    difference = abs(multilabel_metrics(scores, labels).mean - port(*lists)[1])
    note = require_equal("mAP", difference, 1e-9)
    sides = {"ours": lambda: multilabel_metrics(scores, labels), "port": lambda: port(*lists)}
    seconds = alternate(sides, args.repeats)
    what = f"Charades' evaluation, {NUM_VIDEOS} x {NUM_CLASSES}"
    own = [1e3 * s for s in seconds["ours"]]

    def limit():
        (sorting,) = alternate({"sorting": lambda: scores.argsort(axis=0)}, args.repeats).values()
        return f"sorting the scores alone takes {milliseconds(sorting)}"

    rows = [
        row(f"{what}, ms", "itself", own, most=50, limit=limit),
        ratio_row(what, "its script in plain loops", seconds, "ours", "port", note),
    ]
    report("charades_evaluation", rows)


if __name__ == "__main__":
    main()
