"""The comparison on composed clips: what is composed, and that every head of its list learns."""

import numpy as np
import pytest
import torch

from benchmarks import real_clips
from slowfast_ext.config.defaults import default_config
from slowfast_ext.models import build_head

LIGHT = 200


@pytest.fixture
def actions():
    """Four actions, each a video of one colour channel."""
    videos = np.zeros((4, 40, 64, 64, 3), dtype=np.uint8)
    for number in range(3):
        videos[number, ..., number] = LIGHT
    videos[3] = LIGHT
    return {str(number): [video] for number, video in enumerate(videos)}


@pytest.fixture
def cfg():
    cfg = default_config()
    cfg.MODEL.NUM_CLASSES, cfg.MODEL.HEAD_ACT = 4, "sigmoid"
    return cfg


@pytest.mark.parametrize("pairs", [False, True])
def test_each_label_is_a_tile_of_its_own(actions, pairs):
    rng, size = np.random.default_rng(0), real_clips.TILE
    light = {str(n): LIGHT // (4 if pairs and n % 2 else 1) for n in range(4)}
    for _ in range(20):
        mosaic, places = real_clips.compose(actions, "train", rng, pairs)
        large = places.repeat(size, 2).repeat(size, 3)
        for number, video in enumerate(actions.values()):
            color = video[0][0, 0, 0] // (LIGHT // light[str(number)])
            assert np.array_equal((mosaic == color).all(-1), large[number])
        assert 1 <= places.any((1, 2, 3)).sum() <= 3


def test_pairs_come_together(actions):
    rng = np.random.default_rng(0)
    places = np.stack([real_clips.compose(actions, "train", rng, True)[1] for _ in range(200)])
    labels = real_clips.labels_of(torch.from_numpy(places)).numpy()
    together = (labels[:, 0] & labels[:, 1]).sum() / (labels[:, 0] | labels[:, 1]).sum()
    assert 0.6 < together < 0.95


def test_parts_of_a_video_do_not_overlap():
    parts = [edge for part in real_clips.PARTS.values() for edge in part]
    assert parts == sorted(parts)


@pytest.mark.parametrize("name", real_clips.HEADS)
def test_every_head_is_built_as_its_name_says(cfg, name):
    own = real_clips.with_settings(cfg, real_clips.HEADS[name])
    own.ACTIVITY.NUM_OBSERVATIONS = 4
    head = build_head(own, 64)
    outputs = head(torch.randn(2, 64, 2, 3, 3))
    assert {logits.shape for logits in outputs} == {(2, 4)}
    assert (getattr(head, "evidence", None) is not None) == (
        name in ("log-mean-exp", "ours + evidence", "ours + both")
    )
    assert cfg.ACTIVITY.HEAD == "ActivityHead" and not cfg.ACTIVITY.EVIDENCE


@pytest.mark.parametrize("name", ["log-mean-exp", "ours + both"])
def test_a_head_learns_what_maps_show(cfg, name):
    torch.manual_seed(0)
    places = torch.zeros(64, 4, 8, 2, 2, dtype=torch.bool)
    places[..., 3, 1, 1] = torch.rand(64, 4) < 0.5
    maps = torch.randn(64, 16, 8, 2, 2) * 0.1
    maps[:, :4] += 3.0 * places
    own = real_clips.with_settings(cfg, real_clips.HEADS[name])
    own.MODEL.DROPOUT_RATE = 0.0
    own.ACTIVITY.DIM = own.ACTIVITY.GROUPS = own.ACTIVITY.NUM_OBSERVATIONS = 8
    model = real_clips.train(own, 0.05, 10, 0, maps.half(), places)
    assert real_clips.mean_ap(model, maps.half(), places) > 0.95
    if name == "ours + both":
        number = real_clips.labels_of(places).sum(-1)
        some = (number > 0) & (number < 4)
        figures = real_clips.pointing(model, maps[some].half(), places[some])
        # A position is a 32nd of the clip; a map that knows nothing of it has 1.
        assert 4 < figures["evidence"] <= 32 and figures["absent over present"] < 0.5
