"""Decoding the frames of a track one after the other, from a key frame on."""

import contextlib
import itertools

import av

from slowfast_ext.datasets.container import Track
from slowfast_ext.datasets.frame_index import NO_TIME


class Decoder:
    """
    The decoder of a video file.

    Args:
        path (str): the file.
        number (int or None): of its stream; None: as Track chooses.

    Attributes:
        track (Track): another one once the file was opened anew.
        skips_errors (bool): what cannot be decoded is left out, as where joined recordings meet.

    Raises:
        SlowFastExtError: the file is missing, empty or not a video.
    """

    def __init__(self, path, number=None):
        self.path = path
        self.track = Track(path, number)
        self.skips_errors = False
        self._wanted, self._until = None, None

    def close(self):
        """Closes the file."""
        self.track.close()

    def want(self, stamps, until):
        """
        From the next packet on, pictures before `until` need no decoding if nothing refers to them.

        What comes from `until` on is decoded in any case: a later reading may want it, and the
        decoder gives a frame only once it was given those behind it.

        Args:
            stamps (container of int): time stamps of the frames that are wanted nevertheless.
            until (int or None): a time stamp; None: all pictures are decoded.
        """
        self._wanted, self._until = stamps, until

    def frames_from(self, key, index=None):
        """
        Yields decoded frames in the order shown.

        Args:
            key (PACKET): the key frame to begin with; an earlier one serves too.
            index (FrameIndex or None): says whether it is found by its time; otherwise, and where
                there is none yet, the file's first one is taken.
        """
        first, packets = self.packets_from(key, index)
        context = self.track.stream.codec_context
        for packet in itertools.chain([first], packets):
            # FFmpeg drops by the mark that the encoder left in the picture (nal_ref_idc of H.264,
            # the unit's type in HEVC).
            context.skip_frame = "NONREF" if self._is_spare(packet.pts) else "DEFAULT"
            try:
                yield from packet.decode()
            except (av.error.InvalidDataError, av.error.PermissionError):
                # The latter is Theora's, at the headers of a further part of a joined Ogg.
                if not self.skips_errors:
                    raise

    def _is_spare(self, stamp):
        if self._until is None or stamp is None:
            return False
        return stamp < self._until and stamp not in self._wanted

    def packets_from(self, key, index=None):
        """The packet of `key` or of an earlier key frame, and the packets that follow it."""
        # Some formats seek by the time a frame is shown at, others by the time it is decoded
        # at, and some land late: look where it landed.
        times = (int(key["shown_at"]), int(key["decoded_at"])) if index and index.can_seek else ()
        for time in filter(lambda time: time != NO_TIME, times):
            with contextlib.suppress(av.FFmpegError):
                self.track.container.seek(time, stream=self.track.stream, backward=True)
                first, packets = self._next_key()
                mark = None if first is None else index.mark_of(first)
                if mark is not None and mark <= key["shown_at"]:
                    return first, packets
        number = self.track.stream.index
        self.track.close()
        self.track = Track(self.path, number)
        return self._next_key()

    def _next_key(self):
        """The next key frame's packet (None where there is none), and those that follow it."""
        packets = self.track.packets()
        return next((packet for packet in packets if packet.is_keyframe), None), packets
