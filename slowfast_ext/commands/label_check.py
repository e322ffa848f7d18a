"""python -m slowfast_ext label-check: what is odd in labels, and how far two labellers agree."""

import json

import pandas as pd

from slowfast_ext.commands.arguments import seconds_of
from slowfast_ext.commands.label_reading import read_labels
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.agreement import agreement
from slowfast_ext.prepare.bouts import bouts_of, read_spans
from slowfast_ext.prepare.label_check import oddities
from slowfast_ext.prepare.media import as_yaml


def run(args):
    """
    Prints what is odd in one file of labels, or in two and how far they agree.

    Raises:
        SlowFastExtError: labels or videos are wrong (all of them are named), or the two files
            have no video in common.
    """
    if args.min_positives < 0:
        raise SlowFastExtError(f"--min-positives is {args.min_positives}: must not be negative")
    gap, step = seconds_of(args.gap, "--gap", or_zero=True), seconds_of(args.step, "--step")
    paths = [args.labels, *([args.second] if args.second else [])]
    files = [read_labels(args, path) for path in paths]
    read = [read_spans(file) for file in files]
    reports = {}
    for path, file, (spans, seconds) in zip(paths, files, read, strict=True):
        activities = sorted({*file.declared, *spans["activity"]})
        reports[path] = {
            "form": file.form,
            "videos": len(seconds),
            "spans": len(spans),
            "classes": len(activities),
            **oddities(spans, seconds, activities, args.min_positives, gap),
        }
    compared, table = ({}, None) if args.second is None else _compare(paths, read, step)
    if args.json:
        if table is not None:
            # JSON has no NaN.
            plain = table.astype(object).where(table.notna(), None)
            compared["agreement"] = plain.to_dict("records")
        print(json.dumps({**reports, **compared}))
        return
    print(as_yaml({**reports, **compared}))
    if table is not None:
        shown = table.to_string(index=False, float_format="{:.3f}".format, na_rep="-")
        print(f"agreement:\n{shown}")


def _compare(paths, read, step):
    """What both files say of the same videos: plain values, and the table of `agreement`."""
    (first, lengths), (second, others) = read
    shared = {video: lengths[video] for video in lengths if video in others}
    if not shared:
        raise SlowFastExtError(f"{paths[1]}: has no video that {paths[0]} has")
    # Names of subjects are a labeller's own, and so are capitals.
    spelt = {name.casefold(): name for name in first["activity"]}
    names = [spelt.get(name.casefold(), name) for name in second["activity"]]
    second = second.assign(activity=names)
    of_shared = (spans[spans["video"].isin(shared)] for spans in (first, second))
    bouts = [bouts_of(spans.assign(subject="")) for spans in of_shared]
    activities = sorted({*bouts[0]["activity"], *bouts[1]["activity"]})
    table = agreement(*bouts, shared, activities, step)
    means = table[["kappa", "iou"]].mean()
    compared = {
        "videos": len(shared),
        "videos_in_the_first_alone": len(lengths) - len(shared),
        "videos_in_the_second_alone": len(others) - len(shared),
        "mean_kappa": _plain(means["kappa"]),
        "mean_iou": _plain(means["iou"]),
    }
    return {"compared": compared}, table


def _plain(value):
    return None if pd.isna(value) else round(float(value), 4)
