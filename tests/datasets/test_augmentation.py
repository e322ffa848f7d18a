"""Crops of any area, RandAugment and erasing against main's own functions on the same draws."""

import copy
import random

import numpy as np
import PIL.Image
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.config.load import load_config
from slowfast_ext.datasets import augmentation, views
from slowfast_ext.datasets.contract import ActivityDataset
from slowfast_ext.datasets.upstream_dataset import adapted
from slowfast_ext.engine.batch_size import batch_sentence
from slowfast_ext.engine.loaders import build_dataset, training_loader
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import CONFIG, TINY

if not upstream.IS_MAIN:
    pytest.skip("needs GitHub's main of PySlowFast", allow_module_level=True)

from slowfast.datasets.decoder import get_start_end_idx
from slowfast.datasets.random_erasing import RandomErasing
from slowfast.datasets.transform import create_random_augment, random_resized_crop

RELATIVE = {
    "DATA.TRAIN_JITTER_SCALES_RELATIVE": "[0.08, 1.0]",
    "DATA.TRAIN_JITTER_ASPECT_RELATIVE": "[0.75, 1.3333]",
}
CHANGED = {"AUG.ENABLE": True, "AUG.AA_TYPE": "rand-m7-n4-mstd0.5-inc1"}
NO_ERASING = {"AUG.RE_PROB": 0.0}
ERASED = {"AUG.ENABLE": True, "AUG.AA_TYPE": "", "AUG.RE_PROB": 1.0}


def config(**changes):
    words = {**TINY, **changes}
    return load_config(CONFIG, [str(word) for pair in words.items() for word in pair])


@pytest.fixture(scope="module")
def images():
    """Frames, T x H x W x 3, smooth enough that a shift is seen."""
    coarse = np.random.default_rng(0).integers(0, 256, (4, 5, 7, 3), dtype=np.uint8)
    return np.stack([np.asarray(PIL.Image.fromarray(image).resize((56, 40))) for image in coarse])


def seeds(draws, number):
    """The seeds that upstream's functions are given of the next draws."""
    draws = copy.deepcopy(draws)
    return [int(draws.integers(2**32)) for _ in range(number)]


def seed_all(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.mark.parametrize("length, num_clips", [(300, 10), (301, 3), (90, 1), (50, 3)])
def test_a_test_s_clips_lie_as_with_offset_sampling(length, num_clips):
    """DATA.USE_OFFSET_SAMPLING True; main rounds the distance of two clips down."""
    found = [
        views.clip_start(64, length, view.fraction)
        for view in views.list_views([(4, num_clips, 1)])
    ]
    for place, start in enumerate(found):
        theirs = get_start_end_idx(length, 64, place, num_clips, use_offset=True)[0]
        assert theirs <= max(start, 0) < theirs + max(place, 1)


@pytest.mark.parametrize("index", range(4))
def test_crops_of_any_area_are_upstreams(images, index):
    cfg = config(**RELATIVE)
    draws = views.sample_random(0, 0, index)
    (seed,) = seeds(draws, 1)
    shown, crop = augmentation.training_images(cfg, draws, images)
    seed_all(seed)
    clip = torch.from_numpy(images).permute(3, 0, 1, 2).float()
    wanted = random_resized_crop(clip, 32, 32, scale=(0.08, 1.0), ratio=(0.75, 1.3333))
    wanted = wanted.flip(3) if crop.flipped else wanted
    assert shown.shape == (4, 32, 32, 3) and crop.height * crop.width >= 0.07 * 40 * 56
    assert np.abs(shown - wanted.permute(1, 2, 3, 0).numpy()).max() <= 1
    # Boxes lie in it as fractions, whatever it is resized to.
    boxes, _ = crop.boxes(np.array([[0, 0, 1, 1]], float), 40, 56)
    assert boxes.tolist() == [[0, 0, 1, 1]]


def test_the_operations_of_rand_augment_are_upstreams(images):
    cfg, draws, seen = config(**CHANGED, **NO_ERASING), views.sample_random(0, 0, 0), 0
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    for _ in range(3):
        (seed,) = seeds(draws, 1)
        shown, crop = augmentation.training_images(cfg, draws, images)
        state = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
        # Whoever else draws from the process's generators notices nothing.
        assert state[:2] == before[:2] and torch.equal(state[2], before[2])
        seed_all(seed)
        change = create_random_augment((40, 56), "rand-m7-n4-mstd0.5-inc1", "bicubic")
        wanted = np.stack(change([PIL.Image.fromarray(image) for image in images]))
        assert np.array_equal(shown, crop.cut(wanted))
        seen += not np.array_equal(shown, crop.cut(images))
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    assert seen


@pytest.mark.parametrize("mode, order", [("const", "RGB"), ("pixel", "RGB"), ("pixel", "BGR")])
def test_erased_rectangles_are_upstreams(images, mode, order):
    colours = {"DATA.MEAN": "[0.5, 0.4, 0.3]", "DATA.STD": "[0.1, 0.2, 0.3]"}
    cfg = config(**ERASED, **colours, **{"AUG.RE_MODE": mode})
    cfg.DATA.REVERSE_INPUT_CHANNEL = order == "BGR"
    step = -1 if order == "BGR" else 1
    draws = views.sample_random(0, 0, 3)
    offsets = copy.deepcopy(draws)
    crop = augmentation.training_crop(cfg, offsets, 40, 56)
    (seed,) = seeds(offsets, 1)
    shown, same_crop = augmentation.training_images(cfg, draws, images)
    assert same_crop == crop
    seed_all(seed)
    # As the network is given them: its channel order, normalised.
    mean, std = (torch.tensor(n).view(3, 1, 1) for n in (cfg.DATA.MEAN, cfg.DATA.STD))
    cut = torch.from_numpy(crop.cut(images)[..., ::step].copy()).permute(0, 3, 1, 2)
    erase = RandomErasing(1.0, mode=mode, max_count=1, num_splits=1, device="cpu")
    wanted = erase((cut / 255 - mean) / std)
    if order == "BGR":  # Its noise is drawn for RGB.
        seed_all(seed)
        mean_rgb, std_rgb = mean.flip(0), std.flip(0)
        wanted = erase((cut.flip(1) / 255 - mean_rgb) / std_rgb).flip(1)
    given = torch.from_numpy(shown[..., ::step].copy()).permute(0, 3, 1, 2)
    levels = ((wanted * std + mean) * 255).clamp(0, 255)
    assert (given - levels).abs().max() <= 0.51
    changed = (given != cut).any(1)
    assert 0.01 < changed.float().mean() < 0.5
    assert torch.equal(
        given[~changed[:, None].expand_as(given)], cut[~changed[:, None].expand_as(cut)]
    )


def test_nothing_is_drawn_where_the_keys_are_off(images):
    cfg, draws, same = config(), views.sample_random(0, 0, 0), views.sample_random(0, 0, 0)
    short_side = augmentation.short_side(cfg, draws)
    shown, crop = augmentation.training_images(cfg, draws, images)
    data = cfg.DATA
    assert short_side == views.random_scale(same, data.TRAIN_JITTER_SCALES, False)
    top, left = views.random_crop_offset(same, 40, 56, 32)
    assert crop == views.Crop(top, left, 32, 32, data.RANDOM_FLIP and same.random() < 0.5)
    assert np.array_equal(shown, crop.cut(images)) and draws.random() == same.random()


def test_several_clips_of_a_video_come_into_a_batch(data_dir):
    more = {"AUG.NUM_SAMPLE": 2, "DATA.PATH_TO_DATA_DIR": data_dir}
    cfg = config(**RELATIVE, **CHANGED, **more)
    dataset = build_dataset(cfg, "train")
    first, second = dataset[0, 1]
    assert first.index == second.index == 1 and torch.equal(first.labels, second.labels)
    assert first.pathways[0].shape == second.pathways[0].shape
    assert not torch.equal(first.pathways[1], second.pathways[1])
    again = dataset[0, 1]
    assert torch.equal(again[1].pathways[1], second.pathways[1])
    loader = training_loader(cfg, dataset)
    loader.start_epoch(0)
    items = next(iter(loader))
    assert "2, 2 for each process, each augmented 2 times" in batch_sentence(cfg)
    assert len(items) == 4 and items[0].index == items[1].index != items[2].index


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"DATA.TRAIN_JITTER_SCALES_RELATIVE": "[0.08, 1.0]"}, "ASPECT_RELATIVE is []: it must be"),
        ({**RELATIVE, "DATA.TRAIN_JITTER_SCALES_RELATIVE": "[0.5]"}, "a range of two numbers"),
        ({**CHANGED, "AUG.AA_TYPE": "rand-m9-k3"}, "AUG.AA_TYPE is 'rand-m9-k3': it must be empty"),
        ({**CHANGED, "AUG.AA_TYPE": "rand-w1"}, "is not understood by upstream's RandAugment"),
        ({**CHANGED, "AUG.INTERPOLATION": "bicubik"}, "INTERPOLATION is 'bicubik': it must be one"),
        ({**CHANGED, "OBJECTS.NUM_CLASSES": 2}, "AUG.ENABLE moves what frames show"),
        ({**CHANGED, "AUG.GEN_MASK_LOADER": True}, "GEN_MASK_LOADER is True: it is not done"),
        ({**CHANGED, "FEATURES.PATH": "maps"}, "AUG.ENABLE is True: it must be False with FEAT"),
        ({"MIXUP.ENABLE": True, "FEATURES.PATH": "maps"}, "MIXUP.ENABLE is True: it must be False"),
    ],
)
def test_what_cannot_be_done_is_refused(changes, sentence):
    with pytest.raises(SlowFastExtError) as error:
        augmentation.check_augmentation(config(**changes))
    assert sentence in str(error.value)


def test_data_sets_that_do_not_look_at_the_keys_refuse_them(monkeypatch):
    cfg = config(**CHANGED)
    monkeypatch.setattr(augmentation, "named_datasets", lambda cfg: [ActivityDataset])
    with pytest.raises(SlowFastExtError, match=r"AUG.ENABLE is True: it is not done by Activity"):
        augmentation.check_augmentation(cfg)
    # Of upstream's own, those whose code looks at them.
    looks = {name: adapted(upstream.DATASET_REGISTRY.get(name)) for name in ("Charades", "Ssv2")}
    assert looks["Charades"].augments == () and looks["Ssv2"].augments == ("AUG.ENABLE",)
