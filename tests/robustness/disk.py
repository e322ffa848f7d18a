"""
Takes the disk away under a running job: full, read-only, unmounted, without permission.

    python -m tests.robustness.disk [--only WAY ...]

OUTPUT_DIR lies on a small file system in memory (tmpfs), which needs root. In each way the job
must end with one sentence and exit code 1 or 2, and every checkpoint that was there before must
still be whole. Synthetic videos, CPU.
"""

import argparse
import contextlib
import os
import shutil
import subprocess

from tests.robustness.jobs import Job, finish, new_folder, require_whole, words

NOBODY = 65534


def fill(mount):
    """Leaves no room."""
    with contextlib.suppress(OSError), open(mount / "filler", "wb", buffering=0) as stream:
        while stream.write(b"0" * 4096):
            pass


def run(*command):
    subprocess.run(command, check=True)


def make_read_only(mount):
    """Mounts the same file system once more on top: the job's open log forbids a remount."""
    run("mount", "--bind", str(mount), str(mount))
    run("mount", "-o", "remount,bind,ro", str(mount))


def go_away(mount):
    run("umount", "--lazy", str(mount))


WAYS = {
    "disk full": (fill, "No space left on device"),
    "read-only": (make_read_only, "Read-only file system"),
    "unmounted": (go_away, "a mount that went away"),
}


def try_under_way(name, folder, data):
    """Breaks the file system once two checkpoints are written; returns the job's sentence."""
    break_it, wanted = WAYS[name]
    mount = folder / name.replace(" ", "_")
    mount.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(mount))
    # A second way to what is mounted, which stays.
    kept = folder / f"{mount.name}_kept"
    kept.mkdir()
    run("mount", "--bind", str(mount), str(kept))
    try:
        output = mount / "out"
        job = Job(words(output, data, SOLVER__MAX_EPOCH=400), folder / "said")
        second = output / "checkpoints" / "checkpoint_epoch_00002.pyth"
        if not job.wait_for(second.exists):
            raise RuntimeError(job.text()[-2000:])
        break_it(mount)
        sentence = require_sentence(job, wanted)
        saved = kept / "out" / "checkpoints"
        if require_whole(saved) < 2:
            raise RuntimeError("a checkpoint is gone")
        if any(mount.rglob("*.pyth")) and name == "unmounted":
            raise RuntimeError("the empty mount point was written to")
        return sentence
    finally:
        for point in (kept, mount, mount):
            subprocess.run(["umount", "--lazy", str(point)], stderr=subprocess.DEVNULL)


def try_at_the_start(name, folder, data):
    """A folder that user nobody may not write to, or one without any permission."""
    output = folder / name.replace(" ", "_")
    output.mkdir(mode=0o555 if name == "no permission" else 0o000)
    job = Job(words(output, data), folder / "said", prepare=lambda: os.setuid(NOBODY))
    return require_sentence(job, "Permission denied")


def require_sentence(job, wanted):
    """The job's last words: one sentence with `wanted`, exit code 1 or 2, no traceback."""
    code, text = job.wait(120), job.text()
    last = text.strip().splitlines()[-1]
    if code not in (1, 2) or not last.startswith("error: ") or wanted not in last:
        raise RuntimeError(f"exit code {code}: {text[-2000:]}")
    if "Traceback" in text:
        raise RuntimeError(f"a traceback: {text[-2000:]}")
    return last


STARTS = ("no permission", "closed folder")


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[*WAYS, *STARTS], default=[*WAYS, *STARTS])
    args = parser.parse_args()
    if os.getuid():
        raise SystemExit("error: mounting needs root")
    folder = new_folder("disk")
    data = folder / "data"
    finish(words(folder / "data_made", data, SOLVER__MAX_EPOCH=1, TUNE__MAX_ITER=1), folder / "s")
    for name in args.only:
        way = try_under_way if name in WAYS else try_at_the_start
        sentence = way(name, folder, data).replace(str(folder), "...")
        print(f"{name}: {sentence}", flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
