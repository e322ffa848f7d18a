"""
Decoding chosen frames of a video file with PyAV.

Frames are numbered in the order in which they are shown, whatever order the file stores
them in, and come out the same, bit for bit, as if the whole video were decoded.
"""

import contextlib
import itertools
import math
import os
from dataclasses import dataclass

import av
import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.mp4_header import read_mp4_header
from slowfast_ext.utils.paths import is_local, pathmgr

# FFmpeg's names of what videos are stored in. It would also follow a play list, whatever its
# ending, to other files and hosts, and make a "video" of a text or of a single image.
FORMATS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "ogg"),
    *("flv", "asf", "h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "ivf", "vc1", "mjpeg"),
    *("mxf", "gxf", "nut", "dv", "rm", "wtv", "swf", "nsv", "y4m", "yuv4mpegpipe", "gif", "apng"),
)
# Of one file: four days at 50 a second.
MAX_FRAMES = 2**24
# A play list's files, or a file's with a name such as "http:x", would be opened by these names.
_OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}

# In other formats (MPEG program streams, ...) frames carry wrong times after a seek, so there
# a file is decoded from its start.
SEEKABLE_FORMATS = {"mp4", "matroska", "mpegts"}


@dataclass(frozen=True)
class VideoInfo:
    """
    What is known of a video before any frame is decoded.

    Args:
        length (int): number of frames, at least 1.
        fps (float or None): mean frames per second; None for a folder of frames.
        height (int), width (int): size of the frames in pixels, as they are shown.
        times (float64 array [length] or None): when each frame is shown, in seconds from
            the first one; None for a folder of frames and for a file that stores neither
            times nor a frame rate.
    """

    length: int
    fps: float | None
    height: int
    width: int
    times: np.ndarray | None


# What is remembered of a frame's packet, 18 bytes: a film has hundreds of thousands of them.
# Times are in the stream's units.
_PACKET = np.dtype(
    [("shown_at", "i8"), ("decoded_at", "i8"), ("is_key", "?"), ("is_discarded", "?")]
)
_NO_TIME = np.iinfo("i8").min


class VideoFile:
    """
    The frames of a video file; `info` is its VideoInfo.

    Opening it reads the file once without decoding, which gives the exact number of frames
    and their times. One thread decodes: the data loader's workers already use the cores.

    Raises:
        SlowFastExtError: the file is missing, empty, truncated or not a video.
    """

    def __init__(self, path):
        self.path = path
        self._container = None
        # Frames that are being decoded, and the mark of the last one that came.
        self._decoding, self._passed = None, -math.inf
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._open()
        try:
            self._scan()
        except av.FFmpegError as error:
            self.close()
            raise self._error(f"cannot be read to its end ({error.strerror})") from error
        except SlowFastExtError:
            self.close()
            raise

    def close(self):
        """Closes the file; it cannot be decoded afterwards."""
        if self._container is not None:
            self._container.close()

    def _error(self, what):
        """The error about this file; the remedy is the same for whatever is wrong with it."""
        return SlowFastExtError(
            f"{self.path}: {what}; copy or download the file again, or take it out of the list"
        )

    def _open(self):
        """Opens the file, anew where it is open, at its start."""
        self.close()
        if not pathmgr.exists(self.path):
            raise SlowFastExtError(f"{self.path}: no such video file or folder; check the path")
        if is_local(self.path) and not os.path.isfile(self.path):
            # Reading a pipe or a device might never end.
            raise self._error("neither a regular file nor a folder")
        try:
            local_path = pathmgr.get_local_path(self.path)
            if os.path.getsize(local_path) == 0:
                raise self._error("the file is empty (0 bytes)")
            self._header = read_mp4_header(local_path)
            if self._header.problem:
                raise self._error(self._header.problem)
            # Titles in another encoding than UTF-8 would otherwise end in an exception.
            # As `options` they would be its streams' too: on MPEG program streams, whose streams
            # are found late, PyAV 17 and older then end in a segmentation fault.
            self._container = av.open(
                f"file:{local_path}", container_options=_OPTIONS, metadata_errors="ignore"
            )
        except av.error.ArgumentError as error:
            raise self._error("holds no video of a format that is read") from error
        except (av.FFmpegError, OSError) as error:
            raise self._error(f"cannot be read as a video ({error.strerror or error})") from error
        self._stream = next(iter(self._container.streams.video), None)
        if self._stream is None:
            self.close()
            raise self._error("holds no video")
        if self._stream.codec_context is None:
            self.close()
            raise self._error("the installed FFmpeg has no decoder for this video")
        self._stream.codec_context.thread_count = 1
        # Frames may be larger than the header says.
        self._stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}

    def _scan(self):
        """Lists the packets of the file without decoding them, and sets `info` from them."""
        demuxed = self._container.demux(self._stream)
        found = (_remembered(packet) for packet in demuxed if packet.size)
        packets = np.fromiter(itertools.islice(found, MAX_FRAMES + 1), _PACKET)
        if len(packets) > MAX_FRAMES:
            raise self._error(f"holds more than {MAX_FRAMES} frames; cut it into parts")
        self._check_complete(len(packets))
        # In a recording cut at any place, what comes before the first key frame cannot be
        # decoded: it refers to frames that the file lacks.
        self._set_marks(packets[np.logical_or.accumulate(packets["is_key"])])
        if not len(self._marks):
            raise self._error("holds no frame that can be decoded")
        self._set_info()

    def _set_marks(self, packets):
        """Sets what frames are recognised by: the time they are shown at, or their count."""
        shown = packets["shown_at"][~packets["is_discarded"]]
        formats = self._container.format.name.split(",")
        # AVI stores no times to show frames at; the reader's guesses are wrong in places.
        self._is_counted = (
            "avi" in formats
            or bool((packets["shown_at"] == _NO_TIME).any())
            or len(np.unique(shown)) < len(shown)
        )
        self._can_seek = not self._is_counted and not set(formats).isdisjoint(SEEKABLE_FORMATS)
        keys = packets[packets["is_key"]]
        self._keys = np.sort(keys, order="shown_at") if self._can_seek else keys[:1]
        if self._is_counted:
            self._marks = np.arange(len(shown))
        else:
            self._marks = np.sort(shown[shown >= packets["shown_at"][:1]])

    def _set_info(self):
        """Sets `info` from the stream's header and the packets' times."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        fps = float(rate) if rate else None
        times = None
        if not self._is_counted:
            times = (self._marks - self._marks[0]) * float(self._stream.time_base)
        elif fps:
            times = self._marks / fps
        context = self._stream.codec_context
        check_frame_size(self.path, context.height, context.width)
        height, width = self._header.upright_size(context.height, context.width)
        self.info = VideoInfo(len(self._marks), fps, height, width, times)

    def _check_complete(self, num_packets):
        """Raises SlowFastExtError if the header names more frames than the file holds."""
        expected = self._stream.frames
        if "mp4" in self._container.format.name.split(","):
            # The header also counts what an edit list cut off at the end; the index does not.
            expected = len(self._stream.index_entries)
        if num_packets < expected:
            raise self._error(
                f"truncated: the header names {expected} frames, the file holds {num_packets}"
            )

    def decode(self, wanted):
        """
        Decodes frames, seeking to the key frame before the first and over long gaps.

        Args:
            wanted (int64 array): frame numbers, distinct and sorted.
        Yields:
            (int, uint8 array [H, W, 3]): frame number and RGB frame.
        Raises:
            SlowFastExtError: a wanted frame cannot be decoded.
        """
        key_marks = [0] if self._is_counted else self._keys["shown_at"]
        key_of = np.searchsorted(key_marks, self._marks[wanted], side="right") - 1
        # Decoding on is faster than jumping, unless a whole group of frames can be skipped.
        jumps = np.flatnonzero(np.diff(key_of) > 1) + 1
        for run in np.split(wanted, jumps) if len(wanted) else ():
            key = self._keys[key_of[np.searchsorted(wanted, run[0])]]
            yield from self._decode_run(run, key)

    def _decode_run(self, run, key):
        """Yields (frame number, RGB) of frames that are decoded in one go from `key` on."""
        waiting = {int(self._marks[index]): index for index in run}
        reason = "the video ends before it"
        try:
            self._start(key, self._marks[run[0]])
            for mark, frame in self._decoding:
                self._passed = mark
                index = waiting.pop(mark, None)
                if index is not None:
                    # To start as many threads as there are cores takes longer than to convert a
                    # small clip's frames, and data workers share the cores already.
                    image = self._reformatter.reformat(frame, format="rgb24", threads=1)
                    yield index, self._header.upright(image.to_ndarray())
                if not waiting:
                    return
        except av.FFmpegError as error:
            reason = error.strerror
        self._decoding = None
        raise self._error(f"frame {min(waiting.values())} cannot be decoded ({reason})")

    def _start(self, key, mark):
        """Decodes on where the frame at `mark` is ahead and `key` is not, else from `key` on."""
        key_mark = 0 if self._is_counted else key["shown_at"]
        if self._decoding is None or not key_mark <= self._passed < mark:
            self._passed = -math.inf
            frames = self._frames_from(key)
            self._decoding = (
                enumerate(frames) if self._is_counted else ((frame.pts, frame) for frame in frames)
            )

    def _frames_from(self, key):
        """Yields decoded frames in the order shown, from the key frame `key` or an earlier one."""
        first, packets = self._packets_from(key)
        for packet in itertools.chain([first], packets):
            yield from packet.decode()

    def _packets_from(self, key):
        """The packet of `key` or of an earlier key frame, and the packets that follow it."""
        # Some formats seek by the time a frame is shown at, others by the time it is decoded
        # at, and some land late: look where it landed.
        times = (int(key["shown_at"]), int(key["decoded_at"])) if self._can_seek else ()
        for time in filter(lambda time: time != _NO_TIME, times):
            with contextlib.suppress(av.FFmpegError):
                self._container.seek(time, stream=self._stream, backward=True)
                first, packets = self._next_key()
                if first is not None and first.pts is not None and first.pts <= key["shown_at"]:
                    return first, packets
        self._open()
        return self._next_key()

    def _next_key(self):
        """The next key frame's packet (None where there is none), and those that follow it."""
        packets = self._container.demux(self._stream)
        return next((packet for packet in packets if packet.is_keyframe), None), packets


def _remembered(packet):
    """A _PACKET of PyAV's packet."""
    times = (_NO_TIME if time is None else time for time in (packet.pts, packet.dts))
    return (*times, packet.is_keyframe, packet.is_discard)


MAX_PIXELS = 2**26
"""Of one frame: 8192 x 8192, twice 8K video."""

MAX_ASPECT = 16
"""The longer side over the shorter, which is what frames are scaled by."""


def check_frame_size(path, height, width):
    """
    Raises SlowFastExtError where frames of this size are not read.

    Args:
        path (str): of the video or image, for the message.
        height (int), width (int): in pixels, as declared.
    """
    if height * width > MAX_PIXELS:
        raise SlowFastExtError(
            f"{path}: frames of {width} x {height} pixels, where {MAX_PIXELS} pixels at most are "
            "read: scale it down, or take it out of the list"
        )
    if not 0 < max(height, width) <= MAX_ASPECT * min(height, width):
        raise SlowFastExtError(
            f"{path}: frames of {width} x {height} pixels, where the longer side may be at most "
            f"{MAX_ASPECT} times the shorter: cut it, or take it out of the list"
        )
