#!/usr/bin/env bash
# A VP8 file of two passes, as WebM encoders make them, holds packets that show nothing.
#
# Versions: imageio-ffmpeg 0.6.0 (its FFmpeg encodes by libvpx), PyAV 17.0.1.
# Behaviour: VP8's alternate reference frames are packets of their own, with content and a time stamp
# (that of the picture that follows), and decode to nothing. What takes the number of packets for the
# number of frames is wrong by them. VP9 packs each of them into one packet with a shown frame.
# Output seen, of 150 pictures:
#     VP8: packets, distinct stamps, frames 155 150 150
#     VP9: packets, distinct stamps, frames 150 150 150
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -q imageio-ffmpeg==0.6.0 av==17.0.1 numpy
cat >check.py <<'PY'
import subprocess

import av
import imageio_ffmpeg
import numpy as np

WIDTH, HEIGHT, PICTURES = 288, 128, 150


def picture(number):
    """The number in bars of nine bits."""
    bars = np.repeat([40 + 180 * (number >> bit & 1) for bit in range(9)], WIDTH // 9)
    return np.broadcast_to(bars[None, :, None], (HEIGHT, WIDTH, 3)).astype(np.uint8)


def encode(codec, name):
    raw = b"".join(picture(number).tobytes() for number in range(PICTURES))
    given = f"-y -v error -f rawvideo -pix_fmt rgb24 -s {WIDTH}x{HEIGHT} -r 30 -i -".split()
    how = f"-c:v {codec} -b:v 300k -auto-alt-ref 1 -lag-in-frames 25 -g 120 -deadline good".split()
    for tail in (["-pass", "1", "-f", "null", "-"], ["-pass", "2", name]):
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *given, *how, *tail]
        subprocess.run(command, input=raw, check=True)


def counts(name):
    with av.open(name) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    with av.open(name) as container:
        frames = sum(1 for _ in container.decode(video=0))
    return len(packets), len({packet.pts for packet in packets}), frames


for codec, name in (("libvpx", "vp8.webm"), ("libvpx-vp9", "vp9.webm")):
    encode(codec, name)
vp8, vp9 = counts("vp8.webm"), counts("vp9.webm")
print("VP8: packets, distinct stamps, frames", *vp8)
print("VP9: packets, distinct stamps, frames", *vp9)
assert vp8[2] == PICTURES and vp8[0] > PICTURES, "VP8's packets are its frames now"
assert vp9[0] == vp9[2] == PICTURES, "VP9's packets are not its frames now"
PY
env/bin/python check.py
