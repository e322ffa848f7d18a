"""
Which frames of a video make a clip, and which part of a frame makes a crop.

Nothing here reads a video: lengths, sizes and random generators come in, numbers go out.
"""

import math
from dataclasses import dataclass

import numpy as np

from slowfast_ext.errors import SlowFastExtError


@dataclass(frozen=True)
class View:
    """
    One of the (clip, crop) pairs that a video is tested on.

    Args:
        rate (int): sampling rate, in frames at the target frame rate.
        clip (int): which of the `num_clips` clips spread over the video, from 0.
        num_clips (int): clips at this sampling rate.
        crop (int): which of the `num_crops` crops along the longer side, from 0.
        num_crops (int): crops of each clip.
    """

    rate: int
    clip: int
    num_clips: int
    crop: int
    num_crops: int

    @property
    def fraction(self):
        """Where the clip lies: 0 at the video's start, 1 at its end, 0.5 for a single clip."""
        return 0.5 if self.num_clips == 1 else self.clip / (self.num_clips - 1)


def list_views(groups):
    """
    Spells out groups of views.

    Args:
        groups (list): (sampling rate, clips, crops) triples, as in TEST.VIEWS.
    Returns:
        list[View]: in the order of groups, then clips, then crops;
            [[4, 4, 3], [8, 3, 3], [2, 3, 3]] gives 12 + 9 + 9.
    """
    return [
        View(rate, clip, num_clips, crop, num_crops)
        for rate, num_clips, num_crops in groups
        for clip in range(num_clips)
        for crop in range(num_crops)
    ]


def frame_step(rate, fps, target_fps):
    """
    Stored frames between two sampled frames, as upstream's Kinetics loader counts them.

    Args:
        rate (int): sampling rate, in frames at `target_fps`.
        fps (float or None): frames per second of the stored video; None if unknown.
        target_fps (float): frame rate that the sampling rate refers to; 0: the stored one.
    Returns:
        float: a step of `rate` stored frames where either frame rate is not given.
    """
    if not fps or not target_fps:
        return float(rate)
    return rate * fps / target_fps


def clip_start(span, length, fraction):
    """
    First frame of a clip.

    Args:
        span (float): frames from the clip's first frame to its last, both counted.
        length (int): frames of the video.
        fraction (float): place within the free room, from 0 (start) to 1 (end).
    Returns:
        float: in stored frames. Negative where the video is shorter than the clip, which
            is then centred on it, so that frames repeat alike at both ends.
    """
    room = length - span
    return room * fraction if room >= 0 else room / 2


def clip_frames(length, num_frames, step, fraction):
    """
    Frames of one clip.

    Args:
        length (int): frames of the video, at least 1.
        num_frames (int): frames of the clip.
        step (float): stored frames between two frames of the clip.
        fraction (float): place of the clip in the video, from 0 (start) to 1 (end).
    Returns:
        int64 array [num_frames]: frame numbers within [0, length - 1], never decreasing.
    """
    start = clip_start((num_frames - 1) * step + 1, length, fraction)
    places = start + np.arange(num_frames) * step
    # Not np.rint: it rounds halves to the even neighbour, and steps would come out uneven.
    return np.clip(np.floor(places + 0.5).astype(np.int64), 0, length - 1)


def clip_of_video(info, num_frames, rate, target_fps, fraction):
    """
    Frames of one clip of a video.

    Where frames come at an uneven rate and `target_fps` is given, the clip's moments are evenly
    apart and each has the frame that is shown then, which may be the one before's.

    Args:
        info (VideoInfo): the video.
        num_frames (int), rate (int), target_fps (float), fraction (float): as of `frame_step`
            and `clip_frames`.
    Returns:
        int64 array [num_frames]: as of `clip_frames`.
    """
    distance = mean_distance(info, target_fps)
    if distance is None:
        step = frame_step(rate, info.fps, target_fps)
        return clip_frames(info.length, num_frames, step, fraction)
    step = frame_step(rate, 1 / distance, target_fps)
    start = clip_start((num_frames - 1) * step + 1, info.length, fraction)
    moments = info.times[0] + (start + np.arange(num_frames) * step) * distance
    # A thousandth: what is due when a frame comes has that frame, however times are rounded.
    shown = np.searchsorted(info.times, moments + distance / 1000, side="right") - 1
    return np.clip(shown, 0, info.length - 1)


def mean_distance(info, target_fps):
    """
    Seconds from one frame to the next on the mean, where clips are taken by time.

    Returns:
        float or None: None where they are taken by number: frames without times, no
            `target_fps`, or no frame half a distance or more from where even ones would be.
    """
    times = info.times
    if not target_fps or times is None or len(times) < 3:
        return None
    even, distance = np.linspace(times[0], times[-1], len(times), retstep=True)
    return float(distance) if np.abs(times - even).max() >= distance / 2 else None


# Keeps the draws of training apart from others that are seeded with three small numbers, such as
# the synthetic videos': equal draws would tie a clip's crop to its video's labels.
_TRAINING_DRAWS = 0x5A3D


def sample_random(seed, epoch, index):
    """
    Random generator of one training sample.

    It depends on nothing but the arguments: neither the number of data loader workers
    nor what they did before changes a sample.

    Args:
        seed (int), epoch (int), index (int): each at least 0.
    Returns:
        numpy.random.Generator
    """
    return np.random.default_rng([seed, epoch, index, _TRAINING_DRAWS])


def scaled_size(height, width, short_side):
    """
    Size of a frame whose shorter side is scaled to `short_side` pixels.

    Returns:
        (int, int): height and width; the longer side is rounded down, as upstream does.
    """
    if min(height, width) == short_side:
        return height, width
    # The order of operations is upstream's: another one rounds some sizes differently.
    if width < height:
        return math.floor(height / width * short_side), short_side
    return short_side, math.floor(width / height * short_side)


def test_crop_offset(height, width, size, crop, num_crops):
    """
    Upper left corner of a square test crop.

    Args:
        height (int), width (int): size of the frame.
        size (int): side of the crop.
        crop (int): which crop, from 0 (left or top) to num_crops - 1 (right or bottom).
        num_crops (int): crops spread evenly along the longer side; 1 is the centre crop.
            With 3 they are those of upstream's `uniform_crop`.
    Returns:
        (int, int): top and left.
    Raises:
        SlowFastExtError: the crop is larger than the frame.
    """
    _check_crop_fits(height, width, size)
    top, left = math.ceil((height - size) / 2), math.ceil((width - size) / 2)
    if num_crops > 1:
        if height > width:
            top = math.ceil(crop * (height - size) / (num_crops - 1))
        else:
            left = math.ceil(crop * (width - size) / (num_crops - 1))
    return top, left


# The name is not a test's; pytest would collect it wherever a test module imports it.
test_crop_offset.__test__ = False


def random_scale(random, scales, inverse_uniform):
    """
    Draws the shorter side that a training clip is scaled to.

    Args:
        random (numpy.random.Generator): source of randomness.
        scales (list[int]): smallest and largest short side in pixels.
        inverse_uniform (bool): draw 1 / side uniformly (DATA.INV_UNIFORM_SAMPLE) rather
            than the side, so that small sides come more often.
    Returns:
        int: within [smallest, largest].
    """
    smallest, largest = scales
    if inverse_uniform:
        return round(1.0 / random.uniform(1.0 / largest, 1.0 / smallest))
    return round(random.uniform(smallest, largest))


def random_crop_offset(random, height, width, size):
    """
    Draws the upper left corner of a square training crop, each place equally likely.

    Returns:
        (int, int): top and left.
    Raises:
        SlowFastExtError: the crop is larger than the frame.
    """
    _check_crop_fits(height, width, size)
    top = random.integers(0, height - size, endpoint=True)
    left = random.integers(0, width - size, endpoint=True)
    return int(top), int(left)


@dataclass(frozen=True)
class Crop:
    """
    A part of all frames of a clip.

    Args:
        top (int), left (int): its upper left corner.
        height (int), width (int): its size.
        flipped (bool): turned round from left to right.
    """

    top: int
    left: int
    height: int
    width: int
    flipped: bool = False

    def cut(self, images):
        """T x H x W x 3 -> T x height x width x 3, a view of it."""
        images = images[:, self.top : self.top + self.height, self.left : self.left + self.width]
        return images[:, :, ::-1] if self.flipped else images

    def boxes(self, boxes, frame_height, frame_width):
        """
        Boxes as they lie in the crop.

        Args:
            boxes (float array): M x 4: x1, y1, x2, y2 as fractions of the frame's size.
        Returns:
            (float array, bool array): M x 4, fractions of the crop's size, cut off at its
                borders; [M], which have any part in it.
        """
        size = np.array([frame_width, frame_height] * 2)
        inside = (boxes * size - [self.left, self.top] * 2) / ([self.width, self.height] * 2)
        if self.flipped:
            inside[:, [0, 2]] = 1 - inside[:, [2, 0]]
        inside = inside.clip(0, 1)
        return inside, (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])


def _check_crop_fits(height, width, size):
    """Raises SlowFastExtError if a crop of size x size pixels is larger than the frame."""
    if size > min(height, width):
        raise SlowFastExtError(
            f"a crop of {size} x {size} pixels does not fit into frames of {width} x {height}: "
            "set DATA.TRAIN_CROP_SIZE and DATA.TEST_CROP_SIZE to at most the short side that "
            "frames are scaled to (DATA.TRAIN_JITTER_SCALES)"
        )
