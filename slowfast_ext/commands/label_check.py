"""python -m slowfast_ext label-check: what is odd in labels, and how far two labellers agree."""

import json
from collections import Counter

import pandas as pd

from slowfast_ext.commands.arguments import seconds_of
from slowfast_ext.commands.label_reading import read_labels
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.agreement import agreement
from slowfast_ext.prepare.bouts import ROUNDING, bouts_of, read_spans, unknown_bouts, without
from slowfast_ext.prepare.label_cells import spelling
from slowfast_ext.prepare.label_check import oddities, unknown_time
from slowfast_ext.prepare.media import as_yaml, named


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
        activities = _activities(file)
        unknown = unknown_bouts(file, seconds, activities)
        unknown = without(unknown, bouts_of(spans.assign(subject="")))
        reports[path] = {
            "form": file.form,
            "videos": len(seconds),
            "videos_not_found": named(list(file.missing)),
            "spans": len(spans),
            "classes": len(activities),
            **oddities(spans, seconds, activities, args.min_positives, gap),
            **unknown_time(unknown, seconds, activities),
        }
    compared, table = ({}, None) if args.second is None else _compare(paths, files, read, step)
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


def _activities(file):
    """The names of all labels, also of those that are in no video or unknown throughout."""
    return sorted({*file.declared, *(label for row in file.rows for label in row.labels)})


def _compare(paths, files, read, step):
    """What both files say of the same videos: plain values, and the table of `agreement`."""
    (first, lengths), (second, others) = read
    shared = {video: lengths[video] for video in lengths if video in others}
    if not shared:
        raise SlowFastExtError(f"{paths[1]}: has no video that {paths[0]} has")
    # Names of subjects are a labeller's own, and so is the spelling of labels.
    spelt = {
        spelling(name): name for file in reversed(files) for name in reversed(_activities(file))
    }
    bouts, unknown = [], []
    for file, (spans, seconds) in zip(files, read, strict=True):
        spans = _respelt(spans.assign(subject=""), spelt)
        bouts.append(bouts_of(spans[spans["video"].isin(shared)]))
        of_file = bouts_of(_respelt(unknown_bouts(file, seconds, [*spelt.values()]), spelt))
        unknown.append(without(of_file, bouts_of(spans)))
    activities = sorted({*bouts[0]["activity"], *bouts[1]["activity"]})
    unknown = bouts_of(pd.concat(unknown))
    unknown = unknown[unknown["video"].isin(shared) & unknown["activity"].isin(activities)]
    table = agreement(*bouts, shared, activities, step, unknown)
    means = table[["kappa", "iou"]].mean()
    compared = {
        "videos": len(shared),
        "videos_in_the_first_alone": len(lengths) - len(shared),
        "videos_in_the_second_alone": len(others) - len(shared),
        "mean_kappa": _plain(means["kappa"]),
        "mean_iou": _plain(means["iou"]),
    }
    # Neither kappa nor the time that both say sees them.
    one, two = (Counter(own["activity"][own["end"] - own["start"] <= ROUNDING]) for own in bouts)
    if one or two:
        compared["moments_not_compared"] = {
            name: f"{one[name]} and {two[name]}" for name in sorted(one | two)
        }
    if len(unknown):
        share = (unknown["end"] - unknown["start"]).sum() / sum(shared.values()) / len(activities)
        compared["unknown_to_either"] = f"{share:.1%}"
    return {"compared": compared}, table


def _respelt(spans, spelt):
    return spans.assign(activity=[spelt[spelling(name)] for name in spans["activity"]])


def _plain(value):
    return None if pd.isna(value) else round(float(value), 4)
