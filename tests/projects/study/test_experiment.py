"""Where a seed's experiment keeps what it computes."""

import pytest

from projects.study import experiment
from projects.study.cache import GENERATOR_CODE, Cache, code_version
from projects.study.experiment import Experiment


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
