"""The whole job through run_net.py's main."""

import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast_ext.commands.arguments import parse_arguments
from slowfast_ext.commands.run_net import main
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.predictions import read_predictions
from tests.helpers import ROOT, assert_equal, weights


def test_trains_tunes_and_tests(finished_run, data_dir):
    results = json.loads((finished_run / "results.json").read_text())
    assert results["task"] == "multi_label_classification"
    assert results["protocol"]["num_views"] == 3
    assert results["protocol"]["training"] == "train epoch 3 of 3, tune epoch 2 of 2"
    assert results["counts"]["videos"] == 3
    assert len(results["per_class"]) == 12
    # What the checkpoint knows of the training's labels, and thirds of the classes by it.
    counts = results["training_positives"]
    names = [of["name"] for of in results["per_class"]]
    lines = (Path(data_dir) / "train.csv").read_text().split("\n")
    assert counts == [sum(name in line for line in lines) for name in names]
    groups = results["by_frequency"]
    assert [len(group["classes"]) for group in groups] == [4, 4, 4]
    for group in groups:
        of_group = [counts[place] for place in group["classes"]]
        assert of_group == sorted(of_group, reverse=True)
        assert (of_group[0], of_group[-1]) == (group["most"], group["least"])
    ids, names, scores = read_predictions(str(finished_run / "predictions.csv"))
    assert ids == [f"videos/test_{i:04d}.mp4" for i in range(3)]
    assert scores.shape == (3, 12) and ((scores > 0) & (scores < 1)).all()


def test_tuning_leaves_the_backbone_as_it_is(finished_run):
    trained, tuned = (
        weights(finished_run),
        weights(finished_run, "checkpoint_tune_epoch_00002.pyth"),
    )
    changed = {name for name in trained if not torch.equal(trained[name], tuned[name])}
    assert changed and all(name.startswith("head.") for name in changed)


def test_the_mask_is_counted_from_the_training_labels(finished_run, data_dir):
    mask = weights(finished_run)["head.correlation.mask"]
    rows = [line.split(",") for line in Path(data_dir, "train.csv").read_text().splitlines()[1:]]
    names = Path(data_dir, "classes.txt").read_text().splitlines()
    videos = {}
    for path, label, *_ in rows:
        videos.setdefault(path, set()).add(names.index(label))
    for j in range(12):
        having = [labels for labels in videos.values() if j in labels]
        for k in range(12):
            expected = sum(k in labels for labels in having) / len(having) if having else 0
            assert mask[j, k] == pytest.approx(expected)


def test_the_same_command_again_only_tests(finished_run, arguments, capsys):
    before = weights(finished_run, "checkpoint_tune_epoch_00002.pyth")
    predictions = (finished_run / "predictions.csv").read_text()
    main(arguments(finished_run))
    output = capsys.readouterr().out
    assert "train: 3 epochs, finished before" in output
    assert "tune: 2 epochs, finished before" in output
    assert (finished_run / "predictions.csv").read_text() == predictions
    assert_equal(before, weights(finished_run, "checkpoint_tune_epoch_00002.pyth"))


def test_number_of_workers_does_not_change_the_weights(finished_run, arguments, tmp_path):
    main(arguments(tmp_path, DATA_LOADER__NUM_WORKERS=2, TEST__ENABLE=False))
    assert_equal(weights(finished_run), weights(tmp_path))


def test_views_of_upstreams_keys_and_max(finished_run, arguments, tmp_path):
    """Empty TEST.VIEWS: NUM_ENSEMBLE_VIEWS x NUM_SPATIAL_CROPS, combined by ENSEMBLE_METHOD."""
    checkpoint = finished_run / "checkpoints" / "checkpoint_tune_epoch_00002.pyth"
    scores = {}
    for method in ("sum", "max"):
        main(
            arguments(
                tmp_path / method,
                TEST__VIEWS="[]",
                TEST__NUM_ENSEMBLE_VIEWS=2,
                DATA__ENSEMBLE_METHOD=method,
                TRAIN__ENABLE=False,
                TUNE__ENABLE=False,
                TEST__CHECKPOINT_FILE_PATH=checkpoint,
                TEST__SAVE_RESULTS_PATH="upstream.pkl",
            )
        )
        results = json.loads((tmp_path / method / "results.json").read_text())
        assert results["protocol"]["views"] == [[4, 2, 3]]
        scores[method] = read_predictions(str(tmp_path / method / "predictions.csv"))[2]
        with open(tmp_path / method / "upstream.pkl", "rb") as stream:
            saved, _ = pickle.load(stream)
        np.testing.assert_array_equal(saved.numpy(), scores[method])
    assert (scores["max"] > scores["sum"]).all()


def test_precise_batch_norm_and_best_checkpoint(finished_run, arguments, tmp_path):
    main(
        arguments(
            tmp_path,
            BN__USE_PRECISE_STATS=True,
            TUNE__ENABLE=False,
            TEST__ENABLE=False,
            TRAIN__EVAL_PERIOD=1,
            TRAIN__CHECKPOINT_PERIOD=10,
        )
    )
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["checkpoint_best.pyth", "checkpoint_epoch_00003.pyth"]
    plain, precise = weights(finished_run), weights(tmp_path)
    name = "backbone.s1.pathway0_stem.bn.running_mean"
    assert not torch.equal(plain[name], precise[name])


def test_killed_and_started_again_gives_the_same_weights(arguments, tmp_path, run_net, start_net):
    """kill -9 once the first epoch is written; then the same command to its end."""
    words = arguments(tmp_path, TUNE__ENABLE=False, TEST__ENABLE=False)
    reference = tmp_path / "reference"
    assert run_net(arguments(reference, TUNE__ENABLE=False, TEST__ENABLE=False)).returncode == 0
    process = start_net(words)
    first = tmp_path / "checkpoints" / "checkpoint_epoch_00001.pyth"
    while not first.exists() and process.is_running():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "checkpoints" / "checkpoint_epoch_00003.pyth").exists()
    assert run_net(words).returncode == 0
    assert_equal(weights(reference), weights(tmp_path))


def test_two_processes_equal_one(arguments, tmp_path, run_net):
    """Batch-norm frozen, no dropout; five training videos and three test videos."""
    options = {
        "MODEL__FROZEN_BN": True,
        "MODEL__DROPOUT_RATE": 0.0,
        "SOLVER__OPTIMIZING_METHOD": "sgd",
        # Larger steps would blow up float32's rounding, which differs between the sums.
        "SOLVER__BASE_LR": 0.002,
        "SOLVER__MAX_EPOCH": 2,
        "SYNTHETIC__NUM_TRAIN": 5,
        "DATA__PATH_TO_DATA_DIR": tmp_path / "five",
    }
    for name, ranks in (("one", 1), ("two", 2)):
        done = run_net(arguments(tmp_path / name, **options), ranks=ranks)
        assert done.returncode == 0, done.stderr[-2000:]
    one, two = (weights(tmp_path / name, "checkpoint_epoch_00002.pyth") for name in ("one", "two"))
    for name in one:
        torch.testing.assert_close(two[name], one[name], atol=1e-5, rtol=0)
    first = weights(tmp_path / "one", "checkpoint_epoch_00001.pyth")
    assert max((one[name] - first[name]).abs().max() for name in one) > 5e-4
    same = [
        read_predictions(str(tmp_path / name / "predictions.csv"))[2] for name in ("one", "two")
    ]
    # Thousands of weights that differ by up to 1e-5 each differ by more together.
    np.testing.assert_allclose(same[1], same[0], atol=1e-4, rtol=0)
    # The same weights tested by one process and by two.
    checkpoint = tmp_path / "one" / "checkpoints" / "checkpoint_tune_epoch_00002.pyth"
    again = arguments(
        tmp_path / "again",
        **options,
        TRAIN__ENABLE=False,
        TUNE__ENABLE=False,
        TEST__CHECKPOINT_FILE_PATH=checkpoint,
    )
    assert run_net(again, ranks=2).returncode == 0
    tested = read_predictions(str(tmp_path / "again" / "predictions.csv"))
    assert len(tested[0]) == 3
    np.testing.assert_allclose(tested[2], same[0], atol=1e-6, rtol=0)


def test_ctrl_c_is_one_sentence(arguments, tmp_path, start_net):
    words = arguments(tmp_path, SOLVER__MAX_EPOCH=500, DATA_LOADER__NUM_WORKERS=1)
    process = start_net(words)
    first = tmp_path / "checkpoints" / "checkpoint_epoch_00001.pyth"
    while not first.exists() and process.is_running():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 1
    assert "stopped by the user" in process.stderr and "Traceback" not in process.stderr


def test_a_full_disk_is_one_sentence(arguments, tmp_path, run_net):
    """A limit on the size of files stands for the full disk."""
    done = run_net(arguments(tmp_path), largest_file=100_000)
    assert done.returncode == 1
    assert "error: File too large" in done.stderr and "Traceback" not in done.stderr
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_wrong_key_writes_nothing(arguments, tmp_path):
    """By the script itself, which says it before it imports torch, and by what is built of it."""
    words = arguments(tmp_path / "out", ACTIVITY__GROUPS=0)
    script = [sys.executable, str(ROOT / "run_net.py"), *words]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ACTIVITY.GROUPS is 0") and "\n" not in done.stderr[:-1]
    with pytest.raises(SlowFastExtError, match="ACTIVITY.GROUPS is 7"):
        main(arguments(tmp_path / "out", ACTIVITY__GROUPS=7))
    assert not (tmp_path / "out").exists()


def test_two_configs_do_not_share_a_folder(arguments, tmp_path):
    _, path, *options = arguments(tmp_path / "out")
    with pytest.raises(SlowFastExtError, match="have one OUTPUT_DIR"):
        main(["--cfg", path, path, *options])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [".", "checkpoints", "afile/x.pkl"])
def test_results_that_cannot_be_written_are_known_before_the_test(arguments, tmp_path, name):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "afile").touch()
    with pytest.raises(SlowFastExtError, match=r"TEST\.SAVE_RESULTS_PATH: .* (folder|is a file)"):
        main(arguments(tmp_path, TEST__SAVE_RESULTS_PATH=name))


@pytest.mark.parametrize("below", ["afile/out", "x" * 300])
def test_a_folder_that_cannot_be_made_is_named(arguments, tmp_path, below):
    (tmp_path / "afile").touch()
    with pytest.raises(SlowFastExtError, match=r"OUTPUT_DIR.* cannot be"):
        main(arguments(tmp_path / below))


def test_arguments_with_and_without_opts():
    for pairs in (["NUM_GPUS", "0"], ["--opts", "NUM_GPUS", "0"]):
        args = parse_arguments(["--cfg", "a.yaml", "B.yaml", *pairs])
        assert args.cfg_files == ["a.yaml", "B.yaml"]
        assert args.opts == ["NUM_GPUS", "0"]
    args = parse_arguments(["--cfg", "a.yaml", "--num_shards", "2", "TRAIN.ENABLE", "False"])
    assert args.num_shards == 2 and args.opts == ["TRAIN.ENABLE", "False"]
    with pytest.raises(SlowFastExtError, match="unknown argument --resume"):
        parse_arguments(["--cfg", "a.yaml", "--resume"])
