"""Opening a video file, and which of its tracks is the video."""

import os

import av
from av.format import Flags
from av.stream import Disposition

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.mp4_header import read_mp4_header
from slowfast_ext.utils.paths import is_local, no_such_video, pathmgr

# FFmpeg's names of what videos are stored in. It would also follow a play list, whatever its
# ending, to other files and hosts, and make a "video" of a text or of a single image.
FORMATS = (
    *("mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "m4v", "ogg"),
    *("flv", "asf", "h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "ivf", "vc1", "mjpeg"),
    *("mxf", "gxf", "nut", "dv", "rm", "wtv", "nsv", "y4m", "yuv4mpegpipe", "gif", "apng"),
)

VIDEO_ENDINGS = (
    *(".mp4", ".avi", ".mkv", ".webm", ".mov", ".m4v", ".qt", ".3gp", ".3g2", ".f4v", ".flv"),
    *(".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".mod", ".tod", ".divx", ".wmv", ".asf"),
    *(".ts", ".mts", ".m2ts", ".m2t", ".tp", ".trp", ".ogv", ".ogg", ".ogm", ".mxf", ".gxf", ".dv"),
    *(".rm", ".rmvb", ".wtv", ".nsv", ".nut", ".ivf", ".obu", ".y4m", ".gif", ".apng"),
    *(".h261", ".h263", ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".h266", ".266"),
    *(".vc1", ".mjpeg", ".mjpg", ".mk3d", ".insv", ".lrv", ".mp4v"),
)
"""How the names of files of FORMATS end, in small letters."""

MAX_PIXELS = 2**26
"""Of one frame: 8192 x 8192, twice 8K video."""

MAX_ASPECT = 16
"""The longer side over the shorter, which is what frames are scaled by."""

# A play list's files, or a file's with a name such as "http:x", would be opened by these names.
_OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}

# In other formats (MPEG program streams, ...) frames carry wrong times after a seek, so there
# a file is decoded from its start.
_SEEKABLE_FORMATS = ("mp4", "matroska", "mpegts")
_PICTURES_BESIDE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
# Codecs of single pictures, which stand for sound where there is one picture beside it.
_OF_PICTURES = ("mjpeg", "png", "bmp", "gif", "tiff", "webp")


class Track:
    """
    The video of an opened file.

    Args:
        path (str): the file.
        number (int or None): of the stream; None: as `_chosen` chooses.

    Attributes:
        stream (av.VideoStream): its decoder uses one thread: data workers share the cores.
        header (Mp4Header): of a file of another kind, an empty one.
        local_path (str): where the file lies on this machine.

    Raises:
        SlowFastExtError: the file is missing, empty or not a video.
    """

    def __init__(self, path, number=None):
        self.path = path
        self._open()
        try:
            number = self._chosen() if number is None else number
        except SlowFastExtError:
            self.close()
            raise
        self.stream = self.container.streams[number]
        context = self.stream.codec_context
        context.thread_count = 1
        # Frames may be larger than the header says.
        context.options = {"max_pixels": str(MAX_PIXELS)}

    def close(self):
        """Closes the file."""
        self.container.close()

    def error(self, what):
        """The error about this file; the remedy is the same for whatever is wrong with it."""
        return broken(self.path, what)

    def is_format(self, *names):
        """True where the file is of one of these formats, by FFmpeg's names."""
        return not set(names).isdisjoint(self.container.format.name.split(","))

    @property
    def can_seek(self):
        """True where the reader finds a frame by its time."""
        return self.is_format(*_SEEKABLE_FORMATS)

    @property
    def has_clock(self):
        """False for bare streams of a codec: their reader makes times up, at 25 a second."""
        return not self.container.format.flags & Flags.no_timestamps.value

    @property
    def clock_may_restart(self):
        """True for what is sent and joined, such as MPEG streams: clocks start anywhere."""
        return bool(self.container.format.flags & Flags.ts_discont.value)

    def packets(self):
        """Yields the packets that are left, without empty ones; the last flushes the decoder."""
        for packet in self.container.demux(self.stream):
            # A decoder would take an empty packet for the end.
            if packet.size or (packet.pts is None and packet.dts is None):
                yield packet

    def _open(self):
        if not pathmgr.exists(self.path):
            raise SlowFastExtError(no_such_video(self.path))
        if is_local(self.path) and not os.path.isfile(self.path):
            # Reading a pipe or a device might never end.
            raise self.error("neither a regular file nor a folder")
        try:
            self.local_path = pathmgr.get_local_path(self.path)
            if os.path.getsize(self.local_path) == 0:
                raise self.error("the file is empty (0 bytes)")
            self.header = read_mp4_header(self.local_path)
            if self.header.problem:
                raise self.error(self.header.problem)
            # Titles in another encoding than UTF-8 would otherwise end in an exception.
            # As `options` they would be its streams' too: on MPEG program streams, whose streams
            # are found late, PyAV 17 and older then end in a segmentation fault.
            self.container = av.open(
                f"file:{self.local_path}", container_options=_OPTIONS, metadata_errors="ignore"
            )
        except av.error.ArgumentError as error:
            raise self.error("holds no video of a format that is read") from error
        except (av.FFmpegError, OSError) as error:
            raise self.error(f"cannot be read as a video ({error.strerror or error})") from error

    def _chosen(self):
        """
        The number of the stream that is the video, neither a cover nor a preview with few frames.

        Of those with at least half as many frames as the longest, a default one is preferred, and
        of several the one with the largest frames.
        """
        streams = self.container.streams
        tracks = [stream for stream in streams.video if not stream.disposition & _PICTURES_BESIDE]
        decodable = [track for track in tracks if track.codec_context is not None]
        if not tracks:
            raise self.error("holds sound and no video" if streams.audio else "holds no video")
        if not decodable:
            raise self.error("the installed FFmpeg has no decoder for this video")
        if len(decodable) == 1 and not (streams.audio and _is_picture(decodable[0])):
            return decodable[0].index
        counts = self._frame_counts(decodable)
        most = max(counts.values())
        if most <= 1 and streams.audio and all(map(_is_picture, decodable)):
            raise self.error("holds sound and a picture, and no video")
        preferences = {track.index: _preference(track) for track in decodable}
        long = [number for number, count in counts.items() if 2 * count >= most]
        if not self.is_format("mp4"):
            # Counting has read the file to its end.
            self.close()
            self._open()
        return max(long, key=preferences.get)

    def _frame_counts(self, tracks):
        """{number of a stream: its frames}, by the index where the format has one."""
        if self.is_format("mp4"):
            return {track.index: len(track.index_entries) for track in tracks}
        counts = dict.fromkeys((track.index for track in tracks), 0)
        for packet in self.container.demux(tracks):
            counts[packet.stream_index] += packet.size > 0
        return counts


def broken(path, what):
    """The error about a video file; the remedy is the same for whatever is wrong with it."""
    return SlowFastExtError(
        f"{path}: {what}; copy or download the file again, or take it out of the list"
    )


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


def _is_picture(track):
    return track.codec_context.name in _OF_PICTURES


def _preference(track):
    context = track.codec_context
    return bool(track.disposition & Disposition.default), context.width * context.height
