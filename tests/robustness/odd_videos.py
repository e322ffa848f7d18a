"""
Videos that are broken, or merely odd, each in one way; every frame says which it is.

A frame's left half holds 16 blocks of black or white, 4 x 4, row by row: 8 bits of the video's
number, then 8 of the frame's. Its right half is red, so that a turned frame is known.
"""

import struct
from fractions import Fraction

import av
import cv2
import numpy as np

LENGTH, FPS, BLOCK = 24, 24, 8
SIZE = 4 * BLOCK
_TICK = Fraction(1, FPS)

READABLE = ("wrong suffix", "one frame", "odd size", "rotated", "variable rate", "10-bit", "gaps")
BROKEN = ("truncated", "zero bytes", "only sound", "holes in frames", "unreadable")


def picture(video, frame, height=SIZE, width=2 * SIZE):
    """RGB, height x width."""
    bits = [(number >> place) & 1 for number in (video, frame) for place in range(8)]
    blocks = np.kron(np.reshape(bits, (4, 4)), np.ones((BLOCK, BLOCK)))
    image = np.zeros((height, width, 3), np.uint8)
    image[:SIZE, :SIZE] = 255 * blocks[..., None]
    image[:, SIZE:] = (255, 0, 0)
    return image


def numbers_in(image):
    """(int, int) or None: the numbers of the video and the frame; None where it is not upright."""
    height, width = image.shape[:2]
    if width <= height or image[:SIZE, SIZE + 4 :].mean(axis=(0, 1)) @ (1, -1, -1) < 100:
        return None
    middles = image[BLOCK // 2 : SIZE : BLOCK, BLOCK // 2 : SIZE : BLOCK].mean(axis=2)
    bits = (middles > 127).astype(int).ravel()
    return tuple(int(bits[start : start + 8] @ (1 << np.arange(8))) for start in (0, 8))


def write_plain(path, video, length=LENGTH, moments=None, codec="libx264", turned=False, **form):
    """
    Args:
        moments (list[int]): when each frame is shown, in frames; None: evenly.
        turned (bool): frames are stored upright when turned by a quarter, and not marked so.
        form: `height`, `width`, `pix_fmt`.
    """
    height, width = form.get("height", SIZE), form.get("width", 2 * SIZE)
    # The header first, so that what is cut off are frames.
    faststart = {"movflags": "faststart"}
    with av.open(str(path), "w", format="mp4", options=faststart) as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.pix_fmt = form.get("pix_fmt", "yuv420p")
        stream.options = {"crf": "4", "g": "8"} if codec == "libx264" else {"qscale": "1"}
        stream.height, stream.width = (width, height) if turned else (height, width)
        stream.codec_context.time_base = _TICK
        for frame, moment in enumerate(moments or range(length)):
            image = picture(video, frame, height, width)
            image = np.ascontiguousarray(np.rot90(image)) if turned else image
            coded = av.VideoFrame.from_ndarray(image, format="rgb24")
            coded.pts, coded.time_base = moment, _TICK
            container.mux(stream.encode(coded))
        container.mux(stream.encode())


def moments_of(kind):
    """When each frame of a video of this kind is shown, in frames at FPS."""
    if kind == "variable rate":
        return [*range(12), *range(12, 60, 4)]
    if kind == "gaps":
        return [*range(8), *range(40, 56)]
    return list(range(1 if kind == "one frame" else LENGTH))


def write_odd(folder, kind, video):
    """Writes one video; returns its path relative to `folder` (Path)."""
    path = folder / f"{kind.replace(' ', '-')}-{video}.mp4"
    writer = _WRITERS.get(kind)
    if writer:
        return writer(path, video).name
    write_plain(path, video, moments=moments_of(kind))
    return path.name


def _wrong_suffix(path, video):
    path = path.with_suffix(".avi")
    write_plain(path, video)
    return path


def _odd_size(path, video):
    write_plain(path, video, codec="mpeg4", height=SIZE + 3, width=2 * SIZE + 5)
    return path


def _rotated(path, video):
    """Stored turned to the left; the header says to turn it to the right."""
    write_plain(path, video, turned=True)
    turn_in_header(path)
    return path


def turn_in_header(path, matrix=(0, 1, 0, -1, 0, 0)):
    """Sets the matrix (a, b, u, c, d, v) of the track's header."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">6i", data, place, *(65536 * number for number in matrix))
    path.write_bytes(data)


def _ten_bits(path, video):
    write_plain(path, video, pix_fmt="yuv420p10le")
    return path


def _truncated(path, video):
    write_plain(path, video)
    path.write_bytes(path.read_bytes()[:-900])
    return path


def _zero_bytes(path, video):
    path.write_bytes(b"")
    return path


def _only_sound(path, video):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path


def _holes(path, video):
    path = path.with_suffix("")
    path.mkdir()
    for frame in range(LENGTH):
        if frame not in (9, 10):
            image = picture(video, frame)[..., ::-1]
            cv2.imwrite(str(path / f"{frame + 1:06d}.png"), image)
    return path


def _unreadable(path, video):
    write_plain(path, video)
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for position, size in packets:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    return path


_WRITERS = {
    "wrong suffix": _wrong_suffix,
    "odd size": _odd_size,
    "rotated": _rotated,
    "10-bit": _ten_bits,
    "truncated": _truncated,
    "zero bytes": _zero_bytes,
    "only sound": _only_sound,
    "holes in frames": _holes,
    "unreadable": _unreadable,
}


def add_old_sound(path, codec, samples, data, chunks=1, samples_a_chunk=None):
    """
    Adds a track as QuickTime wrote sound until about 2005: its tables count samples of a byte.

    Args:
        path (Path): an MP4 with its header first.
        codec (bytes): such as b"ima4", 64 samples in 34 bytes.
        samples (int): how many there are.
        data (bytes): what they are stored as.
        chunks (int): all of which begin at the same place.
        samples_a_chunk (int or None): None: as many as there are.
    """
    movie = path.read_bytes()
    start = movie.index(b"moov") - 4
    end = start + int.from_bytes(movie[start : start + 4], "big")
    # The length of the track counts in the place of what lies behind it.
    length = len(_old_sound(codec, samples, [0] * chunks, samples_a_chunk))
    places = [len(movie) + length + 8] * chunks
    track = _old_sound(codec, samples, places, samples_a_chunk)
    header = bytearray(movie[start:end] + track)
    header[:4] = struct.pack(">I", len(header))
    table = header.index(b"stco") + 12
    rows = int.from_bytes(header[table - 4 : table], "big")
    for place in range(table, table + 4 * rows, 4):
        moved = int.from_bytes(header[place : place + 4], "big") + length
        header[place : place + 4] = struct.pack(">I", moved)
    path.write_bytes(movie[:start] + header + movie[end:] + box(b"mdat", data))


def _old_sound(codec, samples, places, samples_a_chunk):
    chunks = len(places)
    track = struct.pack(">5I", 0, 0, 9, 0, 1000) + bytes(16)
    track += struct.pack(">9i", 2**16, 0, 0, 0, 2**16, 0, 0, 0, 2**30) + bytes(8)
    description = struct.pack(">I4s6xH", 36, codec, 1)
    description += struct.pack(">HHIHHHHI", 0, 0, 0, 1, 16, 0, 0, 44100 << 16)
    tables = _table(b"stsd", struct.pack(">I", 1) + description)
    tables += _table(b"stts", struct.pack(">3I", 1, samples, 1))
    tables += _table(b"stsc", struct.pack(">4I", 1, 1, samples_a_chunk or samples // chunks, 1))
    tables += _table(b"stsz", struct.pack(">2I", 1, samples))
    tables += _table(b"stco", struct.pack(f">{chunks + 1}I", chunks, *places))
    reference = _table(b"dref", struct.pack(">I", 1) + box(b"url ", bytes((0, 0, 0, 1))))
    information = _table(b"smhd", bytes(4)) + box(b"dinf", reference) + box(b"stbl", tables)
    media = _table(b"mdhd", struct.pack(">4IHH", 0, 0, 44100, samples, 0, 0))
    media += _table(b"hdlr", b"mhlrsoun" + bytes(13)) + box(b"minf", information)
    return box(b"trak", _table(b"tkhd", track) + box(b"mdia", media))


def _table(kind, content):
    return box(kind, bytes(4) + content)


def box(kind, content):
    """A box of an MP4 file."""
    return struct.pack(">I", 8 + len(content)) + kind + content
