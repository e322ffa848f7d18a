"""What the benchmarks share: two sides timed in turn, memory kept for backward, rows of results."""

import argparse
import datetime
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from slowfast_ext.evaluation.results import installed_versions

ROOT = Path(__file__).parents[1]
# Small real files: videos, AVA's annotations.
DATA = Path(os.environ.get("SLOWFAST_EXT_DATA", ROOT.parent / "shared" / "data"))
REPEATS = 15
# Above this share of busy cores, before the benchmark's own work, figures are not to be trusted.
MOST_LOAD = 0.25


def benchmark_parser(doc, repeats=REPEATS):
    """
    An argument parser for a benchmark with this docstring, with --repeats unless that is None.

    Looks at the machine too, which the benchmark's own work does not load yet.
    """
    circumstances()
    parser = argparse.ArgumentParser(description=doc.strip().splitlines()[0])
    if repeats is not None:
        parser.add_argument("--repeats", type=int, default=repeats)
    return parser


def alternate(sides, repeats=REPEATS, clock=time.perf_counter):
    """
    Times functions in turn, so that whatever else the machine does slows all of them.

    Args:
        sides (dict[str, callable]): each is called once before, untimed.
        clock (callable): seconds; time.process_time where others load the machine.

    Returns:
        dict[str, list[float]]: seconds of each round.
    """
    for function in sides.values():
        function()
    seconds = {name: [] for name in sides}
    for _ in range(repeats):
        for name, function in sides.items():
            start = clock()
            function()
            _wait()
            seconds[name].append(clock() - start)
    return seconds


def _wait():
    """A GPU computes after the call that asks it to has returned."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@dataclass(frozen=True)
class Row:
    """
    One measured row.

    Attributes:
        what, against: what is measured, and beside what.
        value: the median over all rounds; of a ratio, that of the rounds' ratios.
        low, high: the quartiles of the rounds.
        wanted: the mark, as text; empty where there is none.
        reached: whether `value` is on the right side of it.
        note: seconds, differences, what bounds it.
    """

    what: str
    against: str
    value: float
    low: float
    high: float
    wanted: str = ""
    reached: bool | None = None
    note: str = ""

    def __str__(self):
        spread = (
            "" if self.low == self.value == self.high else f" ({self.low:.3g}..{self.high:.3g})"
        )
        verdict = {True: "reached", False: "NOT REACHED", None: ""}[self.reached]
        text = f"{self.what} | {self.against} | {self.value:.3g}{spread} | {self.wanted} {verdict}"
        return f"{text} | {self.note}"


def row(what, against, values, least=None, most=None, note="", limit=None):
    """
    A Row of the values of all rounds, wanted at `least` or at `most` so much.

    Args:
        limit (callable): measures what bounds it, as text: asked where the mark is not reached.
    """
    values = [float(value) for value in values]
    value = statistics.median(values)
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [value] * 3
    wanted, reached = "", None
    if least is not None:
        wanted, reached = f">= {least:g}", value >= least
    elif most is not None:
        wanted, reached = f"<= {most:.3g}", value <= most
    if limit and reached is False:
        note = "; ".join(filter(None, [note, f"limit: {limit()}"]))
    return Row(what, against, value, quartiles[0], quartiles[2], wanted, reached, note)


def ratio_row(what, against, seconds, fast, slow, note="", **marks):
    """The row of how many times faster `fast` is than `slow`, from `alternate`'s seconds."""
    ratios = [s / f for s, f in zip(seconds[slow], seconds[fast], strict=True)]
    medians = "; ".join(f"{name} {milliseconds(values)}" for name, values in seconds.items())
    return row(what, against, ratios, note="; ".join(filter(None, [medians, note])), **marks)


def milliseconds(seconds):
    """The median as text."""
    return f"{statistics.median(seconds) * 1e3:.4g} ms"


def require_equal(what, difference, tolerance):
    """Ends the benchmark where two sides differ by more than `tolerance`; returns a note."""
    if not difference <= tolerance:
        sys.exit(
            f"error: {what}: the two sides differ by {difference:.3g}, more than {tolerance:g}"
        )
    return f"differ by {difference:.2g} (at most {tolerance:g})"


def relative_difference(got, wanted):
    """The largest difference of two tensors over the largest value."""
    return ((got - wanted).abs().max() / wanted.abs().max()).item()


def saved_bytes(function, *excluded):
    """
    Bytes that `function` keeps for its backward pass, each storage once.

    Args:
        excluded (tensors): whose storages do not count, as parameters.
    """
    known = {tensor.untyped_storage().data_ptr() for tensor in excluded}
    # The tensors are held until the end: a freed storage's address could come again.
    held, found = [], {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        held.append(tensor)
        if storage.data_ptr() not in known:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = function()
    del output
    return sum(found.values())


def report(name, rows):
    """Prints rows, and writes them with machine, versions and commit to build/benchmarks/."""
    for each in rows:
        print(each, flush=True)
    folder = ROOT / "build" / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    content = {**circumstances(), "rows": [asdict(each) for each in rows]}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


@functools.cache
def circumstances():
    """Where and when this process measures; warns, once, of a machine that others load."""
    load, cores = busy_cores(), len(os.sched_getaffinity(0))
    if load > MOST_LOAD * cores:
        print(
            f"warning: the machine is loaded ({load:.1f} of {cores} cores): do not trust figures",
            file=sys.stderr,
        )
    return {
        "machine": f"{cores} cores of {_processor()}, {torch.get_num_threads()} threads",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "busy_cores_before": round(load, 2),
        "versions": installed_versions(),
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
    }


def busy_cores(seconds=1.0):
    """
    How many cores are busy in the next `seconds`, in which this process does nothing.

    The load average of the last minute would count the benchmark that ran before.
    """
    before = _busy_seconds()
    time.sleep(seconds)
    return (_busy_seconds() - before) / seconds


def _busy_seconds():
    """Of all cores since the start of the machine (Linux)."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _waiting, irq, softirq, stolen = map(int, fields)
    return (user + nice + system + irq + softirq + stolen) / os.sysconf("SC_CLK_TCK")


def _processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit():
    """The commit, with a plus where files differ from it; empty outside a clone."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()
