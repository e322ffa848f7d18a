"""
Reading the 30 mixed-rate views of an MP4 video, beside pyslowfast 1.0's Kinetics loader.

    python -m benchmarks.reading_mp4 [--video PATH] [--repeats 15]

Upstream decodes anew for each view. The loaders choose other frames (1.0 leaves the last part of a
video out); so the equality that is checked is that of the pixels: ours, and upstream's transforms
on frames with the same numbers, decoded one after the other.
"""

from pathlib import Path

import torch

from benchmarks.reading import (
    compare,
    config_of_test,
    frames_of,
    require_equal_views,
    stacked,
    upstream_configs,
    video_folder,
    views_of,
)
from benchmarks.timing import DATA, benchmark_parser, report
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos
from slowfast_ext.datasets.views import clip_frames, frame_step
from slowfast_ext.upstream import pack_pathways


def upstreams_transforms(loader, cfg, dataset, video):
    """The views of `dataset`, by upstream's arithmetic on its own decoding of all frames."""
    frames, views = torch.from_numpy(frames_of(video)), []
    with dataset.open(0) as reader:
        fps = reader.info.fps
    mean, std = torch.tensor(cfg.DATA.MEAN), torch.tensor(cfg.DATA.STD)
    for view in dataset.views:
        step = frame_step(view.rate, fps, cfg.DATA.TARGET_FPS)
        chosen = frames[clip_frames(len(frames), cfg.DATA.NUM_FRAMES, step, view.fraction)]
        clip = ((chosen.float() / 255 - mean) / std).permute(3, 0, 1, 2)
        size = cfg.DATA.TEST_CROP_SIZE
        clip = loader.spatial_sampling(clip, view.crop, size, size, size)
        views.append(pack_pathways(cfg, clip))
    return stacked(views)


def main():
    # Not above: slowfast_ext lets it be imported where detectron2 is not installed.
    from slowfast.datasets.kinetics import Kinetics

    parser = benchmark_parser(__doc__)
    parser.add_argument("--video", type=Path, default=DATA / "videos" / "test.mp4")
    args = parser.parse_args()
    with video_folder([args.video]) as root:
        cfg = config_of_test(root, "MultiLabelVideos", {"DATA.TARGET_FPS": 30})
        dataset = MultiLabelVideos(cfg, "test")
        # Upstream's form of the same list.
        Path(root, "test.csv").write_text(f"{args.video} 0\n")
        loaders = [Kinetics(of_rate, "test") for of_rate in upstream_configs(cfg)]
        what = f"30 views of {args.video.name}"
        wanted = upstreams_transforms(loaders[0], cfg, dataset, args.video)
        note = require_equal_views(what, cfg, dataset[0].pathways, wanted)
        against = "pyslowfast 1.0's Kinetics loader"
        sources = (
            lambda: dataset[0].pathways,
            lambda: views_of(loaders),
            lambda: frames_of(args.video),
        )
        report("reading_mp4", compare(what, against, cfg, sources, note, 20, args.repeats))


if __name__ == "__main__":
    main()
