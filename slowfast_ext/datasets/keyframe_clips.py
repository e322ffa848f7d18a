"""Clips around keyframes of folders of frames, and the persons' boxes in them."""

import numpy as np
import torch

from slowfast_ext.datasets import views
from slowfast_ext.datasets.clips import join_clips, to_pathways
from slowfast_ext.datasets.contract import ActivityDataset
from slowfast_ext.datasets.video import FrameFolder, Video
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr


class KeyframeClips(ActivityDataset):
    """
    One item is one keyframe. What a data set adds: `clip_frames(index, rate)`, numbers of
    frames; `files(index, numbers)`, their folder and names; `training_crop(random, scaled,
    stored)` and `test_crop(height, width)`; `sample(index, pathways, crop, scaled, stored)`.
    `scaled` and `stored` are the height and width of the frames as read and in their files.

    Args: those of ActivityDataset.
    """

    def __init__(self, cfg, split):
        self.cfg = cfg
        self.rates = cfg.TUNE.RATES if split == "tune" else [cfg.DATA.SAMPLING_RATE]
        groups = [(cfg.DATA.SAMPLING_RATE, 1, 1)] if split == "val" else self.view_groups(cfg)
        self.views = [rate for rate, _, _ in groups]

    @staticmethod
    def view_groups(cfg):
        """
        One clip around the keyframe for each rate of TEST.VIEWS or, where it is empty, at
        DATA.SAMPLING_RATE.
        """
        if not cfg.TEST.VIEWS:
            return [(cfg.DATA.SAMPLING_RATE, 1, 1)]
        groups = ActivityDataset.view_groups(cfg)
        if any((clips, crops) != (1, 1) for _, clips, crops in groups):
            raise SlowFastExtError(
                f"TEST.VIEWS is {groups}: on AVA and Volleyball each must be (rate, 1, 1), one "
                "clip around the keyframe"
            )
        return groups

    def media_path(self, index):
        return self.files(index, [])[0]

    def __getitem__(self, key):
        """
        A training clip of a key (epoch, index), one clip for each rate of an index: a Sample
        without the persons whose boxes lie outside the crop.
        """
        if isinstance(key, tuple):
            return self._training_clip(*key)
        clips = [self.clip_frames(key, rate) for rate in self.views]
        # Each frame is read once, whatever number of clips it stands in.
        needed, position = np.unique(np.concatenate(clips), return_inverse=True)
        images, stored = self._read(key, needed, self.cfg.DATA.TEST_CROP_SIZE)
        images = self.test_images(images)
        scaled = images.shape[1:3]
        crop = self.test_crop(*scaled)
        position = position.reshape(len(clips), -1)
        clips = [to_pathways(self.cfg, crop.cut(images[clip])) for clip in position]
        return self.sample(key, join_clips(clips), crop, scaled, stored)

    def test_images(self, images):
        """The scaled frames of a test, T x H x W x 3, as clips are cut out of them."""
        return images

    def _training_clip(self, epoch, index):
        data = self.cfg.DATA
        # The order of the draws is part of a seed's meaning.
        random = views.sample_random(self.cfg.RNG_SEED, epoch, index)
        rate = self.rates[random.integers(len(self.rates))]
        short_side = views.random_scale(random, data.TRAIN_JITTER_SCALES, data.INV_UNIFORM_SAMPLE)
        images, stored = self._read(index, self.clip_frames(index, rate), short_side)
        scaled = images.shape[1:3]
        place = self.training_crop(random, scaled, stored)
        crop = views.Crop(*place, flipped=bool(data.RANDOM_FLIP and random.random() < 0.5))
        return self.sample(index, to_pathways(self.cfg, crop.cut(images)), crop, scaled, stored)

    def _read(self, index, numbers, short_side):
        """Frames by number, T x H x W x 3, and the stored frames' height and width."""
        # A frame may stand in a clip more than once, at either end of what there is.
        distinct, places = np.unique(numbers, return_inverse=True)
        path, names = self.files(index, distinct)
        with Video(path, FrameFolder(path, names)) as video:
            return video.read(places, short_side), (video.info.height, video.info.width)


def require_folders(paths, advice):
    """Raises SlowFastExtError, with `advice`, where folders of frames are not there at all."""
    missing = [path for path in dict.fromkeys(paths) if not pathmgr.isdir(path)]
    if missing:
        further = f" (nor {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise SlowFastExtError(f"{missing[0]}: no such folder of frames{further}; {advice}")


def persons_in(crop, boxes, scaled):
    """
    The persons who have a part in a `crop` of frames of height and width `scaled`.

    Their boxes, M x 4, are fractions of the frame's size: x1, y1, x2, y2. Returns those of P
    persons in the crop's pixels, float32, P x 4, and which of the M they are, int64, [P].
    """
    boxes, inside = crop.boxes(boxes, *scaled)
    size = np.array([crop.width, crop.height] * 2)
    # As upstream has it, a box ends at the last pixel.
    boxes = np.minimum(boxes[inside] * size, size - 1)
    return torch.from_numpy(boxes).float(), torch.from_numpy(np.flatnonzero(inside))
