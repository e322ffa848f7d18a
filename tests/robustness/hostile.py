"""
Hostile files through every key that takes a path: nothing executed, memory bounded.

    python -m tests.robustness.hostile [--json]

Each is read in a process of its own, of which the most memory is measured beyond what it had
before. Exit code 1 where one is not refused by name, something of it was executed, or it took
more than 256 MB.
"""

import argparse
import json
import multiprocessing
import pickle
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from slowfast_ext.commands.run_net import main as run_net
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.action_genome import OBJECTS_FILE, PERSONS_FILE, read_action_genome
from slowfast_ext.prepare.person_detectors import load_detector
from slowfast_ext.utils.unpickling import read_arrays
from tests.robustness import hostile_files
from tests.robustness.bad_data import CONFIG

MOST_MEMORY = 256 * 2**20
# An entry of each of Action Genome's files.
GENOME = {
    OBJECTS_FILE: {
        "AAAAA.mp4/000001.png": [{"class": "dog", "bbox": (1.0, 2.0, 3.0, 4.0), "visible": True}]
    },
    PERSONS_FILE: {
        "AAAAA.mp4/000001.png": {"bbox": np.ones((1, 4), np.float32), "bbox_size": (9, 9)}
    },
}
SMALL = {
    "SYNTHETIC.NUM_TRAIN": 2,
    "SYNTHETIC.NUM_TEST": 1,
    "SYNTHETIC.SIZE": 32,
    "DATA.TRAIN_JITTER_SCALES": "[32, 32]",
    "DATA.TRAIN_CROP_SIZE": 32,
    "DATA.TEST_CROP_SIZE": 32,
    "TRAIN.BATCH_SIZE": 1,
    "DATA_LOADER.NUM_WORKERS": 0,
    "NUM_GPUS": 0,
}


def read_video(path):
    with open_video(path) as video:
        video.read([0], short_side=256)


def run_with(folder, **keys):
    """run_net.py's work on a small config, with these keys (`__` stands for a dot)."""
    options = {**SMALL, "DATA.PATH_TO_DATA_DIR": folder / "data", "OUTPUT_DIR": folder / "out"}
    options.update({key.replace("__", "."): value for key, value in keys.items()})
    run_net(["--cfg", str(CONFIG), *(str(word) for pair in options.items() for word in pair)])


def with_code(folder, marker):
    """{what is tried: (a call's function, its arguments, what the refusal must name)}."""
    torch_file, pickle_file = folder / "x.pyth", folder / "x.pkl"
    hostile_files.checkpoint(torch_file, marker)
    hostile_files.plain_pickle(pickle_file, marker)
    tries = {}
    for stage in ("TRAIN", "TEST"):
        for kind, path in (("pytorch", torch_file), ("caffe2", pickle_file)):
            keys = {f"{stage}__CHECKPOINT_FILE_PATH": path, f"{stage}__CHECKPOINT_TYPE": kind}
            if stage == "TEST":
                keys["TRAIN__ENABLE"] = keys["TUNE__ENABLE"] = False
            tries[f"{stage}.CHECKPOINT_FILE_PATH, {kind}"] = (run_with, keys, path.name)
    for name, stage in (("epoch_00001", "train"), ("tune_epoch_00001", "tune")):
        for enabled in (True, False):
            planted = folder / f"{stage} {enabled}"
            (planted / "checkpoints").mkdir(parents=True)
            hostile_files.checkpoint(planted / "checkpoints" / f"checkpoint_{name}.pyth", marker)
            keys = {
                "OUTPUT_DIR": planted,
                "TRAIN__ENABLE": enabled,
                "TUNE__ENABLE": stage == "tune",
            }
            what = f"planted in OUTPUT_DIR, {stage}, {'goes on' if enabled else 'tests'}"
            tries[what] = (run_with, keys, f"checkpoint_{name}.pyth")
    tries["--weights"] = (lambda _: load_detector(str(torch_file), 0.5), {}, torch_file.name)
    for name, other in ((OBJECTS_FILE, PERSONS_FILE), (PERSONS_FILE, OBJECTS_FILE)):
        genome = folder / f"with {name}"
        genome.mkdir()
        hostile_files.plain_pickle(genome / name, marker)
        (genome / other).write_bytes(pickle.dumps(GENOME[other]))
        tries[f"Action Genome, {name}"] = (
            lambda _, genome=genome: read_action_genome(str(genome)),
            {},
            f"with {name}/{name}",
        )
    config = folder / "x.yaml"
    hostile_files.yaml_with_tag(config, marker)
    tries["a config with a python tag"] = (lambda _: checked_config(str(config)), {}, config.name)
    based = folder / "based.yaml"
    based.write_text(f"_BASE_: {config}\n")
    tries["a config based on one"] = (lambda _: checked_config(str(based)), {}, config.name)
    return tries


def with_memory(folder):
    """As `with_code`, of files that would take all memory."""
    tries = {}
    for number, (name, (write, ending)) in enumerate(hostile_files.VIDEOS.items()):
        path = folder / f"video {number}{'.' if ending else ''}{ending}"
        write(path)
        tries[name] = (lambda _, path=path: read_video(path), {}, path.name)
    numbered, anchors = folder / "numbered.pkl", folder / "anchors.yaml"
    hostile_files.memo(numbered)
    hostile_files.nested_anchors(anchors)
    tries["YAML, anchors in anchors"] = (lambda _: checked_config(str(anchors)), {}, anchors.name)
    tries["pickle, object 2^31 - 1"] = (_read_numbered, {"path": numbered}, None)
    return tries


def _read_numbered(_folder, path):
    read_arrays(str(path))


def _attempt(call, keys, folder, pipe):
    """The body of a process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        call(folder, **keys)
        said = "read"
    except SlowFastExtError as error:
        said = f"refused: {error}"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    pipe.send((said, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024))


def attempt(call, keys, folder):
    """(what came of it, bytes of memory beyond what the process had at its start)."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_attempt, args=(call, keys, folder, sender))
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        answer = None
    process.join()
    return answer or (f"ended with {process.exitcode}", 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        marker = folder / "executed"
        tries = [(True, *item) for item in with_code(folder, marker).items()]
        tries += [(False, *item) for item in with_memory(folder).items()]
        for is_code, what, (call, keys, name) in tries:
            said, memory = attempt(call, keys, folder)
            is_fine = said.startswith("refused") and name in said if name else said == "read"
            is_fine = is_fine and not marker.exists() and (is_code or memory < MOST_MEMORY)
            said = said.replace(f"{folder}/", "")
            rows.append({"what": what, "said": said, "bytes": memory, "fine": is_fine})
            marker.unlink(missing_ok=True)
    if args.json:
        print(json.dumps(rows))
    else:
        for row in rows:
            fine = "ok " if row["fine"] else "BAD"
            print(f"{fine} {row['what']:48} {row['bytes'] / 2**20:6.0f} MB  {row['said'][:110]}")
    sys.exit(not all(row["fine"] for row in rows))


if __name__ == "__main__":
    main()
