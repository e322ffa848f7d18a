"""Training on cached maps against the engine's own training on the same maps."""

import numpy as np
import pytest
import torch

from projects.study import fitting
from projects.study.rates import PLACES
from slowfast_ext.datasets.clips import Sample
from slowfast_ext.datasets.views import sample_random
from slowfast_ext.engine import loaders
from slowfast_ext.engine.train import training_stage, tuning_stage
from slowfast_ext.engine.trainer import Trainer
from slowfast_ext.models import build_head
from slowfast_ext.models.correlation import cooccurrence


class MapsAsVideos(torch.utils.data.Dataset):
    """Cached maps in a data set's form: maps of k / 255 are images of the values k."""

    video_ids = maps = None

    def __init__(self, maps, rates, seed):
        self.cached, self.rates, self.seed = maps, rates, seed

    def __len__(self):
        return len(self.cached.video_labels)

    def __getitem__(self, key):
        epoch, index = key
        # As MultiLabelVideos draws a clip's rate.
        random = sample_random(self.seed, epoch, index)
        rate = self.rates[random.integers(len(self.rates))]
        clip = epoch % 2
        image = (self.cached.clips[rate][clip, index] * 255).round().to(torch.uint8)
        return Sample([image], self.cached.clip_labels[rate][clip, index], index)


def trained_by_engine(cfg, maps, folder):
    cfg = cfg.clone()
    cfg.OUTPUT_DIR = str(folder)
    cfg.DATA.MEAN, cfg.DATA.STD, cfg.DATA_LOADER.NUM_WORKERS = [0.0], [1.0], 0
    torch.manual_seed(cfg.RNG_SEED)
    network = fitting.HeadOnMaps(cfg, maps.views.shape[2])
    network.head.set_cooccurrence(cooccurrence(maps.video_labels))
    stages = [(training_stage, [4]), (tuning_stage, cfg.TUNE.RATES)]
    for make_stage, rates in stages[: 1 + cfg.TUNE.ENABLE]:
        loader = loaders.training_loader(cfg, MapsAsVideos(maps, rates, cfg.RNG_SEED))
        stage = make_stage(cfg, len(loader))
        engine = Trainer(cfg, stage, network, loader)
        for epoch in range(engine.num_epochs):
            list(engine.learn(epoch))
    return network


@pytest.mark.parametrize("head, tuned", [("ActivityHead", True), ("PoolHead", False)])
def test_equals_the_engines_training(small_cfg, small_maps, tmp_path, head, tuned):
    small_cfg.ACTIVITY.HEAD, small_cfg.TUNE.ENABLE = head, tuned
    # A data loader draws a number of torch's on starting, which shifts what dropout draws.
    small_cfg.MODEL.DROPOUT_RATE = 0.0
    ours = fitting.fit_head(small_cfg, small_maps).state_dict()
    engines = trained_by_engine(small_cfg, small_maps, tmp_path).state_dict()
    torch.testing.assert_close(ours, engines, rtol=0, atol=0)


def test_tuning_goes_on_from_the_training(small_cfg, small_maps):
    small_cfg.TUNE.ENABLE = False
    before = fitting.fit_head(small_cfg, small_maps).state_dict()
    small_cfg.TUNE.ENABLE, small_cfg.TUNE.BASE_LR = True, 1e-12
    after = fitting.fit_head(small_cfg, small_maps).state_dict()
    torch.testing.assert_close(before, after, rtol=0, atol=1e-9)
    small_cfg.TUNE.BASE_LR = 1e-2
    tuned = fitting.fit_head(small_cfg, small_maps).state_dict()
    name = "head.activity_features.queries"
    assert not torch.allclose(before[name], tuned[name], atol=1e-3)


def test_heads_that_differ_in_their_tuning_are_trained_once(small_cfg, small_maps, monkeypatch):
    small_cfg.TUNE.BASE_LR = 1e-2
    stages, trained, plain = [], {}, fitting.learn

    def counted(cfg, make_stage, *rest):
        stages.append(make_stage.__name__)
        return plain(cfg, make_stage, *rest)

    monkeypatch.setattr(fitting, "learn", counted)
    for rates in ([4], [2, 4, 8], []):
        small_cfg.TUNE.ENABLE = bool(rates)
        small_cfg.TUNE.RATES = rates or [2]
        shared = fitting.fit_head(small_cfg, small_maps, trained=trained).state_dict()
        alone = fitting.fit_head(small_cfg, small_maps).state_dict()
        torch.testing.assert_close(shared, alone, rtol=0, atol=0)
    assert stages.count("training_stage") == 1 + 3 and stages.count("tuning_stage") == 2 + 2
    small_cfg.SOLVER.BASE_LR *= 2
    other = fitting.fit_head(small_cfg, small_maps, trained=trained).state_dict()
    name = "head.activity_features.queries"
    assert not torch.equal(other[name], shared[name])


def test_predictions_and_corr_are_the_heads(small_cfg, small_maps):
    small_cfg.TUNE.ENABLE = False
    outcome = fitting.outcome(small_cfg, small_maps)
    network = fitting.fit_head(small_cfg, small_maps).eval()
    one, attention = network([small_maps.views[3, 5:6]], return_attention=True)
    np.testing.assert_allclose(outcome.predictions[3, 5], one[0].detach(), atol=1e-6)
    at_rate_4 = [index for index, (rate, _) in enumerate(PLACES) if rate == 4]
    clips = [small_maps.views[:, index] for index in at_rate_4]
    _, attention = network([torch.cat(clips)], return_attention=True)
    wanted = attention["correlation"].mean(0).detach()
    np.testing.assert_allclose(outcome.correlation, wanted, atol=1e-6)
    np.testing.assert_allclose(outcome.mask, cooccurrence(small_maps.video_labels), atol=1e-7)


def test_held_out_predictions_come_from_heads_that_did_not_see_the_video(small_cfg, small_maps):
    small_cfg.TUNE.ENABLE = False
    predictions = fitting.held_out_predictions(small_cfg, small_maps, num_folds=2)
    network = fitting.fit_head(small_cfg, small_maps, np.arange(1, 10, 2))
    wanted = fitting.predict(network, small_maps.clips[8][:, 4]).mean(0)
    np.testing.assert_allclose(predictions[4, small_cfg.TUNE.RATES.index(8)], wanted, atol=1e-6)


def test_every_heads_row_trains(small_cfg, small_maps):
    from projects.study.rows import ROWS

    small_cfg.SOLVER.MAX_EPOCH, small_cfg.TUNE.MAX_ITER = 1, 1
    for recipe in {row.recipe for row in ROWS}:
        cfg = small_cfg.clone()
        cfg.merge_from_list(recipe.settings())
        cfg.ACTIVITY.DIM, cfg.ACTIVITY.GROUPS = 8, 2
        head = fitting.fit_head(cfg, small_maps).head
        assert type(head) is type(build_head(cfg, 8))
