"""What a test measures and writes."""

import math

import numpy as np

from slowfast_ext.evaluation.ava import MIN_OVERLAP
from slowfast_ext.evaluation.results import installed_versions, results_object


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
