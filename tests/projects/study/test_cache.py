"""What is computed again and what is not."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from projects.study import cache
from projects.study.cache import HEADS_CODE, MAPS_CODE, ROOT, Cache, code_version, key_of
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.results import installed_versions

NAMES = ["value"]


class Counting:
    """A computation that counts how often it runs."""

    def __init__(self):
        self.runs = 0

    def __call__(self):
        self.runs += 1
        return {"value": np.full(3, self.runs / 3)}


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "cache")


def test_goes_on_from_what_was_computed(folder):
    compute = Counting()
    first = Cache(folder).arrays("heads/a.npz", NAMES, compute)
    again = Cache(folder).arrays("heads/a.npz", NAMES, compute)
    assert compute.runs == 1
    np.testing.assert_array_equal(first["value"], again["value"])
    assert os.listdir(os.path.join(folder, "heads")) == ["a.npz"]


def test_fresh_computes_each_once_more(folder):
    compute = Counting()
    Cache(folder).arrays("a.npz", NAMES, compute)
    fresh = Cache(folder, fresh=True)
    assert fresh.arrays("a.npz", NAMES, compute)["value"][0] == pytest.approx(2 / 3)
    fresh.arrays("a.npz", NAMES, compute)
    assert compute.runs == 2
    assert Cache(folder).arrays("a.npz", NAMES, compute)["value"][0] == pytest.approx(2 / 3)


def test_an_interrupted_computation_leaves_nothing(folder):
    def interrupted():
        raise KeyboardInterrupt

    kept = Cache(folder)
    with pytest.raises(KeyboardInterrupt):
        kept.arrays("heads/a.npz", NAMES, interrupted)
    assert not kept.has("heads/a.npz")
    assert Cache(folder).arrays("heads/a.npz", NAMES, Counting())["value"][0] == pytest.approx(
        1 / 3
    )


def test_a_damaged_file_is_named(folder):
    kept = Cache(folder)
    kept.arrays("a.npz", NAMES, Counting())
    with open(kept.path("a.npz"), "r+b") as stream:
        stream.truncate(40)
    with pytest.raises(SlowFastExtError, match=r"a\.npz: damaged.*--fresh"):
        kept.arrays("a.npz", NAMES, Counting())


@pytest.mark.parametrize("names", [["other"], ["value", "other"]])
def test_a_file_with_other_arrays_is_named(folder, names):
    Cache(folder).arrays("a.npz", NAMES, Counting())
    with pytest.raises(SlowFastExtError, match=r"a\.npz: damaged.*--fresh"):
        Cache(folder).arrays("a.npz", names, Counting())


def test_a_damaged_header_is_named(folder):
    kept = Cache(folder)
    kept.arrays("a.npz", NAMES, Counting())
    with zipfile.ZipFile(kept.path("a.npz"), "w") as stream:
        # numpy takes it apart with Python's tokenizer, which has an error of its own.
        stream.writestr("value.npy", b"\x93NUMPY\x01\x00\x0c\x00{'descr': (\n")
    with pytest.raises(SlowFastExtError, match=r"a\.npz: damaged.*--fresh"):
        kept.arrays("a.npz", NAMES, Counting())


def test_one_array_is_not_a_file_of_arrays(folder):
    kept = Cache(folder)
    kept.arrays("a.npz", NAMES, Counting())
    with open(kept.path("a.npz"), "wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(SlowFastExtError, match=r"a\.npz: damaged.*--fresh"):
        kept.arrays("a.npz", NAMES, Counting())


def test_folders_of_earlier_code_are_deleted(folder):
    maps = Path(folder, "maps")
    for name in ("seed-1.old", "seed-1.new", "seed-11.old", "seed-1-without-x.old"):
        (maps / name).mkdir(parents=True)
        (maps / name / "item").touch()
    (maps / "seed-1.older.pt").touch()
    kept = Cache(folder)
    assert kept.start_folder("maps/seed-1.new", "seed-1.") == str(maps / "seed-1.new")
    left = sorted(os.listdir(maps))
    assert left == ["seed-1-without-x.old", "seed-1.new", "seed-11.old"]
    assert os.listdir(maps / "seed-1.new") == ["item"]


def test_fresh_empties_a_folder_once(folder):
    path = Path(folder, "maps", "seed-1.new")
    path.mkdir(parents=True)
    fresh = Cache(folder, fresh=True)
    fresh.start_folder("maps/seed-1.new", "seed-1.")
    assert not path.exists()
    path.mkdir()
    fresh.start_folder("maps/seed-1.new", "seed-1.")
    assert path.exists()


def test_keys_follow_every_part():
    keys = {key_of("head", {"a": 1}), key_of("head", {"a": 2}), key_of("held-out", {"a": 1})}
    assert len(keys) == 3
    assert key_of("head", {"a": 1, "b": 2}) == key_of("head", {"b": 2, "a": 1})


@pytest.mark.parametrize("module", ["av", "cv2", "torch", "numpy", "pyslowfast"])
def test_keys_follow_the_installed_versions(monkeypatch, module):
    before = key_of("head")
    if module in ("av", "cv2"):
        monkeypatch.setattr(f"{module}.__version__", "0.0")
    else:
        versions = {**installed_versions(), module: "0.0"}
        monkeypatch.setattr(cache, "installed_versions", lambda: versions)
    assert key_of("head") != before


def test_code_version_follows_contents_and_names(tmp_path):
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "a.py"
    file.write_text("x = 1")
    before = code_version(["models/*.py"], tmp_path)
    (tmp_path / "other.py").write_text("y = 1")
    assert code_version(["models/*.py"], tmp_path) == before
    file.write_text("x = 2")
    changed = code_version(["models/*.py"], tmp_path)
    file.rename(tmp_path / "models" / "b.py")
    assert len({before, changed, code_version(["models/*.py"], tmp_path)}) == 3


def test_every_pattern_names_files():
    for pattern in (*MAPS_CODE, *HEADS_CODE):
        assert list(ROOT.glob(pattern)), pattern


def test_a_pattern_that_matches_no_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no file moved/"):
        code_version(["moved/*.py"], tmp_path)


def test_code_that_decides_is_in_the_versions():
    maps, heads = (
        {str(path.relative_to(ROOT)) for pattern in code for path in ROOT.glob(pattern)}
        for code in (MAPS_CODE, HEADS_CODE)
    )
    assert maps >= {
        *("slowfast_ext/datasets/clips.py", "slowfast_ext/datasets/lists.py"),
        *("slowfast_ext/datasets/synthetic/motion.py", "slowfast_ext/upstream.py"),
        *("slowfast_ext/engine/weights.py", "slowfast_ext/engine/train.py"),
        *("slowfast_ext/engine/checkpoint.py", "slowfast_ext/models/inference.py"),
    }
    assert heads >= {
        *("slowfast_ext/models/baseline_heads.py", "slowfast_ext/models/build.py"),
        *("slowfast_ext/models/outputs.py", "slowfast_ext/engine/loaders.py"),
        *("slowfast_ext/evaluation/multilabel.py", "projects/study/heads.py"),
    }
