"""`python -m slowfast_ext evaluate charades`: mAP as Charades_v1_classify.m computes it."""

import json
import os
import sys

import pandas as pd

from slowfast_ext.datasets.charades_annotations import read_classes
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation import charades
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.results import per_class_table, results_object
from slowfast_ext.utils.paths import is_local, open_atomically, require_writable


def run(args):
    """
    Prints mAP, weighted AP, AP per class, counts and protocol.

    Raises:
        SlowFastExtError: bad rows, unknown videos, an output that is an input or cannot be written
            (all before anything is written) or, with --strict, videos without scores.
    """
    _check_outputs(args)
    names = charades.CODES if args.classes is None else read_classes(args.classes)
    ids, labels = charades.read_ground_truth(args.ground_truth)
    scored_ids, raw = charades.read_scores(args.predictions, names)
    scores, missing = charades.align(ids, scored_ids, raw, args.predictions)
    if missing:
        sentence = f"{args.predictions}: {len(missing)} videos have no scores, {missing[0]} first"
        if args.strict:
            raise SlowFastExtError(f"{sentence}; without --strict they are scored last")
        print(f"warning: {sentence}: scored last, as the official script does", file=sys.stderr)
    metrics = multilabel_metrics(scores, labels)
    results = _results(args, ids, missing, metrics, names)
    if args.write_submission:
        charades.write_submission(args.write_submission, scored_ids, raw)
    if args.csv:
        with open_atomically(args.csv) as stream:
            pd.DataFrame(results["per_class"]).to_csv(stream, index=False, na_rep="nan")
    print(json.dumps(results, allow_nan=False) if args.json else _text(results))


def _check_outputs(args):
    """
    Raises SlowFastExtError where what is read, or the other output, would be written over, or
    an output cannot be written.
    """
    options = {
        "--ground-truth": args.ground_truth,
        "--predictions": args.predictions,
        "--classes": args.classes,
        "--csv": args.csv,
        "--write-submission": args.write_submission,
    }
    used = {}
    for option, path in options.items():
        if path is None:
            continue
        if not path:
            raise SlowFastExtError(f"{option} is empty: name a file")
        other = used.setdefault(os.path.realpath(path) if is_local(path) else path, option)
        if option in ("--csv", "--write-submission"):
            if other != option:
                raise SlowFastExtError(f"{option} {path} is the file of {other}: name another")
            require_writable(path, option)


def _results(args, ids, missing, metrics, names):
    protocol = {
        "average_precision": "Charades_v1_classify",
        "ground_truth": args.ground_truth,
        "predictions": args.predictions,
    }
    counts = {
        "videos": len(ids),
        "videos_without_activity": metrics.num_unlabelled,
        "videos_without_scores": len(missing),
    }
    return results_object(
        task="multi_label_classification",
        metrics=metrics,
        class_names=names,
        protocol=protocol,
        counts=counts,
    )


def _text(results):
    counts = ", ".join(
        f"{value} {key.replace('_', ' ')}" for key, value in results["counts"].items()
    )
    text = f"{per_class_table(results)}\n{counts}; AP as Charades_v1_classify.m computes it"
    if any(found["ap"] is None for found in results["per_class"]):
        text += "; for its mAP Charades_v1_classify.m would give NaN"
    return text
