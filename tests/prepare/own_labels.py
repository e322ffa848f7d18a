"""A folder of people's own videos, and the same labels in each form."""

import argparse
import itertools
import json

import cv2
import numpy as np
import pytest

from slowfast_ext.commands import prepare_lists
from slowfast_ext.commands.data_arguments import prepare_lists_arguments
from slowfast_ext.errors import SlowFastExtError

# Every video is 1 s long. `run` occurs twice, `jump` five times, `wave` four.
LABELS = {
    "a": ["jump", "run"],
    "b": ["jump"],
    "c": ["wave"],
    "d": ["jump", "wave"],
    "e": ["run"],
    "f": ["jump", "wave"],
    "g": ["wave"],
    # With its ending it stands before a.mp4, without it behind a.
    "a-1": ["jump"],
}
SEGMENTS = [("a", "jump", 0.0, 0.5), ("a", "run", 0.25, 0.75), ("b", "jump", 0.1, 1.0)]
SEGMENTS += [("c", "run", 0.0, 1.0), ("d", "jump", 0.0, 0.25), ("d", "jump", 0.5, 1.0)]


def write_videos(folder, write):
    """videos/*.mp4 of 10 frames; `write` is the fixture write_moving_square."""
    (folder / "videos").mkdir()
    write(folder / "videos" / "a.mp4", 10, fps=10, width=48, height=32)
    for name in [*LABELS][1:]:
        (folder / "videos" / f"{name}.mp4").write_bytes((folder / "videos" / "a.mp4").read_bytes())


def write_frames(folder, names=tuple(LABELS)):
    """frames/*, folders of 10 images."""
    for name, number in itertools.product(names, range(10)):
        (folder / "frames" / name).mkdir(parents=True, exist_ok=True)
        path = folder / "frames" / name / f"{number:03d}.jpg"
        cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


def run(folder, labels, *words, out="out", videos="videos", name="labels.txt"):
    """Writes the labels and runs the command on them."""
    (folder / name).write_text(labels)
    parser = argparse.ArgumentParser()
    prepare_lists_arguments(parser)
    paths = ["--videos", folder / videos, "--labels", folder / name, "--out", folder / out]
    prepare_lists.run(parser.parse_args([str(word) for word in (*paths, *words)]))


def refused(folder, *args, **options):
    """What the command says of wrong input, which makes it write nothing."""
    with pytest.raises(SlowFastExtError) as caught:
        run(folder, *args, **options)
    assert not (folder / "out").exists()
    return str(caught.value).replace(f"{folder}/", "")


def written(folder, out="out"):
    """The lists without where the videos lie and how they end."""
    return {
        path.name: path.read_text()
        .replace(".mp4", "")
        .replace(f"{folder}/videos/", "")
        .replace(f"{folder}/frames/", "")
        for path in (folder / out).iterdir()
    }


def binary(header, rows):
    return "\n".join([",".join(header), *(",".join(map(str, row)) for row in rows)])


WHOLE = {
    "path,labels[,start,end]": "path,labels\n"
    + "".join(f"{name}.mp4,{';'.join(labels)}\n" for name, labels in LABELS.items()),
    "a column of 0 and 1 for each label": binary(
        ["video", "wave", "jump", "run"],
        [
            [name, *(int(label in labels) for label in ("wave", "jump", "run"))]
            for name, labels in reversed(LABELS.items())
        ],
    ),
    "ActivityNet's JSON": json.dumps(
        {
            "version": "1",
            "database": {
                name: {"annotations": [{"label": label} for label in labels]}
                for name, labels in LABELS.items()
            },
        }
    ),
    "Kinetics' CSV": "label,youtube_id,time_start,time_end,split\n"
    + "".join(f"{label},{n},,,train\n" for n, labels in LABELS.items() for label in labels),
    "path label": "".join(f"{n}.mp4 {' '.join(labels)}\n" for n, labels in LABELS.items()),
    "folder number_of_frames label": "".join(
        f"{name} 10 {' '.join(labels)}\n" for name, labels in LABELS.items()
    ),
}
