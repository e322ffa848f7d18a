"""
Runs the benchmarks of speed one after the other, prints the table of their rows and writes it to
build/benchmarks/table.md.

    python -m benchmarks [--upstream PATH] [--only head reading ...]

PATH is a clone of PySlowFast's GitHub main, followed, separated by colons, by the folders of what
it needs that is not installed (pytorchvideo's main). Rows that need it are left out without it.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from benchmarks.timing import ROOT

# Each is a process of its own, so that none finds the other's memory, threads or PySlowFast.
BENCHMARKS = (
    "head",
    "reading_mp4",
    "reading_clips",
    "network",
    "whole_test",
    "ava_evaluation",
    "charades_evaluation",
    "processes",
    "starting",
    "stored_features",
)
OVER_MAIN = ("reading_jpeg",)
# Needs a finished run.
ON_A_RUN = ("accuracy",)
ALL = BENCHMARKS + OVER_MAIN + ON_A_RUN
RUN = ROOT / "output" / "synthetic" / "activity_head" / "checkpoints"


TABLE = ROOT / "build" / "benchmarks" / "table.md"


def report_path(name):
    """Where a benchmark writes its rows; one that then fails has written them too."""
    return TABLE.parent / f"{name}.json"


def run(name, upstream=None):
    """Runs one benchmark, over GitHub's main where `upstream` is given; returns success."""
    report_path(name).unlink(missing_ok=True)
    environment = dict(os.environ)
    paths = [upstream, str(ROOT), environment.get("PYTHONPATH")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    words = [sys.executable, "-m", f"benchmarks.{name}"]
    return subprocess.run(words, cwd=ROOT, env=environment).returncode == 0


def table(names):
    """The rows of the reports of these benchmarks, as Markdown."""
    lines = [
        "| what | against | median (quartiles) | wanted | note |",
        "|---|---|---|---|---|",
    ]
    contents = [json.loads(report_path(name).read_text()) for name in names]
    for row in (row for content in contents for row in content["rows"]):
        verdict = {True: "reached", False: "not reached", None: ""}[row["reached"]]
        lines.append(
            f"| {row['what']} | {row['against']} | {row['value']:.3g} "
            f"({row['low']:.3g} to {row['high']:.3g}) | {row['wanted']} {verdict} | {row['note']} |"
        )
    machines = {f"{c['machine']}, commit {c['commit']}, {c['date']}" for c in contents}
    return "\n".join([*lines, "", *sorted(machines)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--upstream", metavar="PATH", help="a clone of PySlowFast's main")
    parser.add_argument("--only", nargs="+", choices=ALL, metavar="NAME")
    args = parser.parse_args()
    chosen = args.only or ALL
    done, failed, started = [], [], time.monotonic()
    for name in chosen:
        print(f"--- {name}", flush=True)
        if name in OVER_MAIN and not args.upstream:
            print("left out: needs PySlowFast's main (make bench UPSTREAM=PATH)")
            continue
        if name in ON_A_RUN and not RUN.is_dir():
            print("left out: it tests what `make quickstart` trains, run that first")
            continue
        success = run(name, args.upstream if name in OVER_MAIN else None)
        (done if success else failed).append(name)
    minutes = (time.monotonic() - started) / 60
    measured = [name for name in (*done, *failed) if report_path(name).exists()]
    text = f"{table(measured)}\n\n{' '.join(measured)}: {minutes:.1f} minutes\n"
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(text)
    print("\n" + text)
    if failed:
        sys.exit(f"error: {', '.join(failed)} failed")


if __name__ == "__main__":
    main()
