"""
A test of 500 videos, 50 of them odd or broken in 12 ways, by the real program.

    python -m tests.robustness.bad_data [--videos 500] [--json]

Checked: every broken video is named and counted, none is replaced; the frames that are read are
those of the right video, upright, at the right moments; the others' scores are, bit for bit, those
of a list without the broken ones. Exit code 1 where any of it fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.timing import ROOT
from slowfast_ext.datasets import MultiLabelVideos
from slowfast_ext.datasets.video import open_video
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.evaluation.predictions import read_predictions
from tests.robustness.odd_videos import BROKEN, READABLE, moments_of, numbers_in, write_odd

CONFIG = ROOT / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"
SHARE = 10
"""One of so many videos is odd or broken."""


def write_videos(folder, count):
    """Writes the videos and their lists; returns {path in the list: (kind, its number)}."""
    kinds = [*BROKEN, *READABLE]
    videos = {}
    for number in range(count):
        place = number // SHARE
        kind = kinds[place % len(kinds)] if number % SHARE == 7 else "plain"
        # 8 bits of a frame hold the video's number.
        videos[write_odd(folder, kind, number)] = (kind, number % 256)
    (folder / "classes.txt").write_text("even\nodd\n")
    labels = {path: ("even", "odd")[number % 2] for path, (_, number) in videos.items()}
    whole = {path for path, (kind, _) in videos.items() if kind not in BROKEN}
    write_list(folder / "test.csv", labels, labels)
    (folder / "whole").mkdir()
    (folder / "whole" / "classes.txt").write_text("even\nodd\n")
    write_list(folder / "whole" / "test.csv", labels, whole)
    # Two plain videos, to make a network from.
    plain = [path for path, (kind, _) in videos.items() if kind == "plain"][:2]
    write_list(folder / "train.csv", labels, plain)
    return videos


def write_list(path, labels, chosen):
    rows = "".join(f"{name},{label}\n" for name, label in labels.items() if name in chosen)
    path.write_text("path,labels\n" + rows)


def options(folder, **changes):
    """KEY, VALUE, ... of a test at this size; `__` stands for a dot in changes."""
    keys = {
        "DATA.PATH_TO_DATA_DIR": folder,
        "DATA.PATH_PREFIX": folder,
        "TRAIN.DATASET": "MultiLabelVideos",
        "TEST.DATASET": "MultiLabelVideos",
        "MODEL.NUM_CLASSES": 2,
        "DATA.NUM_FRAMES": 8,
        "DATA.SAMPLING_RATE": 2,
        "DATA.TARGET_FPS": 24,
        "SLOWFAST.ALPHA": 4,
        "DATA.TRAIN_JITTER_SCALES": "[32, 32]",
        "DATA.TRAIN_CROP_SIZE": 32,
        "DATA.TEST_CROP_SIZE": 32,
        "TEST.VIEWS": "[[2, 2, 1]]",
        "TRAIN.BATCH_SIZE": 2,
        "SOLVER.MAX_EPOCH": 1,
        "TUNE.ENABLE": False,
        "DATA_LOADER.NUM_WORKERS": 2,
        "NUM_GPUS": 0,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return [str(word) for pair in keys.items() for word in pair]


def run(words):
    """Runs run_net.py to its end; the completed process."""
    command = [sys.executable, str(ROOT / "run_net.py"), "--cfg", str(CONFIG), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def wrong_frames(folder, videos):
    """The readable videos of which any frame that the data set takes is not the right one."""
    dataset = MultiLabelVideos(
        checked_config(str(CONFIG), options(folder, DATA__SKIP_BROKEN_VIDEOS=True)), "test"
    )
    wrong = []
    for index, name in enumerate(dataset.video_ids):
        kind, number = videos[name]
        if kind in BROKEN:
            continue
        with open_video(dataset.videos[index].path) as reader:
            clips = [dataset._clip_frames(reader.info, v.rate, v.fraction) for v in dataset.views]
            needed = np.unique(clips)
            found = [numbers_in(image) for image in reader.read(needed)]
        if found != [(number, frame) for frame in needed] or not shown(kind, clips, dataset.views):
            wrong.append(name)
    return wrong


def shown(kind, clips, views):
    """True where clips of an uneven video have the frames that are shown at even moments."""
    moments = np.array(moments_of(kind))
    if len(moments) > 1 and (np.diff(moments) == 1).all():
        return True
    for clip, view in zip(clips, views, strict=True):
        room = moments[-1] - 7 * view.rate
        start = room * view.fraction if room >= 0 else room / 2
        due = start + view.rate * np.arange(8)
        expected = np.searchsorted(moments, due + 0.01, side="right") - 1
        if np.clip(expected, 0, None).tolist() != clip.tolist():
            return False
    return True


def measure(folder, count):
    """Runs it all; returns dict: the figures, and under `failed` what does not hold."""
    videos = write_videos(folder, count)
    broken = {name for name, (kind, _) in videos.items() if kind in BROKEN}
    skipping = options(folder, OUTPUT_DIR=folder / "out", DATA__SKIP_BROKEN_VIDEOS=True)
    ended = run(skipping)
    if ended.returncode:
        return {"failed": [ended.stderr[-2000:]]}
    results = json.loads((folder / "out" / "results.json").read_text())
    skipped = results["counts"]["skipped"]
    weights = folder / "out" / "checkpoints" / "checkpoint_epoch_00001.pyth"
    tested = {"TRAIN__ENABLE": False, "TEST__CHECKPOINT_FILE_PATH": weights}
    whole = options(
        folder, OUTPUT_DIR=folder / "out2", DATA__PATH_TO_DATA_DIR=folder / "whole", **tested
    )
    ended = run(whole)
    if ended.returncode:
        return {"failed": [ended.stderr[-2000:]]}
    refusing = run(options(folder, OUTPUT_DIR=folder / "out3", **tested))
    ids, _, scores = read_predictions(str(folder / "out" / "predictions.csv"))
    whole_ids, _, whole_scores = read_predictions(str(folder / "out2" / "predictions.csv"))
    of_video = dict(zip(ids, scores.tolist(), strict=True))
    checks = {
        "other videos than the broken ones are skipped": set(skipped) == broken,
        "a reason does not name its file": all(n in reason for n, reason in skipped.items()),
        "counts do not add up": results["counts"]["videos"] + len(skipped) == count,
        "scores change": whole_scores.tolist() == [of_video[name] for name in whole_ids],
        "videos are missing": set(whole_ids) == set(videos) - broken,
        "it goes on without being told": refusing.returncode == 2,
    }
    wrong = wrong_frames(folder, videos)
    failed = [what for what, holds in checks.items() if not holds]
    failed += [f"wrong frames: {name}" for name in wrong]
    kinds = Counter(kind for kind, _ in videos.values())
    return {
        "videos": count,
        "kinds": kinds,
        "scored": results["counts"]["videos"],
        "skipped": len(skipped),
        "reasons": {
            kind: next((r for n, r in skipped.items() if videos[n][0] == kind), None)
            for kind in BROKEN
        },
        "refusal": refusing.stderr.strip().splitlines()[-1:],
        "failed": failed,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), args.videos)
    if args.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name}: {json.dumps(value)}")
    sys.exit(bool(figures["failed"]))


if __name__ == "__main__":
    main()
