"""
What `predict` finds in a generated video of ten minutes, and how much memory it takes.

    python -m benchmarks.long_video [--every 1 0.5]

takes the narrow SlowFast of projects/study/volleyball_margins.py, trained on short videos of one
actor
each, whose labels are its motion and its ball, and fits thresholds to these videos. In the long
video one actor after another acts for 4 to 12 seconds, with up to 4 seconds between them. For each
activity its predicted spans are held against the true ones: the time in both over the time in
either (IoU). The peak memory of `predict` is measured on it and on a video of one minute.
"""

import argparse
import csv
import os
import sys
from dataclasses import replace

import numpy as np

from projects.study.ava_margins import DILATION, PRETRAINING_CONFIG, pretrain
from projects.study.volleyball_margins import BACKBONE_SEED, BUILD, PRETRAINING
from slowfast_ext.datasets.synthetic.motion import BALLS, MOTIONS
from slowfast_ext.datasets.synthetic.scenes import GRID, SyntheticSettings, draw_actor
from slowfast_ext.datasets.synthetic.videos import FPS, encode, images_of
from slowfast_ext.errors import SlowFastExtError, exit_with_sentence
from slowfast_ext.utils.paths import open_atomically

FOLDER = "build/long_video"
SIZE = 80
MINUTES = (1, 10)
# Seconds that an actor is there, and that nobody is.
ACTS, PAUSES = (4, 12), (0, 4)


def draw_actors(num_frames, seed=0):
    """Actors, one after another until the last frame."""
    random, settings = np.random.default_rng(seed), SyntheticSettings(parts=True)
    actors, start = [], 0
    while start < num_frames:
        labels = str(random.choice(list(MOTIONS))), str(random.choice(list(BALLS)))
        actor = draw_actor(random, settings, labels, *labels, int(random.integers(GRID**2)))
        end = min(start + round(FPS * random.uniform(*ACTS)), num_frames)
        actors.append(replace(actor, start=start, end=end))
        start = end + round(FPS * random.uniform(*PAUSES))
    return actors


def write_videos():
    """Writes a video of each length, the shorter being the longer's beginning; all actors."""
    actors = draw_actors(60 * FPS * max(MINUTES))
    for minutes in MINUTES:
        path = video_path(minutes)
        if not os.path.exists(path):
            settings = SyntheticSettings(size=SIZE, num_frames=60 * FPS * minutes)
            images = images_of(np.random.default_rng(1), actors, settings)
            with open_atomically(path, "wb") as stream:
                stream.write(encode(images, SIZE))
    return actors


def video_path(minutes):
    """Where the video of this length lies."""
    return f"{FOLDER}/{minutes}_minutes.mp4"


def predict(*words):
    """Runs the command in a process of its own; returns its peak memory in MB."""
    command = [sys.executable, "-m", "slowfast_ext", "predict", *words]
    _, status, used = os.wait4(os.spawnv(os.P_NOWAIT, command[0], command), 0)
    if status:
        raise SlowFastExtError(f"{' '.join(command)} failed")
    return used.ru_maxrss / 1024


def overlaps(path, actors, num_frames):
    """{activity: IoU of its predicted with its true time}."""
    times = np.arange(num_frames) / FPS
    truth = {name: np.zeros(num_frames, bool) for name in (*MOTIONS, *BALLS)}
    found = {name: np.zeros(num_frames, bool) for name in truth}
    for actor in actors:
        for name in actor.labels:
            truth[name][actor.start : actor.end] = True
    with open(path, newline="") as stream:
        for row in csv.DictReader(stream):
            found[row["activity"]] |= (times >= float(row["start"])) & (times < float(row["end"]))
    return {
        name: (truth[name] & found[name]).sum() / (truth[name] | found[name]).sum()
        for name in truth
    }


def measure(every, weights, actors):
    """IoU by activity of the longest video, and the peak memory of each length, in MB."""
    folder = f"{FOLDER}/every_{every:g}"
    pairs = {**DILATION, "DATA.PATH_TO_DATA_DIR": f"{BUILD}/parts", "OUTPUT_DIR": folder}
    pairs |= {"NUM_GPUS": "0", "SYNTHETIC.SEED": str(BACKBONE_SEED)}
    words = [word for pair in pairs.items() for word in pair]
    options = ["--cfg", PRETRAINING_CONFIG, "--checkpoint", weights, "--every", f"{every:g}"]
    predict(*options, *words, "--fit-thresholds")
    memory = {}
    for minutes in MINUTES:
        out = f"{folder}/{minutes}.csv"
        memory[minutes] = predict(video_path(minutes), *options, "--out", out, *words)
    return overlaps(out, actors, 60 * FPS * minutes), memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--every", type=float, nargs="+", default=[1, 0.5], metavar="SECONDS")
    args = parser.parse_args()
    weights = pretrain(BUILD, BACKBONE_SEED, PRETRAINING)
    actors = write_videos()
    for every in args.every:
        of_activity, memory = measure(every, weights, actors)
        print(f"--every {every:g}: {', '.join(f'{n} {iou:.2f}' for n, iou in of_activity.items())}")
        mean = np.mean(list(of_activity.values()))
        peaks = ", ".join(f"{minutes} min {peak:.0f} MB" for minutes, peak in memory.items())
        print(f"mean IoU {mean:.2f}; peak memory: {peaks}", flush=True)


if __name__ == "__main__":
    with exit_with_sentence():
        main()
