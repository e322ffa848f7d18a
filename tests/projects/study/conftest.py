import pytest
import torch

from projects.study import (  # noqa: F401  (they register the study's heads)
    correlation_forms,
    decoder_parts,
    evidence_forms,
    heads,
)
from projects.study.maps import Maps
from projects.study.rates import PLACES
from slowfast_ext.datasets.views import sample_random
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.utils.paths import CONFIGS

CHANNELS, ACTIVITIES = 8, 12


@pytest.fixture(scope="session")
def frozen_cfg():
    """Checked once: that builds a network of full depth."""
    return checked_config(str(CONFIGS / "Synthetic" / "ACTIVITY_FROZEN.yaml"))


@pytest.fixture
def small_cfg(frozen_cfg):
    """The study's config with a head for maps of 8 channels."""
    cfg = frozen_cfg.clone()
    cfg.ACTIVITY.NUM_OBSERVATIONS, cfg.ACTIVITY.DIM, cfg.ACTIVITY.GROUPS = 4, 8, 2
    cfg.TRAIN.BATCH_SIZE, cfg.SOLVER.MAX_EPOCH, cfg.TUNE.MAX_ITER = 4, 3, 5
    cfg.RNG_SEED, cfg.NUM_GPUS = 7, 0
    return cfg


@pytest.fixture(scope="session")
def small_maps():
    """10 training and 12 test videos, maps of 8 x 1 x 2 x 2, values k / 255."""
    random = sample_random(0, 0, 0)

    def draw(*shape):
        values = random.integers(0, 256, (*shape, CHANNELS, 1, 2, 2))
        return torch.from_numpy(values).float() / 255

    def labels(*shape):
        # Each activity occurs: it is the first label of one video.
        flat = random.random((*shape, ACTIVITIES)) < 0.3
        for i in range(shape[-1]):
            flat[..., i, i % ACTIVITIES] = True
        return torch.from_numpy(flat).float()

    return Maps(
        {rate: draw(2, 10) for rate in (2, 4, 8)},
        {rate: labels(2, 10) for rate in (2, 4, 8)},
        labels(10),
        draw(12, len(PLACES)),
        labels(12),
    )
