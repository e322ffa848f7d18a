"""Mean and std of transformers' processors' files, against the processors themselves."""

import json

import pytest
import torch

from slowfast_ext.models.backbones import input_facts
from tests.models.backbones.saved_networks import config_of, refusal

transformers = pytest.importorskip("transformers", minversion="5.22")


@pytest.mark.parametrize(
    ("name", "processor"),
    [
        ("VideoMAE", "VideoMAEVideoProcessor"),
        ("VJEPA2", "VJEPA2VideoProcessor"),
        ("Timesformer", "TimesformerVideoProcessor"),
    ],
)
def test_pixels_are_normalised_as_the_librarys_processor_does(tmp_path, name, processor):
    """Once, from 0..255: the processors divide what is in 0..1 by 255 once more."""
    processor = getattr(transformers, processor)(do_resize=False, do_center_crop=False)
    for values in ({}, {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}):
        folder = tmp_path / str(len(values))
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_type": name.lower()}))
        for key, value in values.items():
            setattr(processor, key, value)
        if values:
            processor.save_pretrained(folder)
        facts = input_facts(config_of(folder))
        pixels = torch.randint(0, 256, (4, 3, 48, 48), dtype=torch.uint8)
        theirs = processor(pixels, return_tensors="pt")
        theirs = next(iter(theirs.values()))[0]
        mean, std = (torch.tensor(n)[:, None, None] for n in (facts.mean, facts.std))
        torch.testing.assert_close((pixels / 255 - mean) / std, theirs)
        twice = next(iter(processor(pixels / 255, return_tensors="pt").values()))[0]
        assert (twice - theirs).abs().max() > 1


def write_processor(folder, **values):
    (folder / "preprocessor_config.json").write_text(json.dumps(values))


def facts_of(tmp_path, model_type, **processor):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    if processor:
        write_processor(tmp_path, **processor)
    return input_facts(config_of(tmp_path))


def test_vivit_gets_pixels_between_minus_1_and_1(tmp_path):
    """Its processor's own file says -3..1: it centres, then normalises as if it had not."""
    published = {"offset": True, "rescale_factor": 1 / 127.5, "do_normalize": True}
    published |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    facts = facts_of(tmp_path, "vivit", **published)
    assert (facts.mean, facts.std) == ((0.5,) * 3, (0.5,) * 3)
    assert (facts.num_frames, facts.size) == (32, 224)


def test_videoprism_gets_pixels_between_0_and_1(tmp_path):
    facts = facts_of(tmp_path, "videoprism_vision_model")
    assert (facts.mean, facts.std, facts.size) == ((0.0,) * 3, (1.0,) * 3, 288)


def test_a_processor_that_does_not_divide_gives_0_to_255(tmp_path):
    facts = facts_of(tmp_path, "videomae", do_rescale=False, image_mean=[51.0] * 3)
    assert facts.mean == pytest.approx([0.2] * 3) and facts.std == pytest.approx([0.5 / 255] * 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read: Expecting property name"),
        ("[]", "is not what it must be"),
        ('{"image_mean": [0.5, 0.5]}', "is not what it must be"),
        ('{"image_std": [0.0, 0.5, 0.5]}', "three finite numbers each, and std above 0"),
        ('{"rescale_factor": 0}', "is not what it must be"),
        ('{"image_mean": "grey"}', "is not what it must be"),
    ],
)
def test_a_processor_file_that_says_nonsense_is_refused(tmp_path, content, words):
    (tmp_path / "config.json").write_text('{"model_type": "videomae"}')
    (tmp_path / "preprocessor_config.json").write_text(content)
    text = refusal(config_of, tmp_path)
    assert text.startswith(f"{tmp_path}/preprocessor_config.json: ") and words in text
