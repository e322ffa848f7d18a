"""`python -m slowfast_ext evaluate ava`: mAP of detections as AVA's official script computes it."""

import json
import sys

from slowfast_ext.datasets.ava_annotations import (
    read_detections,
    read_exclusions,
    read_ground_truth,
    read_label_map,
)
from slowfast_ext.evaluation.ava import PROTOCOLS, ava_metrics
from slowfast_ext.evaluation.ava_hints import ava_hints
from slowfast_ext.evaluation.evaluators import ava_results, results_text


def add_arguments(parser):
    """Adds the command's arguments."""
    parser.add_argument(
        "--ground-truth",
        required=True,
        metavar="CSV",
        help="video,second,x1,y1,x2,y2,action[,person], such as ava_val_v2.2.csv",
    )
    parser.add_argument(
        "--detections", required=True, metavar="CSV", help="video,second,x1,y1,x2,y2,action,score"
    )
    parser.add_argument(
        "--labelmap", required=True, metavar="FILE", help="the classes: AVA's .pbtxt or a text list"
    )
    parser.add_argument("--exclusions", metavar="CSV", help="video,second: keyframes to leave out")
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default=PROTOCOLS[0],
        help="official (default): the 50 highest scores of a keyframe, on keyframes of the ground "
        "truth; pyslowfast: all",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")


def run(args):
    """
    Prints AP per class, mAP, counts and protocol; hints at what is wrong go to stderr.

    Raises:
        SlowFastExtError: a file that cannot be read, or its bad rows.
    """
    ground_truth = read_ground_truth(args.ground_truth)
    detections = read_detections(args.detections)
    label_map = read_label_map(args.labelmap)
    excluded = None if args.exclusions is None else read_exclusions(args.exclusions)
    metrics = ava_metrics(ground_truth, detections, label_map, excluded, args.protocol)
    for hint in ava_hints(ground_truth, detections, label_map, metrics):
        print(f"note: {hint}", file=sys.stderr)
    files = {
        "ground_truth": args.ground_truth,
        "detections": args.detections,
        "labelmap": args.labelmap,
        "exclusions": args.exclusions,
    }
    results = ava_results(metrics, label_map, args.protocol, files)
    print(json.dumps(results, allow_nan=False) if args.json else results_text(results))
