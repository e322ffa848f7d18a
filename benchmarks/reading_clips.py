"""
Reading training clips, and the 30 views of a test, beside torchcodec, decord and an earlier commit.

    python -m benchmarks.reading_clips [--repeats 15] [--parent DIR]

A clip is 32 frames at rates 2, 4 and 8 from a random place of a video of 640 x 480, scaled to 256.
Every reader opens the file anew, decodes in one thread and is given the same clips; torchcodec and
decord are left out where they are not installed. What is timed is the process's own CPU time, which
others that load the machine change less than the clock's. DIR is a clone at an earlier commit. The
videos are made once, in build/benchmarks/clips: blotches and grain that move, with two shapes on
their own ways.
"""

import contextlib
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from benchmarks.reading import draw_scene
from benchmarks.timing import ROOT, alternate, benchmark_parser, ratio_row, report, row
from slowfast_ext.datasets import video_file, views
from slowfast_ext.datasets.known_files import KnownFiles
from slowfast_ext.datasets.video import open_video

FOLDER = ROOT / "build" / "benchmarks" / "clips"
FPS, WIDTH, HEIGHT, LENGTH, SHORT_SIDE = 30, 640, 480, 900, 256
NUM_FRAMES, RATES = 32, (2, 4, 8)
CODECS = {
    "h264.mp4": ("libx264", {"preset": "medium"}),
    "hevc.mp4": ("libx265", {"preset": "fast", "x265-params": "log-level=none"}),
    "vp9.webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "b": "1M"}),
    "mpeg4.avi": ("mpeg4", {"b": "2000000"}),
}
HOUR, REPEATS_OF_HOUR = "h264_hour.mp4", 120
# Of two conversions to RGB, in grey levels; neighbouring frames are 5 and more apart in the mean.
MOST_MEAN_DIFFERENCE = 2
# Reads the frames that each line of its input names, and says how much CPU time it took.
READER = """
import json, sys, time, cv2
from slowfast_ext.datasets.video import open_video
cv2.setNumThreads(0)
for line in sys.stdin:
    path, frames, size = json.loads(line)
    start = time.process_time()
    with open_video(path) as video:
        video.read(frames, size)
    print(time.process_time() - start, flush=True)
"""


# --- Videos ------------------------------------------------------------------------------


def make_videos():
    """Writes the videos that are not there yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (codec, options) in CODECS.items():
        if not (FOLDER / name).exists():
            write_video(FOLDER / name, codec, options)
    if not (FOLDER / HOUR).exists():
        repeat_packets(FOLDER / "h264.mp4", FOLDER / HOUR)


@contextlib.contextmanager
def taking_name(path):
    """The path of a file that takes the name `path` once it is whole."""
    partial = path.with_name(f"partial-{path.name}")
    yield str(partial)
    partial.rename(path)


def write_video(path, codec, options):
    """30 seconds."""
    scene = draw_scene(WIDTH, HEIGHT)
    with taking_name(path) as name, av.open(name, "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(LENGTH):
            left = number * WIDTH // LENGTH
            image = scene[:, left : left + WIDTH].copy()
            x, y = int(300 + 250 * np.cos(number / 33)), int(200 + 150 * np.sin(number / 20))
            cv2.circle(image, (x, y), 40, (255, 40, 0), -1)
            cv2.rectangle(image, (y, x // 2), (y + 60, x // 2 + 40), (0, 200, 90), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def repeat_packets(source, target):
    """An hour: the packets of 30 seconds over and over."""
    with taking_name(target) as name, av.open(str(source)) as one, av.open(name, "w") as many:
        packets = [packet for packet in one.demux(video=0) if packet.size]
        tick = packets[0].time_base
        stream = many.add_stream_from_template(one.streams.video[0])
        for number, packet in itertools.product(range(REPEATS_OF_HOUR), packets):
            copy, shift = av.Packet(bytes(packet)), round(number * LENGTH / FPS / tick)
            copy.pts, copy.dts, copy.time_base = packet.pts + shift, packet.dts + shift, tick
            copy.stream, copy.is_keyframe = stream, packet.is_keyframe
            many.mux(copy)


# --- Readers -----------------------------------------------------------------------------


def scaled(images):
    """As a training clip is scaled."""
    height, width = views.scaled_size(*images[0].shape[:2], SHORT_SIDE)
    return [cv2.resize(image, (width, height)) for image in images]


def ours(path, frames, folder=None):
    with open_video(path, index_folder=folder) as video:
        return video.read(frames, SHORT_SIDE)


def ours_first(path, frames):
    """Of a file that was never met, with what is found of it written to the disk."""
    video_file.KNOWN_FILES = KnownFiles()
    with tempfile.TemporaryDirectory() as folder:
        return ours(path, frames, folder)


def ours_in_folder(path, frames, folder=FOLDER / "index"):
    """Of a file that another process has met."""
    video_file.KNOWN_FILES = KnownFiles()
    return ours(path, frames, str(folder))


def torchcodec_frames(path, frames):
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode="exact", dimension_order="NHWC")
    return decoder.get_frames_at(list(frames))


def torchcodec(path, frames):
    return scaled(torchcodec_frames(path, frames).data.numpy())


def decord(path, frames):
    import decord

    return scaled(decord.VideoReader(path, num_threads=1).get_batch(list(frames)).asnumpy())


OTHERS = {"torchcodec": torchcodec, "decord": decord}


def installed():
    """The other readers that are there."""
    return {name: side for name, side in OTHERS.items() if importlib.util.find_spec(name)}


# --- Rows --------------------------------------------------------------------------------


def clips(length, rate, seed=0):
    """Yields the numbers of a clip's frames, from random places, without end."""
    random, span = np.random.default_rng(seed), (NUM_FRAMES - 1) * rate + 1
    while True:
        start = int(random.integers(length - span))
        yield range(start, start + span, rate)


def timed(sides, rate, repeats):
    """`alternate`'s seconds of readers, each a (function, path, length), on the same clips."""

    def reading(read, path, length):
        chosen = clips(length, rate)
        return lambda: read(str(path), next(chosen))

    calls = {name: reading(*side) for name, side in sides.items()}
    return alternate(calls, repeats, time.process_time)


def require_same_frames(name):
    """Ends the benchmark where ours are not torchcodec's exact frames; returns a note."""
    path, frames = str(FOLDER / name), next(clips(LENGTH, RATES[1], seed=1))
    theirs = torchcodec_frames(path, frames)
    with open_video(path) as video:
        images, times = video.read(frames), video.info.times[list(frames)]
        neighbours = video.read([number + 1 for number in frames])
    if np.abs(theirs.pts_seconds.numpy() - times).max() > 1e-3:
        sys.exit(f"error: {name}: frames of other times than torchcodec's")
    differences = np.abs(images.astype(int) - theirs.data.numpy())
    apart = np.abs(neighbours.astype(int) - theirs.data.numpy()).mean()
    if not differences.mean() < min(MOST_MEAN_DIFFERENCE, apart / 2):
        sys.exit(f"error: {name}: frames other than torchcodec's ({differences.mean():.2f})")
    return (
        f"the same frames, pixels within {differences.max()} of 255, {differences.mean():.2f} in "
        f"the mean (the next frames: {apart:.1f})"
    )


def rows_beside_others(name, others, marks, repeats):
    """Of a video that was met before; `marks`: {reader: how many times as fast is wanted}."""
    note = require_same_frames(name) if "torchcodec" in others else ""
    for rate in RATES:
        sides = {"ours": ours, **others}
        sides = {key: (side, FOLDER / name, LENGTH) for key, side in sides.items()}
        seconds = timed(sides, rate, repeats)
        for other, least in marks.items():
            if other in others:
                what = f"a clip at rate {rate} of {name}, met before"
                yield ratio_row(what, other, seconds, "ours", other, note, least=least)


def rows_of_first_times(name, others, repeats):
    """Of a file that was never met, and of one that another process has met."""
    for rate in RATES:
        sides = {"first": ours_first, "in the folder": ours_in_folder, **others}
        sides = {key: (side, FOLDER / name, LENGTH) for key, side in sides.items()}
        seconds = timed(sides, rate, repeats)
        if "torchcodec" in others:
            what = f"a clip at rate {rate} of {name}"
            yield ratio_row(
                f"{what}, first time", "torchcodec", seconds, "first", "torchcodec", least=1.2
            )
            yield ratio_row(
                f"{what}, met by another process",
                "torchcodec",
                seconds,
                "in the folder",
                "torchcodec",
            )


def rows_of_an_hour(others, repeats):
    for rate in RATES:
        sides = {"30 s": (ours, FOLDER / "h264.mp4", LENGTH)}
        # The hour's clips are those of its first 30 seconds, so that both decode the same.
        sides["hour"] = ours_of_hour, FOLDER / HOUR, LENGTH
        sides |= {key: (side, FOLDER / HOUR, LENGTH) for key, side in others.items()}
        seconds = timed(sides, rate, repeats)
        what = f"a clip at rate {rate} of an hour, met before"
        ratios = [
            hour / short for hour, short in zip(seconds["hour"], seconds["30 s"], strict=True)
        ]
        medians = ratio_row(what, "", seconds, "hour", "30 s").note
        yield row(what, "the same of 30 s", ratios, most=1.1, note=medians)


def ours_of_hour(path, frames, place=REPEATS_OF_HOUR // 2):
    return ours(path, [number + place * LENGTH for number in frames])


def frames_of_views(length=LENGTH):
    """The distinct frames of the paper's 30 views: 3 crops of 4, 3 and 3 clips at three rates."""
    info = video_file.VideoInfo(length, FPS, HEIGHT, WIDTH, np.arange(length) / FPS)
    groups = views.list_views([(4, 4, 3), (8, 3, 3), (2, 3, 3)])
    chosen = [views.clip_of_video(info, NUM_FRAMES, v.rate, FPS, v.fraction) for v in groups]
    return np.unique(np.concatenate(chosen)).tolist()


@contextlib.contextmanager
def reader_of(folder):
    """(path, frames) -> CPU seconds, in a process of its own with the package of `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", READER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # Python looks for modules where it is started before anywhere else.
    with subprocess.Popen(words, cwd=folder, env=environment, **pipes) as process:

        def read(path, frames):
            process.stdin.write(json.dumps([str(path), list(frames), SHORT_SIDE]) + "\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        yield read
        process.stdin.close()


def rows_beside_parent(parent, repeats):
    """All views, and clips of each kind of video, beside an earlier commit's."""
    with reader_of(ROOT) as new, reader_of(parent) as old:
        sides = {"ours": new, "parent": old}

        def seconds_of(path, chosen):
            seconds = {name: [] for name in sides}
            for number in range(repeats + 1):
                frames = next(chosen)
                for name, read in sides.items():
                    taken = read(path, frames)
                    if number:
                        seconds[name].append(taken)
            return seconds

        for name in CODECS:
            chosen = itertools.repeat(frames_of_views())
            seconds = seconds_of(FOLDER / name, chosen)
            least = 1.3 if name == "h264.mp4" else None
            what = f"the frames of 30 views of {name}"
            yield ratio_row(what, "parent commit", seconds, "ours", "parent", least=least)
        for name, rate in itertools.product((*CODECS, HOUR), RATES):
            seconds = seconds_of(FOLDER / name, clips(LENGTH, rate))
            what = f"a clip at rate {rate} of {name}"
            yield ratio_row(what, "parent commit", seconds, "ours", "parent", least=1)


def main():
    parser = benchmark_parser(__doc__)
    parser.add_argument("--parent", type=Path, metavar="DIR", help="a clone at an earlier commit")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    make_videos()
    others, rows = installed(), []
    rows += rows_beside_others("h264.mp4", others, {"torchcodec": 1.5, "decord": 2}, args.repeats)
    rows += rows_of_first_times("h264.mp4", others, args.repeats)
    rows += rows_of_an_hour(others, args.repeats)
    rows += rows_beside_others("hevc.mp4", others, {"torchcodec": 1.7}, args.repeats)
    for name in ("vp9.webm", "mpeg4.avi"):
        rows += rows_beside_others(name, others, {"torchcodec": 1}, args.repeats)
    if args.parent:
        rows += rows_beside_parent(args.parent, args.repeats)
    report("reading_clips", rows)


if __name__ == "__main__":
    main()
