"""What reading all views of a video takes does not grow with the video's length."""

import subprocess
import sys

import av
import numpy as np
import pytest

FPS, GROUP, WIDTH, HEIGHT = 24, 48, 160, 120
MINUTE, HOUR = 60 * FPS, 3600 * FPS

# Prints the process's peak memory in bytes: when it has read the first video, and the second.
READ = """
import sys
from pathlib import Path
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos

def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024

folder = sys.argv[1]
words = f"DATA.PATH_TO_DATA_DIR {folder} MODEL.NUM_CLASSES 2 DATA.NUM_FRAMES 32 NUM_GPUS 0"
words += " DATA.TEST_CROP_SIZE 120 TEST.VIEWS [[4,4,3],[8,3,3],[2,3,3]]"
words += " DATA.TRAIN_CROP_SIZE 120 MODEL.MODEL_NAME ActivityNetwork MODEL.ARCH i3d"
words += " MODEL.LOSS_FUNC bce_logit MODEL.HEAD_ACT sigmoid DATA.INPUT_CHANNEL_NUM [3]"
words += " DATA.TRAIN_JITTER_SCALES [120,120]"
dataset = MultiLabelVideos(checked_config(None, words.split()), "test")
peaks = []
for index in range(2):
    pathways = dataset[index].pathways
    assert pathways[0].shape == (30, 3, 32, 120, 120)
    peaks.append(peak())
    frames = pathways[0].planes.nbytes
print(*peaks, frames)
"""


def write_video(path, num_frames):
    """One group of frames, encoded once and stored over and over: quick to write."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS, options={"g": str(GROUP)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        images = np.random.default_rng(0).integers(0, 255, (GROUP, HEIGHT // 8, WIDTH // 8, 3))
        packets = []
        for image in images.astype(np.uint8).repeat(8, 1).repeat(8, 2):
            packets += stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        packets += stream.encode()
        for number in range(num_frames):
            packet = packets[number % GROUP]
            packet.pts = packet.dts = round(number / FPS / packet.time_base)
            container.mux(packet)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_an_hour_takes_what_a_minute_takes(tmp_path):
    for name, length in (("minute", MINUTE), ("hour", HOUR)):
        write_video(tmp_path / f"{name}.mp4", length)
    (tmp_path / "classes.txt").write_text("a\nb\n")
    (tmp_path / "test.csv").write_text("path,labels\nminute.mp4,a\nhour.mp4,b\n")
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    of_minute, of_hour, of_frames = map(int, done.stdout.split())
    assert of_frames <= (4 + 3 + 3) * 32 * HEIGHT * WIDTH * 3
    # Beside up to so many frames more than of the short one, whose clips overlap: an index.
    assert of_hour - of_minute < 2 * of_frames + 100 * HOUR
