"""
What a training clip shows of its frames, and what else is done to it: main's crops of any area
and aspect, RandAugment and erased rectangles, by PySlowFast's own functions on draws of ours.
"""

import cv2
import numpy as np
import PIL.Image
import torch

from slowfast_ext import upstream
from slowfast_ext.config.schema import refuse, require_clips_alone
from slowfast_ext.datasets import views
from slowfast_ext.datasets.clips import channel_order, squeezed
from slowfast_ext.datasets.contract import named_datasets

_SCALES, _ASPECTS = "DATA.TRAIN_JITTER_SCALES_RELATIVE", "DATA.TRAIN_JITTER_ASPECT_RELATIVE"
# The keys that `training_images` goes by.
AUGMENTS = ("AUG.ENABLE", _SCALES)


def check_augmentation(cfg):
    """Raises SlowFastExtError where what the config asks for cannot be done to its clips."""
    check_augmented_features(cfg)
    ranges = {key: upstream.get_key(cfg, key) for key in (_SCALES, _ASPECTS)}
    has_ranges, is_changed = any(ranges.values()), cfg.AUG.ENABLE
    if has_ranges and not all(ranges.values()):
        key, other = sorted(ranges, key=lambda key: len(ranges[key]))
        refuse(cfg, key, f"must be two numbers as well where {other} is set")
    for key, is_on, off in (("AUG.ENABLE", is_changed, False), (_SCALES, has_ranges, [])):
        for dataset in named_datasets(cfg) if is_on else ():
            if key not in dataset.augments:
                refuse(cfg, key, f"is not done by {dataset.__name__}: set it to {off!r}")
    if not is_changed:
        return
    require_clips_alone(cfg, "AUG.ENABLE moves what frames show, and no boxes with it")
    try:
        if cfg.AUG.AA_TYPE:
            _rand_augment(cfg, (32, 32))
    except Exception as error:  # Upstream asserts, or fails anyhow.
        refuse(cfg, "AUG.AA_TYPE", f"is not understood by upstream's RandAugment ({error!r})")


def check_augmented_features(cfg, key="FEATURES.PATH"):
    """Raises SlowFastExtError where pixels are changed and maps are stored in their place."""
    for name in ("AUG.ENABLE", "MIXUP.ENABLE"):
        if upstream.get_key(cfg, name) and (key != "FEATURES.PATH" or cfg.FEATURES.PATH):
            refuse(cfg, name, f"must be False with {key}: stored maps are of clips as they are")


def is_relative(cfg):
    """True where crops have any area and aspect, DATA.TRAIN_JITTER_SCALES_RELATIVE."""
    return bool(upstream.get_key(cfg, _SCALES))


def short_side(cfg, random):
    """Draws the shorter side, in pixels, that a training clip's frames are scaled to."""
    data = cfg.DATA
    if is_relative(cfg):
        return data.TRAIN_JITTER_SCALES[0]  # As upstream decodes them; the crop is what is drawn.
    return views.random_scale(random, data.TRAIN_JITTER_SCALES, data.INV_UNIFORM_SAMPLE)


def training_crop(cfg, random, height, width):
    """Draws the part of a training clip's frames of that size that is shown, a Crop."""
    data, size = cfg.DATA, cfg.DATA.TRAIN_CROP_SIZE
    if is_relative(cfg):
        with upstream.seeded(random):
            ranges = data.TRAIN_JITTER_SCALES_RELATIVE, data.TRAIN_JITTER_ASPECT_RELATIVE
            place = upstream.random_crop_place(*ranges, height, width)
    else:
        place = (*views.random_crop_offset(random, height, width, size), size, size)
    return views.Crop(*place, flipped=data.RANDOM_FLIP and random.random() < 0.5)


def training_images(cfg, random, images):
    """
    Draws what a training clip shows.

    Args:
        images (uint8 array): RGB frames, T x H x W x 3, of `short_side`.

    Returns:
        (uint8 array, Crop): RGB, T x S x S x 3 for DATA.TRAIN_CROP_SIZE S; where it lies.
    """
    if cfg.AUG.ENABLE and cfg.AUG.AA_TYPE:
        images = _rand_augmented(cfg, random, images)
    crop = training_crop(cfg, random, *images.shape[1:3])
    images = crop.cut(images)
    if is_relative(cfg):
        images = squeezed(images, cfg.DATA.TRAIN_CROP_SIZE, cv2.INTER_LINEAR)
    if cfg.AUG.ENABLE and cfg.AUG.RE_PROB:
        images = _erased(cfg, random, images)
    return images, crop


def _rand_augment(cfg, size):
    return upstream.create_random_augment(size, cfg.AUG.AA_TYPE, cfg.AUG.INTERPOLATION)


def _rand_augmented(cfg, random, images):
    """RandAugment (Cubuk et al., 2020): the same operations on all frames of a clip."""
    with upstream.seeded(random):
        change = _rand_augment(cfg, images.shape[1:3])
        pictures = change([PIL.Image.fromarray(np.ascontiguousarray(image)) for image in images])
    return np.stack([np.asarray(picture) for picture in pictures])


def _erased(cfg, random, images):
    """
    Random erasing (Zhong et al., 2020), the same rectangle of all frames; noise of the network's
    own scale, which DATA.MEAN and STD make of it, is cut off at black and white.
    """
    options, step = cfg.AUG, -1 if channel_order(cfg) == "BGR" else 1
    mean, std = (np.float32(n[::step]) for n in (cfg.DATA.MEAN, cfg.DATA.STD))
    normalised = torch.from_numpy((images / np.float32(255) - mean) / std).permute(0, 3, 1, 2)
    with upstream.seeded(random):
        # As upstream: of several rectangles, RE_COUNT, a clip's first frames have none.
        erase = upstream.RandomErasing(
            options.RE_PROB,
            mode=options.RE_MODE,
            max_count=options.RE_COUNT,
            num_splits=options.RE_COUNT,
            device="cpu",
        )
        erased = erase(normalised).permute(0, 2, 3, 1).numpy()
    return ((erased * std + mean) * 255).round().clip(0, 255).astype(np.uint8)
