"""Frames are, bit for bit, those of plain sequential decoding, whatever is left undecoded."""

from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from slowfast_ext.datasets import video_file
from slowfast_ext.datasets.decoder import Decoder
from slowfast_ext.datasets.file_facts import find_facts
from slowfast_ext.datasets.known_files import KnownFiles
from slowfast_ext.datasets.video import open_video
from tests.datasets.odd_files import FPS, FieldWriter

LENGTH = 60


def h264(**options):
    """Groups of 24 with three B-frames between others."""
    words = {"keyint": 24, "min-keyint": 24, "scenecut": 0, "bframes": 3, "b-adapt": 0, **options}
    joined = ":".join(f"{key}={value}" for key, value in words.items())
    return "libx264", {"x264-params": joined, "crf": 20}


def hevc(**options):
    codec, params = h264(**{"log-level": "none", **options})
    return "libx265", {"x265-params": params["x264-params"], "crf": 20}


# name: (codec, options), whether there are pictures to leave out.
SPARE = {
    "pyramid.mp4": h264(**{"b-pyramid": "normal"}),
    "strict.mkv": h264(**{"b-pyramid": "strict", "ref": 4}),
    "flat.ts": h264(**{"b-pyramid": "none"}),
    "open.mp4": h264(**{"open-gop": 1, "b-pyramid": "normal"}),
    "open.ts": h264(**{"open-gop": 1, "bframes": 5}),
    "refresh.mkv": h264(**{"intra-refresh": 1, "keyint": 12, "bframes": 2}),
    "refresh.ts": h264(**{"intra-refresh": 1, "keyint": 8, "bframes": 0, "ref": 5}),
    "weighted.mp4": h264(**{"weightp": 2, "weightb": 1, "direct": "temporal", "bframes": 7}),
    "slices.mp4": h264(slices=4),
    "baseline.mkv": h264(**{"bframes": 0}),
    "hevc.mp4": hevc(),
    "hevc-open.mkv": hevc(**{"open-gop": 1, "bframes": 5, "b-adapt": 2}),
    "hevc-closed.ts": hevc(**{"open-gop": 0}),
}
WHOLE = {
    "interlaced.mp4": h264(interlaced=1),
    # A picture that its own layer does not refer to may serve the one above.
    "layers.mp4": hevc(**{"temporal-layers": 3}),
    "no-times.h264": h264(),
    "chunks.avi": h264(),
    "vp8.webm": ("libvpx", {"g": 12}),
    "vp9.webm": ("libvpx-vp9", {"g": 24, "deadline": "realtime", "cpu-used": 8}),
    "av1.mp4": ("libsvtav1", {"g": 24, "preset": 12, "svtav1-params": "enable-overlays=1"}),
    "mpeg4.mp4": ("mpeg4", {"g": 12, "bf": 2}),
    "mpeg4.avi": ("mpeg4", {"g": 12, "bf": 2}),
    "plain.avi": ("mpeg4", {"g": 12, "bf": 0}),
    "mpeg2.ts": ("mpeg2video", {"g": 12, "bf": 2}),
    "mpeg2.mpg": ("mpeg2video", {"g": 12, "bf": 2}),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """name -> (path, all frames by plain decoding), each made once."""
    folder, made = tmp_path_factory.mktemp("coded"), {}

    def make(name):
        if name not in made:
            codec, options = {**SPARE, **WHOLE}[name]
            path = str(folder / name)
            encode_moving(path, codec, options)
            made[name] = path, decode_plainly(path)
        return made[name]

    return make


def encode_moving(path, codec, options):
    """Noise that moves along, such that pictures refer to others, and a box in new colours."""
    random = np.random.default_rng(0)
    scene = cv2.resize(random.integers(0, 255, (30, 40, 3)).astype(np.uint8), None, fx=8, fy=8)
    options = {key: str(value) for key, value in options.items()}
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(LENGTH):
            top, left = 80 + round(70 * np.sin(number / 9)), 100 + round(90 * np.cos(number / 7))
            image = scene[top : top + 64, left : left + 96].copy()
            image[8:20, 8:20] = random.integers(0, 255, 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def decode_plainly(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def decoding_all(monkeypatch):
    """Nothing is left out."""
    monkeypatch.setattr(
        video_file, "find_facts", lambda decoder: replace(find_facts(decoder), has_spare=False)
    )
    monkeypatch.setattr(video_file, "KNOWN_FILES", KnownFiles())


def selections(length):
    """Clips, single frames, ends, everything, and what chance gives."""
    random = np.random.default_rng(0)
    yield from ([n] for n in range(0, length, 13))
    yield from (range(start, length, rate) for rate, start in ((2, 1), (3, 0), (4, 17), (8, 5)))
    yield from (np.sort(random.permutation(length)[:count]) for count in (3, 12))
    yield range(length)


def check(path, expected):
    with open_video(path) as video:
        assert video.info.length == len(expected)
    with open_video(path) as whole:
        for wanted in selections(len(expected)):
            # Opened anew, and going on from wherever the last reading ended.
            with open_video(path) as video:
                for source in (video, whole):
                    for frame, number in zip(source.read(wanted), wanted, strict=True):
                        assert np.array_equal(frame, expected[number]), (list(wanted), number)


@pytest.mark.parametrize("name", [*SPARE, *WHOLE])
def test_frames_are_those_of_plain_decoding(written, name):
    path, expected = written(name)
    check(path, expected)
    with open_video(path) as video:
        assert video._source._facts.has_spare == (name in SPARE)


@pytest.mark.parametrize("name", SPARE)
def test_frames_are_the_same_without_leaving_out(written, decoding_all, name):
    check(*written(name))


def test_fields_are_those_of_plain_decoding(tmp_path):
    path = tmp_path / "fields.ts"
    with av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream("libx264", rate=FPS)
        for number, (unit, _, is_key) in enumerate(FieldWriter().packets(24)):
            packet = av.Packet(unit)
            packet.stream, packet.time_base = stream, Fraction(1, 2 * FPS)
            packet.pts = packet.dts = number
            packet.is_keyframe = is_key
            target.mux(packet)
    check(path, decode_plainly(path))


@pytest.mark.parametrize("name", [name for name in SPARE if "bframes=0" not in str(SPARE[name])])
def test_less_is_decoded(written, name, monkeypatch):
    """At a rate of 4 at most the pictures of a pyramid, and none that no picture refers to."""
    path, _ = written(name)
    numbers, frames_from = [], Decoder.frames_from

    def counted(self, *key):
        numbers.append(0)
        for frame in frames_from(self, *key):
            numbers[-1] += 1
            yield frame

    monkeypatch.setattr(Decoder, "frames_from", counted)
    with open_video(path) as video:
        numbers.clear()
        video.read(range(0, LENGTH, 8))
    assert len(numbers) == 1 and numbers[0] <= 0.85 * LENGTH


def test_a_wanted_picture_that_is_not_given_is_decoded_in_full(written, monkeypatch):
    """As where a stream's pictures are not what their marks say."""
    path, expected = written("pyramid.mp4")
    spared = []

    def all_but_keys(self, stamp):
        is_spare = self._until is not None and stamp is not None and stamp % 1024
        spared.append(is_spare)
        return is_spare

    monkeypatch.setattr(Decoder, "_is_spare", all_but_keys)
    with open_video(path) as video:
        for wanted in ([3, 9, 20], [30, 31], [5]):
            images = video.read(wanted)
            assert all(
                np.array_equal(image, expected[n]) for image, n in zip(images, wanted, strict=True)
            )
    assert any(spared)


def test_a_reading_that_was_given_up_leaves_nothing_out_for_the_next(written):
    path, expected = written("pyramid.mp4")
    with open_video(path) as video:
        frames = video._source.decode(np.array([2, 40]))
        next(frames)
        # The decoder is ahead of the frame that it gave last.
        frames.close()
        for number in range(3, 12):
            assert np.array_equal(video.read([number])[0], expected[number])
