"""What a video file holds, found once without decoding where its packets tell it."""

import itertools
import os
from dataclasses import dataclass

import av
import numpy as np

from slowfast_ext.datasets.coded_frames import coded_frames
from slowfast_ext.datasets.container import broken, check_frame_size
from slowfast_ext.datasets.frame_index import (
    NO_TIME,
    PACKET,
    Clock,
    FrameIndex,
    continued,
    index_by_stamps,
    ticks_of_chunks,
)
from slowfast_ext.datasets.orientation import IDENTITY, displayed

# Of one file: four days at 50 a second.
MAX_FRAMES = 2**24
# Of frames, by which is seen whether stamps are in the order shown: more than a group takes.
_MOST_CHECKED = 32
# Matroska's element for how a video is turned stands before the first frames.
_PROJECTION, _CLUSTER, _HEAD_BYTES = b"\x76\x70", b"\x1f\x43\xb6\x75", 2**16


@dataclass(frozen=True)
class FileFacts:
    """
    All that reading a file needs to know of it; the same for as long as the file is the same.

    Attributes:
        stream (int): the number of the stream that is the video.
        index (FrameIndex): its frames.
        tick (float): seconds of the stream's stamps.
        zero (float): ticks at which the file starts.
        fps (float or None): mean frames per second.
        height (int), width (int): of frames as they are stored.
        aspect (tuple[int, int]): a pixel's width over its height; (0, 1): not known.
        turn (float array [2, 2]): as `Orientation` takes it.
        skips_errors (bool): the decoder leaves out what it cannot decode.
        has_spare (bool): pictures that nothing refers to need no decoding.
    """

    stream: int
    index: FrameIndex
    tick: float
    zero: float
    fps: float | None
    height: int
    width: int
    aspect: tuple
    turn: np.ndarray
    skips_errors: bool
    has_spare: bool

    def times(self):
        """Seconds from the file's start at which each frame is shown; None: nothing says it."""
        if self.index.ticks is not None:
            return (self.index.ticks - self.zero) * self.tick
        return np.arange(len(self.index.marks)) / self.fps if self.fps else None


def find_facts(decoder):
    """
    Args:
        decoder (Decoder): of a file that was just opened; it is at another place afterwards.

    Returns:
        FileFacts
    Raises:
        SlowFastExtError: the file is truncated or holds no frame that can be decoded.
    """
    return _Inspection(decoder).facts()


class _Inspection:
    """One pass over a file's packets, and what follows from it."""

    def __init__(self, decoder):
        self.path, self._decoder = decoder.path, decoder
        context = self._track.stream.codec_context
        self._coded, self._has_key = coded_frames(context.name, context.extradata), False

    @property
    def _track(self):
        """Another one once the decoder has opened the file anew."""
        return self._decoder.track

    def facts(self):
        """The FileFacts."""
        packets = self._listed()
        index = self._index_of(packets)
        stream, context = self._track.stream, self._track.stream.codec_context
        check_frame_size(self.path, context.height, context.width)
        aspect = stream.sample_aspect_ratio
        fps, zero = self._rate_and_zero(index)
        return FileFacts(
            stream=stream.index,
            index=index,
            tick=float(stream.time_base),
            zero=zero,
            fps=fps,
            height=context.height,
            width=context.width,
            aspect=(aspect.numerator, aspect.denominator) if aspect else (0, 1),
            turn=self._turn(index),
            skips_errors=self._decoder.skips_errors,
            has_spare=self._coded.has_spare and not index.is_counted,
        )

    # --- Which frames there are -----------------------------------------------------------

    def _listed(self):
        """The packets from the first key frame on, in the file's order: a PACKET array."""
        found = (self._noted(packet) for packet in self._track.packets() if packet.size)
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

    def _noted(self, packet):
        """A PACKET of PyAV's packet."""
        shown_at, decoded_at = packet.pts, packet.dts
        is_hidden = not self._coded.gives_frame(packet) or packet.is_discard
        is_key = packet.is_keyframe and not (self._has_key and self._coded.is_refresh)
        self._has_key = self._has_key or is_key
        return (
            NO_TIME if shown_at is None else shown_at,
            NO_TIME if decoded_at is None else decoded_at,
            is_key,
            is_hidden,
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
            delay, goes_on = self._delay(packets[0]), (np.diff(shown["decoded_at"]) > 0).all()
            is_avi = self._track.is_format("avi")
            if is_avi and self._coded.is_plain and not delay and goes_on:
                return FrameIndex.of_chunks(packets)
            ticks = ticks_of_chunks(shown["decoded_at"], delay)
            return FrameIndex.counted(packets[:1], len(shown), ticks)
        return None

    def _has_stamps_in_stored_order(self, packets, stamps):
        """True where stamps count packets as they are stored, not frames as they are shown."""
        # So what was copied from AVI, which stores no other times, or came from some recorders.
        if len(stamps) < 3 or (np.diff(stamps) <= 0).any():
            return False
        first = itertools.islice(self._decoder.frames_from(packets[0]), _MOST_CHECKED)
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
        for frame in itertools.islice(self._decoder.frames_from(packets[0]), num_leading + 1):
            if frame.pts == stamps[0]:
                break
            given.add(frame.pts)
        self._coded.is_unsure = self._coded.is_unsure or None in given
        lost = [stamp not in given for stamp in stamps[1 : num_leading + 1].tolist()]
        packets["is_hidden"][places[1 : num_leading + 1][lost]] = True

    def _delay(self, key):
        """How many packets more than the first the decoder takes before it gives a frame."""
        first, packets = self._decoder.packets_from(key)
        for number, packet in enumerate(itertools.chain([first], packets)):
            if packet.size == 0 or packet.decode():
                return number
        return 0

    def _index_by_decoding(self, packets, clock):
        """The FrameIndex of the frames that the decoder gives for the whole file."""
        self._decoder.skips_errors = True
        is_chunks = self._track.is_format("avi")
        frames = self._decoder.frames_from(packets[0])
        stamps = ((frame.dts if is_chunks else frame.pts) for frame in frames)
        stamps = np.array([NO_TIME if stamp is None else stamp for stamp in stamps], np.int64)
        if not len(stamps):
            raise broken(self.path, "holds no frame that can be decoded")
        ticks = continued(stamps, clock) if self._track.has_clock else None
        if is_chunks and ticks is not None:
            ticks += packets["decoded_at"][0] - ticks[0]
        return FrameIndex.counted(packets[:1], len(stamps), ticks)

    # --- What they are --------------------------------------------------------------------

    def _turn(self, index):
        """By the container's header or else the codec's; a frame tells it, where one may be."""
        track = self._track
        matrix = track.header.orientations.get(track.stream.id)
        if matrix is not None and not np.array_equal(matrix, IDENTITY):
            return matrix
        may_be_turned = self._coded.may_be_turned
        if not may_be_turned and track.is_format("matroska"):
            with open(track.local_path, "rb") as stream:
                may_be_turned = _PROJECTION in stream.read(_HEAD_BYTES).partition(_CLUSTER)[0]
        if may_be_turned:
            return displayed(next(self._decoder.frames_from(index.keys[0], index)))
        return IDENTITY

    def _rate_and_zero(self, index):
        """
        Frames per second, by the stamps; what headers say only without them. The tick at which
        the file starts.
        """
        stream, ticks = self._track.stream, index.ticks
        if ticks is None:
            # Of bare streams the codec's own header; the container's is made up.
            rate = stream.codec_context.framerate
            return (float(rate) if rate and 0 < rate <= 1000 else None), 0.0
        announced, zero = stream.average_rate or stream.guessed_rate, self._zero(ticks[0])
        tick = float(stream.time_base)
        if len(ticks) == 1:
            return (float(announced) if announced else None), zero
        # As FileFacts.times has them, to the last bit.
        span = float((ticks[-1] - zero) * tick - (ticks[0] - zero) * tick)
        rounding = min(2 * tick, 0.25 * span / (len(ticks) - 1))
        if announced and abs((len(ticks) - 1) / float(announced) - span) <= rounding:
            # Stamps are rounded; this is what they were rounded from.
            return float(announced), zero
        return (len(ticks) - 1) / span, zero

    def _zero(self, first_tick):
        """The tick at which the file starts: its earliest track, as FFmpeg and mpv have it."""
        tick, start = float(self._track.stream.time_base), self._track.container.start_time
        if start is None:
            return float(first_tick)
        start = start / av.time_base
        # That is rounded to a microsecond.
        start = first_tick if abs(first_tick * tick - start) <= 2e-6 else start / tick
        return float(start - self._track.header.empty_start / tick)


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
