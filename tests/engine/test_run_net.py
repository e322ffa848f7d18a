"""The whole job through run_net.py's main."""

import json
import pickle
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast_ext import upstream
from slowfast_ext.engine.main import main, parse_arguments
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.results import read_predictions


def weights(output_dir, name="checkpoint_epoch_00003.pyth"):
    return torch.load(output_dir / "checkpoints" / name, weights_only=True)["model_state"]


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return tmp_path_factory.mktemp("finished")


@pytest.fixture
def finished_run(finished, arguments):
    """A run that has trained, tuned and tested; made once for the module."""
    if not (finished / "results.json").exists():
        main(arguments(finished))
    return finished


def test_trains_tunes_and_tests(finished_run):
    results = json.loads((finished_run / "results.json").read_text())
    assert results["task"] == "multi_label_classification"
    assert results["protocol"]["num_views"] == 3
    assert results["counts"]["videos"] == 3
    assert len(results["per_class"]) == 12
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


def test_another_config_does_not_go_on_from_it(finished_run, arguments):
    with pytest.raises(SlowFastExtError, match=r"SOLVER.BASE_LR .* choose another OUTPUT_DIR"):
        main(arguments(finished_run, SOLVER__BASE_LR=0.5))


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


def of_the_test(finished_run, name="checkpoint_tune_epoch_00002.pyth"):
    """The options of a test alone of one of the finished run's checkpoints."""
    path = finished_run / "checkpoints" / name
    return {"TRAIN__ENABLE": False, "TUNE__ENABLE": False, "TEST__CHECKPOINT_FILE_PATH": path}


@pytest.mark.parametrize("change", [{"FORM": "as_printed"}, {"CORRELATION": False}])
def test_a_checkpoint_of_another_head_is_not_tested(finished_run, arguments, tmp_path, change):
    options = {f"ACTIVITY__{key}": value for key, value in change.items()}
    with pytest.raises(SlowFastExtError, match=r"00002\.pyth was trained with ACTIVITY\."):
        main(arguments(tmp_path / "out", **of_the_test(finished_run), **options))
    assert not (tmp_path / "out").exists()


def test_a_test_alone_logs_how_much_was_loaded(finished_run, arguments, tmp_path, capsys):
    main(arguments(tmp_path, **of_the_test(finished_run)))
    assert "tensors match; not loaded: none" in capsys.readouterr().out


def test_starts_from_a_trained_upstream_baseline(arguments, tmp_path):
    """Its `.pyth` has the backbone's names without a prefix and a head of another shape."""
    from slowfast_ext.config import load_config

    words = arguments(tmp_path)
    cfg = load_config(words[1], words[2:])
    torch.manual_seed(5)
    baseline = upstream.model_class("SlowFast")(cfg)
    path = tmp_path / "baseline.pyth"
    state = {"epoch": 56, "model_state": baseline.state_dict(), "optimizer_state": {}}
    torch.save({**state, "cfg": cfg.dump()}, path)
    main(
        arguments(
            tmp_path,
            TRAIN__CHECKPOINT_FILE_PATH=path,
            SOLVER__LR_POLICY="steps_with_relative_lrs",
            SOLVER__STEPS="[0]",
            SOLVER__LRS="[0]",
            SOLVER__WARMUP_START_LR=0.0,
            MODEL__FROZEN_BN=True,
            TUNE__ENABLE=False,
            TEST__ENABLE=False,
        )
    )
    trained = weights(tmp_path)
    for name, value in baseline.state_dict().items():
        if not name.startswith("head."):
            assert torch.equal(trained[f"backbone.{name}"], value), name


def test_tuning_alone_refuses_what_another_config_trained(arguments, tmp_path):
    main(arguments(tmp_path, TUNE__ENABLE=False, TEST__ENABLE=False, SOLVER__MAX_EPOCH=1))
    with pytest.raises(SlowFastExtError, match=r"trained with SOLVER.BASE_LR"):
        main(arguments(tmp_path, TRAIN__ENABLE=False, SOLVER__MAX_EPOCH=1, SOLVER__BASE_LR=0.5))


def test_starting_anew_sets_the_old_checkpoints_aside(arguments, tmp_path):
    options = {"TUNE__ENABLE": False, "TEST__VIEWS": "[[4, 1, 1]]"}
    main(arguments(tmp_path, SOLVER__MAX_EPOCH=2, **options))
    main(arguments(tmp_path, SOLVER__MAX_EPOCH=1, TRAIN__AUTO_RESUME=False, **options))
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["protocol"]["checkpoint"].endswith("/checkpoint_epoch_00001.pyth")
    assert (tmp_path / "checkpoints" / "earlier_checkpoint_epoch_00002.pyth").exists()


def start_again(arguments, tmp_path, finished_run, **changes):
    """A run of one tiny stage from the finished run's weights; its state after one epoch more."""
    path = finished_run / "checkpoints" / "checkpoint_epoch_00001.pyth"
    options = {"TUNE__ENABLE": False, "TEST__ENABLE": False, "SOLVER__MAX_EPOCH": 2}
    main(arguments(tmp_path, TRAIN__CHECKPOINT_FILE_PATH=path, **options, **changes))
    saved = tmp_path / "checkpoints" / "checkpoint_epoch_00002.pyth"
    return torch.load(saved, weights_only=True)


def test_a_start_checkpoint_brings_neither_its_mask_nor_its_hyperparameters(
    finished_run, arguments, tmp_path, data_dir
):
    state = start_again(
        arguments,
        tmp_path,
        finished_run,
        ACTIVITY__LR_MULT=7.0,
        ACTIVITY__COOCCURRENCE_FILE=Path(data_dir) / "test.csv",
    )
    multipliers = {group["lr_multiplier"] for group in state["optimizer_state"]["param_groups"]}
    assert multipliers == {1.0, 7.0}
    mask = state["model_state"]["head.correlation.mask"]
    assert not torch.equal(mask, weights(finished_run)["head.correlation.mask"])


def test_a_start_checkpoint_of_another_optimizer_is_one_sentence(finished_run, arguments, tmp_path):
    with pytest.raises(SlowFastExtError, match=r"another SOLVER.OPTIMIZING_METHOD"):
        start_again(arguments, tmp_path, finished_run, SOLVER__OPTIMIZING_METHOD="sgd")


def test_types_of_checkpoints_hold_for_the_named_files_alone(arguments, tmp_path):
    """Weights in Caffe2's form at the start do not make our own checkpoints such."""
    main(
        arguments(
            tmp_path,
            SOLVER__MAX_EPOCH=1,
            TEST__CHECKPOINT_TYPE="caffe2",
            TRAIN__CHECKPOINT_TYPE="caffe2",
        )
    )
    assert (tmp_path / "results.json").exists()


def test_a_missing_checkpoint_is_named_before_anything_is_written(arguments, tmp_path):
    for key in ("TRAIN__CHECKPOINT_FILE_PATH", "TEST__CHECKPOINT_FILE_PATH"):
        with pytest.raises(SlowFastExtError, match=r"nowhere\.pyth: there is no such"):
            main(arguments(tmp_path / "out", **{key: "nowhere.pyth"}))
    assert not (tmp_path / "out").exists()


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
    while not first.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
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
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29611"]
    for name, start in (("one", []), ("two", launcher)):
        done = run_net(arguments(tmp_path / name, **options), start)
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
    assert run_net(again, launcher).returncode == 0
    tested = read_predictions(str(tmp_path / "again" / "predictions.csv"))
    assert len(tested[0]) == 3
    np.testing.assert_allclose(tested[2], same[0], atol=1e-6, rtol=0)


def test_ctrl_c_is_one_sentence(arguments, tmp_path, start_net):
    words = arguments(tmp_path, SOLVER__MAX_EPOCH=500, DATA_LOADER__NUM_WORKERS=1)
    process = start_net(words)
    first = tmp_path / "checkpoints" / "checkpoint_epoch_00001.pyth"
    while not first.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "stopped by the user" in stderr and "Traceback" not in stderr


def test_a_full_disk_is_one_sentence(arguments, tmp_path, run_net):
    """A limit on the size of files stands for the full disk."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = run_net(arguments(tmp_path), preexec_fn=limit)
    assert done.returncode == 1
    assert "error: File too large" in done.stderr and "Traceback" not in done.stderr
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_wrong_key_writes_nothing(arguments, tmp_path, run_net):
    done = run_net(arguments(tmp_path / "out", ACTIVITY__GROUPS=7))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ACTIVITY.GROUPS is 7") and "\n" not in done.stderr[:-1]
    assert not (tmp_path / "out").exists()


def test_arguments_with_and_without_opts():
    for pairs in (["NUM_GPUS", "0"], ["--opts", "NUM_GPUS", "0"]):
        args = parse_arguments(["--cfg", "a.yaml", "B.yaml", *pairs])
        assert args.cfg_files == ["a.yaml", "B.yaml"]
        assert args.opts == ["NUM_GPUS", "0"]
    args = parse_arguments(["--cfg", "a.yaml", "--num_shards", "2", "TRAIN.ENABLE", "False"])
    assert args.num_shards == 2 and args.opts == ["TRAIN.ENABLE", "False"]
    with pytest.raises(SlowFastExtError, match="unknown argument --resume"):
        parse_arguments(["--cfg", "a.yaml", "--resume"])
