"""A test that was stopped goes on: nothing is scored twice, nothing is taken from another test."""

import shutil

import numpy as np
import pytest
import torch

from slowfast_ext.commands.run_net import main
from slowfast_ext.datasets.contract import ActivityDataset
from slowfast_ext.engine import partial_scores, scoring
from slowfast_ext.engine.partial_scores import PartialScores, _from_arrays, _to_arrays, fingerprint
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.evaluators import ClipsEvaluator
from slowfast_ext.utils.paths import open_atomically
from tests.helpers import ROOT


@pytest.fixture
def of_the_test(finished_run, arguments):
    """`of_the_test(output_dir, **changes)`: arguments of a test of the finished run's weights."""

    def make(output_dir, **changes):
        path = finished_run / "checkpoints" / "checkpoint_tune_epoch_00002.pyth"
        options = {
            "TRAIN__ENABLE": False,
            "TUNE__ENABLE": False,
            "TEST__CHECKPOINT_FILE_PATH": path,
        }
        return arguments(output_dir, **options, **changes)

    return make


@pytest.fixture
def scored(monkeypatch):
    """The indices of the videos that the network has scored, in their order; each is saved."""
    indices, video_scores = [], scoring.video_scores

    def counted(cfg, network, sample, combine):
        indices.append(sample.index)
        return video_scores(cfg, network, sample, combine)

    monkeypatch.setattr(scoring, "video_scores", counted)
    monkeypatch.setattr(partial_scores, "SECONDS_BETWEEN_SAVES", 0.0)
    return indices


@pytest.fixture
def stop_at(monkeypatch):
    """`stop_at(count)` ends a test, as Ctrl-C does, once so many videos are scored."""

    def stop(count):
        add = PartialScores.add

        def stopping(self, index, scores):
            add(self, index, scores)
            if index + 1 == count:
                monkeypatch.setattr(PartialScores, "add", add)
                raise KeyboardInterrupt

        monkeypatch.setattr(PartialScores, "add", stopping)

    return stop


def parts(folder):
    return sorted((folder / "partial_scores").iterdir())


def stop(words, stop_at, count=2):
    stop_at(count)
    with pytest.raises(KeyboardInterrupt):
        main(words)


def test_goes_on_where_it_was_stopped(finished_run, of_the_test, tmp_path, scored, stop_at):
    stop(of_the_test(tmp_path), stop_at)
    assert scored == [0, 1] and len(parts(tmp_path)) == 2
    assert not (tmp_path / "results.json").exists()
    # As of a job of two processes.
    first, second = parts(tmp_path)
    second.rename(first.with_name(first.name.replace("_0000_", "_0001_")))
    # What changes no score may differ.
    main(of_the_test(tmp_path, DATA_LOADER__NUM_WORKERS=1, LOG_PERIOD=7))
    assert scored == [0, 1, 2]
    wanted = (finished_run / "predictions.csv").read_bytes()
    assert (tmp_path / "predictions.csv").read_bytes() == wanted
    assert not (tmp_path / "partial_scores").exists()


def test_what_is_not_saved_yet_is_saved_at_an_error(
    of_the_test, tmp_path, scored, stop_at, monkeypatch
):
    monkeypatch.setattr(partial_scores, "SECONDS_BETWEEN_SAVES", 1e9)
    stop(of_the_test(tmp_path), stop_at)
    assert len(parts(tmp_path)) == 1
    main(of_the_test(tmp_path))
    assert scored == [0, 1, 2]


@pytest.mark.parametrize("change", ["views", "weights"])
def test_another_test_takes_none_of_it(
    of_the_test, finished_run, tmp_path, scored, stop_at, change
):
    stop(of_the_test(tmp_path), stop_at)
    first = finished_run / "checkpoints" / "checkpoint_epoch_00001.pyth"
    of_weights = {"TEST__CHECKPOINT_FILE_PATH": first}
    changes = {"TEST__VIEWS": "[[2, 1, 2]]"} if change == "views" else of_weights
    words = of_the_test(tmp_path)
    for key, value in changes.items():
        words[words.index(key.replace("__", ".")) + 1] = str(value)
    main(words)
    assert scored == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("damage", ["empty", "cut off", "other shape", "pickled"])
def test_a_damaged_file_is_scored_again(of_the_test, tmp_path, scored, stop_at, damage, capsys):
    stop(of_the_test(tmp_path), stop_at)
    first = parts(tmp_path)[0]
    if damage in ("empty", "cut off"):
        first.write_bytes(b"" if damage == "empty" else first.read_bytes()[:100])
    elif damage == "other shape":
        np.savez(first, scores_0=np.zeros(5))
    else:
        np.savez(first, scores_0=np.array([{}], dtype=object))
    main(of_the_test(tmp_path))
    assert scored == [0, 1, 0, 2]
    assert f"{first.name}: is damaged" in capsys.readouterr().out


def test_a_broken_video_does_not_cost_what_was_scored(of_the_test, tmp_path, scored, monkeypatch):
    from slowfast_ext.datasets.multi_label_videos import MultiLabelVideos

    getitem = MultiLabelVideos.__getitem__

    def broken(self, key):
        if key == 2:
            raise SlowFastExtError("it is truncated")
        return getitem(self, key)

    with monkeypatch.context() as patch, pytest.raises(SlowFastExtError, match="truncated"):
        patch.setattr(MultiLabelVideos, "__getitem__", broken)
        main(of_the_test(tmp_path))
    main(of_the_test(tmp_path))
    assert scored == [0, 1, 2]


def test_an_error_behind_the_scoring_does_not_cost_what_was_scored(
    of_the_test, tmp_path, scored, monkeypatch
):
    def fail(*_args):
        raise OSError("no space")

    monkeypatch.setattr(partial_scores, "SECONDS_BETWEEN_SAVES", 1e9)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(ClipsEvaluator, "measure", fail)
        main(of_the_test(tmp_path))
    main(of_the_test(tmp_path))
    assert scored == [0, 1, 2]


def test_weights_count_and_not_where_they_stand(
    of_the_test, finished_run, tmp_path, scored, stop_at
):
    stop(of_the_test(tmp_path), stop_at)
    moved = tmp_path / "moved.pyth"
    shutil.copy(finished_run / "checkpoints" / "checkpoint_tune_epoch_00002.pyth", moved)
    words = of_the_test(tmp_path)
    words[words.index("TEST.CHECKPOINT_FILE_PATH") + 1] = str(moved)
    main(words)
    assert scored == [0, 1, 2]


class Listed(ActivityDataset):
    """What a fingerprint sees of a data set."""

    def __init__(self, **content):
        vars(self).update(content)


def test_a_fingerprint_is_of_the_content(caplog):
    cfg = checked_config(str(ROOT / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"))
    network = torch.nn.Linear(1, 1)

    def of(**content):
        return fingerprint(cfg, network, Listed(**content))

    one, other = {0, 8}, {8, 0}
    assert list(one) != list(other)
    assert of(ids={"a": one}) == of(ids={"a": other}) != of(ids={"a": {0, 16}})
    assert of(boxes=np.zeros(2)) != of(boxes=np.ones(2))
    assert "its data set" not in caplog.text
    # What cannot be told is never the same.
    with open(__file__) as stream:
        for unknown in (lambda: 0, stream):
            assert of(attribute=unknown) != of(attribute=unknown)
    assert "its data set" in caplog.text


def test_scores_of_persons_are_kept_bit_by_bit(tmp_path):
    random = np.random.default_rng(0)
    scores = {3: (np.array([0, 2]), random.random((2, 5))), 1: random.random(5)}
    with open_atomically(tmp_path / "x.npz", "wb") as stream:
        np.savez(stream, **_to_arrays(scores))
    with np.load(tmp_path / "x.npz") as arrays:
        again = _from_arrays(arrays)
    assert again.keys() == scores.keys()
    np.testing.assert_array_equal(again[1], scores[1])
    for one, two in zip(again[3], scores[3], strict=True):
        np.testing.assert_array_equal(one, two)
