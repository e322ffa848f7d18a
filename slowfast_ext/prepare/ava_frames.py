"""
AVA's seconds and the frames of a video: which is shown when, and 30 a second as JPEG files.

AVA counts seconds from the start of the movie and uses those from 900 on. PySlowFast reads
folders of 30 frames a second of which the first is second 900's.
"""

import glob
import math
import os
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

import cv2
import numpy as np
from tqdm import tqdm

from slowfast_ext.datasets.ava_frames import FPS, Clock
from slowfast_ext.datasets.video_file import VideoFile
from slowfast_ext.datasets.views import scaled_size
from slowfast_ext.errors import SlowFastExtError

# From second 900 on, as PySlowFast's instructions cut the movies.
_SECONDS = 901
# A cut video is 901 s long, and a movie has at least the last keyframe.
_MIN_SECONDS_OF_MOVIE = 1000
_SHORT_SIDE = 256
_VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")


def video_files(folder):
    """
    The videos of a folder.

    Returns:
        dict[str, str]: path by name without ending, sorted by name.
    Raises:
        SlowFastExtError: no such folder, no videos, or two of one name.
    """
    if not os.path.isdir(folder):
        raise SlowFastExtError(f"{folder}: no such folder; check the path")
    files = {}
    for file_name in sorted(os.listdir(folder)):
        name, ending = os.path.splitext(file_name)
        if ending.lower() not in _VIDEO_ENDINGS or name.startswith("."):
            continue
        path = os.path.join(folder, file_name)
        if name in files:
            raise SlowFastExtError(
                f"{files[name]} and {path} have one name: leave one of them in the folder"
            )
        files[name] = path
    if not files:
        raise SlowFastExtError(f"{folder} holds no videos ({', '.join(_VIDEO_ENDINGS)})")
    return files


def first_second(path, info):
    """
    The second, in AVA's count, of a video's first frame.

    Args:
        path (str): what messages name.
        info (VideoInfo): of the video.
    Returns:
        int: 0 for a movie, 900 for a video below 1,000 s: it counts as cut already.
    Raises:
        SlowFastExtError: the video stores no times.
    """
    require_times(path, info)
    return 0 if info.times[-1] >= _MIN_SECONDS_OF_MOVIE else Clock.first


def require_times(path, info):
    """Raises SlowFastExtError where a video stores no times."""
    if info.times is None:
        raise SlowFastExtError(
            f"{path}: stores neither times nor a frame rate: convert it, such as to .mp4"
        )


def nearest_frames(info, times):
    """
    The frames shown nearest to some times.

    Args:
        info (VideoInfo): of the video.
        times (float array): seconds from the file's start on.
    Returns:
        int64 array: frame numbers.
    """
    return np.searchsorted((info.times[1:] + info.times[:-1]) / 2, times)


def extract_all(videos, folder, whole=False):
    """
    Writes the folders of frames that are not there yet, several at a time.

    Args:
        videos (dict[str, str]): paths by name.
        folder (str): gets a folder per video.
        whole (bool): from a video's first frame to its last, not AVA's part alone.
    Returns:
        dict[str, str]: what is wrong with the videos that cannot be read, by name.
    """
    os.makedirs(folder, exist_ok=True)
    waiting = [name for name in videos if not os.path.isdir(os.path.join(folder, name))]
    stop, problems = threading.Event(), {}
    further = (stop.is_set, _whole_jpegs) if whole else (stop.is_set,)
    with ThreadPoolExecutor() as pool:
        jobs = {
            pool.submit(extract_frames, videos[name], os.path.join(folder, name), *further): name
            for name in waiting
        }
        try:
            for job in tqdm(as_completed(jobs), "frames", len(jobs), disable=None, leave=False):
                try:
                    job.result()
                except SlowFastExtError as error:
                    problems[jobs[job]] = str(error)
        except BaseException:
            # Without this a stopped program would go on until all videos are done.
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return problems


def extract_frames(path, folder, is_stopped, jpegs=None):
    """
    Writes the frames of a video, 30 a second, short side 256: FOLDER/NAME_000001.jpg, where
    NAME is the folder's. The folder appears whole or not at all.

    Args:
        path (str): the video, whole or cut at second 900.
        folder (str): to write, not there yet.
        is_stopped (callable): asked at every frame; True ends the work without the folder.
        jpegs (callable or None): path -> the content of each file; None: AVA's part of a movie.
    Raises:
        SlowFastExtError: the video cannot be read.
    """
    for leftover in glob.glob(f"{glob.escape(folder)}.partial-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    partial = f"{folder}.partial-{os.getpid()}"
    os.makedirs(partial)
    try:
        for number, data in enumerate((jpegs or _jpegs)(path), start=1):
            if is_stopped():
                return
            with open(frame_path(partial, os.path.basename(folder), number), "wb") as stream:
                stream.write(data)
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def frame_path(folder, name, number):
    """Path of a frame, numbered from 1."""
    return f"{folder}/{name}_{number:06d}.jpg"


def count_frames(folder, name):
    """
    Number of frames in FOLDER/NAME.

    Raises:
        SlowFastExtError: there are none, their numbers have gaps, or the first or the last
            cannot be read.
    """
    path, remedy = os.path.join(folder, name), "delete the folder and extract its frames again"
    present = {file_name for file_name in os.listdir(path) if file_name.endswith(".jpg")}
    count = sum(
        re.fullmatch(rf"{re.escape(name)}_\d{{6}}\.jpg", other) is not None for other in present
    )
    if not count:
        raise SlowFastExtError(f"{path} has no frames {name}_000001.jpg, ...: {remedy}")
    for number in range(1, count + 1):
        if os.path.basename(frame_path(path, name, number)) not in present:
            raise SlowFastExtError(f"{path} has {count} frames, but not {number:06d}: {remedy}")
    for number in (1, count):
        frame = frame_path(path, name, number)
        if cv2.imread(frame) is None:
            raise SlowFastExtError(f"{frame} is no readable image: {remedy}")
    return count


def _jpegs(path):
    """Yields the frames from second 900 on as bytes, of a movie or of one that was cut there."""
    return _jpegs_from(path, lambda info: Clock.first - first_second(path, info), _SECONDS)


def _whole_jpegs(path):
    """Yields all frames of a video as bytes."""
    return _jpegs_from(path, lambda info: require_times(path, info) or 0, math.inf)


def _jpegs_from(path, start_of, most_seconds):
    """Yields frames as bytes, those shown for longer than 1/30 s repeatedly."""
    video = VideoFile(path)
    try:
        info = video.info
        start = start_of(info)
        count = round(min(info.duration - start, most_seconds) * FPS)
        frames = nearest_frames(info, start + np.arange(count) / FPS)
        size = scaled_size(info.height, info.width, _SHORT_SIDE)
        wanted, repeats = np.unique(frames, return_counts=True)
        for (index, image), repeat in zip(video.decode(wanted), repeats, strict=True):
            if image.shape[:2] != (info.height, info.width):
                raise SlowFastExtError(f"{path}: frame {index} is of another size than the first")
            data = _jpeg(image, size)
            for _ in range(repeat):
                yield data
    finally:
        video.close()


def _jpeg(image, size):
    """An RGB image, scaled, as the bytes of a JPEG file."""
    height, width = size
    shrinks = height < image.shape[0]
    # Bilinear interpolation would use only some of a large frame's pixels.
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = cv2.resize(image, (width, height), interpolation=how)
    return cv2.imencode(".jpg", cv2.cvtColor(scaled, cv2.COLOR_RGB2BGR))[1].tobytes()
