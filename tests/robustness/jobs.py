"""A small job in forked processes, which start at once: what the other scripts here break."""

import faulthandler
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.engine import launch, partial_scores
from slowfast_ext.errors import exit_with_sentence
from tests.helpers import ROOT, SHALLOW, shallow_networks

SMALL = {
    **SHALLOW,
    "SYNTHETIC.NUM_TRAIN": 9,
    "SYNTHETIC.NUM_TEST": 7,
    "SYNTHETIC.SIZE": 32,
    "DATA.TRAIN_JITTER_SCALES": "[32, 40]",
    "DATA.TRAIN_CROP_SIZE": 32,
    "DATA.TEST_CROP_SIZE": 32,
    "DATA_LOADER.NUM_WORKERS": 0,
    "SOLVER.MAX_EPOCH": 4,
    "TRAIN.BATCH_SIZE": 4,
    "TRAIN.CHECKPOINT_PERIOD": 1,
    "TRAIN.EVAL_PERIOD": 2,
    "TEST.VIEWS": "[[4, 1, 2], [2, 1, 1]]",
    "TUNE.MAX_ITER": 4,
    "LOG_PERIOD": 1,
    "NUM_GPUS": 0,
}


def new_folder(name):
    """An empty folder below build/, which git ignores; any user may enter it."""
    (ROOT / "build").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"faults-{name}-", dir=ROOT / "build"))
    folder.chmod(0o755)
    return folder


def words(output, data, *more, **changes):
    """run_net.py's arguments; `more` come first, changes are KEY=value with __ for dots."""
    options = {**SMALL, "DATA.PATH_TO_DATA_DIR": data, "OUTPUT_DIR": output}
    options.update({key.replace("__", "."): value for key, value in changes.items()})
    config = ROOT / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"
    pairs = [str(word) for pair in options.items() for word in pair]
    return [*more, "--cfg", str(config), *pairs]


class Job:
    """
    A forked process that runs run_net.py's main, or another `program`; what it says goes to the
    file `said`.

    Args:
        arguments (list[str]): run_net.py's.
        said (Path): its stdout and stderr.
        prepare (callable): called in the process first.
        threads (int): torch's.
        program (callable): gets the arguments.
    """

    def __init__(self, arguments, said, prepare=lambda: None, threads=1, program=main):
        self.said, self.program = Path(said), program
        self.said.write_text("")
        self.code = None
        self.pid = os.fork()
        if not self.pid:
            self._run(arguments, prepare, threads)

    def _run(self, arguments, prepare, threads):
        code = 70
        try:
            with open(self.said, "ab") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            faulthandler.register(signal.SIGUSR1)
            torch.set_num_threads(threads)
            # Every video's scores are saved at once; who was killed says nothing however long.
            partial_scores.SECONDS_BETWEEN_SAVES = 0.0
            launch.SECONDS_TO_ASK = 1.0
            prepare()
            with shallow_networks(), exit_with_sentence():
                self.program(arguments)
            code = 0
        except SystemExit as error:
            code = error.code or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def is_running(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is None

    def wait(self, seconds=300.0):
        """
        Its exit code; below 0 the signal that killed it.

        Raises:
            TimeoutError: says where it was, what it said last, and its processor time, which
                tells a hang from a busy machine.
        """
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGUSR1)
                time.sleep(1)
                ticks = sum(map(int, Path(f"/proc/{self.pid}/stat").read_text().split()[13:15]))
                self.kill()
                used = ticks / os.sysconf("SC_CLK_TCK")
                raise TimeoutError(
                    f"still running after {seconds:.0f} s, {used:.0f} s of them on a processor: "
                    f"{self.text()[-3000:]}"
                )
            time.sleep(0.01)
        return self.code

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def children(self):
        """The processes that it has started."""
        path = f"/proc/{self.pid}/task/{self.pid}/children"
        try:
            return [int(word) for word in Path(path).read_text().split()]
        except FileNotFoundError:
            return []

    def text(self):
        return self.said.read_text(errors="replace")

    def wait_for(self, condition):
        """True once the condition holds, False where the job ends before."""
        while not condition():
            if not self.is_running():
                return False
            time.sleep(0.002)
        return True


def finish(arguments, said, **options):
    """Runs a job to its end; raises RuntimeError with what it said where it fails."""
    job = Job(arguments, said, **options)
    if job.wait():
        raise RuntimeError(f"exit code {job.code}: {job.text()[-2000:]}")
    return job


def require_whole(output):
    """Raises where a file under its final name is not whole; returns how many there are."""
    paths = [path for path in Path(output).rglob("*") if ".partial-" not in path.name]
    readers = {
        ".pyth": lambda path: torch.load(path, weights_only=True),
        ".json": lambda path: json.loads(path.read_text()),
        ".npz": lambda path: [np.load(path)[name] for name in np.load(path).files],
        ".csv": lambda path: np.loadtxt(path, delimiter=",", skiprows=1, usecols=1),
    }
    read = [readers[path.suffix](path) for path in paths if path.suffix in readers]
    return len(read)


def final_weights(output):
    """The tensors of the last checkpoint of tuning or, where there is none, of training."""
    folder = Path(output) / "checkpoints"
    tuned = sorted(folder.glob("checkpoint_tune_epoch_*"))
    last = (tuned or sorted(folder.glob("checkpoint_epoch_*")))[-1]
    return torch.load(last, weights_only=True)["model_state"]


def require_same_end(output, reference):
    """Raises where weights or predictions differ by a bit, or something temporary is left."""
    ours, theirs = final_weights(output), final_weights(reference)
    different = [name for name in theirs if not torch.equal(ours[name], theirs[name])]
    if different or ours.keys() != theirs.keys():
        raise RuntimeError(f"{len(different)} tensors differ: {different[:3]}")
    if (output / "predictions.csv").read_bytes() != (reference / "predictions.csv").read_bytes():
        raise RuntimeError("the predictions differ")
    left = [path for path in output.rglob("*") if "partial" in path.name]
    if left:
        raise RuntimeError(f"left over: {left}")


def pause(most):
    """Waits a random while."""
    time.sleep(random.uniform(0, most))
