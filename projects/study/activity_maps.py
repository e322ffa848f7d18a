"""
How well activity maps find the activities of synthetic videos, whose places are known.

    python -m projects.study.activity_maps [OUTPUT_DIR] [--videos 50] [--opts KEY VALUE ...]

OUTPUT_DIR: of a tested run of the paper's head, by default what `make quickstart` left. Of the
middle clip of each of the first test videos:

- the share of a map's energy inside the activity's true boxes over the boxes' share of the clip,
  for the activities that are there (1: the map knows nothing of the place);
- the largest value of the map of evidence of the absent activities over that of the present ones,
  each the mean of a video's.

Beside the activities' maps stand the backbone's own and, as a ceiling, the true boxes on the
positions of the maps: what the best maps of that size could reach. Pictures of the first videos go
to build/benchmarks/activity_maps/.
"""

import argparse
import json
import os
import re

import cv2
import numpy as np

from benchmarks.timing import ROOT, report, row
from slowfast_ext.datasets.clips import read_clips
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.views import clip_frames
from slowfast_ext.errors import exit_with_sentence
from slowfast_ext.report.run_files import Run
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.visualization.drawing import laid_out
from slowfast_ext.visualization.grid import columns_of, draw_grid
from slowfast_ext.visualization.maps import KINDS, maps_of

QUICKSTARTS_RUN = "output/synthetic/activity_head"
PICTURES = 6


def true_boxes(path, frames, fps):
    """{label: one list of boxes (x1, y1, x2, y2 in 0..1) per frame} of what a clip shows."""
    with pathmgr.open(re.sub(r"\.mp4$", ".json", path)) as stream:
        truth = json.load(stream)
    found = {}
    for actor in truth:
        first = round(actor["start"] * fps)
        for label in actor["labels"]:
            boxes = found.setdefault(label, [[] for _ in frames])
            for at_frame, frame in zip(boxes, frames, strict=True):
                if 0 <= frame - first < len(actor["boxes"]):
                    at_frame.append(actor["boxes"][frame - first])
    return {label: boxes for label, boxes in found.items() if any(boxes)}


def inside(boxes, size):
    """T x size x size, bool: the pixels inside the boxes of each frame."""
    masks = np.zeros((len(boxes), size, size), bool)
    for mask, frame_boxes in zip(masks, boxes, strict=True):
        for box in frame_boxes:
            x1, y1, x2, y2 = np.rint(np.array(box) * size).astype(int)
            mask[y1:y2, x1:x2] = True
    return masks


def concentration(maps, masks):
    """A map's energy (T x H' x W') inside the masks over their share of the clip."""
    large = np.stack([laid_out(heat, *masks.shape[1:]) for heat in maps])
    return large[masks].sum() / max(large.sum(), 1e-12) / masks.mean()


def ceiling(masks, shape):
    """The best maps of some H' x W': of each position the share inside the masks."""
    size = shape[::-1]
    small = [cv2.resize(of.astype(np.float32), size, interpolation=cv2.INTER_AREA) for of in masks]
    return np.stack(small)


class Measured:
    """The figures of all videos: kind of map -> list."""

    def __init__(self):
        self.concentration = {kind: [] for kind in [*KINDS, "backbone", "ceiling"]}
        self.peaks = {kind: [] for kind in KINDS}  # Means of a video, absent and present.
        self.scores = {True: [], False: []}

    def add(self, maps, present, masks):
        """`present` are ids, `masks` T x S x S each."""
        for activity, mask in zip(present, masks, strict=True):
            for kind, values in maps.kinds.items():
                self.concentration[kind].append(concentration(values[activity], mask))
            self.concentration["backbone"].append(concentration(maps.backbone, mask))
            best = ceiling(mask, maps.backbone.shape[1:])
            self.concentration["ceiling"].append(concentration(best, mask))
        is_present = np.isin(np.arange(len(maps.scores)), present)
        for kind, values in maps.kinds.items():
            peaks = values.max((1, 2, 3))
            self.peaks[kind].append([peaks[~is_present].mean(), peaks[is_present].mean()])
        for there in (True, False):
            self.scores[there] += maps.scores[is_present == there].tolist()

    def rows(self):
        """Rows of the report."""
        rows = [
            row(
                f"{kind} map, share of energy in the true region over its area",
                f"a map without places; {len(values)} activities",
                values,
                least=3 if kind in KINDS else None,
                note=f"mean {np.mean(values):.2f}",
            )
            for kind, values in self.concentration.items()
        ]
        for kind, peaks in self.peaks.items():
            absent, present = np.array(peaks).T
            ratios = absent / present
            together = f"of all videos together {absent.mean() / present.mean():.2f}"
            rows.append(
                row(
                    f"{kind} map, peak of absent activities",
                    f"of present ones; {len(ratios)} videos",
                    ratios.tolist(),
                    most=0.5 if kind == "evidence" else None,
                    note=f"mean {ratios.mean():.2f}; {together}",
                )
            )
        note = "the network's own confusion bounds what its maps can tell"
        absent = [np.mean(self.scores[False]) / np.mean(self.scores[True])]
        rows.append(row("score of absent activities", "of present ones", absent, note=note))
        return rows


def draw(folder, name, reader, frames, maps, present, names):
    """A picture of each kind: the present activities, then the highest absent one."""
    absent = [i for i in np.argsort(-maps.scores, kind="stable") if i not in present][:1]
    columns = columns_of(len(frames))
    images, seconds = reader.read(frames[columns]), reader.info.times[frames[columns]]
    for kind, title in KINDS.items():
        rows = [
            (f"{names[i]}{'' if i in present else ' (absent)'}", maps.scores[i], values)
            for i in [*present, *absent]
            for values in [maps.kinds[kind][i][columns]]
        ]
        picture = draw_grid(
            f"{name}, synthetic: {title}", images, seconds, rows, maps.backbone[columns]
        )
        cv2.imwrite(str(folder / f"{name}_{kind}.png"), picture[..., ::-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("output_dir", nargs="?", default=QUICKSTARTS_RUN, metavar="OUTPUT_DIR")
    parser.add_argument("--videos", type=int, default=50)
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE")
    args = parser.parse_args()
    run = Run(args.output_dir, args.opts)
    cfg, dataset, network = run.cfg, run.test_set, run.network
    folder = ROOT / "build" / "benchmarks" / "activity_maps"
    folder.mkdir(parents=True, exist_ok=True)
    names, measured = list(dataset.class_names), Measured()
    for number, video in enumerate(dataset.videos[: args.videos]):
        with open_video(video.path) as reader:
            info, data = reader.info, cfg.DATA
            frames = clip_frames(info.length, data.NUM_FRAMES, data.SAMPLING_RATE, 0.5)
            batch = read_clips(cfg, reader, frames[None], cfg.TEST.WHOLE_FRAME)
            maps = maps_of(cfg, network, batch)[0].at_frames(len(frames))
            boxes = true_boxes(video.path, frames, info.fps)
            present = [names.index(label) for label in boxes]
            measured.add(maps, present, [inside(of, info.height) for of in boxes.values()])
            if number < PICTURES:
                name = os.path.splitext(os.path.basename(video.path))[0]
                draw(folder, name, reader, frames, maps, present, names)
    report("activity_maps", measured.rows())


if __name__ == "__main__":
    with exit_with_sentence():
        main()
