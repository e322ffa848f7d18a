"""Real clips through the whole job; the data are small real files beside the project."""

import csv
import json
from pathlib import Path

import pytest

from slowfast_ext.commands.run_net import main
from slowfast_ext.evaluation.predictions import read_predictions

CONFIG = Path(__file__).parents[2] / "configs" / "Synthetic" / "REAL_CLIPS.yaml"


def write_lists(folder, data):
    """Charades' columns `id` and `actions` -> our lists, a row a segment."""
    lines = (data / "videos" / "classes.txt").read_text().splitlines()
    names = dict(line.split(" ", 1) for line in lines)
    (folder / "classes.txt").write_text("\n".join(names.values()) + "\n")
    for split in ("train", "test"):
        with open(data / "videos" / f"{split}.csv", newline="") as stream:
            videos = list(csv.DictReader(stream))
        with open(folder / f"{split}.csv", "w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["path", "labels", "start", "end"])
            for video in videos:
                for action in video["actions"].split(";"):
                    code, start, end = action.split()
                    path = data / "videos" / f"{video['id']}.mp4"
                    writer.writerow([path, names[code], start, end])


def test_two_real_clips_are_learnt(real_data, tmp_path):
    """For the clip of both lists every own label has a higher mean probability than others."""
    if not (real_data / "videos").is_dir():
        pytest.skip(f"no videos in {real_data}")
    write_lists(tmp_path, real_data)
    main(
        [
            *("--cfg", str(CONFIG)),
            *("DATA.PATH_TO_DATA_DIR", str(tmp_path)),
            *("OUTPUT_DIR", str(tmp_path / "out")),
            *("NUM_GPUS", "0", "DATA_LOADER.NUM_WORKERS", "0"),
        ]
    )
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["protocol"]["num_views"] == 30
    ids, _, scores = read_predictions(str(tmp_path / "out" / "predictions.csv"))
    shared = scores[[id_.endswith("demo.mp4") for id_ in ids].index(True)]
    assert shared[:3].min() > shared[3:].max()
    log = (tmp_path / "out" / "stdout.log").read_text()
    warned = [
        line for line in log.splitlines() if "items of val are of the training list too" in line
    ]
    assert len(warned) == 1 and "demo.mp4 for one" in warned[0]
