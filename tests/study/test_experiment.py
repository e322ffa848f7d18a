"""Where a seed's experiment keeps what it computes, and what it makes of files that are wrong."""

import pytest

from slowfast_ext.study import experiment
from slowfast_ext.study.cache import GENERATOR_CODE, Cache
from slowfast_ext.study.experiment import Experiment


@pytest.fixture
def cache(tmp_path):
    return Cache(str(tmp_path / "miniature"))


def test_another_generator_gets_other_folders_of_videos(cache, monkeypatch):
    def folders():
        made = Experiment(cache, 3), Experiment(cache, 3, "places")
        configs = [cfg for of_seed in made for cfg in (of_seed.cfg, of_seed._backbone)]
        return [cfg.DATA.PATH_TO_DATA_DIR for cfg in configs]

    before, plain = folders(), experiment.code_version
    assert before == folders()
    monkeypatch.setattr(
        experiment,
        "code_version",
        lambda code: "changed!" if code == GENERATOR_CODE else plain(code),
    )
    assert not set(before) & set(folders())
