"""
torchrun: a rank that dies, elastic restart, two nodes.

    python -m tests.robustness.elastic [--only dies restarts nodes]

dies: one of two ranks is killed; torchrun must end within 60 s and name it. restarts: the same with
--max-restarts 1; the job must go on from its last checkpoint and end as the uninterrupted one, to
the bit. nodes: two torchruns with --nnodes 2, of one process each, on the loopback. Synthetic
videos, CPU.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.robustness.jobs import ROOT, finish, new_folder, require_same_end, words

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]


def start(options, arguments, said):
    """A torchrun; what it and its processes say goes to a file."""
    with open(said, "wb") as stream:
        return subprocess.Popen(
            [*TORCHRUN, *options, str(ROOT / "run_net.py"), *arguments],
            stdout=stream,
            stderr=stream,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )


def kill_a_rank(run, checkpoint):
    """Kills the second rank once the checkpoint is there; returns its process id."""
    while not checkpoint.exists():
        if run.poll() is not None:
            raise RuntimeError("torchrun ended before its first checkpoint")
        time.sleep(0.01)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    return int(children[-1])


def two(*more):
    return ["--nproc_per_node", "2", "--master_port", str(free_port()), *more]


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def dies(folder, data):
    output, said = folder / "dies", folder / "said_dies"
    run = start(two(), words(output, data, SOLVER__MAX_EPOCH=400), said)
    pid = kill_a_rank(run, output / "checkpoints" / "checkpoint_epoch_00001.pyth")
    killed = time.monotonic()
    code, seconds = run.wait(60), time.monotonic() - killed
    text = said.read_text()
    if not code or not re.search(r"rank\s*:\s*1 \(local_rank: 1\)", text) or str(pid) not in text:
        raise RuntimeError(f"exit code {code}: {text[-2000:]}")
    return f"ended after {seconds:.1f} s, exit code {code}, rank 1 is named"


def restarts(folder, data):
    reference, output = folder / "reference", folder / "restarts"
    if start(two(), words(reference, data), folder / "said_reference").wait(300):
        raise RuntimeError((folder / "said_reference").read_text()[-2000:])
    said = folder / "said_restarts"
    run = start(two("--max-restarts", "1"), words(output, data), said)
    kill_a_rank(run, output / "checkpoints" / "checkpoint_epoch_00001.pyth")
    code, text = run.wait(300), said.read_text()
    if code or "going on from" not in text:
        raise RuntimeError(f"exit code {code}: {text[-2000:]}")
    require_same_end(output, reference)
    return "went on from its last checkpoint, same to the bit"


def nodes(folder, data):
    output, port = folder / "nodes", free_port()
    runs = [
        start(
            ["--nnodes", "2", "--node_rank", str(node), "--nproc_per_node", "1"]
            + ["--master_addr", "127.0.0.1", "--master_port", str(port)],
            words(output, data, TRAIN__BATCH_SIZE=2, SOLVER__MAX_EPOCH=2),
            folder / f"said_node_{node}",
        )
        for node in range(2)
    ]
    codes = [run.wait(300) for run in runs]
    if any(codes) or not (output / "results.json").exists():
        raise RuntimeError(f"{codes}: {(folder / 'said_node_0').read_text()[-2000:]}")
    return "trained, tuned and tested"


WAYS = {"dies": dies, "restarts": restarts, "nodes": nodes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args()
    folder = new_folder("elastic")
    data = folder / "data"
    finish(words(folder / "made", data, SOLVER__MAX_EPOCH=1, TUNE__MAX_ITER=1), folder / "said")
    for name in args.only:
        print(f"{name}: {WAYS[name](folder, data)}", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
