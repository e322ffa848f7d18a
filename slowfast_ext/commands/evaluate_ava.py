"""`python -m slowfast_ext evaluate ava`: mAP of detections as AVA's official script computes it."""

import json
import sys

from slowfast_ext.datasets.ava_annotations import (
    read_detections,
    read_exclusions,
    read_ground_truth,
    read_label_map,
)
from slowfast_ext.evaluation.ava import MIN_OVERLAP, ava_metrics
from slowfast_ext.evaluation.ava_hints import ava_hints
from slowfast_ext.evaluation.evaluators import AvaEvaluator, ava_table
from slowfast_ext.evaluation.results import results_object


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
    results = results_object(
        task=AvaEvaluator.task,
        metrics=metrics,
        class_names=list(label_map.values()),
        protocol={"average_precision": args.protocol, "min_overlap": MIN_OVERLAP, **files},
        counts=metrics.counts,
        class_ids=list(label_map),
    )
    print(json.dumps(results, allow_nan=False) if args.json else ava_table(results))
