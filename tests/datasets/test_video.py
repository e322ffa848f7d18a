import glob
import itertools
import os
import struct
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from slowfast_ext.datasets.decoder import Decoder
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.views import scaled_size
from slowfast_ext.errors import SlowFastExtError

DATA = os.environ.get("SLOWFAST_EXT_DATA") or Path(__file__).resolve().parents[3] / "shared/data"
LENGTH, HEIGHT, WIDTH, FPS = 60, 48, 64, 25

# Frames shown in another order than stored (bf), references across key frames (open-gop).
OPEN_GROUPS = {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}
KINDS = {
    "open.mp4": ("libx264", OPEN_GROUPS),
    "closed.mp4": ("libx264", {"g": "12", "bf": "3"}),
    "tiny-groups.mp4": ("libx264", {"g": "3", "bf": "2"}),
    "open.mkv": ("libx264", OPEN_GROUPS),
    "open.ts": ("libx264", OPEN_GROUPS),
    "no-times.avi": ("libx264", {"g": "12", "bf": "3"}),
    "mpeg4.avi": ("mpeg4", {"g": "12", "bf": "2"}),
    "no-times.h264": ("libx264", {"g": "12", "bf": "3"}),
    "mpeg2.mpg": ("mpeg2video", {"g": "12", "bf": "2"}),
}


def encode(path, codec="libx264", options=None, length=LENGTH):
    """Writes a video of noise on a moving background, such that all frames differ."""
    random = np.random.default_rng(0)
    container_options = {"movflags": "faststart"} if path.endswith("mp4") else {}
    with av.open(path, "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = options or {"g": "12", "bf": "3"}
        for number in range(length):
            image = np.full((HEIGHT, WIDTH, 3), number * 4, np.uint8)
            image[:20, :20] = random.integers(0, 255, (20, 20, 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def decode_all(path):
    """Plain sequential decoding from the first key frame on, as [length, H, W, 3]."""
    with av.open(path) as container:
        packets = container.demux(container.streams.video[0])
        packets = itertools.dropwhile(lambda packet: not packet.is_keyframe, packets)
        frames = [frame for packet in packets for frame in packet.decode()]
        return np.stack([frame.to_ndarray(format="rgb24") for frame in frames])


def check_reads(path, expected):
    """Single frames, both ends, repeats, disorder, gaps, all, and all once more."""
    last = len(expected) - 1
    for indices in (
        *([index] for index in {*range(0, len(expected), 1 + last // 40), last}),
        [last, 0],
        [7, 3, 3, 9, 7],
        range(5, last, 4),
        [2, last // 2, last // 2 + 1, last - 1],
        range(len(expected)),
        [0],
    ):
        with open_video(path) as video:
            frames = video.read(indices)
            assert frames.dtype == np.uint8
            assert np.array_equal(frames, expected[list(indices)]), list(indices)
            # A reader that has moved on finds earlier frames again.
            assert np.array_equal(video.read([1, 0]), expected[[1, 0]])


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return {name: encode(str(folder / name), *kind) for name, kind in KINDS.items()}


@pytest.mark.parametrize("name", KINDS)
def test_chosen_frames_are_those_of_sequential_decoding(videos, name):
    expected = decode_all(videos[name])
    assert len(expected) == LENGTH
    assert len(np.unique(expected.reshape(LENGTH, -1), axis=0)) == LENGTH
    with open_video(videos[name]) as video:
        info = video.info
    assert (info.length, info.fps, info.height, info.width) == (LENGTH, FPS, HEIGHT, WIDTH)
    assert info.times == pytest.approx(np.arange(LENGTH) / FPS, abs=1e-3)
    check_reads(videos[name], expected)


def test_real_videos():
    paths = sorted(glob.glob(os.path.join(DATA, "videos", "*.mp4")))
    if not paths:
        pytest.skip(f"no videos in {DATA}/videos; set SLOWFAST_EXT_DATA to a folder with some")
    for path in paths[:3]:
        expected = decode_all(path)
        with open_video(path, pixel_aspect=False) as video:
            assert video.info.length == len(expected)
            assert (np.diff(video.info.times) > 0).all()
            for indices in (range(len(expected)), [len(expected) - 1], range(3, 25, 4)):
                assert np.array_equal(video.read(indices), expected[list(indices)])


def cut(recording, path, first, last):
    """Copies the packets first to last - 1 (None: to the end) of a recording."""
    with av.open(recording) as source, av.open(path, "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in itertools.islice(source.demux(source.streams.video[0]), first, last):
            if packet.size:
                packet.stream = stream
                container.mux(packet)


@pytest.mark.parametrize("name", ["open.mkv", "open.ts"])
def test_a_recording_cut_between_key_frames_starts_at_the_first_one(videos, tmp_path, name):
    path = str(tmp_path / name)
    cut(videos["open.ts"], path, 6, None)
    expected = decode_all(path)
    assert np.array_equal(expected, decode_all(videos["open.ts"])[12:])
    check_reads(path, expected)
    cut(videos["open.ts"], path, 1, 6)
    check_refused(path, "holds no frame that can be decoded")


@pytest.mark.parametrize("skipped", [0, 15])
def test_what_an_edit_list_cuts_off_is_not_shown(videos, tmp_path, skipped):
    data = bytearray(Path(videos["open.mp4"]).read_bytes())
    place = data.index(b"elst") + 12
    duration, start = struct.unpack_from(">ii", data, place)
    per_frame = 12800 // FPS
    struct.pack_into(">ii", data, place, duration // 2, start + skipped * per_frame)
    path = tmp_path / "edited.mp4"
    path.write_bytes(data)
    expected = decode_all(str(path))
    whole = decode_all(videos["open.mp4"])
    assert np.array_equal(expected, whole[skipped : skipped + LENGTH // 2])
    check_reads(str(path), expected)


@pytest.fixture
def decoded(monkeypatch):
    """The times of the frames that any Decoder decodes."""
    times, frames_from = [], Decoder.frames_from

    def counted(self, *key):
        for frame in frames_from(self, *key):
            times.append(frame.pts)
            yield frame

    monkeypatch.setattr(Decoder, "frames_from", counted)
    return times


def test_only_the_needed_groups_of_frames_are_decoded(videos, decoded):
    with open_video(videos["closed.mp4"]) as video:
        video.read([1, 1, 0, 58])
    assert len(decoded) == len(set(decoded)) <= 2 + 12


@pytest.mark.parametrize("name", ["mpeg4.avi", "no-times.avi", "mpeg2.mpg", "closed.mp4"])
def test_reading_on_decodes_no_frame_again(videos, decoded, name):
    """A video that is read window by window, also where there is no seeking."""
    with open_video(videos[name]) as video:
        windows = [video.read(range(start, start + 6)) for start in range(0, LENGTH, 6)]
    assert np.array_equal(np.concatenate(windows), decode_all(videos[name]))
    assert len(decoded) == LENGTH


def test_frames_are_scaled_to_the_short_side(videos):
    expected = decode_all(videos["closed.mp4"])[[5, 2]]
    with open_video(videos["closed.mp4"]) as video:
        frames = video.read([5, 2], short_side=20)
        height, width = scaled_size(HEIGHT, WIDTH, 20)
        assert frames.shape == (2, height, width, 3)
        for frame, image in zip(frames, expected, strict=True):
            assert np.array_equal(frame, cv2.resize(image, (width, height)))
        assert np.array_equal(video.read([5, 2], short_side=HEIGHT), expected)
        assert video.read([], short_side=20).shape == (0, height, width, 3)


def test_indices_outside_the_video_are_refused(videos):
    with open_video(videos["closed.mp4"]) as video:
        for index in (-1, LENGTH):
            with pytest.raises(IndexError):
                video.read([0, index])


def check_refused(path, message, indices=None):
    """Opening, or reading `indices`, must fail with a message of one line with the path."""
    with pytest.raises(SlowFastExtError, match=message) as caught, open_video(str(path)) as video:
        assert indices is not None
        video.read(indices)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_videos_are_refused(tmp_path):
    check_refused(tmp_path / "none.mp4", "no such video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    check_refused(tmp_path / "empty.mp4", "0 bytes")
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 20)
    check_refused(tmp_path / "noise.mp4", "cannot be read as a video")
    (tmp_path / "notes.txt").write_text("path,labels\nfoo\n" * 50)
    check_refused(tmp_path / "notes.txt", "holds no video")
    cv2.imwrite(str(tmp_path / "image.jpg"), np.zeros((20, 30, 3), np.uint8))
    check_refused(tmp_path / "image.jpg", "no video")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    check_refused(tmp_path / "sound.wav", "no video")
    os.mkfifo(tmp_path / "pipe.mp4")
    check_refused(tmp_path / "pipe.mp4", "neither a regular file nor a folder")


@pytest.mark.parametrize("name", ["open.mp4", "mpeg4.avi"])
def test_truncated_files_are_refused(videos, tmp_path, name):
    data = Path(videos[name]).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: len(data) * 2 // 3])
    check_refused(path, "truncated: the header names 60 frames, the file holds [2-4][0-9];")
    path.write_bytes(data[:300])
    check_refused(path, "cannot be read|no frame|no video|truncated")


def test_a_damaged_frame_is_named(videos, tmp_path):
    with av.open(videos["closed.mp4"]) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(Path(videos["closed.mp4"]).read_bytes())
    position, size = packets[30]
    data[position : position + size] = bytes(size)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    check_refused(path, "frame [0-9]+ cannot be decoded", range(LENGTH))
    with open_video(str(path)) as video:
        assert np.array_equal(video.read([3]), decode_all(videos["closed.mp4"])[[3]])


@pytest.fixture
def folder(tmp_path):
    """A folder of 12 frames whose names are not padded; frame n is filled with 20 * n."""
    for number in range(12):
        image = np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)
        image[..., 0] = 7
        cv2.imwrite(str(tmp_path / f"video-{number + 1}.png"), image)
    (tmp_path / "._video-1.png").write_bytes(b"not an image")
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_folder_of_frames_is_read_by_number_as_rgb(folder):
    with open_video(str(folder) + "/") as video:
        info = video.info
        assert (info.length, info.fps, info.height, info.width) == (12, None, HEIGHT, WIDTH)
        assert info.times is None
        frames = video.read([11, 0, 1, 11])
        assert frames[:, 0, 0].tolist() == [[220, 220, 7], [0, 0, 7], [20, 20, 7], [220, 220, 7]]
        assert video.read([1], short_side=24).shape == (1, 24, 32, 3)


def test_padded_names_and_jpegs(tmp_path):
    for number in (6, 10, 2):
        image = np.full((8, 8, 3), 10 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number:04d}.JPG"), image)
    with open_video(str(tmp_path)) as video:
        assert video.read(range(3))[:, 0, 0, 0].tolist() == [20, 60, 100]


def test_folders_that_cannot_be_read_are_refused(folder, tmp_path_factory):
    check_refused(tmp_path_factory.mktemp("none"), "no frames")
    videos = tmp_path_factory.mktemp("videos")
    (videos / "a.mkv").write_text("")
    check_refused(videos, rf"is a folder of videos: name these, {videos}/\*\.mkv")
    path = folder / "video-3.png"
    cv2.imwrite(str(path), np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    check_refused(folder, "frame 2 is 65 x 48 pixels where 64 x 48", [2])
    for damaged in (b"", b"not an image", path.read_bytes()[:60]):
        path.write_bytes(damaged)
        check_refused(folder, "video-3.png: not a readable image", [1, 2])
    # Its header names 100,000 x 100,000 pixels.
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum)
    check_refused(folder, "video-3.png: not a readable image", [1, 2])
    cv2.imwrite(str(folder / "video-0.jpg"), np.full((HEIGHT, WIDTH, 3), 9, np.uint8))
    whole = (folder / "video-0.jpg").read_bytes()
    (folder / "video-0.jpg").write_bytes(whole[:-40])
    check_refused(folder, "video-0.jpg: not a readable image")
