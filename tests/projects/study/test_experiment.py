"""Where a seed's experiment keeps what it computes, and what it makes of files that are wrong."""

import os
from pathlib import Path

import pytest
import torch

from projects.study import experiment
from projects.study.cache import GENERATOR_CODE, Cache, code_version
from projects.study.experiment import Experiment
from projects.study.maps import save_maps
from slowfast_ext.errors import SlowFastExtError


@pytest.fixture
def cache(tmp_path):
    return Cache(str(tmp_path / "miniature"))


def test_another_generator_gets_other_folders_of_videos(cache, monkeypatch):
    def folders():
        made = Experiment(cache, 3), Experiment(cache, 3, "places")
        configs = [cfg for of_seed in made for cfg in (of_seed.cfg, of_seed._backbone)]
        return [cfg.DATA.PATH_TO_DATA_DIR for cfg in configs]

    before, plain = folders(), code_version
    assert before == folders()
    monkeypatch.setattr(
        experiment,
        "code_version",
        lambda code: "changed!" if code == GENERATOR_CODE else plain(code),
    )
    assert not set(before) & set(folders())


def _truncate(path):
    os.truncate(path, os.path.getsize(path) // 2)


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        lambda path: os.truncate(path, 0),
        lambda path: Path(path).write_bytes(b"junk" * 1000),
        lambda path: torch.save({"other": torch.zeros(2)}, path),
        lambda path: torch.save(torch.zeros(2), path),
        lambda path: torch.save(Experiment, path),
        lambda path: torch.save({}, path, _use_new_zipfile_serialization=False),
    ],
    ids=["truncated", "empty", "junk", "other names", "no dict", "a class", "old form"],
)
def test_damaged_maps_are_named(cache, small_maps, damage):
    of_seed = Experiment(cache, 3)
    path = cache.path(of_seed._maps_name)
    save_maps(path, small_maps)
    damage(path)
    with pytest.raises(SlowFastExtError, match=r"\.pt: damaged; delete it.*--fresh"):
        of_seed.maps  # noqa: B018
