"""Several heads and settings with the same seeds, in one table."""

import json
import statistics
from types import SimpleNamespace

import pytest

from slowfast_ext.commands import compare
from slowfast_ext.commands.compare import _unequal_starts, mean_ap, table
from slowfast_ext.engine.extract import extract
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.weights import read_weights
from slowfast_ext.errors import SlowFastExtError


@pytest.fixture
def words(arguments, finished_run, tmp_path):
    start = finished_run / "checkpoints" / "checkpoint_tune_epoch_00002.pyth"
    options = {"TRAIN__CHECKPOINT_FILE_PATH": start, "TRAIN__CHECKPOINT_EPOCH_RESET": True}
    options |= {"ACTIVITY__FREEZE_BACKBONE": True, "TUNE__ENABLE": False}
    words = arguments(tmp_path / "out", SOLVER__MAX_EPOCH=1, **options)
    extract(checked_config(words[1], words[2:]), str(tmp_path / "maps"), ["train", "val", "test"])
    return [*words, "FEATURES.PATH", str(tmp_path / "maps")]


def test_heads_and_settings_on_the_same_features(words, tmp_path, command):
    choices = ["--heads", "PoolHead", "--setting", "ACTIVITY.CORRELATION False"]
    code, out, err = command("compare", *choices, "--seeds", "1,2", *words)
    assert (code, err) == (0, "")
    rows = (tmp_path / "out" / "comparison.csv").read_text().splitlines()
    assert rows[0] == "setting,seed,mAP"
    assert len(rows) == 1 + 2 * 2
    # The start is a run's of the paper's head.
    assert "0 of 2 of ACTIVITY.HEAD PoolHead, 8 of 8 of ACTIVITY.CORRELATION False" in out
    setting, seed, score = rows[-1].split(",")
    assert (setting, seed) == ("ACTIVITY.CORRELATION False", "2")
    path = tmp_path / "out" / "ACTIVITY.CORRELATION_False" / "seed_2" / "results.json"
    assert json.loads(path.read_text())["mAP"] == float(score)
    before = path.stat().st_mtime_ns
    # What is done is not done again.
    assert (
        command("compare", *choices, "--seeds", "1,2", *words)[1].splitlines()[-4:]
        == (out.splitlines()[-4:])
    )
    assert path.stat().st_mtime_ns == before
    # Nor is what another config did taken for this one's.
    changed = [*words, "SOLVER.BASE_LR", "0.5"]
    code, _, err = command("compare", *choices, "--seeds", "1,2", *changed)
    assert code == 2
    assert "PoolHead/seed_1/results.json was trained with SOLVER.BASE_LR" in err
    assert "(now 0.5): choose another OUTPUT_DIR" in err


def test_differences_are_paired():
    scores = {"a": [0.5, 0.6, 0.4], "b longer": [0.6, 0.68, 0.52]}
    lines = table(scores).splitlines()
    difference = [0.1, 0.08, 0.12]
    mean = statistics.mean(difference)
    # Student's t for 2 degrees of freedom.
    half = 4.302653 * statistics.stdev(difference) / 3**0.5
    low, high = mean - half, mean + half
    assert lines[1].split() == ["a", "0.5000", "0.5000", "0.6000", "0.4000"]
    assert lines[2].endswith(f"+0.1000 [{low:+.4f}, {high:+.4f}]")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--heads", "PoolHead"], "nothing to compare"),
        (["--heads", "PoolHead,PoolHead"], "nothing to compare"),
        (["--setting", "A.B [1]", "--setting", "A.B (1)"], "two of them would be one folder"),
        (["--heads", "PoolHead,ActivityHead", "--seeds", "1,x"], "--seeds 1,x: must be"),
        (
            ["--heads", "PoolHead,ActivityHead", "--seeds", "1,01"],
            "--seeds 1,01: must be different",
        ),
        (["--heads", "PoolHead", "--setting", "A.B 'c"], "no closing quotation in one of them"),
        (
            ["--heads", "PoolHead", "--setting", "TEST.ENABLE False"],
            "TEST.ENABLE is False: it",
        ),
    ],
)
def test_what_cannot_be_compared(arguments, tmp_path, command, words, sentence):
    code, _, err = command("compare", *words, *arguments(tmp_path / "out"))
    assert code == 2
    assert sentence in err
    assert not (tmp_path / "out").exists()


def test_it_is_not_for_torchrun(arguments, tmp_path, command, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    words = ["--heads", "PoolHead,ActivityHead", *arguments(tmp_path / "out")]
    code, _, err = command("compare", *words)
    assert (code, err.partition(": ")[2]) == (
        2,
        "compare starts the processes of its runs itself, NUM_GPUS of them: call it without "
        "torchrun\n",
    )


@pytest.mark.parametrize("text", ["{", "[1]", '{"mAP": 0.5}', '{"config": 1, "mAP": 0.5}'])
def test_a_file_that_is_no_tests_results_is_named(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(SlowFastExtError, match=r"results\.json: is no test's results: remove it"):
        mean_ap(SimpleNamespace(OUTPUT_DIR=str(tmp_path)))


def test_a_test_without_labels_has_nothing_to_compare(tmp_path):
    (tmp_path / "results.json").write_text('{"config": {}, "mAP": null}')
    with pytest.raises(SlowFastExtError, match=r"results\.json has no mAP: no label"):
        mean_ap(SimpleNamespace(OUTPUT_DIR=str(tmp_path)))


def test_heads_that_all_begin_anew_are_on_equal_terms(words, monkeypatch):
    reads = []
    read = lambda *args: reads.append(args) or read_weights(*args)  # noqa: E731
    monkeypatch.setattr(compare, "read_weights", read)
    anew = ["TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", "['head.']"]
    for options, sentences in (([], 1), (anew, 0)):
        configs = {
            head: checked_config(words[1], [*words[2:], "ACTIVITY.HEAD", head, *options])
            for head in ("PoolHead", "ActivityHead")
        }
        reads.clear()
        assert len(list(_unequal_starts(configs))) == sentences
        assert len(reads) == 1, "a file that both start from was read for each"
