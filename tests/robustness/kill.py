"""
kill -9 at random moments of a job that trains, tunes and tests; then the same command again.

    python -m tests.robustness.kill [--kills 30] [--seed 0] [--only NAME]

Eight ways: the main process at a random moment; the main process at a random write (before a file
is on the disk, before and after it takes its name); the main process while it tests, while it
extracts features, and while it learns from them; one data worker; one of two ranks; one of two
ranks while they test. A job is killed and started again until its share of the kills is spent, then
runs to its end. After each kill every file under its final name must be whole; a test must go on
from the scores that were saved; in the end weights and predictions, or the features' files, must
equal the uninterrupted run's to the bit and nothing temporary may be left.
Synthetic videos, CPU.
"""

import argparse
import collections
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import time

from slowfast_ext.engine.extract import extract
from slowfast_ext.engine.setup import checked_config
from tests.robustness.jobs import (
    SMALL,
    Job,
    finish,
    new_folder,
    pause,
    require_same_end,
    require_whole,
    words,
)

KILLS_PER_JOB = 4
"""A job is killed so often at most: more and it does not come to its later stages."""


def kill_at_write(number):
    """Ends this process with SIGKILL at its `number`-th call of fsync or replace, from 0 on."""
    calls = iter(range(10**9))

    def wrapped(function, after):
        def call(*args, **options):
            is_last = next(calls) == number
            if is_last and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            function(*args, **options)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)

        return call

    os.fsync = wrapped(os.fsync, after=random.random() < 0.5)
    os.replace = wrapped(os.replace, after=random.random() < 0.5)


class Main:
    """The main process, at a random moment."""

    options = {}

    def __init__(self, folder, data):
        self.folder, self.data = folder, data

    def arguments(self, output):
        return [words(output, self.data, **self.options)]

    def start(self, output, prepare=lambda: None):
        lists = self.arguments(output)
        return [
            Job(arguments, self.folder / f"said_{rank}", prepare)
            for rank, arguments in enumerate(lists)
        ]

    def run(self, output):
        """To the end; returns the seconds it took."""
        begun, saved = time.monotonic(), saved_scores(output)
        jobs = self.start(output)
        for job in jobs:
            if job.wait():
                raise RuntimeError(f"exit code {job.code}: {job.text()[-2000:]}")
        if saved and "were scored before" not in jobs[0].text():
            raise RuntimeError(f"{saved} files of scores are not taken")
        return time.monotonic() - begun

    def require_same_end(self, output, reference):
        """Raises where what is left differs by a bit."""
        require_same_end(output, reference)

    def kill(self, output, seconds):
        """Starts the job and kills something of it; True where it was in time."""
        (job,) = self.start(output)
        job.wait_for(lambda: "going on" in job.text() or "epoch 1" in job.text())
        pause(seconds)
        if not job.is_running():
            return False
        job.kill()
        return job.wait() == -signal.SIGKILL


class Write(Main):
    """The main process, at a random write."""

    def kill(self, output, seconds):
        number = random.randrange(6)
        (job,) = self.start(output, lambda: kill_at_write(number))
        return job.wait() == -signal.SIGKILL


class Scoring(Main):
    """The main process while it tests, once a random number of videos is scored."""

    def kill(self, output, seconds):
        wanted = saved_scores(output) + random.randint(1, 3)
        (job,) = self.start(output)
        if not job.wait_for(lambda: saved_scores(output) >= wanted):
            return False
        job.kill()
        return job.wait() == -signal.SIGKILL


FROZEN = {"ACTIVITY__FREEZE_BACKBONE": True, "TRAIN__CHECKPOINT_EPOCH_RESET": True}
EXTRACTED = ("train", "tune", "val", "test")


class Extracting(Main):
    """The main process while it extracts, once a random number of further files is there."""

    def __init__(self, folder, data):
        super().__init__(folder, data)
        weights = sorted((data.parent / "data_made" / "checkpoints").glob("checkpoint_epoch_*"))
        self.options = {**FROZEN, "TRAIN__CHECKPOINT_FILE_PATH": weights[-1]}

    def start(self, output, prepare=lambda: None):
        words_of_run = words(self.folder / "unused", self.data, **self.options)

        def program(arguments):
            extract(checked_config(arguments[1], arguments[2:]), str(output), EXTRACTED)

        return [Job(words_of_run, self.folder / "said", prepare, program=program)]

    def kill(self, output, seconds):
        wanted = len(_arrays(output)) + random.randint(1, 6)
        (job,) = self.start(output)
        if not job.wait_for(lambda: len(_arrays(output)) >= wanted):
            return False
        job.kill()
        return job.wait() == -signal.SIGKILL

    def require_same_end(self, output, reference):
        ours, theirs = (
            {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
            for folder in (output, reference)
        )
        if ours != theirs:
            raise RuntimeError(f"{output} differs from {reference}")


def _arrays(folder):
    return list(folder.rglob("*.npz"))


class Features(Main):
    """The main process, which learns from features, at a random moment."""

    def __init__(self, folder, data):
        super().__init__(folder, data)
        extracting = Extracting(folder, data)
        extracting.run(folder / "maps")
        self.options = {**extracting.options, "FEATURES__PATH": folder / "maps"}


class Worker(Main):
    """One data worker: the job must end by itself, with a sentence and exit code 1."""

    options = {"DATA_LOADER__NUM_WORKERS": 2}

    def kill(self, output, seconds):
        (job,) = self.start(output)
        job.wait_for(lambda: job.children())
        pause(seconds)
        if not job.wait_for(lambda: job.children()):
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(random.choice(job.children() or [2**22 + 1]), signal.SIGKILL)
        if job.wait(60) == 0:
            return False
        text = job.text()
        if job.code != 1 or "error: a process that reads videos" not in text:
            raise RuntimeError(f"exit code {job.code}: {text[-2000:]}")
        return True


class Rank(Main):
    """One of two ranks: the other must end within 60 s, naming it, with exit code 1."""

    def arguments(self, output):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return [
            words(
                output,
                self.data,
                *["--num_shards", "2", "--shard_id", str(rank)],
                *["--init_method", f"tcp://127.0.0.1:{port}"],
                TRAIN__BATCH_SIZE=2,
            )
            for rank in range(2)
        ]

    def wait_for_moment(self, job, output, seconds):
        job.wait_for(lambda: "epoch" in job.text())
        pause(seconds)

    def kill(self, output, seconds):
        jobs = self.start(output)
        self.wait_for_moment(jobs[0], output, seconds)
        victim = random.randrange(2)
        if not all(job.is_running() for job in jobs):
            [job.wait() for job in jobs]
            return False
        jobs[victim].kill()
        jobs[victim].wait()
        left = jobs[1 - victim]
        if left.wait(60) == 0:  # It had nothing left to do together.
            return True
        text = left.text()
        if left.code != 1 or not re.search(rf"error: rank {victim}\b.* has ended", text):
            raise RuntimeError(f"exit code {left.code}: {text[-2000:]}")
        return True


class RankScoring(Rank):
    """One of two ranks once a random number of videos is scored."""

    def wait_for_moment(self, job, output, seconds):
        wanted = saved_scores(output) + random.randint(1, 3)
        job.wait_for(lambda: saved_scores(output) >= wanted)


def saved_scores(output):
    """How many files of a test's scores there are."""
    return len(list((output / "partial_scores").glob("*.npz")))


def stage_of(output):
    """What the log says was going on last."""
    log = output / "stdout.log"
    found = re.findall(r"\b(train|tune|test)\b", log.read_text() if log.exists() else "")
    of_features = [name for name in EXTRACTED if (output / name).is_dir()]
    return (found or of_features or ["start"])[-1]


def try_way(way, kills):
    """Spends the kills on jobs of one kind; returns {stage: kills}."""
    reference = way.folder / "reference"
    seconds = way.run(reference)
    stages, job_number = collections.Counter(), 0
    while sum(stages.values()) < kills:
        output = way.folder / f"job_{job_number}"
        job_number += 1
        for _ in range(min(KILLS_PER_JOB, kills - sum(stages.values()))):
            if not way.kill(output, seconds / 2):
                break
            require_whole(output)
            stages[stage_of(output)] += 1
        way.run(output)
        way.require_same_end(output, reference)
    return stages


WAYS = {
    "main": Main,
    "write": Write,
    "scoring": Scoring,
    "extracting": Extracting,
    "features": Features,
    "worker": Worker,
    "rank": Rank,
    "rank-scoring": RankScoring,
}
SHARES = {"main": 6, "write": 5, "scoring": 3, "extracting": 3, "features": 3}
SHARES |= {"worker": 3, "rank": 4, "rank-scoring": 3}


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=WAYS)
    parser.add_argument("--short", action="store_true", help="half of the epochs and videos")
    args = parser.parse_args()
    if args.short:
        SMALL.update({"SOLVER.MAX_EPOCH": 2, "TUNE.MAX_ITER": 2, "SYNTHETIC.NUM_TEST": 3})
    random.seed(args.seed)
    folder = new_folder("kill")
    finish(words(folder / "data_made", folder / "data", SOLVER__MAX_EPOCH=1), folder / "said")
    for name in [args.only] if args.only else WAYS:
        kills = args.kills if args.only else round(args.kills * SHARES[name] / 30)
        (folder / name).mkdir()
        stages = try_way(WAYS[name](folder / name, folder / "data"), kills)
        where = ", ".join(f"{count} in {stage}" for stage, count in sorted(stages.items()))
        print(f"{name}: {sum(stages.values())} kills ({where}): same to the bit", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
