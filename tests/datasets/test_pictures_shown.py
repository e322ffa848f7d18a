"""Frames are as they are meant to be shown: turned, as wide as meant, in the right colours."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from slowfast_ext.datasets.video import open_video
from slowfast_ext.errors import SlowFastExtError
from tests.datasets.odd_files import FPS, MUXERS, FieldWriter, write
from tests.robustness.odd_videos import SIZE, numbers_in, picture

needs_matrix = pytest.mark.skipif(
    not hasattr(av.VideoStream, "set_display_matrix"), reason="this PyAV writes no orientation"
)

# --- Orientation -----------------------------------------------------------------------

# All eight ways in which a camera may be held, as (a, b, c, d).
MATRICES = [(1, 0, 0, 1), (-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1)]
MATRICES += [(0, 1, -1, 0), (0, -1, 1, 0), (0, 1, 1, 0), (0, -1, -1, 0)]


def write_turned(path, matrix):
    a, b, c, d = matrix
    with av.open(str(path), "w") as container:
        codec = "libvpx" if path.suffix == ".webm" else "libx264"
        stream = container.add_stream(codec, rate=FPS, options={"crf": "4", "b": "2M"})
        stream.width, stream.height, stream.pix_fmt = 2 * SIZE, SIZE, "yuv420p"
        one = 1 << 16
        stream.set_display_matrix((a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30))
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture(9, number), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def turned(image, matrix):
    """By the corners: where (x, y) @ matrix puts each pixel."""
    matrix = np.array(matrix).reshape(2, 2)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    places = np.stack([x.ravel(), y.ravel()], 1) @ matrix
    places -= places.min(axis=0)
    shown = np.zeros((*(places.max(axis=0) + 1)[::-1], 3), image.dtype)
    shown[places[:, 1], places[:, 0]] = image.reshape(-1, 3)
    return shown


@needs_matrix
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_frames_are_turned_in_every_container(tmp_path, ending, matrix):
    path = tmp_path / f"x.{ending}"
    write_turned(path, matrix)
    expected = turned(picture(9, 1), matrix)
    with open_video(path) as video:
        image = video.read([1])[0]
        assert image.shape == expected.shape == (video.info.height, video.info.width, 3)
    assert np.abs(image.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("ending", ["h264", "ts", "mkv"])
def test_the_codecs_own_message_turns(tmp_path, ending):
    """ITU-T H.264 section D.1.27: a quarter to the left."""
    data = [unit for unit, _, _ in FieldWriter(fields=False).packets(3)]
    start = data[0].index(b"\0\0\0\1\x65")
    # Not cancelled, no flips, 16384 of 65536 of a turn, once, nothing more.
    message = b"\0\0\0\1\x06\x2f\x03" + 0b000_0100000000000000_010_0_1.to_bytes(3, "big")
    data[0] = data[0][:start] + message + b"\x80" + data[0][start:]
    bare = tmp_path / "x.h264"
    bare.write_bytes(b"".join(data))
    path = tmp_path / f"x.{ending}"
    if ending != "h264":
        form = {"ts": "mpegts", "mkv": "matroska"}[ending]
        with av.open(str(bare)) as source, av.open(str(path), "w", format=form) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for number, unit in enumerate(data):
                packet = av.Packet(unit)
                packet.stream, packet.time_base = stream, Fraction(1, FPS)
                packet.pts = packet.dts = number
                packet.is_keyframe = number == 0
                target.mux(packet)
    with av.open(str(path)) as container:
        rotation = next(container.decode(video=0)).rotation
    assert abs(rotation) == 90
    with open_video(path) as video:
        assert (video.info.height, video.info.width) == (2 * SIZE, SIZE)
        image = np.rot90(video.read([1])[0], -rotation // 90)
    assert numbers_in(image) == (173, 1)


@needs_matrix
@pytest.mark.parametrize("ending", ["mp4"])
def test_a_slant_is_refused(tmp_path, ending):
    write_turned(tmp_path / f"x.{ending}", (1, 1, -1, 1))
    with pytest.raises(SlowFastExtError, match=f"x.{ending}: it is to be shown at a slant"):
        open_video(tmp_path / f"x.{ending}")


# --- Pixel aspect ----------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts", "mov", "avi", "mpg"])
@pytest.mark.parametrize("aspect,width", [((64, 45), 1024), ((8, 9), 640), ((16, 15), 768)])
def test_pixels_are_as_wide_as_meant(tmp_path, ending, aspect, width):
    if ending == "mpg" and aspect == (8, 9):
        # MPEG-2 names the ratio of the picture's sides, and not this one.
        aspect, width = (16, 15), 768
    path, codec = tmp_path / f"x.{ending}", {"mpg": "mpeg2video", "avi": "mpeg4"}.get(ending)
    with av.open(str(path), "w", format=MUXERS.get(ending)) as target:
        stream = target.add_stream(codec or "libx264", rate=FPS, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        image = np.zeros((576, 720, 3), np.uint8)
        image[:, 360:] = 255
        for _ in range(2):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        target.mux(stream.encode())
    with open_video(path) as video:
        assert (video.info.height, video.info.width) == (576, width)
        shown = video.read([0])[0]
        assert shown.shape == (576, width, 3)
        assert shown[300, width // 2 - 8].max() < 40 and shown[300, width // 2 + 8].min() > 215
        assert video.read([0], short_side=288).shape == (1, 288, width // 2, 3)
    with open_video(path, pixel_aspect=False) as video:
        assert video.read([0]).shape == (1, 576, 720, 3)


def test_a_width_beyond_what_is_read_is_refused(tmp_path):
    with av.open(str(tmp_path / "x.mp4"), "w") as target:
        stream = target.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 400, 32, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        image = np.zeros((32, 400, 3), np.uint8)
        target.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        target.mux(stream.encode())
    with pytest.raises(SlowFastExtError, match="frames of 800 x 32 pixels, where the longer side"):
        open_video(tmp_path / "x.mp4")
    with open_video(tmp_path / "x.mp4", pixel_aspect=False) as video:
        assert video.info.width == 400


# --- Colours ---------------------------------------------------------------------------

# Kr and Kb of ITU-R BT.601, BT.709 and BT.2020.
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
# Format, range, matrix, transfer; FFmpeg's numbers of them (ISO/IEC 23091-2).
KINDS = {
    "bt601": ("yuv420p", 1, 6, 6, "bt601"),
    "bt709": ("yuv420p", 1, 1, 1, "bt709"),
    "untagged": ("yuv420p", 0, 2, 2, "bt601"),
    "full range": ("yuv420p", 2, 1, 1, "bt709"),
    "10 bits": ("yuv420p10le", 1, 1, 1, "bt709"),
    "HLG": ("yuv420p10le", 1, 9, 18, "bt2020"),
}
COLORS = np.random.default_rng(4).integers(40, 216, (8, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_colours(tmp_path, kind):
    """Those of the standards' formulas, and of FFmpeg's own conversion to the bit."""
    form, color_range, matrix, transfer, weights = KINDS[kind]
    path = tmp_path / "x.mkv"
    luma, chroma = _planes(WEIGHTS[weights], color_range == 2, 4 if "10" in form else 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 128, 32, form
        context = stream.codec_context
        context.color_range, context.colorspace, context.color_trc = color_range, matrix, transfer
        frame = av.VideoFrame(128, 32, form)
        frame.color_range, frame.colorspace = color_range, matrix
        for plane, values in zip(frame.planes, (luma, *chroma), strict=True):
            kind_of = np.uint16 if "10" in form else np.uint8
            rows = np.zeros((plane.height, plane.line_size // kind_of().itemsize), kind_of)
            rows[:, : values.shape[1]] = values
            plane.update(rows.tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_video(path) as video:
        image = video.read([0])[0]
    assert np.array_equal(image, _by_filter(path))
    middles = image[16, 8::16].astype(int)
    assert np.abs(middles - COLORS).max() <= (3 if kind != "HLG" else 4)


def _planes(weights, is_full, scale):
    """Y and (Cb, Cr) of the colours as stripes of 16 pixels."""
    red, blue = weights
    rgb = COLORS / 255
    y = rgb @ [red, 1 - red - blue, blue]
    cb, cr = (rgb[:, 2] - y) / (2 - 2 * blue), (rgb[:, 0] - y) / (2 - 2 * red)
    low, span, chroma_span = (0, 255, 255) if is_full else (16, 219, 224)
    luma = np.round((low + span * y) * scale)
    both = [np.round((128 + chroma_span * value) * scale) for value in (cb, cr)]
    return np.tile(np.repeat(luma, 16), (32, 1)), [np.tile(np.repeat(v, 8), (16, 1)) for v in both]


def _by_filter(path):
    """The first frame, by FFmpeg's own filters."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        graph = av.filter.Graph()
        source = graph.add_buffer(template=container.streams.video[0])
        scale, form, sink = (
            graph.add("scale"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        )
        source.link_to(scale)
        scale.link_to(form)
        form.link_to(sink)
        graph.configure()
        graph.push(frame)
        return graph.pull().to_ndarray()


def test_pictures_of_folders_are_as_opencv_shows_them(tmp_path):
    """A folder of frames stays what it is: stored upright, pixels square."""
    cv2.imwrite(str(tmp_path / "1.png"), picture(9, 1)[..., ::-1])
    with open_video(tmp_path) as video:
        assert np.array_equal(video.read([0])[0], picture(9, 1))


def test_stored_sizes_that_change_are_refused(tmp_path):
    """Frames of another size than the first are no reason to scale them."""
    one = write(tmp_path / "a.ts", range(5), "mpeg2video")
    with av.open(str(tmp_path / "b.ts"), "w", format="mpegts") as target:
        stream = target.add_stream("mpeg2video", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for number in range(5):
            image = np.zeros((64, 128, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number + 5
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    path = tmp_path / "joined.ts"
    with open(one, "rb") as first, open(tmp_path / "b.ts", "rb") as second:
        path.write_bytes(first.read() + second.read())
    with open_video(path) as video, pytest.raises(SlowFastExtError, match="must be of one size"):
        video.read(range(video.info.length))
