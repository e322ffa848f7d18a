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

from slowfast_ext.datasets.coded_frames import coded_frames
from slowfast_ext.datasets.container import MAX_PIXELS, Track, broken
from slowfast_ext.datasets.frame_index import (
    NO_TIME,
    PACKET,
    Clock,
    FrameIndex,
    continued,
    index_by_stamps,
    ticks_of_chunks,
)
from slowfast_ext.datasets.orientation import Orientation
from slowfast_ext.errors import SlowFastExtError

# Of one file: four days at 50 a second.
MAX_FRAMES = 2**24
# Indices of files whose frames had to be decoded for them, by path, date and size: each clip of
# a training opens its file anew.
_DECODED_INDICES = {}
_MOST_DECODED_INDICES = 32
# Of frames, by which is seen whether stamps are in the order shown: more than a group takes.
_MOST_CHECKED = 32
# Matroska's element for how a video is turned stands before the first frames.
_PROJECTION, _CLUSTER, _HEAD_BYTES = b"\x76\x70", b"\x1f\x43\xb6\x75", 2**16


@dataclass(frozen=True)
class VideoInfo:
    """
    What is known of a video before any frame is decoded.

    Args:
        length (int): number of frames, at least 1.
        fps (float or None): mean frames per second, by the times where there are any; None for a
            folder of frames and for a file that says nothing of them.
        height (int), width (int): size of the frames in pixels, as they are shown.
        times (float64 array [length] or None): when each frame is shown, in seconds from
            the file's start as players count it, which may be before the first frame; ever
            later. None for a folder of frames and for a file that stores neither times nor a
            frame rate.
    """

    length: int
    fps: float | None
    height: int
    width: int
    times: np.ndarray | None

    @property
    def duration(self):
        """Seconds from the file's start to the end of the last frame; None without times."""
        if self.times is None:
            return None
        return float(self.times[-1]) + (1 / self.fps if self.fps else 0.0)


class VideoFile:
    """
    The frames of a video file; `info` is its VideoInfo.

    Opening it reads the file once without decoding, which gives the exact number of frames
    and their times; only where the packets do not tell them, all frames are decoded.

    Args:
        path (str): the file.
        pixel_aspect (bool): pixels that are not square are shown as wide as they are meant;
            False: frames are as wide as they are stored.

    Raises:
        SlowFastExtError: the file is missing, empty, truncated or not a video.
    """

    def __init__(self, path, pixel_aspect=True):
        self.path = path
        # Frames that are being decoded, and the mark of the last one that came.
        self._decoding, self._passed = None, -math.inf
        # Whether what cannot be decoded is left out, as where joined recordings meet.
        self._skips_errors, self._index = False, None
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._track = Track(path)
        try:
            packets = self._listed()
            self._index = self._index_of(packets)
            self.info = self._info(pixel_aspect)
        except av.FFmpegError as error:
            self.close()
            raise broken(path, f"cannot be read to its end ({error.strerror})") from error
        except SlowFastExtError:
            self.close()
            raise

    def close(self):
        """Closes the file; it cannot be decoded afterwards."""
        self._track.close()

    # --- Which frames there are -----------------------------------------------------------

    def _listed(self):
        """The packets from the first key frame on, in the file's order: a PACKET array."""
        context = self._track.stream.codec_context
        self._coded = coded_frames(context.name, context.extradata)
        found = (self._remembered(packet) for packet in self._track.packets() if packet.size)
        packets = np.fromiter(itertools.islice(found, MAX_FRAMES + 1), PACKET)
        if len(packets) > MAX_FRAMES:
            raise broken(self.path, f"holds more than {MAX_FRAMES} frames; cut it into parts")
        self._coded.finish()
        self._check_complete(len(packets))
        # In a recording cut at any place, what comes before the first key frame cannot be
        # decoded: it refers to frames that the file lacks.
        packets = packets[np.logical_or.accumulate(packets["is_key"])]
        if not len(packets):
            raise broken(self.path, "holds no frame that can be decoded")
        return packets

    def _remembered(self, packet):
        """A PACKET of PyAV's packet."""
        shown_at, decoded_at = packet.pts, packet.dts
        return (
            NO_TIME if shown_at is None else shown_at,
            NO_TIME if decoded_at is None else decoded_at,
            packet.is_keyframe,
            not self._coded.gives_frame(packet) or packet.is_discard,
        )

    def _check_complete(self, num_packets):
        """Raises SlowFastExtError where the file ends before what its header names."""
        expected, stream = 0, self._track.stream
        if self._track.is_format("mp4"):
            # The header also counts what an edit list cut off at the end; the index does not.
            # Entries without bytes stand for frames that a recorder dropped.
            expected = len(stream.index_entries)
            if num_packets < expected:
                expected = sum(entry.size > 0 for entry in stream.index_entries)
        elif self._track.is_format("avi") and _is_cut_avi(self._track.local_path):
            expected = stream.frames
        if num_packets < expected:
            raise broken(
                self.path,
                f"truncated: the header names {expected} frames, the file holds {num_packets}",
            )

    def _index_of(self, packets):
        """The FrameIndex, by the packets where they tell and else by decoding."""
        track = self._track
        tick, rate = float(track.stream.time_base), track.stream.codec_context.framerate
        clock = Clock(tick, track.clock_may_restart, 1 / (rate * tick) if rate else 1.0)
        # AVI stores no times to show frames at; the reader's guesses are wrong in places.
        has_stamps = not track.is_format("avi") and (packets["shown_at"] != NO_TIME).any()
        if has_stamps:
            self._hide_lost(packets)
        shown, index = packets[~packets["is_hidden"]], None
        is_unsure = self._coded.is_unsure or (self._coded.starts_open and not has_stamps)
        if not is_unsure and len(shown):
            index = self._index_by_packets(packets, shown, has_stamps, clock)
        return index or self._index_by_decoding(packets, clock)

    def _index_by_packets(self, packets, shown, has_stamps, clock):
        """The FrameIndex, or None."""
        if not self._track.has_clock:
            return FrameIndex.counted(packets[:1], len(shown), None)
        if has_stamps and (shown["shown_at"] != NO_TIME).all():
            reorders = self._track.stream.codec_context.has_b_frames
            if reorders and self._has_stamps_in_stored_order(packets, shown["shown_at"]):
                ticks = continued(shown["shown_at"], clock)
                return FrameIndex.counted(packets[:1], len(shown), ticks)
            return index_by_stamps(packets, self._track.can_seek, clock, reorders)
        if not has_stamps and (shown["decoded_at"] != NO_TIME).all():
            ticks = ticks_of_chunks(shown["decoded_at"], self._delay(packets[0]))
            return FrameIndex.counted(packets[:1], len(shown), ticks)
        return None

    def _has_stamps_in_stored_order(self, packets, stamps):
        """True where stamps count packets as they are stored, not frames as they are shown."""
        # So what was copied from AVI, which stores no other times, or came from some recorders.
        if len(stamps) < 3 or (np.diff(stamps) <= 0).any():
            return False
        first = itertools.islice(self._frames_from(packets[0]), _MOST_CHECKED)
        given = [frame.pts for frame in first if frame.pts is not None]
        return given != sorted(given)

    def _hide_lost(self, packets):
        """
        Hides pictures that lead up to the first key frame and that the decoder does not give.

        They are stored behind it; where the file was cut there, what they refer to is missing.
        """
        places = np.flatnonzero(~packets["is_hidden"])
        stamps = packets["shown_at"][places]
        if not len(places) or places[0] != 0 or stamps[0] == NO_TIME:
            return
        leads = (stamps[1:] < stamps[0]) & (stamps[1:] != NO_TIME)
        num_leading = int(np.argmin(np.append(leads, False)))
        if not num_leading:
            return
        given = set()
        for frame in itertools.islice(self._frames_from(packets[0]), num_leading + 1):
            if frame.pts == stamps[0]:
                break
            given.add(frame.pts)
        self._coded.is_unsure = self._coded.is_unsure or None in given
        lost = [stamp not in given for stamp in stamps[1 : num_leading + 1].tolist()]
        packets["is_hidden"][places[1 : num_leading + 1][lost]] = True

    def _delay(self, key):
        """How many packets more than the first the decoder takes before it gives a frame."""
        first, packets = self._packets_from(key)
        for number, packet in enumerate(itertools.chain([first], packets)):
            if packet.size == 0 or packet.decode():
                return number
        return 0

    def _index_by_decoding(self, packets, clock):
        """The FrameIndex of the frames that the decoder gives for the whole file."""
        status = os.stat(self._track.local_path)
        file = self._track.local_path, status.st_mtime_ns, status.st_size, self._track.stream.index
        self._skips_errors = True
        if file not in _DECODED_INDICES:
            if len(_DECODED_INDICES) >= _MOST_DECODED_INDICES:
                _DECODED_INDICES.pop(next(iter(_DECODED_INDICES)))
            _DECODED_INDICES[file] = self._decoded_index(packets, clock)
        return _DECODED_INDICES[file]

    def _decoded_index(self, packets, clock):
        is_chunks = self._track.is_format("avi")
        frames = self._frames_from(packets[0])
        stamps = ((frame.dts if is_chunks else frame.pts) for frame in frames)
        stamps = np.array([NO_TIME if stamp is None else stamp for stamp in stamps], np.int64)
        if not len(stamps):
            raise broken(self.path, "holds no frame that can be decoded")
        ticks = continued(stamps, clock) if self._track.has_clock else None
        if is_chunks and ticks is not None:
            ticks += packets["decoded_at"][0] - ticks[0]
        return FrameIndex.counted(packets[:1].copy(), len(stamps), ticks)

    # --- What they are --------------------------------------------------------------------

    def _info(self, pixel_aspect):
        """The VideoInfo; sets how frames are turned and scaled, too."""
        context, aspect = self._track.stream.codec_context, self._track.stream.sample_aspect_ratio
        check_frame_size(self.path, context.height, context.width)
        width = round(context.width * aspect) if pixel_aspect and aspect else context.width
        check_frame_size(self.path, context.height, width)
        self._stored_size = context.height, context.width
        self._scaled = {} if width == context.width else {"width": width, "height": context.height}
        self._orientation = self._read_orientation()
        height, width = self._orientation.size(context.height, width)
        fps, times = self._rate_and_times()
        return VideoInfo(len(self._index.marks), fps, height, width, times)

    def _read_orientation(self):
        """By the container's header or else the codec's; a frame tells it, where one may be."""
        track = self._track
        matrix = track.header.orientations.get(track.stream.id)
        if matrix is not None and not np.array_equal(matrix, np.eye(2)):
            return Orientation(self.path, matrix)
        if self._coded.may_be_turned or (track.is_format("matroska") and self._has_projection()):
            frame = next(self._frames_from(self._index.keys[0]))
            return Orientation.of_frame(self.path, frame)
        return Orientation()

    def _has_projection(self):
        """True where Matroska's header may say how the video is turned."""
        with open(self._track.local_path, "rb") as stream:
            return _PROJECTION in stream.read(_HEAD_BYTES).partition(_CLUSTER)[0]

    def _rate_and_times(self):
        """Frames per second, and the times, by the stamps; what headers say only without them."""
        stream, ticks = self._track.stream, self._index.ticks
        if ticks is None:
            # Of bare streams the codec's own header; the container's is made up.
            rate = stream.codec_context.framerate
            if not rate or not 0 < rate <= 1000:
                return None, None
            return float(rate), np.arange(len(self._index.marks)) / float(rate)
        announced = stream.average_rate or stream.guessed_rate
        tick = float(stream.time_base)
        times = (ticks - self._zero(ticks[0])) * tick
        if len(times) == 1:
            return float(announced) if announced else None, times
        span = float(times[-1] - times[0])
        rounding = min(2 * tick, 0.25 * span / (len(times) - 1))
        if announced and abs((len(times) - 1) / float(announced) - span) <= rounding:
            # Stamps are rounded; this is what they were rounded from.
            return float(announced), times
        return (len(times) - 1) / span, times

    def _zero(self, first_tick):
        """The tick at which the file starts: its earliest track, as FFmpeg and mpv have it."""
        tick, start = float(self._track.stream.time_base), self._track.container.start_time
        if start is None:
            return first_tick
        start = start / av.time_base
        # That is rounded to a microsecond.
        start = first_tick if abs(first_tick * tick - start) <= 2e-6 else start / tick
        return start - self._track.header.empty_start / tick

    # --- Decoding -------------------------------------------------------------------------

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
        marks, keys = self._index.marks, self._index.keys
        key_marks = np.zeros(1) if self._index.is_counted else keys["shown_at"]
        # Pictures may lead up to the first key frame.
        key_of = np.searchsorted(key_marks, marks[wanted], side="right").clip(1) - 1
        # Decoding on is faster than jumping, unless a whole group of frames can be skipped.
        jumps = np.flatnonzero(np.diff(key_of) > 1) + 1
        for run in np.split(wanted, jumps) if len(wanted) else ():
            number = key_of[np.searchsorted(wanted, run[0])]
            yield from self._decode_run(run, keys[number], is_first=number == 0)

    def _decode_run(self, run, key, is_first):
        """Yields (frame number, RGB) of frames that are decoded in one go from `key` on."""
        waiting = {int(self._index.marks[index]): index for index in run}
        reason = "the video ends before it"
        try:
            self._start(key, self._index.marks[run[0]], is_first)
            for mark, frame in self._decoding:
                self._passed = mark
                index = waiting.pop(mark, None)
                if index is not None:
                    yield index, self._image(frame)
                if not waiting:
                    return
        except av.FFmpegError as error:
            reason = error.strerror
        self._decoding = None
        if not is_first and reason == "the video ends before it":
            # From a key frame that is not one, as where a picture is refreshed part by part, the
            # decoder gives frames only later.
            left = np.array(sorted(waiting.values()))
            yield from self._decode_run(left, self._index.keys[0], is_first=True)
            return
        raise broken(self.path, f"frame {min(waiting.values())} cannot be decoded ({reason})")

    def _image(self, frame):
        """A decoded frame as RGB, uint8 [H, W, 3], as it is shown."""
        scaled = self._scaled if (frame.height, frame.width) == self._stored_size else {}
        # To start as many threads as there are cores takes longer than to convert a small clip's
        # frames, and data workers share the cores already.
        image = self._reformatter.reformat(frame, format="rgb24", threads=1, **scaled)
        return self._orientation.upright(image.to_ndarray())

    def _start(self, key, mark, is_first):
        """Decodes on where the frame at `mark` is ahead and `key` is not, else from `key` on."""
        key_mark = -math.inf if is_first else key["shown_at"]
        if self._decoding is None or not key_mark <= self._passed < mark:
            self._passed = -math.inf
            frames = self._frames_from(key)
            self._decoding = (
                enumerate(frames)
                if self._index.is_counted
                else ((frame.pts, frame) for frame in frames if frame.pts is not None)
            )

    def _frames_from(self, key):
        """Yields decoded frames in the order shown, from the key frame `key` or an earlier one."""
        first, packets = self._packets_from(key)
        for packet in itertools.chain([first], packets):
            try:
                yield from packet.decode()
            except (av.error.InvalidDataError, av.error.PermissionError):
                # The latter is Theora's, at the headers of a further part of a joined Ogg.
                if not self._skips_errors:
                    raise

    def _packets_from(self, key):
        """The packet of `key` or of an earlier key frame, and the packets that follow it."""
        # Some formats seek by the time a frame is shown at, others by the time it is decoded
        # at, and some land late: look where it landed.
        can_seek = self._index is not None and self._index.can_seek
        times = (int(key["shown_at"]), int(key["decoded_at"])) if can_seek else ()
        for time in filter(lambda time: time != NO_TIME, times):
            with contextlib.suppress(av.FFmpegError):
                self._track.container.seek(time, stream=self._track.stream, backward=True)
                first, packets = self._next_key()
                if first is not None and first.pts is not None and first.pts <= key["shown_at"]:
                    return first, packets
        number = self._track.stream.index
        self._track.close()
        self._track = Track(self.path, number)
        return self._next_key()

    def _next_key(self):
        """The next key frame's packet (None where there is none), and those that follow it."""
        packets = self._track.packets()
        return next((packet for packet in packets if packet.is_keyframe), None), packets


# What stands for a length in an AVI that was written to a pipe.
_UNKNOWN_LENGTH = 2**32 - 1


def _is_cut_avi(path):
    """True where an AVI file ends before its parts (RIFF chunks) do."""
    size, place = os.path.getsize(path), 0
    with open(path, "rb") as stream:
        while place + 8 <= size:
            stream.seek(place)
            head = stream.read(8)
            if head[:4] != b"RIFF":
                return False
            length = int.from_bytes(head[4:], "little")
            if length == _UNKNOWN_LENGTH:
                return False
            place += 8 + length
    return place > size


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
