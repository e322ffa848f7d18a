"""Frames and times are those that the decoder gives and the stamps say, whatever headers say."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from slowfast_ext.datasets import container, video_file, views
from slowfast_ext.datasets.decoder import Decoder
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.windows import list_windows
from tests.datasets.odd_files import (
    FPS,
    LENGTH,
    FieldWriter,
    check,
    decoded,
    encode,
    numbers_read,
    write,
)
from tests.robustness.odd_videos import picture

# --- Stamps and headers ----------------------------------------------------------------


@pytest.mark.parametrize("ending", ["mkv", "webm", "flv", "ts", "mp4", "mov", "avi", "nut"])
def test_rates_come_from_stamps(tmp_path, ending):
    """A recorder announces 60 frames a second and gets 10 from its camera."""
    codec = {"avi": "mpeg4", "webm": "libvpx"}.get(ending, "libx264")
    path = tmp_path / f"camera.{ending}"
    moments = range(0, 6 * LENGTH, 6)
    tick = Fraction(1, 60)
    write(path, moments, codec, tick, announced=60)
    check(path, range(LENGTH), np.arange(LENGTH) / 10, fps=10)


@pytest.mark.parametrize("ending,place", [("mkv", b"\x23\xe3\x83"), ("flv", b"framerate\0")])
def test_headers_of_a_thousand_frames_a_second(tmp_path, ending, place):
    path = tmp_path / f"x.{ending}"
    write(path, range(LENGTH))
    data = bytearray(path.read_bytes())
    start = data.index(place) + len(place)
    if ending == "mkv":
        size = data[start] & 0x7F
        data[start + 1 : start + 1 + size] = (1_000_000).to_bytes(size, "big")
    else:
        data[start : start + 8] = struct.pack(">d", 1000.0)
    path.write_bytes(data)
    info = check(path, range(LENGTH), np.arange(LENGTH) / FPS, fps=FPS)
    frames = views.clip_of_video(info, 8, 4, 30, 0.5)
    assert np.ptp(info.times[frames]) == pytest.approx(28 / 30, abs=0.05)


def test_a_long_last_frame_makes_no_video_slow(tmp_path):
    path = tmp_path / "x.mp4"
    write(path, range(LENGTH))
    data = bytearray(path.read_bytes())
    place = data.index(b"stts") + 8
    count, duration = struct.unpack_from(">II", data, place + 4)
    assert count == LENGTH
    # One more row fits in the place of what follows only where the table is written anew.
    row = struct.pack(">IIIII", 2, count - 1, duration, 1, 100 * duration)
    table = struct.pack(">I4sI", 16 + 16, b"stts", 0) + row
    path.write_bytes(_with_box(bytes(data), b"stts", table))
    check(path, range(LENGTH), np.arange(LENGTH) / FPS, fps=FPS)


def _with_box(data, kind, box):
    """An MP4 file, its header last, with another box in the place of one of this kind."""
    start = data.index(kind) - 4
    size = int.from_bytes(data[start : start + 4], "big")
    data = bytearray(data[:start] + box + data[start + size :])
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = data.index(parent) - 4
        whole = int.from_bytes(data[place : place + 4], "big") + len(box) - size
        data[place : place + 4] = struct.pack(">I", whole)
    return bytes(data)


def test_windows_of_a_wrong_header_are_distinct(tmp_path, prediction_config):
    path = tmp_path / "x.mkv"
    write(path, range(0, 100 * 3, 3), tick=Fraction(1, 30), announced=30)
    with open_video(path) as video:
        windows = list_windows(prediction_config, video.info, 1.0)
    assert len({tuple(frames) for frames in windows.frames}) == len(windows.frames) == 10


@pytest.fixture
def prediction_config():
    from slowfast_ext.config.load import load_config

    words = "DATA.NUM_FRAMES 8 DATA.SAMPLING_RATE 4 DATA.TARGET_FPS 30 MODEL.NUM_CLASSES 2"
    words += " MODEL.MODEL_NAME ActivityNetwork MODEL.ARCH i3d MODEL.LOSS_FUNC bce_logit"
    words += " MODEL.HEAD_ACT sigmoid DATA.INPUT_CHANNEL_NUM [3] NUM_GPUS 0"
    return load_config(None, words.split())


@pytest.mark.parametrize("rate,fps", [(FPS, FPS), (50, 50), (None, None)])
def test_bare_streams_have_the_rate_of_their_own_header(tmp_path, rate, fps):
    path = tmp_path / "bare.h264"
    writer = FieldWriter(rate, fields=False)
    path.write_bytes(b"".join(data for data, _, _ in writer.packets(12)))
    with open_video(path) as video:
        assert numbers_read(video) == list(range(12))
        assert video.info.fps == fps
        assert (video.info.times is None) == (rate is None)
        assert video.info.duration == (None if rate is None else pytest.approx(12 / rate))


def test_dv_has_its_systems_rate(tmp_path):
    path = tmp_path / "tape.dv"
    with av.open(str(path), "w", format="dv") as container:
        stream = container.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture(173, number, 576, 720), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_video(path) as video:
        assert (video.info.length, video.info.fps) == (3, 25)
        assert video.info.times == pytest.approx([0, 0.04, 0.08])
        assert (video.info.height, video.info.width) == (576, 768)


# --- The file's own clock --------------------------------------------------------------


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "ts", "mpg"])
def test_a_picture_that_starts_after_the_sound(tmp_path, ending):
    path = tmp_path / f"late.{ending}"
    codec = "mpeg2video" if ending == "mpg" else "libx264"
    write(path, range(2 * FPS, 2 * FPS + LENGTH), codec, sound=(0, 4))
    expected = decoded(path)
    info = check(path, [number for _, number in expected], [time for time, _ in expected])
    assert info.times[0] == pytest.approx(2, abs=0.06)
    assert info.duration == pytest.approx(2 + LENGTH / FPS, abs=0.06)


def test_an_empty_edit_is_waited_for(tmp_path):
    """Players of MP4 show nothing, or the first frame, for the two seconds."""
    path = tmp_path / "empty.mp4"
    write(path, range(2 * FPS, 2 * FPS + LENGTH))
    assert path.read_bytes().count(b"\xff" * 4) >= 1
    check(path, range(LENGTH), 2 + np.arange(LENGTH) / FPS, fps=FPS)


@pytest.mark.parametrize("ending", ["mkv", "ts", "flv"])
def test_a_late_first_stamp_alone_is_the_start(tmp_path, ending):
    path = tmp_path / f"late.{ending}"
    write(path, range(50, 50 + LENGTH))
    check(path, range(LENGTH), np.arange(LENGTH) / FPS, fps=FPS)


def test_clips_and_windows_of_a_late_picture(tmp_path, prediction_config):
    times = 2 + np.concatenate([np.arange(30) / 30, 1 + np.arange(30) / 10])
    info = video_file.VideoInfo(60, 59 / np.ptp(times), 8, 8, times)
    frames = views.clip_of_video(info, 8, 4, 30, 0.5)
    assert np.diff(times[frames]) == pytest.approx(np.full(7, 4 / 30), abs=0.1)
    windows = list_windows(prediction_config, info, 1.0)
    assert windows.spans[0].tolist() == [0, 1]
    assert windows.spans[-1, 1] == pytest.approx(info.duration)
    assert windows.frames[0].tolist() == windows.frames[1].tolist()
    middle = times[windows.frames[4]].mean()
    assert middle == pytest.approx(4.5, abs=0.2)


# --- Broken clocks ---------------------------------------------------------------------


def joined(path, *parts):
    """Writes what the files `parts` hold one after the other."""
    path.write_bytes(b"".join(Path(part).read_bytes() for part in parts))
    return path


def part(path, first, length=LENGTH, start=0, **options):
    """A transport stream of frames from `first` on, whose clock starts at `start` frames."""

    def moved(packets):
        # The numbers are those of the pictures, the clock is set apart from them.
        kept = packets[first:]
        for packet in kept:
            packet.pts += start - first
            packet.dts += start - first
        return kept

    return write(path, range(first + length), edit=moved, **{"g": length, **options})


@pytest.mark.parametrize("start", [0, 10, 30, LENGTH, 4000])
@pytest.mark.parametrize("bf", [0, 2])
def test_joined_streams_go_on(tmp_path, start, bf):
    """A clock that starts again, is set back a little, goes on, or jumps ahead."""
    one = part(tmp_path / "a.ts", 0, bf=bf)
    other = part(tmp_path / "b.ts", LENGTH, start=start, bf=bf)
    path = joined(tmp_path / "joined.ts", one, other)
    check(path, range(2 * LENGTH), np.arange(2 * LENGTH) / FPS, fps=FPS)


@pytest.mark.parametrize("length", [2, 30, 90])
def test_frames_without_stamps_behind_the_last_one(tmp_path, length):
    """A program stream has a stamp a PES packet, which small frames share."""
    path = tmp_path / "x.mpg"
    write(path, range(length), crf=20, bf=2, g=90)
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert len(stamps) == length and stamps.count(None) >= length - 2
    check(path, range(length), np.arange(length) / FPS, fps=FPS)


def test_a_pause_in_a_stream_stays(tmp_path):
    moments = [*range(LENGTH), *range(LENGTH + 5 * FPS, 2 * LENGTH + 5 * FPS)]
    write(tmp_path / "x.ts", moments)
    check(tmp_path / "x.ts", range(2 * LENGTH), np.array(moments) / FPS)
    moments[LENGTH:] = range(LENGTH + 60 * FPS, 2 * LENGTH + 60 * FPS)
    write(tmp_path / "x.mkv", moments)
    check(tmp_path / "x.mkv", range(2 * LENGTH), np.array(moments) / FPS)


MOMENTS = [*range(20), *range(20, 140, 6)]
WRONG = {"repeated": 0, "far ahead": 20 * FPS, "back": -15}


@pytest.mark.parametrize("ending", ["mkv", "flv", "ts"])
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("bf", [0, 2])
def test_one_wrong_stamp_costs_one_frames_time(tmp_path, ending, wrong, bf):
    path = tmp_path / f"x.{ending}"
    # With frames in another order than shown, the 22nd that is stored is one to refer to.
    write(path, MOMENTS, bf=bf, g=100)
    restamp = {"mkv": _restamp_matroska, "flv": _restamp_flash, "ts": _restamp_stream}[ending]
    milliseconds = (MOMENTS[19] + WRONG[wrong]) * 1000 // FPS
    restamp(path, 21, milliseconds)
    _check_one_wrong(path)


def _check_one_wrong(path):
    with open_video(path) as video:
        info = video.info
        assert numbers_read(video) == list(range(LENGTH))
    error = np.abs(info.times - np.array(MOMENTS) / FPS)
    assert error.max() <= 12 / FPS
    assert (error > 2e-3).sum() <= 1


@pytest.mark.parametrize("ending", ["mp4", "mkv", "flv", "ts"])
def test_stamps_in_the_order_stored(tmp_path, ending):
    """As AVI's are once they are copied: frames are shown in the decoder's order all the same."""

    def stored(packets):
        first = packets[0].dts
        for packet in packets:
            packet.dts -= first
            packet.pts = packet.dts
        return packets

    path = tmp_path / f"x.{ending}"
    write(path, range(LENGTH), edit=stored, bf=2)
    assert [number for _, number in decoded(path)] == list(range(LENGTH))
    check(path, range(LENGTH), np.arange(LENGTH) / FPS, fps=FPS)


def test_headers_of_a_joined_part_are_no_frames(tmp_path, monkeypatch):
    """Theora's decoder refuses those of the second part of a joined Ogg."""

    class Headers(bytes):
        pts, dts, size, is_keyframe, is_discard = None, None, 63, True, False

        def decode(self):
            raise av.error.PermissionError(1, "Operation not permitted")

    def with_headers(track, packets=container.Track.packets):
        for number, packet in enumerate(packets(track)):
            if number == 20:
                yield Headers(63)
            yield packet

    path = tmp_path / "x.mkv"
    write(path, range(LENGTH))
    monkeypatch.setattr(container.Track, "packets", with_headers)
    check(path, range(LENGTH), np.arange(LENGTH) / FPS)


def test_a_repeated_stamp_of_mp4_costs_one_frames_time(tmp_path):
    path = tmp_path / "x.mp4"
    write(path, MOMENTS)
    _repeat_stamp(path)
    _check_one_wrong(path)


def _restamp_matroska(path, place, milliseconds):
    """Sets the time of a block, which counts from its cluster's."""
    with av.open(str(path)) as container:
        start = [packet.pos for packet in container.demux(video=0) if packet.size][place]
    data = bytearray(path.read_bytes())
    # Behind the block's size, of one byte or two, and the track's number.
    start += 2 if data[start] & 0x80 else 3
    struct.pack_into(">h", data, start, milliseconds)
    path.write_bytes(data)


def _restamp_flash(path, place, milliseconds):
    """Sets the time of a video tag at which it is decoded, and no later one to show it."""
    data, start, found = bytearray(path.read_bytes()), 13, -1
    while True:
        # Frames alone, not the codec's header.
        found += data[start] == 9 and data[start + 12] == 1
        if found == place:
            break
        start += 15 + int.from_bytes(data[start + 1 : start + 4], "big")
    data[start + 4 : start + 8] = milliseconds.to_bytes(3, "big") + b"\0"
    data[start + 13 : start + 16] = bytes(3)
    path.write_bytes(data)


def _restamp_stream(path, place, milliseconds):
    """Sets the time of a packet of a transport stream, whose clock starts at 1.4 s."""
    data, start = bytearray(path.read_bytes()), -1
    for _ in range(place + 1):
        start = data.index(b"\0\0\1\xe0", start + 1)
    both = data[start + 7] >> 6 == 3
    ticks = milliseconds * 90 + 126000 + (2 * 3600 if data[start + 7] >> 6 == 3 else 0)
    for offset, mark in ((9, 0x30 if both else 0x20), (14, 0x10))[: 1 + both]:
        code = (
            mark | ticks >> 29 & 0xE | 1,
            (ticks >> 15 & 0x7FFF) << 1 | 1,
            (ticks & 0x7FFF) << 1 | 1,
        )
        struct.pack_into(">BHH", data, start + offset, *code)
    path.write_bytes(data)


def _repeat_stamp(path):
    """Gives the 20th frame of an MP4 a duration of nothing, and the next that of both."""
    data = path.read_bytes()
    start = data.index(b"stts") + 8
    rows = int.from_bytes(data[start : start + 4], "big")
    pairs = np.frombuffer(data[start + 4 : start + 4 + 8 * rows], ">u4").reshape(-1, 2)
    durations = np.repeat(pairs[:, 1], pairs[:, 0]).tolist()
    durations[19], durations[20] = 0, durations[19] + durations[20]
    table = b"".join(struct.pack(">II", 1, duration) for duration in durations)
    box = struct.pack(">I4sII", 16 + len(table), b"stts", 0, len(durations)) + table
    path.write_bytes(_with_box(data, b"stts", box))


# --- Edits -----------------------------------------------------------------------------


def test_edits_in_another_order_than_the_samples(tmp_path):
    path = tmp_path / "edited.mp4"
    write(path, range(LENGTH), bf=2)
    data = path.read_bytes()
    start = data.index(b"elst") + 12
    _, media = struct.unpack_from(">Ii", data, start)
    tick = 12800 // FPS
    edits = [(20, 23), (17, 3)]
    rows = b"".join(
        struct.pack(">IiI", 1000 * length // FPS, media + first * tick, 1 << 16)
        for length, first in edits
    )
    table = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(edits)) + rows
    whole = struct.pack(">I4s", 8 + len(table), b"edts") + table
    path.write_bytes(_with_edits(data, whole))
    expected = decoded(path)
    numbers = [number for _, number in expected]
    assert numbers[0] in (22, 23) and numbers[-1] < 21
    check(path, numbers, [time for time, _ in expected])


def _with_edits(data, box):
    start = data.index(b"edts") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    data = bytearray(data[:start] + box + data[start + size :])
    for parent in (b"moov", b"trak"):
        place = data.index(parent) - 4
        whole = int.from_bytes(data[place : place + 4], "big") + len(box) - size
        data[place : place + 4] = struct.pack(">I", whole)
    return bytes(data)


def test_encoded_packets_stay_in_order():
    """What the tests above cut and join: the encoder's own order."""
    _, packets = encode(range(10), bf=2)
    assert len(packets) == 10 and packets[0].is_keyframe


def test_indices_that_took_decoding_are_remembered(tmp_path, monkeypatch):
    one, other = (part(tmp_path / f"{k}.ts", k * LENGTH, bf=2) for k in (0, 1))
    path = joined(tmp_path / "joined.ts", one, other)
    calls, frames_from = [], Decoder.frames_from

    def counted(self, *key):
        calls.append(self.path)
        return frames_from(self, *key)

    monkeypatch.setattr(Decoder, "frames_from", counted)
    for _ in range(3):
        with open_video(path) as video:
            assert video.info.length == 2 * LENGTH
    assert len(calls) == 1
