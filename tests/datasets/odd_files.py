"""Writing small video files that are odd in one way each; every frame says its number."""

from fractions import Fraction

import av
import numpy as np
import pytest

from slowfast_ext.datasets.video import open_video
from tests.robustness.odd_videos import SIZE, numbers_in, picture

VIDEO, FPS, LENGTH = 173, 25, 40
MUXERS = {"ts": "mpegts", "mpg": "mpeg", "webm": "matroska", "mkv": "matroska"}


def encode(moments, codec="libx264", tick=Fraction(1, FPS), height=SIZE, width=2 * SIZE, **options):
    """
    Args:
        moments (iterable[int]): when each frame is shown, in ticks.
    Returns:
        (CodecContext, list[Packet]): in the order of decoding, with their times in ticks.
    """
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate = tick, Fraction(FPS)
    context.options = {key.replace("_", "-"): str(value) for key, value in options.items()}
    packets = []
    for number, moment in enumerate(moments):
        frame = av.VideoFrame.from_ndarray(picture(VIDEO, number, height, width), format="rgb24")
        frame.pts, frame.time_base = moment, tick
        packets += context.encode(frame)
    return context, packets + context.encode()


def write(path, moments, codec="libx264", tick=Fraction(1, FPS), announced=FPS, edit=None, **more):
    """
    Writes one track.

    Args:
        path (Path): its ending says the format.
        moments (iterable[int]): when each frame is shown, in ticks.
        announced (int): frames per second, as the header has them.
        edit (callable or None): changes the packets, in place, and returns those to store.
        more: `sound`, (start, end) in seconds, or options of the codec.
    Returns:
        str: the path.
    """
    sound, form = more.pop("sound", None), MUXERS.get(path.suffix[1:])
    options = (
        {"x264-params": "scenecut=0", "crf": 4, "g": 8, "bf": 0} if "264" in codec else {"g": 8}
    )
    options.update({key.replace("_", "-"): value for key, value in more.items()})
    options = {key: str(value) for key, value in options.items()}
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=announced, options=options)
        stream.width, stream.height, stream.pix_fmt = 2 * SIZE, SIZE, "yuv420p"
        stream.codec_context.time_base = tick
        audio = container.add_stream("mp2", rate=32000) if sound else None
        packets = []
        for number, moment in enumerate(moments):
            frame = av.VideoFrame.from_ndarray(picture(VIDEO, number), format="rgb24")
            frame.pts, frame.time_base = moment, tick
            packets += stream.encode(frame)
        packets += stream.encode()
        packets = packets if edit is None else edit(packets)
        packets += _sound(audio, *sound) if sound else []
        for packet in sorted(packets, key=_order) if sound else packets:
            container.mux(packet)
    return str(path)


def _order(packet):
    return packet.dts * packet.time_base


def _sound(stream, start, end):
    stream.codec_context.layout, packets = "mono", []
    for place in range(start * 32000, end * 32000, 1152):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 32000, place, Fraction(1, 32000)
        packets += stream.encode(frame)
    return packets + stream.encode()


def decoded(path):
    """[(seconds or None, number)] of all frames that PyAV's decoder gives, on the file's clock."""
    with av.open(str(path)) as container:
        zero = (container.start_time or 0) / av.time_base
        return [
            (
                None if frame.time is None else frame.time - zero,
                number_of(frame.to_ndarray(format="rgb24")),
            )
            for frame in container.decode(video=0)
        ]


def number_of(image):
    """The number of a frame, or None."""
    numbers = numbers_in(image)
    return numbers[1] if numbers and numbers[0] == VIDEO else None


def numbers_read(video):
    """The numbers of all frames of an opened video."""
    return [number_of(image) for image in video.read(range(video.info.length))]


class FieldWriter:
    """
    H.264 in field pictures, every macroblock stored as it is (I_PCM; ITU-T H.264 section 7.3).

    Args:
        rate (int or None): frames per second that its header (VUI) says; None: it says none.
        fields (bool): fields in pictures of their own; otherwise whole frames.
    """

    def __init__(self, rate=FPS, fields=True):
        self.rate, self.fields, self.height, self.width = rate, fields, SIZE, 2 * SIZE

    def packets(self, length):
        """Yields (bytes, whether a frame starts with it, whether it is a key frame)."""
        for number in range(length):
            image = picture(VIDEO, number, self.height, self.width)
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
            planes = _planes(frame.to_ndarray().clip(1, 254), self.height, self.width)
            head = self._parameters() if number == 0 else b""
            if not self.fields:
                yield _DELIMITER + head + self._picture(planes, number, None), True, number == 0
                continue
            for bottom in (False, True):
                of_field = [plane[bottom::2] for plane in planes]
                data = self._picture(of_field, number, bottom)
                yield _DELIMITER + (head if not bottom else b"") + data, not bottom, number == 0

    def _parameters(self):
        bits = _Writer().bits(8, 77).bits(16, 30).ue(0, 0, 0, 4, 1).bits(1, 0)
        bits.ue(self.width // 16 - 1, self.height // (32 if self.fields else 16) - 1)
        # Frames alone, or fields too and no mixture of both within a frame.
        bits.bits(*((2, 0) if self.fields else (1, 1))).bits(1, 1).bits(1, 0)
        bits.bits(1, self.rate is not None)
        if self.rate is not None:
            bits.bits(4, 0).bits(1, 1).bits(32, 1).bits(32, 2 * self.rate).bits(1, 1).bits(4, 0)
        picture_parameters = _Writer().ue(0, 0).bits(2, 0).ue(0, 0, 0).bits(3, 0).ue(0, 0, 0)
        picture_parameters.bits(1, 1).bits(2, 0)
        return _unit(7, bits.stop()) + _unit(8, picture_parameters.stop())

    def _picture(self, planes, number, bottom):
        is_key = number == 0 and not bottom
        bits = _Writer().ue(0, 7, 0).bits(4, number % 16)
        if bottom is not None:
            bits.bits(1, 1).bits(1, bottom)
        if is_key:
            bits.ue(0)
        bits.bits(8, (2 * number + bool(bottom)) % 256).bits(2 if is_key else 1, 0).ue(0, 1)
        data = bytearray()
        for top in range(0, planes[0].shape[0], 16):
            for left in range(0, planes[0].shape[1], 16):
                data += bits.ue(25).aligned()
                bits = _Writer()
                data += planes[0][top : top + 16, left : left + 16].tobytes()
                for plane in planes[1:]:
                    part = plane[top // 2 : top // 2 + 8, left // 2 : left // 2 + 8]
                    data += part.tobytes()
        return _unit(5 if is_key else 1, bytes(data) + b"\x80")


_DELIMITER = b"\0\0\0\1\x09\x10"


def _planes(image, height, width):
    luma, rest = image[:height], image[height:].reshape(2, height // 2, width // 2)
    return [luma, *rest]


def _unit(kind, data):
    plain, zeros = bytearray(), 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            plain.append(3)
            zeros = 0
        plain.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1" + bytes([0x60 | kind]) + bytes(plain)


class _Writer:
    def __init__(self):
        self.text = ""

    def bits(self, count, value):
        self.text += format(int(value), f"0{count}b")
        return self

    def ue(self, *numbers):
        for number in numbers:
            code = format(number + 1, "b")
            self.text += "0" * (len(code) - 1) + code
        return self

    def aligned(self):
        text = self.text + "0" * (-len(self.text) % 8)
        return bytes(int(text[start : start + 8], 2) for start in range(0, len(text), 8))

    def stop(self):
        self.text += "1"
        return self.aligned()


def check(path, numbers, times, fps=None):
    """The frames of these numbers are read, all and single ones, at these times in seconds."""
    with open_video(path) as video:
        info = video.info
        assert numbers_read(video) == list(numbers)
        assert info.times == pytest.approx(np.array(times, float), abs=2e-3)
        assert len(info.times) < 2 or (np.diff(info.times) > 0).all()
        assert fps is None or info.fps == pytest.approx(fps, rel=1e-3)
        if len(info.times) > 1:
            assert info.fps == pytest.approx((info.length - 1) / np.ptp(info.times), rel=0.01)
    middle = len(info.times) // 2
    with open_video(path) as video:
        assert np.array_equal(video.read([middle]), video.read(range(info.length))[[middle]])
    return info
