"""
Reading the 30 mixed-rate views of a video of JPEG frames, beside GitHub main's Charades loader.

    PYTHONPATH=PATH_OF_MAIN python -m benchmarks.reading_jpeg [--repeats 15]

The frames, 24 seconds at 24 a second, are a synthetic stand-in: blotches and grain that move. Both
loaders read the same frame list; main's reads one rate at a time, so three of it read the three.
"""

import tempfile
from pathlib import Path

import cv2

from benchmarks.reading import (
    CLASSES,
    compare,
    config_of_test,
    draw_scene,
    require_equal_views,
    stacked,
    upstream_configs,
    views_of,
)
from benchmarks.timing import benchmark_parser, report
from slowfast_ext.datasets.charades import FRAME_LIST_START, Charades

# Odd: no clip starts halfway between two frames, where the two loaders round differently.
NUM_FRAMES = 24 * 24 + 1
SIZES = ((340, 256), (480, 360))


def write_frames(folder, width, height):
    """Writes `video/000001.jpg`, ... and the frame list val.csv."""
    scene = draw_scene(width, height)
    Path(folder, "video").mkdir()
    lines = [FRAME_LIST_START.decode() + " video_id frame_id path labels"]
    for number in range(NUM_FRAMES):
        left, name = number * width // NUM_FRAMES, f"video/{number + 1:06d}.jpg"
        cv2.imwrite(str(Path(folder, name)), scene[:, left : left + width])
        lines.append(f'video 0 {number} {name} "{number % CLASSES}"')
    Path(folder, "val.csv").write_text("\n".join(lines) + "\n")


def measure(width, height, repeats):
    """The rows of one size of frames."""
    # Not above: slowfast_ext lets it be imported where detectron2 is not installed.
    from slowfast.datasets.charades import Charades as UpstreamCharades

    with tempfile.TemporaryDirectory() as folder:
        write_frames(folder, width, height)
        keys = {"DATA.PATH_PREFIX": folder, "DATA.REVERSE_INPUT_CHANNEL": True}
        # Upstream normalises BGR by RGB's figures: equal ones make no difference.
        keys |= {"DATA.MEAN": [0.45] * 3, "DATA.STD": [0.225] * 3}
        cfg = config_of_test(folder, "Charades", keys)
        dataset = Charades(cfg, "test")
        loaders = [UpstreamCharades(of_rate, "test") for of_rate in upstream_configs(cfg)]
        what = f"30 views of {NUM_FRAMES} JPEG frames of {width} x {height}"
        note = require_equal_views(what, cfg, dataset[0].pathways, stacked(views_of(loaders)))
        sources = (
            lambda: dataset[0].pathways,
            lambda: views_of(loaders),
            lambda: [cv2.imread(str(path)).shape for path in Path(folder, "video").iterdir()],
        )
        against = "GitHub main's Charades loader"
        return compare(what, against, cfg, sources, note, 8, repeats)


def main():
    parser = benchmark_parser(__doc__)
    args = parser.parse_args()
    rows = [row for size in SIZES for row in measure(*size, args.repeats)]
    report("reading_jpeg", rows)


if __name__ == "__main__":
    main()
