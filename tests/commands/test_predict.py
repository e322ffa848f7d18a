"""`python -m slowfast_ext predict`, with a network of random weights."""

import csv
import os
import shutil

import numpy as np
import pytest
import torch

from slowfast_ext.engine.checkpoint import checkpoint_path, save_checkpoint
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.weights import read_checkpoint
from slowfast_ext.evaluation.calibration import fit_temperatures, tempered
from slowfast_ext.predict.predictor import Predictor
from tests.helpers import CONFIG, NAMES, f1_at, pairs


@pytest.fixture
def predict(run_folder, tmp_path, command):
    """`predict(words before, words after the options)` -> exit code, standard output, error."""

    def run(*videos, options=(), after=(), checkpoint=True, cfg=True):
        words = ["predict", *videos, *(("--cfg", CONFIG) if cfg else ())]
        if checkpoint:
            words += ["--checkpoint", run_folder / "output" / "checkpoints" / "random.pyth"]
        words = [*words, *options, *pairs(run_folder), "OUTPUT_DIR", tmp_path / "run", *after]
        return command(*words)

    return run


def rows_of(path):
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
        return [{**row, "video": os.path.basename(row["video"])} for row in rows]


def write_thresholds(folder, value):
    folder.mkdir(exist_ok=True)
    rows = "".join(f"{name},{value}\n" for name in NAMES)
    (folder / "thresholds.csv").write_text(f"activity,threshold\n{rows}")


@pytest.fixture
def score(run_folder):
    """`score(number)`: the scores of a video's windows of half a second."""
    options = [*pairs(run_folder), "TEST.CHECKPOINT_FILE_PATH"]
    options.append(str(run_folder / "output" / "checkpoints" / "random.pyth"))
    predictor = Predictor(checked_config(CONFIG, options), 0.5)
    return lambda number: predictor.score(str(run_folder / "videos" / f"{number}.mp4"))[0]


@pytest.fixture
def scores(score):
    return score(0)


def test_spans_of_several_videos(predict, run_folder, tmp_path, scores):
    """Below every score: one span an activity, with the mean of its windows' scores."""
    write_thresholds(tmp_path / "run", 0.0)
    out = tmp_path / "deep" / "spans.csv"
    videos = [run_folder / "videos" / f"{number}.mp4" for number in (0, 1)]
    code, shown, _ = predict(*videos, options=["--every", "0.5", "--out", out])
    assert code == 0
    assert f"thresholds: {tmp_path}/run/thresholds.csv" in shown
    assert "0.mp4: 4 windows, 3 spans" in shown and "1.mp4: 3 windows, 3 spans" in shown
    assert out.read_text().startswith("video,activity,start,end,score\n" + str(videos[0]))
    rows = rows_of(out)
    assert [(r["video"], r["activity"], r["start"], r["end"]) for r in rows] == [
        (video, name, "0.000", end)
        for video, end in (("0.mp4", "2.000"), ("1.mp4", "1.200"))
        for name in NAMES
    ]
    assert scores.shape == (4, 3) and len(np.unique(scores)) == 12
    found = [float(row["score"]) for row in rows[:3]]
    assert found == pytest.approx(scores.mean(axis=0).tolist(), abs=1e-4)


def test_other_forms(predict, run_folder, tmp_path):
    write_thresholds(tmp_path / "run", 0.0)
    video, out = run_folder / "videos" / "1.mp4", tmp_path / "out"
    code, shown, _ = predict(video, options=["--format", "elan", "--out", out])
    assert code == 0 and f"wrote 3 spans to {out}" in shown
    assert (out / "1.eaf").read_text().count("<ANNOTATION_VALUE>") == 3
    # An option's value may stand before a video.
    options = ["--out", tmp_path / "a.json", "--format", "label-studio", video]
    code, shown, _ = predict(options=options)
    assert code == 0 and 'frameRate="$timeline_fps"' in shown and '<Label value="wave"' in shown


def test_a_threshold_between_the_windows_scores(predict, run_folder, tmp_path, scores):
    threshold = (np.sort(scores[:, 1])[2] + np.sort(scores[:, 1])[1]) / 2
    write_thresholds(tmp_path / "run", threshold)
    out = tmp_path / "spans.csv"
    predict(run_folder / "videos" / "0.mp4", options=["--every", "0.5", "--out", out])
    covered = np.zeros(4, bool)
    for row in rows_of(out):
        if row["activity"] == NAMES[1]:
            covered[int(2 * float(row["start"])) : int(2 * float(row["end"]))] = True
    assert covered.tolist() == (scores[:, 1] >= threshold).tolist()


def test_without_thresholds_and_every(predict, run_folder, tmp_path):
    out = tmp_path / "spans.csv"
    code, shown, _ = predict(run_folder / "videos" / "0.mp4", options=["--out", out])
    assert code == 0
    assert "thresholds: 0.5, none are fitted" in shown
    assert "0.mp4: 2 windows" in shown  # Of 32 / 30 s, in 2 s.


def test_broken_videos_do_not_cost_the_others_rows(predict, run_folder, tmp_path):
    write_thresholds(tmp_path / "run", 0.0)
    broken, cut = tmp_path / "broken.mp4", tmp_path / "cut.mp4"
    broken.write_bytes(b"no video")
    cut.write_bytes((run_folder / "videos" / "0.mp4").read_bytes()[:-700])
    videos = [broken, run_folder / "videos" / "1.mp4", cut, tmp_path / "none.mp4"]
    out = tmp_path / "spans.csv"
    code, _, error = predict(*videos, options=["--out", out])
    assert code == 2
    assert [row["video"] for row in rows_of(out)] == ["1.mp4"] * 3
    lines = error.removeprefix("error: ").strip().split("\n")
    assert [line.split(":")[0] for line in lines] == list(map(str, [broken, cut, videos[3]]))


def test_nothing_is_written_where_no_video_can_be_read(predict, tmp_path):
    out = tmp_path / "spans.csv"
    out.write_text("of before\n")
    assert predict(tmp_path / "none.mp4", options=["--out", out])[0] == 2
    assert out.read_text() == "of before\n"


def test_an_interrupted_run_leaves_no_half_file(predict, run_folder, tmp_path, monkeypatch):
    out = tmp_path / "spans.csv"
    out.write_text("of before\n")

    def stop(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(csv, "writer", stop)
    assert predict(run_folder / "videos" / "0.mp4", options=["--out", out])[0] == 1
    assert out.read_text() == "of before\n"
    assert sorted(os.listdir(tmp_path)) == ["spans.csv"]


def test_thresholds_are_fitted_to_the_training_list(predict, tmp_path, score):
    """Against every threshold, on 4 + 3 windows labelled by the segments at their middles."""
    # Features that the run was trained from may be gone since.
    after = ["FEATURES.PATH", "removed"]
    code, shown, _ = predict(options=["--every", "0.5", "--fit-thresholds"], after=after)
    assert code == 0 and "fitted to 7 windows of 2 videos of " in shown
    with open(tmp_path / "run" / "thresholds.csv", newline="") as stream:
        fitted = {row["activity"]: row for row in csv.DictReader(stream)}
    labels = {
        "run": [1, 1, 0, 0, 1, 1, 1],
        "jump": [0, 0, 1, 1, 0, 0, 0],
        "wave": [1, 1, 0, 0, 0, 0, 0],
    }
    assert list(fitted) == list(labels)
    for name, of_class in zip(labels, np.concatenate([score(0), score(1)]).T, strict=True):
        positive = np.array(labels[name], bool)
        best = max(f1_at(threshold, of_class, positive) for threshold in of_class)
        assert float(fitted[name]["f1"]) == pytest.approx(best, abs=1e-4)
        found = f1_at(float(fitted[name]["threshold"]), of_class, positive)
        assert found == pytest.approx(best)


def test_a_validation_list_serves_thresholds_unless_it_is_the_tests(predict, run_folder, tmp_path):
    lists = tmp_path / "lists"
    shutil.copytree(run_folder / "lists", lists)
    before = {"train.csv": "7 windows of 2 videos", "val.csv": "4 windows of 1 videos"}
    after = ["DATA.PATH_TO_DATA_DIR", lists]
    for name, words in before.items():
        if name == "val.csv":
            header, _, last = (lists / "train.csv").read_text().splitlines()[:3]
            (lists / name).write_text(f"{header}\n{last}\n")
        code, shown, _ = predict(options=["--every", "0.5", "--fit-thresholds"], after=after)
        assert code == 0 and f"thresholds.csv, fitted to {words} of {lists}/{name}" in shown


def test_temperatures_are_fitted_to_the_validation_list(predict, run_folder, tmp_path, score):
    """And change the scores of spans, but no span."""
    lists, video = tmp_path / "lists", run_folder / "videos" / "0.mp4"
    lists.mkdir()
    for name, source in (("classes.txt", "classes.txt"), ("val.csv", "train.csv")):
        (lists / name).write_text((run_folder / "lists" / source).read_text())
    after = ["DATA.PATH_TO_DATA_DIR", lists]
    outs = [tmp_path / "before.csv", tmp_path / "after.csv"]
    predict(video, options=["--every", "0.5", "--out", outs[0]], after=after)
    code, shown, _ = predict(options=["--every", "0.5", "--fit-temperatures"], after=after)
    assert code == 0 and f"fitted to 7 windows of 2 videos of {lists}/val.csv" in shown
    with open(tmp_path / "run" / "temperatures.csv", newline="") as stream:
        fitted = {
            row["activity"]: (float(row["temperature"]), float(row["shift"]))
            for row in csv.DictReader(stream)
        }
    labels = {"run": [1, 1, 0, 0, 1, 1, 1], "jump": [0, 0, 1, 1, 0, 0, 0]}
    for name, of_class in zip(labels, np.concatenate([score(0), score(1)]).T, strict=False):
        wanted = fit_temperatures(of_class[:, None], np.array(labels[name])[:, None])
        assert fitted[name] == pytest.approx(tuple(of[0] for of in wanted), rel=1e-4, abs=1e-4)
    code, shown, _ = predict(video, options=["--every", "0.5", "--out", outs[1]], after=after)
    assert code == 0 and f"temperatures: {tmp_path}/run/temperatures.csv" in shown
    before, rows = map(rows_of, outs)
    places = ("activity", "start", "end")
    assert [[r[p] for p in places] for r in rows] == [[r[p] for p in places] for r in before]
    changed = 0
    for row, plain in zip(rows, before, strict=True):
        first, last = (int(2 * float(row[end])) for end in ("start", "end"))
        of_class = score(0)[first:last, NAMES.index(row["activity"])]
        wanted = tempered(of_class, *fitted[row["activity"]]).mean()
        assert float(row["score"]) == pytest.approx(wanted, abs=1e-4)
        changed += row["score"] != plain["score"]
    assert changed


def test_nothing_is_fitted_to_labels_that_are_all_unknown(predict, run_folder, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "classes.txt").write_text((run_folder / "lists" / "classes.txt").read_text())
    (lists / "val.csv").write_text(f"path,labels,unknown\n{run_folder}/videos/0.mp4,,*\n")
    after = ["DATA.PATH_TO_DATA_DIR", lists]
    code, _, error = predict(options=["--fit-temperatures"], after=after)
    assert code == 2 and "all their labels are unknown" in error and "Traceback" not in error
    assert not (tmp_path / "run" / "temperatures.csv").exists()


def test_videos_may_stand_behind_the_options(predict, run_folder, tmp_path):
    out = tmp_path / "spans.csv"
    video = run_folder / "videos" / "1.mp4"
    code, shown, _ = predict(options=["--out", out, video])
    assert code == 0 and "1.mp4: 2 windows" in shown


@pytest.mark.parametrize(
    "videos,options,message",
    [
        ([], [], "name files, --fit-thresholds or --fit-temperatures"),
        ([__file__], [], "--out is missing"),
        ([__file__], ["--out", "a.mp4"], "must be a file that ends in .csv"),
        ([__file__], ["--out", "a.csv", "--format", "boris"], "must be a file that ends in .boris"),
        ([__file__], ["--out", "a.csv", "--every", "0"], "--every is 0: it must be"),
        ([__file__], ["--out", "a.csv", "--every", "x"], "--every is x: it must be"),
        ([__file__], ["--out", "a.csv", "--every", ""], "--every is : it must be"),
        ([__file__], ["--out", "a.csv", "--every", "1e-9"], "--every is 1e-9: it must be"),
        ([__file__], ["--out", "a.csv", "MODEL.NUM_CLASSES"], "has no value"),
        ([__file__], ["--out", "a.csv", "DATA.NUMFRAMES", "8"], "unknown key DATA.NUMFRAMES"),
        ([__file__], ["--out", "a.csv", "--checkpoint", "no.pyth"], "no.pyth: there is no such"),
    ],
)
def test_wrong_arguments(predict, videos, options, message):
    code, _, error = predict(*videos, options=options)
    assert code == 2 and message in error and "Traceback" not in error


def test_what_cannot_be_written_is_said_before_anything_is_scored(
    predict, run_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(Predictor, "score", lambda *_: pytest.fail("scored"))
    (tmp_path / "file").write_text("")
    video = run_folder / "videos" / "0.mp4"
    code, _, error = predict(video, options=["--out", tmp_path / "file" / "spans.csv"])
    assert code == 2 and f"{tmp_path}/file is a file" in error
    after = ["OUTPUT_DIR", tmp_path / "file"]
    code, _, error = predict(options=["--fit-thresholds"], after=after)
    assert code == 2 and "file" in error


def test_thresholds_are_not_fitted_to_a_data_set_without_videos(predict, tmp_path, monkeypatch):
    no_videos = lambda *_: None  # noqa: E731
    monkeypatch.setattr("slowfast_ext.predict.predictor.loaders.build_dataset", no_videos)
    code, _, error = predict(options=["--fit-thresholds"])
    assert code == 2 and "set it to MultiLabelVideos" in error


@pytest.mark.parametrize(
    "after,message",
    [
        (["MODEL.NUM_CLASSES", "4"], "names 3 classes but MODEL.NUM_CLASSES is 4"),
        (["OBJECTS.NUM_CLASSES", "4"], "OBJECTS.NUM_CLASSES is 4: it must be 0"),
        (["RESNET.WIDTH_PER_GROUP", "16"], "weights of another network"),
        (["DATA.TEST_CROP_SIZE", "64"], None),
    ],
)
def test_configs_that_do_not_fit(predict, run_folder, tmp_path, after, message):
    out = tmp_path / "spans.csv"
    code, _, error = predict(run_folder / "videos" / "1.mp4", options=["--out", out], after=after)
    assert (code, error) == (0, "") if message is None else (code == 2 and message in error)


def test_without_a_checkpoint(predict, run_folder, tmp_path):
    out = tmp_path / "spans.csv"
    video = run_folder / "videos" / "1.mp4"
    code, _, error = predict(video, options=["--out", out], checkpoint=False)
    assert code == 2 and "there is nothing to test" in error
    assert "train first, or name a checkpoint" in error


@pytest.fixture
def fed_otherwise(run_folder, tmp_path):
    """A checkpoint of a network that was fed otherwise normalised clips."""
    weights = run_folder / "output" / "checkpoints" / "random.pyth"
    cfg = checked_config(CONFIG, [*pairs(run_folder), "DATA.MEAN", "[0.0, 0.0, 0.0]"])
    state = torch.load(weights, weights_only=True)
    save_checkpoint(str(tmp_path / "other.pyth"), {**state, "cfg": cfg.dump()})
    return tmp_path / "other.pyth"


def test_a_checkpoint_of_another_network_is_refused(predict, run_folder, tmp_path, fed_otherwise):
    """Its weights would fit, and its scores would be others."""
    video = run_folder / "videos" / "0.mp4"
    options = ["--checkpoint", fed_otherwise, "--out", tmp_path / "spans.csv"]
    code, _, error = predict(video, checkpoint=False, options=options)
    assert code == 2
    assert "other.pyth" in error and "DATA.MEAN" in error


def test_what_training_starts_from_is_no_trained_network(
    predict, run_folder, tmp_path, fed_otherwise
):
    video, options = run_folder / "videos" / "0.mp4", ["--out", tmp_path / "spans.csv"]
    start = ["TRAIN.CHECKPOINT_FILE_PATH", fed_otherwise]
    code, _, error = predict(video, checkpoint=False, options=options, after=start)
    assert code == 2
    # What was trained there may be what the tuning starts from.
    assert "DATA.MEAN" in error and "has no tune checkpoint yet; train first" in error


def test_the_network_that_a_run_has_left_in_its_own_folder(command, run_folder, tmp_path):
    words = [*pairs(run_folder), "OUTPUT_DIR", str(tmp_path)]
    cfg = checked_config(CONFIG, words)
    state = read_checkpoint(str(run_folder / "output/checkpoints/random.pyth"))
    save_checkpoint(checkpoint_path(tmp_path, "tune", 1), {**state, "cfg": cfg.dump()})
    out = tmp_path / "spans.csv"
    video = run_folder / "videos" / "1.mp4"
    code, shown, error = command("predict", video, "--cfg", CONFIG, "--out", out, *words)
    assert code == 0 and f"to {out}" in shown, error
