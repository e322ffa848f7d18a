"""`python -m slowfast_ext evaluate ava`: mAP of detections as AVA's official script computes it."""

import json
import math
import sys

import numpy as np

from slowfast_ext.datasets.ava_annotations import (
    read_detections,
    read_exclusions,
    read_ground_truth,
    read_label_map,
)
from slowfast_ext.evaluation.ava import MIN_OVERLAP, PROTOCOLS, ava_metrics
from slowfast_ext.evaluation.ava_hints import ava_hints
from slowfast_ext.evaluation.results import installed_versions, results_object


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


def ava_results(metrics, label_map, protocol, files, row="", config=None):
    """
    What `results.json` holds of AVA; class ids are the label map's.

    Args:
        metrics (AvaMetrics): of the label map's classes.
        label_map (dict[int, str]): of `read_label_map`.
        protocol (str): of PROTOCOLS.
        files (dict[str, str]): what was read.
        row (str), config (CfgNode or dict): as of `results_object`.
    """
    return results_object(
        task="action_detection",
        metrics=metrics,
        class_names=list(label_map.values()),
        protocol={"average_precision": protocol, "min_overlap": MIN_OVERLAP, **files},
        counts=metrics.counts,
        row=row,
        config=config or {},
        versions=installed_versions(),
        class_ids=list(label_map),
    )


def results_text(results):
    """`ava_results` for people: classes by falling AP, mAP, counts and protocol."""
    # nan sorts last, and a stable sort keeps equal classes in the order of their ids.
    precisions = [math.nan if c["ap"] is None else c["ap"] for c in results["per_class"]]
    classes = [results["per_class"][i] for i in np.argsort(np.negative(precisions), kind="stable")]
    width = max(len("class"), *(len(c["name"]) for c in classes))
    lines = [f" id  {'class':<{width}}      AP  positives"]
    for c in classes:
        precision = "  none" if c["ap"] is None else f"{c['ap']:.4f}"
        lines.append(f"{c['id']:>3}  {c['name']:<{width}}  {precision}  {c['positives']:>9}")
    counts, protocol = results["counts"], results["protocol"]
    mean = "none" if results["mAP"] is None else f"{results['mAP']:.6f}"
    return "\n".join(
        [
            *lines,
            f"mAP {mean} over the {counts['classes']['with_ground_truth']} of "
            f"{counts['classes']['evaluated']} classes that have ground truth, at an IoU of "
            f"{protocol['min_overlap']}; protocol {protocol['average_precision']}",
            _counted("keyframes", counts["keyframes"]),
            _rows_counted("ground truth", counts["ground_truth"]),
            _rows_counted("detections", counts["detections"]),
        ]
    )


def _counted(what, counts):
    return f"{what}: " + ", ".join(f"{n} {key.replace('_', ' ')}" for key, n in counts.items())


def _rows_counted(what, counts):
    """The line of a file: rows used of those read, then those dropped, with the reasons."""
    dropped = {reason: n for reason, n in counts["dropped"].items() if n}
    text = f"{what}: {counts['used']} of {counts['read']} rows used"
    text += f", on {counts['boxes']} boxes" if "boxes" in counts else ""
    return _counted(f"{text}; dropped", dropped) if dropped else text
