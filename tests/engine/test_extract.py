"""A frozen backbone's features: extracted once, heads trained, tuned and tested from them."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.datasets.lists import Segment
from slowfast_ext.datasets.stored_maps import MapFolder, Split, settings_of
from slowfast_ext.engine import loaders
from slowfast_ext.engine.extract import extract
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import assert_equal, weights

TUNED = "checkpoint_tune_epoch_00002.pyth"
# As many clips as there are epochs: the draws of a run from videos.
OPTIONS = {
    "ACTIVITY__FREEZE_BACKBONE": True,
    "TRAIN__CHECKPOINT_EPOCH_RESET": True,
    "FEATURES__CLIPS": 3,
    "FEATURES__DTYPE": "float32",
}


@pytest.fixture
def frozen(arguments, finished_run):
    """`frozen(output_dir, KEY=value)`: the arguments of a run on the finished run's backbone."""

    def make(output_dir, **changes):
        start = {"TRAIN__CHECKPOINT_FILE_PATH": finished_run / "checkpoints" / TUNED}
        return arguments(output_dir, **{**OPTIONS, **start, **changes})

    return make


def extracted(words, folder, names=("train", "tune", "val", "test")):
    extract(checked_config(words[1], words[2:]), str(folder), names)
    return folder


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def features(places, frozen):
    """The folder of features in float32 of that backbone; made once."""
    if not (places / "maps" / "features.json").exists():
        extracted(frozen(places / "unused"), places / "maps")
    return places / "maps"


@pytest.fixture
def copied(features, tmp_path):
    return shutil.copytree(features, tmp_path / "copied")


def predictions(folder):
    rows = (folder / "predictions.csv").read_text().splitlines()[1:]
    return np.array([row.split(",")[1:] for row in rows], float)


@pytest.fixture
def of_videos(places, frozen):
    """The output of the run that reads videos."""
    if not (places / "videos" / "results.json").exists():
        main(frozen(places / "videos"))
    return places / "videos"


def test_a_run_from_features_is_the_run_from_videos_to_the_bit(
    features, of_videos, frozen, tmp_path
):
    main(frozen(tmp_path, FEATURES__PATH=features))
    for name in ("checkpoint_epoch_00003.pyth", TUNED):
        assert_equal(weights(tmp_path, name), weights(of_videos, name))
    assert np.array_equal(predictions(tmp_path), predictions(of_videos))
    results = [json.loads((p / "results.json").read_text()) for p in (tmp_path, of_videos)]
    assert results[0]["per_class"] == results[1]["per_class"]


def test_fewer_views_than_are_stored(of_videos, features, frozen, tmp_path):
    options = {"TRAIN__ENABLE": False, "TUNE__ENABLE": False, "TEST__VIEWS": "[[2, 1, 1]]"}
    options["TEST__CHECKPOINT_FILE_PATH"] = of_videos / "checkpoints" / TUNED
    for name, path in (("videos", ""), ("maps", features)):
        main(frozen(tmp_path / name, FEATURES__PATH=path, **options))
    found = predictions(tmp_path / "maps")
    np.testing.assert_allclose(found, predictions(tmp_path / "videos"), rtol=0, atol=1e-6)
    assert np.abs(found - predictions(of_videos)).max() > 1e-4


def test_half_precision_changes_scores_by_little(of_videos, frozen, tmp_path):
    trained = {"TRAIN__ENABLE": False, "TUNE__ENABLE": False}
    trained["TEST__CHECKPOINT_FILE_PATH"] = of_videos / "checkpoints" / TUNED
    for dtype, tolerance in (("float16", 2e-3), ("bfloat16", 2e-2)):
        words = frozen(tmp_path / "unused", FEATURES__DTYPE=dtype)
        folder = extracted(words, tmp_path / dtype, ["test"])
        main(frozen(tmp_path / f"run_{dtype}", FEATURES__PATH=folder, **trained))
        found = predictions(tmp_path / f"run_{dtype}")
        assert 0 < np.abs(found - predictions(of_videos)).max() < tolerance


def test_the_draws_come_again_where_there_are_more_epochs(frozen, tmp_path):
    folder = extracted(frozen(tmp_path, FEATURES__CLIPS=2), tmp_path / "maps", ["train", "val"])
    options = {"FEATURES__PATH": folder, "TUNE__ENABLE": False, "TEST__ENABLE": False}
    words = frozen(tmp_path / "out", **options)
    maps = loaders.build_dataset(checked_config(words[1], words[2:]), "train").maps
    first, second, third = (maps[epoch, 4].pathways[0] for epoch in range(3))
    assert torch.equal(third, first) and not torch.equal(second, first)
    main(words)
    assert (tmp_path / "out" / "checkpoints" / "checkpoint_epoch_00003.pyth").exists()


def test_two_processes_write_what_one_writes(frozen, run_net, tmp_path):
    # Two processes share a batch; as many tuning epochs as one process has with half of it.
    two = {"TRAIN__BATCH_SIZE": 4, "TEST__BATCH_SIZE": 4, "TUNE__MAX_ITER": 2}
    one = {"TRAIN__BATCH_SIZE": 2, "TEST__BATCH_SIZE": 2, "TUNE__MAX_ITER": 4}
    few = {"FEATURES__CLIPS": 2}
    for name, ranks, sizes in (("two", 2, two), ("one", 1, one)):
        words = frozen(tmp_path / "unused", **sizes, **few)
        done = run_net(["extract", "--out", str(tmp_path / name), *words], ranks=ranks)
        assert done.returncode == 0, done.stderr[-2000:]
    assert_same_files(tmp_path / "two", tmp_path / "one")
    assert len(list((tmp_path / "two").rglob("*.npz"))) == 6 + 6 + 3 + 3


def assert_same_files(first, second):
    names = sorted(p.relative_to(second) for p in second.rglob("*.*"))
    assert sorted(p.relative_to(first) for p in first.rglob("*.*")) == names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_it_goes_on_where_it_ended(features, copied, frozen, tmp_path, monkeypatch):
    (copied / "train" / "000001.npz").unlink()
    path = copied / "test" / "000000.npz"
    path.write_bytes(path.read_bytes()[:-300])
    ended = subprocess.Popen(["true"])
    ended.wait()
    (copied / "test" / f"000000.npz.partial-{ended.pid}").touch()
    kept = [copied / "train" / "000000.npz", copied / "features.json"]
    times = [os.stat(path).st_mtime_ns for path in kept]
    extracted(frozen(tmp_path / "unused"), copied)
    assert_same_files(copied, features)
    assert [os.stat(path).st_mtime_ns for path in kept] == times


def damaged(copied):
    path = copied / "train" / "000002.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    return {}


def truncated(copied):
    path = copied / "test" / "000002.npz"
    path.write_bytes(path.read_bytes()[:100])
    return {}


def foreign(copied):
    np.savez(copied / "val" / "000000.npz", map=np.zeros(3))
    return {}


def missing(copied):
    (copied / "tune" / "000003.npz").unlink()
    return {}


def nothing(copied):
    shutil.rmtree(copied)
    return {}


def broken_description(copied):
    (copied / "features.json").write_text("{")
    return {}


def part_of_a_description(copied):
    (copied / "features.json").write_text('{"format": 1, "splits": {}}')
    return {}


def of_another_item(copied):
    shutil.copy(copied / "test" / "000001.npz", copied / "test" / "000000.npz")
    return {}


def without_tuning(copied):
    description = json.loads((copied / "features.json").read_text())
    del description["splits"]["tune"]
    (copied / "features.json").write_text(json.dumps(description))
    return {}


def other_labels(copied, data_dir):
    """The videos as they are, one without its labels."""
    data = shutil.copytree(data_dir, copied.parent / "data")
    lines = (data / "train.csv").read_text().splitlines()
    path, *_ = lines[1].split(",")
    kept = [line for line in lines if not line.startswith(path)]
    (data / "train.csv").write_text("\n".join([*kept, f"{path},,,"]) + "\n")
    return {"DATA__PATH_TO_DATA_DIR": data}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (damaged, r"train/000002\.npz: is damaged .* remove it and extract again"),
        (truncated, r"test/000002\.npz: is damaged or no file of features"),
        (foreign, r"val/000000\.npz: is damaged or no file of features"),
        (missing, r"tune/000003\.npz: is missing: extract goes on"),
        (nothing, r"holds no features\.json: `python -m slowfast_ext extract"),
        (broken_description, r"features\.json: cannot be read"),
        (part_of_a_description, r"features\.json: is not of this version's form"),
        (of_another_item, r"test/000000\.npz: is of another extraction"),
        (without_tuning, r"has no features of tune, but of train, val, test: .* --splits tune"),
        (lambda _: {"DATA__NUM_FRAMES": 16}, r"extracted with DATA\.NUM_FRAMES \d+ \(now 16\)"),
        (lambda _: {"DATA__TRAIN_CROP_SIZE": 28}, r"DATA\.TRAIN_CROP_SIZE 32 \(now 28\)"),
        (lambda _: {"DATA__TEST_CROP_SIZE": 28}, r"DATA\.TEST_CROP_SIZE 32 \(now 28\)"),
        (lambda _: {"TUNE__RATES": "[2, 16]"}, r"features of tune are of other rates"),
        (lambda _: {"TEST__VIEWS": "[[2, 1, 2]]"}, r"features of test are of other views"),
        (other_labels, r"features of train are of other lists"),
        (lambda _: {"ACTIVITY__FREEZE_BACKBONE": False}, r"needs ACTIVITY\.FREEZE_BACKBONE True"),
    ],
)
def test_what_is_not_this_runs_is_refused(copied, frozen, tmp_path, data_dir, change, sentence):
    changed = change(copied, data_dir) if change is other_labels else change(copied)
    options = {"FEATURES__PATH": copied, **changed}
    with pytest.raises(SlowFastExtError, match=sentence):
        main(frozen(tmp_path / "out", **options))
    assert change is damaged or not (tmp_path / "out").exists()


def test_what_is_done_with_a_map_is_no_setting_of_it(frozen, tmp_path):
    words = frozen(tmp_path)
    cfg = checked_config(words[1], words[2:])
    changed = cfg.clone()
    changed.DETECTION.ROI_XFORM_RESOLUTION, changed.ACTIVITY.DIM = 5, 8
    assert settings_of(changed) == settings_of(cfg)
    changed.DATA.STD = [0.1, 0.2, 0.3]
    assert settings_of(changed) != settings_of(cfg)


def test_a_video_that_has_changed_is_named_and_made_anew(copied, frozen, tmp_path, data_dir):
    path = f"{data_dir}/videos/test_0000.mp4"
    before = os.stat(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    try:
        with pytest.raises(SlowFastExtError, match=f"{path} has changed since .* extract again"):
            main(frozen(tmp_path / "out", FEATURES__PATH=copied))
        extracted(frozen(tmp_path / "unused"), copied, ["test"])
        words = frozen(tmp_path / "unused", FEATURES__PATH=copied)
        loaders.build_dataset(checked_config(words[1], words[2:]), "test").maps.ready(clips=False)
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_video_that_changes_while_features_are_computed_is_told(frozen, tmp_path, data_dir):
    path = Path(data_dir, "videos", "test_0002.mp4")
    before = os.stat(path)

    class Changing(MapFolder):
        """The video takes another's place when the first item is written."""

        def write_item(self, *item):
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
            super().write_item(*item)

    words = frozen(tmp_path / "out", TRAIN__ENABLE=False, TUNE__ENABLE=False)
    words += ["TEST.CHECKPOINT_FILE_PATH", words[words.index("TRAIN.CHECKPOINT_FILE_PATH") + 1]]
    try:
        with mock.patch("slowfast_ext.engine.extract.MapFolder", Changing):
            extracted(words, tmp_path / "maps", ["test"])
        with pytest.raises(SlowFastExtError, match=f"{path} has changed since"):
            main([*words, "FEATURES.PATH", str(tmp_path / "maps")])
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_it_counts_which_video_has_unknown_labels(frozen, tmp_path):
    words = frozen(tmp_path)
    cfg = checked_config(words[1], words[2:])
    dataset, found = loaders.build_dataset(cfg, "val"), set()
    first, second, *others = dataset.videos
    nobody_knows = (Segment((0,), 0.0, 1.0),)
    for changed in ((), (0,), (1,)):
        marked = [
            replace(video, unknown=nobody_knows) if place in changed else video
            for place, video in enumerate((first, second))
        ]
        dataset.videos = [*marked, *others]
        found.add(Split("val", dataset).facts(cfg)["lists"])
    assert len(found) == 3


def test_a_data_set_of_ones_own_that_holds_what_cannot_be_compared(frozen, tmp_path):
    words = frozen(tmp_path)
    cfg = checked_config(words[1], words[2:])
    dataset = loaders.build_dataset(cfg, "val")
    dataset.transform = lambda frames: frames
    with pytest.raises(SlowFastExtError, match="Synthetic: features of other lists could not"):
        Split("val", dataset).facts(cfg)


def test_a_folder_of_many_keyframes_is_looked_at_once(tmp_path, monkeypatch):
    description = {"dtype": "float16", "backbone": "", "settings": {}, "splits": {"val": {}}}
    looks, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: looks.append(path) or listdir(path))
    ids = [str(number) for number in range(9)]
    dataset = SimpleNamespace(video_ids=ids, media_path=lambda index: str(tmp_path))
    facts_of = MapFolder("", description).facts_of_items("val", dataset)
    assert facts_of(3)["file"] == facts_of(4)["file"] == [0, os.stat(tmp_path).st_mtime_ns]
    assert looks == [str(tmp_path)]


def test_another_backbone_is_refused(features, frozen, finished_run, tmp_path):
    first = finished_run / "checkpoints" / "checkpoint_epoch_00001.pyth"
    others = {"TRAIN__CHECKPOINT_FILE_PATH": first}
    words = frozen(tmp_path, FEATURES__PATH=features, **others)
    with pytest.raises(SlowFastExtError, match="of another backbone's weights"):
        main(words)
    with pytest.raises(SlowFastExtError, match="holds features of another extraction: backbone"):
        extracted(frozen(tmp_path, **others), features)


def test_a_disk_that_is_too_small_is_told_of_first(frozen, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SlowFastExtError, match=r"about \d+\.\d+ MB are to be written and 0\.00 MB"):
        extracted(frozen(tmp_path), tmp_path / "maps")
    assert not list((tmp_path / "maps").iterdir())


def test_a_disk_that_fills_up_is_one_sentence(frozen, tmp_path, run_net):
    """A limit on the size of files stands for it."""
    words = ["extract", "--out", str(tmp_path / "maps"), "--splits", "val,test"]
    done = run_net([*words, *frozen(tmp_path / "unused")], largest_file=8_000)
    assert done.returncode == 1
    assert re.fullmatch(r"error: File too large \(.*maps/val/00000\d\.npz\)\n", done.stderr)
    assert [path.name for path in (tmp_path / "maps").rglob("*.*")] == ["features.json"]


def test_another_heads_and_seeds_take_the_same_features(features, frozen, tmp_path):
    options = {"FEATURES__PATH": features, "ACTIVITY__HEAD": "PoolHead", "RNG_SEED": 7}
    main(frozen(tmp_path, SOLVER__MAX_EPOCH=2, TUNE__ENABLE=False, **options))
    assert (tmp_path / "results.json").exists()


def test_labels_follow_a_networks_order_of_classes(features, frozen, tmp_path):
    words = frozen(tmp_path, FEATURES__PATH=features)
    dataset = loaders.build_dataset(checked_config(words[1], words[2:]), "train")
    dataset.order_classes(dataset.class_names[::-1])
    dataset.maps.ready(clips=True)
    for index in range(len(dataset)):
        expected = dataset[0, index].labels
        assert torch.equal(dataset.maps[0, index].labels, expected)
        assert not torch.equal(expected, expected.flip(0))


def test_rates_are_fitted_to_features_as_to_videos(of_videos, frozen, tmp_path, command):
    words = frozen(of_videos)
    folder = extracted(words, tmp_path / "maps", ["train-views"])
    fitted = []
    for path in ("", folder):
        code, _, err = command("fit-rates", *words, "FEATURES.PATH", path)
        assert (code, err) == (0, "")
        fitted.append((of_videos / "rate_weights.csv").read_text())
    assert fitted[0] == fitted[1]


def test_the_command_says_how_much_it_writes(frozen, tmp_path, command):
    words = frozen(tmp_path / "out")
    code, out, err = command("extract", "--out", tmp_path / "maps", "--splits", "val", *words)
    assert (code, err) == (0, "")
    assert re.search(r"features of 3 of val; about \d+\.\d+ MB are still to write to", out)
    assert "extract val: 3/3" in out  # Without a terminal there is no bar.
    code, _, err = command("extract", "--out", tmp_path / "maps", "--splits", "vale", *words)
    assert code == 2
    assert "--splits vale: must be of train, tune, val, test, train-views" in err
