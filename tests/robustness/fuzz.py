"""
Damaged files of every kind, for some minutes: nothing but SlowFastExtError may come of them.

    python -m tests.robustness.fuzz [--minutes 10] [--seed 0] [--only NAME]

Exit code 1 where a reader raised anything else, died, hung, or took more memory than it may.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from slowfast_ext.errors import SlowFastExtError
from tests.robustness.mutation import mutated
from tests.robustness.readers import all_readers

SECONDS_A_CASE = 60
"""Of the processor: longer is a hang."""

MEMORY = 3 * 2**30
"""Bytes that a reader's process may ask for beyond what it has at its start."""

CASES_A_PROCESS = 100


def run_case(reader, number, seed, folder):
    """`outcome` of one of the reader's seeds, damaged."""
    draws = random.Random(f"{seed} {number}")
    return outcome(reader, mutated(reader.seeds[number % len(reader.seeds)], draws), folder)


def outcome(reader, content, folder):
    """
    Reads a file of the content.

    Returns:
        str: "read", "refused", or the traceback of what else was raised.
    """
    path = folder / reader.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    try:
        reader.read(str(path))
    except SlowFastExtError:
        return "refused"
    except Exception:
        return traceback.format_exc()
    return "read"


def _run_cases(reader, numbers, seed, folder, pipe):
    """The body of one process: tells each case's number, then its outcome."""
    # FFmpeg's and OpenCV's own words.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for number in numbers:
        end = int(sum(os.times()[:2])) + SECONDS_A_CASE
        resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))
        pipe.send(number)
        pipe.send(run_case(reader, number, seed, folder))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def fuzz_part(reader, numbers, seed, folder):
    """
    Runs cases in a process of their own.

    Returns:
        (Counter, list, int): outcomes; (number, what went wrong) of the cases that failed; the
            most memory that the process had, in bytes, 0 where it died.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run_cases, args=(reader, numbers, seed, folder, sender))
    process.start()
    sender.close()
    outcomes, failures, messages = Counter(), [], []
    try:
        while True:
            messages.append(receiver.recv())
    except EOFError:
        process.join()
    whole, peak = (messages[:-1], messages[-1]) if process.exitcode == 0 else (messages, 0)
    for number, outcome in zip(whole[::2], whole[1::2], strict=False):
        outcomes[outcome if outcome in ("read", "refused") else "failed"] += 1
        if outcome not in ("read", "refused"):
            failures.append((number, outcome))
    if process.exitcode:
        outcomes["failed"] += 1
        failures.append((whole[-1] if whole else None, f"ended with {process.exitcode}"))
    return outcomes, failures, peak


def fuzz(readers, seconds, seed, folder, report):
    """Turns from reader to reader until the time is over; `report` is given each failure."""
    outcomes = {reader.name: Counter() for reader in readers}
    peaks, start, part = Counter(), time.monotonic(), 0
    while True:
        numbers = range(part * CASES_A_PROCESS, (part + 1) * CASES_A_PROCESS)
        for index, reader in enumerate(readers):
            if time.monotonic() - start > seconds:
                return outcomes, peaks
            found, failures, peak = fuzz_part(reader, numbers, seed, folder / str(index))
            outcomes[reader.name].update(found)
            peaks[reader.name] = max(peaks[reader.name], peak)
            for number, what in failures:
                report(reader.name, number, what)
        part += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="part of readers' names")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    failures = []

    def report(name, number, what):
        failures.append((name, number, what))
        print(f"{name}, case {number}: {what.strip()}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        readers = [r for r in all_readers(Path(folder)) if (args.only or "") in r.name]
        outcomes, peaks = fuzz(readers, args.minutes * 60, args.seed, Path(folder), report)
    if args.json:
        print(json.dumps({"outcomes": outcomes, "peak_bytes": peaks, "failures": failures}))
    else:
        print(f"{'reader':28}{'read':>8}{'refused':>9}{'failed':>8}{'peak MB':>9}")
        for name, found in outcomes.items():
            counts = (found["read"], found["refused"], found["failed"], peaks[name] // 2**20)
            print("{:28}{:8}{:9}{:8}{:9}".format(name, *counts))
        total = sum(outcomes.values(), Counter())
        print(f"{sum(total.values())} cases of {len(readers)} readers, {total['failed']} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
