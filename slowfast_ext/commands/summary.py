"""python -m slowfast_ext summary: time budgets, transitions, co-occurrence and an ethogram."""

import os

from slowfast_ext.commands.label_reading import read_labels
from slowfast_ext.prepare.bouts import bouts_of, read_spans
from slowfast_ext.report.ethogram import write_ethogram
from slowfast_ext.report.time_budget import by_activity, cooccurrence, time_budget, transitions
from slowfast_ext.utils.paths import open_atomically, require_writable_in

FILES = ("time_budget.csv", "activities.csv", "transitions.csv", "cooccurrence.csv", "ethogram.pdf")


def run(args):
    """
    Writes the files into --out and prints the time budget of all videos.

    Raises:
        SlowFastExtError: labels or videos are wrong (all of them are named); nothing is written.
    """
    require_writable_in(args.out, FILES, "--out")
    file = read_labels(args, args.spans)
    spans, seconds = read_spans(file)
    bouts = bouts_of(spans)
    activities = sorted({*file.declared, *bouts["activity"]})
    budget = time_budget(bouts, seconds, activities)
    together = by_activity(budget, seconds)
    tables = (budget, together, transitions(bouts), cooccurrence(bouts, activities))
    for name, table in zip(FILES, tables, strict=False):
        with open_atomically(os.path.join(args.out, name)) as stream:
            table.to_csv(stream, index=False, float_format="%.6g", lineterminator="\n")
    with open_atomically(os.path.join(args.out, FILES[-1]), "wb") as stream:
        write_ethogram(stream, bouts, seconds, activities)
    shown = together if any(together["subject"]) else together.drop(columns="subject")
    print(f"form: {file.form}")
    if any(row.unknown for row in file.rows):
        print("what is unknown counts as not happening")
    print(shown.to_string(index=False, float_format="{:.3f}".format, na_rep="-"))
    print(f"wrote {', '.join(FILES)} to {args.out}")
