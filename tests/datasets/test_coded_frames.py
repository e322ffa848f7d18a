"""Packets are not frames: hidden pictures, fields, lost references, and what AVI drops or packs."""

from fractions import Fraction

import av
import numpy as np
import pytest

from slowfast_ext.datasets.video import open_video
from slowfast_ext.errors import SlowFastExtError
from tests.datasets.odd_files import (
    FPS,
    LENGTH,
    FieldWriter,
    check,
    decoded,
    numbers_read,
    write,
)

# --- Packets and frames ----------------------------------------------------------------


@pytest.mark.parametrize("ending", ["webm", "mkv", "ivf"])
@pytest.mark.parametrize("codec,bit", [("libvpx", 0x10), ("libvpx-vp9", 0x02)])
def test_hidden_reference_frames_are_none(tmp_path, ending, codec, bit):
    """Stored as encoders do: a frame to refer to, marked as not to be shown."""

    def hide(packets):
        stored = []
        for number, packet in enumerate(packets):
            data = bytearray(bytes(packet))
            # Of VP9 only a key frame's header does not change with it.
            if number in ((8, 16) if "vp9" in codec else (3, 8, 21)):
                data[0] &= ~bit
            other = av.Packet(bytes(data))
            other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
            other.stream, other.is_keyframe = packet.stream, packet.is_keyframe
            stored.append(other)
        return stored

    path = tmp_path / f"hidden.{ending}"
    write(path, range(LENGTH), codec, edit=hide, lag_in_frames=0, crf=10, b=0, deadline="realtime")
    expected = decoded(path)
    assert len(expected) == LENGTH - (2 if "vp9" in codec else 3)
    check(path, [number for _, number in expected], [time for time, _ in expected])


@pytest.mark.parametrize("ending", ["ts", "mkv", "h264"])
@pytest.mark.parametrize("together", [False, True])
def test_two_fields_are_one_frame(tmp_path, ending, together):
    """AVCHD: a frame's fields in packets of their own, each with a stamp or the first alone."""
    data = list(FieldWriter().packets(LENGTH))
    bare = tmp_path / "fields.h264"
    bare.write_bytes(b"".join(unit for unit, _, _ in data))
    path = tmp_path / f"fields.{ending}"
    if ending != "h264":
        _store_fields(bare, path, data, together)
    expected = decoded(path)
    assert [number for _, number in expected] == list(range(LENGTH))
    check(path, range(LENGTH), np.arange(LENGTH) / FPS, fps=FPS)


def _store_fields(bare, path, data, together):
    form = {".ts": "mpegts", ".mkv": "matroska"}[path.suffix]
    with av.open(str(bare)) as source, av.open(str(path), "w", format=form) as target:
        next(source.decode(video=0))
        stream = target.add_stream_from_template(source.streams.video[0])
        units = [unit for unit, _, _ in data]
        if together:
            units = [a + b for a, b in zip(units[::2], units[1::2], strict=True)]
        for number, unit in enumerate(units):
            packet = av.Packet(unit)
            packet.stream, packet.time_base = stream, Fraction(1, 2 * FPS)
            packet.pts = packet.dts = number * (2 if together else 1)
            packet.is_keyframe = number == 0
            target.mux(packet)


@pytest.mark.parametrize("ending", ["ts", "mkv", "mp4", "avi", "bare"])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_pictures_without_their_reference_are_none(tmp_path, ending, codec):
    """Cut at an open group's key frame: pictures that lead up to it refer to what came before."""
    path = tmp_path / f"cut.{ending}"
    if ending == "bare":
        ending = {"libx264": "h264", "libx265": "hevc", "mpeg2video": "m2v"}[codec]
        path = tmp_path / f"cut.{ending}"
    if (ending, codec) in (("avi", "libx265"),):
        pytest.skip("no such files")
    options = {
        "libx264": {"x264-params": "open-gop=1:scenecut=0:b-adapt=0", "g": 12, "bf": 3},
        "libx265": {
            "x265-params": "log-level=none:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0"
        },
        "mpeg2video": {"g": 12, "bf": 2, "sc_threshold": 1000000000},
    }[codec]

    def cut(packets):
        keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
        kept = packets[keys[1] :]
        first = kept[0].dts
        for packet in kept:
            packet.pts, packet.dts = packet.pts - first, packet.dts - first
        return kept

    write(path, range(LENGTH), codec, edit=cut, qscale=1, **options)
    expected = decoded(path)
    assert 0 < len(expected) < LENGTH - 8
    with open_video(path) as video:
        assert numbers_read(video) == [number for _, number in expected]
        times = [time for time, _ in expected]
        if ending not in ("avi", "h264", "hevc", "m2v"):
            assert video.info.times - video.info.times[0] == pytest.approx(
                np.array(times) - times[0], abs=2e-3
            )


# --- AVI -------------------------------------------------------------------------------


@pytest.mark.parametrize("bf", [0, 2])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_chunks_that_a_recorder_dropped(tmp_path, codec, bf):
    """Empty chunks keep the time: the frame before stands until the next."""
    path = tmp_path / "gap.avi"
    moments = [*range(20), *range(50, 70)]
    write(path, moments, codec, bf=bf)
    info = check(path, range(LENGTH), np.array(moments) / FPS)
    assert info.duration == pytest.approx(70 / FPS, abs=0.05)


def test_empty_samples_of_mp4(tmp_path):
    path = tmp_path / "x.mp4"
    write(path, range(LENGTH), "mpeg4")
    data = bytearray(path.read_bytes())
    place = data.index(b"stsz") + 4 + 12
    # The last two frames, so that the places of the others stay.
    data[place + 4 * (LENGTH - 2) : place + 4 * LENGTH] = bytes(8)
    path.write_bytes(data)
    check(path, range(LENGTH - 2), np.arange(LENGTH - 2) / FPS)


@pytest.mark.parametrize("cut", [100, 700])
def test_a_cut_avi_is_called_truncated(tmp_path, cut):
    path = tmp_path / "x.avi"
    write(path, range(LENGTH), "mpeg4", qscale=1)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1") - cut])
    with pytest.raises(SlowFastExtError, match="truncated: the header names 40 frames"):
        open_video(path)


def test_an_avi_from_a_pipe_is_whole(tmp_path):
    """Nobody could go back and write how long it is."""
    path = tmp_path / "x.avi"
    write(path, range(LENGTH), "mpeg4", qscale=1)
    data = bytearray(path.read_bytes())
    data[4:8] = bytes([255] * 4)
    place = data.index(b"strh") + 8 + 32
    data[place : place + 4] = (2**30).to_bytes(4, "little")
    path.write_bytes(data)
    check(path, range(LENGTH), np.arange(LENGTH) / FPS, fps=FPS)


def test_packed_pictures_of_avi(tmp_path):
    """As DivX stored them: two pictures in one chunk, and an empty one for the second."""
    path = tmp_path / "packed.avi"
    write(path, range(LENGTH), "mpeg4", edit=_packed, bf=1, qscale=1)
    assert [number for _, number in decoded(path)] == list(range(LENGTH))
    check(path, range(LENGTH), np.arange(LENGTH) / FPS, fps=FPS)


# "Not coded": a predicted picture (01), no second passed (0), a marker, five bits of time, a
# marker, 0.
_NOT_CODED = b"\0\0\1\xb6" + bytes([0b01010000, 0b01001111])


def _packed(packets):
    chunks, number = [], 0
    while number < len(packets):
        data = bytes(packets[number])
        if number + 1 < len(packets) and packets[number + 1].pts < packets[number].pts:
            chunks += [data + bytes(packets[number + 1]), _NOT_CODED]
            number += 1
        else:
            chunks.append(data)
        number += 1
    start = chunks[0].index(b"\0\0\1\xb6")
    chunks[0] = chunks[0][:start] + b"\0\0\1\xb2DivX503b1393p\0" + chunks[0][start:]
    return [_chunk(data, number, packets[0]) for number, data in enumerate(chunks)]


def _chunk(data, number, like):
    packet = av.Packet(data)
    packet.pts = packet.dts = number
    packet.time_base, packet.stream = Fraction(1, FPS), like.stream
    packet.is_keyframe = number == 0
    return packet


@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv"])
def test_pictures_that_are_not_coded(tmp_path, ending):
    path = tmp_path / f"x.{ending}"

    def leave_out(packets):
        of = [_NOT_CODED if number in (9, 10) else bytes(p) for number, p in enumerate(packets)]
        return [_chunk(data, number, packets[0]) for number, data in enumerate(of)]

    write(path, range(LENGTH), "mpeg4", edit=leave_out, g=1, qscale=1)
    left = [number for number in range(LENGTH) if number not in (9, 10)]
    assert [number for _, number in decoded(path)] == left
    check(path, left, np.array(left) / FPS)
