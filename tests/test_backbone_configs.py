"""The configs of other libraries' networks, built as they stand on torch's meta device."""

import re

import pytest
import torch

from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.models.backbones import build_backbone, map_shape
from tests.helpers import CONFIGS, OTHER_LIBRARIES, ROOT

_LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
# Of transformers' configs what the published networks have otherwise than its defaults.
PUBLISHED = {
    "VIDEOMAE_B_ACTIVITY": ("VideoMAEConfig", {}),
    "VJEPA2_L_FROZEN_ACTIVITY": ("VJEPA2Config", {}),
    "VIDEOPRISM_L_FROZEN_ACTIVITY": (
        "VideoPrismVisionConfig",
        {"num_frames": 8, "num_spatial_layers": 24, **_LARGE},
    ),
}
# Clip, map and stride.
SHAPES = {
    "SWIN3D_B_ACTIVITY": ((32, 224), (1024, 16, 7, 7), 32),
    "VIDEOMAE_B_ACTIVITY": ((16, 224), (768, 8, 14, 14), 16),
    "VJEPA2_L_FROZEN_ACTIVITY": ((16, 256), (1024, 8, 16, 16), 16),
    "VIDEOPRISM_L_FROZEN_ACTIVITY": ((16, 288), (1024, 16, 16, 16), 18),
}


def options_of(name, folder):
    """The options that put a folder with the network's config.json in the hub's place."""
    options = ["NUM_GPUS", "0", "TRAIN.MIXED_PRECISION", "False"]
    if name in PUBLISHED:
        transformers = pytest.importorskip("transformers")
        kind, changes = PUBLISHED[name]
        if not hasattr(transformers, kind):
            pytest.skip(f"transformers {transformers.__version__} has no {kind}")
        getattr(transformers, kind)(**changes).save_pretrained(folder)
        options += ["ACTIVITY.BACKBONE", f"transformers:{folder}"]
    return options


@pytest.mark.parametrize("name", OTHER_LIBRARIES)
def test_charades_configs_give_the_published_map(name, tmp_path):
    cfg = checked_config(str(CONFIGS / "Charades" / f"{name}.yaml"), options_of(name, tmp_path))
    clip, shape, _ = SHAPES[name]
    assert clip == (cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE)
    with torch.device("meta"):
        assert map_shape(cfg, build_backbone(cfg))[:4] == shape


@pytest.mark.parametrize("name", OTHER_LIBRARIES)
def test_ava_configs_have_the_published_stride(name, tmp_path):
    cfg = checked_config(str(CONFIGS / "AVA" / f"{name}.yaml"), options_of(name, tmp_path))
    clip, _, stride = SHAPES[name]
    assert clip == (cfg.DATA.NUM_FRAMES, cfg.DATA.TRAIN_CROP_SIZE)
    assert stride == cfg.DETECTION.SPATIAL_SCALE_FACTOR


def test_the_synthetic_one_needs_no_extra():
    cfg = checked_config(str(CONFIGS / "Synthetic" / "R2PLUS1D.yaml"), ["NUM_GPUS", "0"])
    assert cfg.DATA.MEAN == [0.43216, 0.394666, 0.37645]  # torchvision's, of its weights.
    with torch.device("meta"):
        assert map_shape(cfg, build_backbone(cfg))[:4] == (256, 2, 6, 6)


def test_the_page_names_every_config():
    text = (ROOT / "docs" / "BACKBONES.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b([A-Z0-9_]+)\.yaml", text))
    assert named == {*OTHER_LIBRARIES, "R2PLUS1D"}


def test_the_source_of_the_docs_is_built_and_refuses_what_it_does_not_take(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "EXTENDING.md").read_text(encoding="utf-8")
    (code,) = [block for block in page.split("```python\n") if "@register_source" in block]
    (tmp_path / "source_of_the_docs.py").write_text(code.partition("```")[0], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    words = ["PLUGINS", "['source_of_the_docs']", "ACTIVITY.BACKBONE", "mine:small"]
    words += ["MODEL.MODEL_NAME", "ActivityNetwork", "NUM_GPUS", "0"]
    words += ["TRAIN.DATASET", "Synthetic", "TEST.DATASET", "Synthetic"]
    cfg = checked_config(None, words)
    assert (cfg.DATA.NUM_FRAMES, cfg.DATA.MEAN) == (8, [0.5, 0.5, 0.5])
    assert map_shape(cfg, build_backbone(cfg))[:4] == (32, 8, 8, 8)
    with pytest.raises(SlowFastExtError, match="multiples of 8 pixels"):
        checked_config(None, [*words, "DATA.TRAIN_CROP_SIZE", "60"])
    with pytest.raises(SlowFastExtError, match="mine has small"):
        checked_config(None, [*words, "ACTIVITY.BACKBONE", "mine:smal"])
