"""
Decoding chosen frames of a video file with PyAV.

Frames are numbered in the order in which they are shown, whatever order the file stores
them in, and come out the same, bit for bit, as if the whole video were decoded.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from slowfast_ext.datasets.container import broken, check_frame_size
from slowfast_ext.datasets.decoder import Decoder
from slowfast_ext.datasets.file_facts import find_facts
from slowfast_ext.datasets.known_files import KNOWN_FILES
from slowfast_ext.datasets.orientation import Orientation
from slowfast_ext.errors import SlowFastExtError


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

    Opening it for the first time reads the file once without decoding, which gives the exact
    number of frames and their times; only where the packets do not tell them, all frames are
    decoded. Later openings take that from what is known of the file.

    Args:
        path (str): the file.
        pixel_aspect (bool): pixels that are not square are shown as wide as they are meant;
            False: frames are as wide as they are stored.
        index_folder (str or None): where what was found of files lies; None: in memory alone.

    Raises:
        SlowFastExtError: the file is missing, empty, truncated or not a video.
    """

    def __init__(self, path, pixel_aspect=True, index_folder=None):
        self.path = path
        # Frames that are being decoded, and the mark of the last one that came.
        self._decoding, self._passed = None, -math.inf
        self._reformatter = av.video.reformatter.VideoReformatter()
        known = KNOWN_FILES.find(path, index_folder)
        self._decoder = Decoder(path, known.facts and known.facts.stream)
        try:
            self._facts = known.facts or known.keep(find_facts(self._decoder))
            self._index, self._leaves_out = self._facts.index, self._facts.has_spare
            self._decoder.skips_errors = self._facts.skips_errors
            self.info = self._info(pixel_aspect)
        except av.FFmpegError as error:
            self.close()
            raise broken(path, f"cannot be read to its end ({error.strerror})") from error
        except SlowFastExtError:
            self.close()
            raise

    def close(self):
        """Closes the file; it cannot be decoded afterwards."""
        self._decoder.close()

    def _info(self, pixel_aspect):
        """The VideoInfo; sets how frames are turned and scaled, too."""
        facts = self._facts
        height, width = facts.height, facts.width
        if pixel_aspect and facts.aspect[0]:
            width = round(width * Fraction(*facts.aspect))
        check_frame_size(self.path, height, width)
        self._scaled = {} if width == facts.width else {"width": width, "height": height}
        self._orientation = Orientation(self.path, facts.turn)
        length, (height, width) = len(self._index.marks), self._orientation.size(height, width)
        return VideoInfo(length, facts.fps, height, width, facts.times())

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
        last, reason = int(self._index.marks[run[-1]]), "the video ends before it"
        try:
            self._start(key, self._index.marks[run[0]], is_first)
            self._decoder.want(waiting, last if self._leaves_out else None)
            for mark, frame in self._decoding:
                self._passed = mark
                index = waiting.pop(mark, None)
                if index is not None:
                    yield index, self._image(frame)
                if not waiting:
                    return
                if self._leaves_out and mark > last:
                    break
        except av.FFmpegError as error:
            reason = error.strerror
        finally:
            if waiting:
                # What was left out for these frames the next ones may need.
                self._decoding = None
        left = np.array(sorted(waiting.values()))
        if self._leaves_out:
            # The pictures' marks are not to be trusted.
            self._leaves_out = False
            yield from self._decode_run(left, key, is_first)
            return
        if not is_first and reason == "the video ends before it":
            # From a key frame that is not one, as where a picture is refreshed part by part, the
            # decoder gives frames only later.
            yield from self._decode_run(left, self._index.keys[0], is_first=True)
            return
        raise broken(self.path, f"frame {left[0]} cannot be decoded ({reason})")

    def _image(self, frame):
        """A decoded frame as RGB, uint8 [H, W, 3], as it is shown."""
        is_usual = (frame.height, frame.width) == (self._facts.height, self._facts.width)
        # To start as many threads as there are cores takes longer than to convert a small clip's
        # frames, and data workers share the cores already.
        scaled = self._scaled if is_usual else {}
        image = self._reformatter.reformat(frame, format="rgb24", threads=1, **scaled)
        return self._orientation.upright(image.to_ndarray())

    def _start(self, key, mark, is_first):
        """Decodes on where the frame at `mark` is ahead and `key` is not, else from `key` on."""
        key_mark = -math.inf if is_first else key["shown_at"]
        if self._decoding is None or not key_mark <= self._passed < mark:
            self._passed = -math.inf
            frames = self._decoder.frames_from(key, self._index)
            marked = ((self._index.mark_of(frame), frame) for frame in frames)
            self._decoding = (
                enumerate(frames)
                if self._index.is_counted
                else (pair for pair in marked if pair[0] is not None)
            )
