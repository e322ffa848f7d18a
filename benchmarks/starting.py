"""
From a command to its first line: help, errors, and a training's first batch.

    python -m benchmarks.starting [--repeats 5]

Whole processes, in turn. Beside them bare Python, and Python that imports upstream's config alone.
"""

import subprocess
import sys
import tempfile
import time

from benchmarks.timing import ROOT, benchmark_parser, report, row

BARE = [sys.executable, "-c", "pass"]
UPSTREAM = [sys.executable, "-c", "import slowfast.config.defaults"]
COMMAND = [sys.executable, "-m", "slowfast_ext"]
CONFIG = str(ROOT / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml")
SMALL = "SYNTHETIC.NUM_TRAIN 16 SYNTHETIC.NUM_TEST 2 SOLVER.MAX_EPOCH 1 TEST.ENABLE False"


def seconds_of(words, until=None):
    """How long a process takes to its end, or until a line of its output contains a text."""
    start = time.perf_counter()
    pipe, joined = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(words, cwd=ROOT, stdout=pipe, stderr=joined, text=True) as process:
        for line in process.stdout:
            if until and until in line:
                seconds = time.perf_counter() - start
                process.kill()
                return seconds
        if until:
            sys.exit(f"error: {' '.join(words)} ended without '{until}'")
    return time.perf_counter() - start


def main():
    args = benchmark_parser(__doc__, repeats=5).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        training = [sys.executable, "run_net.py", "--cfg", CONFIG, *SMALL.split()]
        training += ["TUNE.ENABLE", "False", "LOG_PERIOD", "1", "NUM_GPUS", "0"]
        training += ["DATA.PATH_TO_DATA_DIR", f"{folder}/videos", "OUTPUT_DIR", f"{folder}/out"]
        sides = {
            "bare Python": (BARE, None),
            "upstream's config": (UPSTREAM, None),
            "predict --help": ([*COMMAND, "predict", "--help"], None),
            "an unknown command": ([*COMMAND, "nothing"], None),
            "a config that is not there": ([*COMMAND, "predict", "--cfg", "none.yaml", "x"], None),
            "a wrong key": ([sys.executable, "run_net.py", "--cfg", CONFIG, "NONE.KEY", "1"], None),
            "run_net.py to its first batch": (training, "train epoch 1/1: 1/"),
        }
        seconds = {name: [] for name in sides}
        for _ in range(args.repeats + 1):  # The first round makes the videos, and warms up.
            for name, (words, until) in sides.items():
                seconds[name].append(seconds_of(words, until))
    rows = [row(name, "seconds", values[1:]) for name, values in seconds.items()]
    report("starting", rows)


if __name__ == "__main__":
    main()
