"""Files made to execute something, to lead elsewhere, or to take all memory."""

import pickle
import struct
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from tests.robustness.odd_videos import add_old_sound, box, write_plain

HUGE = 100_000
"""Pixels of a side."""

MANY = 1_000_000_000
"""Frames."""

MOST = 80_000_000
"""Frames for which FFmpeg still makes room: 2 GB."""


class Runs:
    """Pickled as a call that makes a file where it is loaded with execution allowed."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return (Path.touch, (Path(self.marker),))


def checkpoint(path, marker):
    """A file of torch's."""
    torch.save({"model_state": Runs(marker), "epoch": 1, "cfg": ""}, path)


def plain_pickle(path, marker):
    """A pickle, as Caffe2's weights and Action Genome's boxes are."""
    path.write_bytes(pickle.dumps({"blobs": Runs(marker), "AAAAA.mp4/000001.png": Runs(marker)}))


def yaml_with_tag(path, marker):
    path.write_text(f'OUTPUT_DIR: !!python/object/apply:os.system ["touch {marker}"]\n')


# --- More than there is room for ---------------------------------------------------------


def many_frames(path):
    """An MP4 of a frame whose header counts MANY of one byte each."""
    write_plain(path, 1, length=1)
    _set_after(path, b"stsz", 4, struct.pack(">II", 1, MANY))


def many_in_fragment(path):
    """An MP4 that goes on in a fragment of MANY frames."""
    write_plain(path, 1, length=1)
    run = box(b"trun", struct.pack(">II", 0, MANY))
    track = box(b"traf", box(b"tfhd", struct.pack(">II", 0x20000, 1)) + run)
    fragment = box(b"moof", box(b"mfhd", bytes(8)) + track)
    path.write_bytes(path.read_bytes() + fragment)


def many_hidden(path):
    """As `many_frames`, with the table in a box where no player looks for one, but FFmpeg does."""
    write_plain(path, 1, length=1)
    _set_after(path, b"stsz", 4, struct.pack(">II", 1, MOST))
    _set_after(path, b"stbl", -4, b"schi")


def many_under_another_name(path):
    """As `many_frames`, with the header under the name of free space."""
    write_plain(path, 1, length=1)
    _set_after(path, b"stsz", 4, struct.pack(">II", 1, MOST))
    _set_after(path, b"moov", -4, b"free")


def many_among_codecs(path):
    """As `many_frames`, with the table behind the description of the codec, in its box."""
    write_plain(path, 1, length=1)
    data = bytearray(path.read_bytes())
    table = box(b"stsz", struct.pack(">III", 0, 1, MOST))
    # What lies around the description grows; the box of the frames' places takes other bytes.
    description = data.index(b"stsd")
    end = description - 4 + int.from_bytes(data[description - 4 : description], "big")
    data[end:end] = table
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        # The brand of the file may be avc1 too.
        place = data.index(name, 32) - 4
        size = int.from_bytes(data[place : place + 4], "big") + len(table)
        data[place : place + 4] = struct.pack(">I", size)
    last = data.rindex(b"stsz")
    data[last : last + 4] = b"free"
    path.write_bytes(data)


def large_chunks(path):
    """Old sound of 1000 samples, in chunks of 2^31 by another table."""
    write_plain(path, 1, length=1)
    add_old_sound(path, b"sowt", 1000, bytes(2000), chunks=40, samples_a_chunk=2**31 - 1)


def huge_avi(path):
    """Raw frames in an AVI whose header says that they are HUGE."""
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame(64, 32, "yuv420p")))
    data = bytearray(path.read_bytes())
    struct.pack_into("<II", data, data.index(b"strf") + 12, HUGE, HUGE)
    path.write_bytes(data)


def huge_y4m(path):
    """A raw video, whose header names any size."""
    path.write_bytes(f"YUV4MPEG2 W{HUGE} H{HUGE} F25:1 C420jpeg\nFRAME\n".encode() + bytes(1000))


def large_y4m(path):
    """As large as FFmpeg itself allows."""
    path.write_bytes(b"YUV4MPEG2 W16000 H16000 F25:1 C420jpeg\nFRAME\n" + bytes(1000))


def long_thin(path):
    """8 pixels high: scaled up to the short side of a clip it would be huge."""
    path.write_bytes(b"YUV4MPEG2 W65536 H8 F25:1 C420jpeg\n" + b"FRAME\n" + bytes(65536 * 12))


def huge_png(path):
    """A folder of one whole PNG file of HUGE x HUGE zeros, which take little room."""
    path.mkdir()
    header = struct.pack(">IIBBBBB", HUGE, HUGE, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(HUGE // 8 + 1) * 1000)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    (path / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def huge_jpeg(path):
    """A folder of one JPEG file that declares 65,500 x 65,500 pixels."""
    path.mkdir()
    data = bytearray(cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 65500, 65500)
    (path / "1.jpg").write_bytes(data)


def compressed_header(path):
    """QuickTime's header, compressed, which declares 2 GB."""
    content = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", 2**31 - 1) + bytes(100))
    path.write_bytes(box(b"ftyp", b"qt  " + bytes(4)) + box(b"moov", box(b"cmov", content)))


def play_list(path):
    """FFmpeg's own, which names another file."""
    write_plain(path.with_name("secret.mp4"), 1)
    path.write_text("ffconcat version 1.0\nfile secret.mp4\n")


VIDEOS = {
    "10^9 frames declared": (many_frames, "mp4"),
    "10^9 frames in a fragment": (many_in_fragment, "mp4"),
    "8 * 10^7 frames in a hidden table": (many_hidden, "mp4"),
    "8 * 10^7 frames in free space": (many_under_another_name, "mp4"),
    "8 * 10^7 frames among the codecs": (many_among_codecs, "mp4"),
    "sound in chunks of 2^31": (large_chunks, "mov"),
    "AVI, 100,000 x 100,000": (huge_avi, "avi"),
    "Y4M, 100,000 x 100,000": (huge_y4m, "y4m"),
    "Y4M, 16,000 x 16,000": (large_y4m, "y4m"),
    "65,536 x 8": (long_thin, "y4m"),
    "PNG, 100,000 x 100,000": (huge_png, ""),
    "JPEG, 65,500 x 65,500": (huge_jpeg, ""),
    "compressed header of 2 GB": (compressed_header, "mov"),
    "play list": (play_list, "mp4"),
}
"""What a file or folder is -> (what writes it, its ending)."""


def memo(path):
    """A pickle that numbers an object 2^31 - 1, for which the reader in C makes room: 32 GB."""
    path.write_bytes(b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b".")


def nested_anchors(path):
    """YAML of some lines that stands for 3^30 numbers."""
    names = [f"a{number}" for number in range(31)]
    lines = ["a0: &a0 [1, 1, 1]"]
    lines += [f"{b}: &{b} [*{a}, *{a}, *{a}]" for a, b in zip(names, names[1:], strict=False)]
    path.write_text("\n".join(lines) + "\n")


def _set_after(path, name, offset, content):
    data = bytearray(path.read_bytes())
    place = data.index(name) + 4 + offset
    data[place : place + len(content)] = content
    path.write_bytes(data)


def _chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum
