"""
Reading frames of a video file or of a folder of frames, as RGB uint8.

    with open_video(path) as video:
        frames = video.read([0, 4, 8], short_side=256)
"""

import contextlib
import io
import os
import warnings

import cv2
import numpy as np
import PIL.Image

from slowfast_ext.datasets.container import MAX_PIXELS, VIDEO_ENDINGS, check_frame_size
from slowfast_ext.datasets.image_names import IMAGE_ENDINGS, frames_of, split_pattern
from slowfast_ext.datasets.known_files import known_folder
from slowfast_ext.datasets.video_file import VideoFile, VideoInfo
from slowfast_ext.datasets.views import scaled_size
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr

# What their content may be, whatever the ending.
_IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")


def open_by_config(cfg, path):
    """As `open_video`, by DATA.PIXEL_ASPECT and DATA.INDEX_CACHE."""
    return open_video(path, cfg.DATA.PIXEL_ASPECT, known_folder(cfg))


def open_video(path, pixel_aspect=True, index_folder=None):
    """
    Opens a video file or a folder of frames (jpg or png, in the order of their numbers).

    Args:
        path (str or Path): the file, the folder, or one of several series of images in a folder,
            such as FOLDER/img_*.jpg.
        pixel_aspect (bool), index_folder (str or None): as of VideoFile.

    Returns:
        Video: a context manager.
    Raises:
        SlowFastExtError: nothing there, empty, truncated, or not a video.
    """
    path = os.fspath(path)
    folder, pattern = split_pattern(path)
    if pathmgr.isdir(path):
        return Video(path, FrameFolder(path))
    if pattern and pathmgr.isdir(folder) and not pathmgr.exists(path):
        return Video(path, FrameFolder(folder, pattern=pattern))
    return Video(path, VideoFile(path, pixel_aspect, index_folder))


class Video:
    """
    An opened video, whatever it is stored as.

    Args:
        path (str): what messages name.
        source (VideoFile or FrameFolder): has `info`, `decode` and `close`.
    """

    def __init__(self, path, source):
        self.path = path
        self.info = source.info
        self._source = source

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Frees what reading needs; the video cannot be read afterwards."""
        self._source.close()

    def read(self, indices, short_side=None):
        """
        Reads frames, each distinct one decoded and resized once.

        Args:
            indices (sequence of int): frame numbers in any order, repeats allowed.
            short_side (int or None): pixels to scale the shorter side to; None: as stored.
        Returns:
            uint8 array [len(indices), H, W, 3]: RGB. In memory the three channels lie one after
                the other, as in a network's input: clips are cut from them by plain copying.
        Raises:
            SlowFastExtError: a wanted frame cannot be decoded.
            IndexError: an index is not in [0, info.length).
        """
        indices = np.asarray(indices, dtype=np.int64)
        wanted = np.unique(indices)
        if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < self.info.length:
            raise IndexError(f"{self.path}: frames {wanted} of {self.info.length}")
        height, width = self.info.height, self.info.width
        if short_side is not None:
            height, width = scaled_size(height, width, short_side)
        channels = np.empty((3, len(indices), height, width), dtype=np.uint8)
        for index, image in self._source.decode(wanted):
            image = self._resized(index, image, height, width)
            for place in np.flatnonzero(indices == index):
                cv2.split(image, list(channels[:, place]))
        return channels.transpose(1, 2, 3, 0)

    def _resized(self, index, image, height, width):
        """Resizes one frame [H, W, 3]; raises where it is not as large as the first."""
        if image.shape[:2] != (self.info.height, self.info.width):
            raise SlowFastExtError(
                f"{self.path}: frame {index} is {image.shape[1]} x {image.shape[0]} pixels where "
                f"{self.info.width} x {self.info.height} are expected: all frames of a video "
                "must be of one size"
            )
        if image.shape[:2] == (height, width):
            return image
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def videos_to_name(folder):
    """A sentence on a folder of videos given as if it were one of frames; None without videos."""
    endings = {os.path.splitext(name)[1] for name in pathmgr.ls(folder)}
    patterns = [f"{folder.rstrip('/')}/*{e}" for e in sorted(endings) if e.lower() in VIDEO_ENDINGS]
    return (
        f"{folder}: is a folder of videos: name these, {' '.join(patterns)}" if patterns else None
    )


class FrameFolder:
    """
    The frames of a folder; `info` is a VideoInfo.

    Args:
        path (str): the folder.
        names (list[str] or None): the files; None: all jpg and png, in the order of their numbers.
        pattern (str or None): names the series of images that is the video.

    Raises:
        SlowFastExtError: the folder holds no frames or several series of them, some are missing,
            or the first one is unreadable.
    """

    def __init__(self, path, names=None, pattern=None):
        self.path = path
        self._names = frames_of(path, pathmgr.ls(path), pattern) if names is None else names
        if not self._names:
            raise SlowFastExtError(
                videos_to_name(path)
                or f"{path}: the folder holds no frames: files ending in "
                f"{', '.join(IMAGE_ENDINGS)} are expected"
            )
        height, width = self._image(0).shape[:2]
        self.info = VideoInfo(len(self._names), None, height, width, None)

    def close(self):
        """Nothing is kept open."""

    def decode(self, wanted):
        """Yields (frame number, RGB uint8 [H, W, 3]) for distinct sorted frame numbers."""
        for index in wanted:
            yield index, self._image(index)

    def _image(self, index):
        """Reads one frame as RGB uint8 [H, W, 3]."""
        path = f"{self.path.rstrip('/')}/{self._names[index]}"
        try:
            with pathmgr.open(path, "rb") as stream:
                data = stream.read()
        except OSError as error:
            raise SlowFastExtError(f"{path}: cannot be read: {error.strerror or error}") from error
        image, size = None, _declared_size(path, data)
        # Some versions of OpenCV show the missing part of a truncated JPEG in grey.
        if size and not (data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data):
            # OpenCV raises where it meets what it does not expect, and gives None otherwise.
            with contextlib.suppress(cv2.error):
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise SlowFastExtError(
                f"{path}: not a readable image (empty, truncated or of another kind): "
                "extract or copy the frames of this video again"
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _declared_size(path, data):
    """
    Height and width as an image's header names them, None where it is no image.

    Raises:
        SlowFastExtError: they are such as are not read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            width, height = PIL.Image.open(io.BytesIO(data), formats=_IMAGE_FORMATS).size
    except (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError) as error:
        raise SlowFastExtError(
            f"{path}: declares more than the {MAX_PIXELS} pixels that are read: extract or copy "
            "the frames of this video again"
        ) from error
    except Exception:  # A damaged file can raise anything.
        return None
    check_frame_size(path, height, width)
    return height, width
