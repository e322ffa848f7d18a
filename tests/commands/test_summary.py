"""`python -m slowfast_ext summary` and `label-check`, from files of labels to what is shown."""

import csv
import json

import pytest

from tests.prepare.own_labels import write_videos

# As `predict` writes them; all videos are 1 s long.
PREDICTED = (
    "video,activity,start,end,score\n"
    "/data/videos/a.mp4,run,0.000,0.500,0.7500\n"
    "/data/videos/a.mp4,jump,0.250,0.750,0.6250\n"
    "/data/videos/b.mp4,run,0.500,1.000,0.5000\n"
)


@pytest.fixture
def folder(tmp_path, write_moving_square):
    write_videos(tmp_path, write_moving_square)
    return tmp_path


@pytest.fixture
def labelled(folder, command):
    """`labelled(words, texts of label files)`: of a command on these labels."""

    def run(name, *texts, options=()):
        paths = [folder / f"labels{number}.csv" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        return command(name, *paths, "--videos", folder / "videos", *options)

    return run


def rows_of(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_summary_of_predictions(labelled, folder):
    out = folder / "out"
    code, shown, error = labelled("summary", PREDICTED, options=["--out", out])
    assert code == 0, error
    rows = {(row["video"], row["activity"]): row for row in rows_of(out / "time_budget.csv")}
    assert list(rows) == [(v, a) for v in ("a.mp4", "b.mp4") for a in ("jump", "run")]
    assert rows["a.mp4", "jump"] == {
        "video": "a.mp4",
        "subject": "",
        "activity": "jump",
        "bouts": "1",
        "duration": "0.5",
        "mean_duration": "0.5",
        "share": "0.5",
        "latency": "0.25",
    }
    assert rows["b.mp4", "jump"]["latency"] == ""
    (pair,) = rows_of(out / "cooccurrence.csv")
    assert (pair["first"], pair["second"], pair["seconds"]) == ("jump", "run", "0.25")
    (after,) = rows_of(out / "transitions.csv")
    assert after == {"from": "run", "to": "jump", "count": "1", "probability": "1"}
    assert [row["videos"] for row in rows_of(out / "activities.csv")] == ["1", "2"]
    assert (out / "ethogram.pdf").read_bytes().startswith(b"%PDF")
    assert " run " in shown and "subject" not in shown


def test_labels_of_whole_videos_last_as_long_as_these(labelled, folder):
    code, *_ = labelled("summary", "path,labels\na,run;jump\nb,\n", options=["--out", folder])
    assert code == 0
    rows = {(row["video"], row["activity"]): row for row in rows_of(folder / "time_budget.csv")}
    assert [rows[v, "run"]["share"] for v in ("a.mp4", "b.mp4")] == ["1", "0"]


def test_what_is_unknown_is_no_bout(labelled, folder):
    """DeepEthogram's -1."""
    text = ",background,run\n0,0,1\n1,1,0\n2,0,-1\n" + "".join(f"{n},1,0\n" for n in range(3, 10))
    (folder / "a_labels.csv").write_text(text)
    code, shown, error = labelled("summary", options=[folder / "a_labels.csv", "--out", folder])
    assert code == 0, error
    assert "what is unknown counts as not happening" in shown
    (row,) = [row for row in rows_of(folder / "time_budget.csv") if row["activity"] == "run"]
    assert (row["bouts"], row["duration"]) == ("1", "0.1")


@pytest.mark.parametrize(
    "text,message",
    [
        ("path,labels,start,end\na,run,0,5\n", "labels0.csv:2: 0 to 5 s, but a.mp4 ends at 1.00 s"),
        ("path,labels,start,end\nz,run,0,5\n", 'labels0.csv:2: no video "z"'),
        ("", "holds no labels"),
    ],
)
@pytest.mark.parametrize("name", ["summary", "label-check"])
def test_wrong_labels(labelled, folder, name, text, message):
    options = ["--out", folder / "out"] if name == "summary" else []
    code, shown, error = labelled(name, text, options=options)
    assert code == 2 and message in error and "Traceback" not in error and not shown
    assert not (folder / "out").exists()


def test_label_check_of_one_file(labelled):
    text = "path,labels,start,end\na,run,0,1\na,run,0,1\nb,jump,0.5,0.5\n"
    code, shown, _ = labelled("label-check", text)
    assert code == 0
    assert "run stands at" in shown and "labels0.csv:4: jump" in shown
    assert "classes_under_10_positives:\n    jump: 1\n    run: 1" in shown


def test_label_check_tells_of_unknown_time(labelled):
    """What a row shows is known, whatever another calls unknown; a star is all labels."""
    text = (
        "path,labels,start,end,unknown\na,run,0,0.5,\na,,0.25,0.75,run\na,,0.8,0.8,jump\nb,,,,*\n"
    )
    code, shown, error = labelled("label-check", text, options=["--json"])
    assert code == 0, error
    (found,) = json.loads(shown).values()
    assert found["classes"] == 2 and found["videos_not_found"] == "none"
    assert found["unknown_time"] == "56.2%"
    assert found["unknown_time_by_class"] == {"run": "62.5%", "jump": "50.0%"}
    assert found["unknown_time_by_video"] == {"b.mp4": "100.0%", "a.mp4": "12.5%"}
    assert found["videos_of_which_nothing_is_known"] == ["b.mp4"]
    code, shown, _ = labelled("label-check", "path,labels\na,run\nq,run\n")
    assert "unknown" not in shown and "videos_not_found: 1 (q)" in shown


def test_two_labellers_of_whom_one_does_not_know(labelled):
    """Of a second's half nobody is asked; b is known to one of them alone."""
    first = "path,labels,start,end,unknown\na,run,0,0.5,\na,,0.5,1,RUN\nb,run,,,\n"
    second = "path,labels,start,end,unknown\na,Run,0,1,\nb,,,,*\n"
    code, shown, error = labelled("label-check", first, second, options=["--json"])
    assert code == 0, error
    found = json.loads(shown)
    (run,) = found["agreement"]
    assert (run["iou"], run["first"], run["second"], run["both"]) == (1, 0.5, 0.5, 0.5)
    assert found["compared"]["unknown_to_either"] == "75.0%"


def test_two_labellers(labelled):
    """
    `Run` is `run`, in full-width letters too; the second has not seen b, and says run for half of
    the first's time.
    """
    first = "path,labels,start,end\na,run,0,1\nb,jump,0,1\nc,sit,0,0.5\n"
    second = "path,labels,start,end\na,\uff32un,0,0.5\nc,sit,0,0.5\n"
    code, shown, error = labelled("label-check", first, second, options=["--json"])
    assert code == 0, error
    found = json.loads(shown)
    assert found["compared"]["videos"] == 2
    assert found["compared"]["videos_in_the_first_alone"] == 1
    assert found["compared"]["videos_in_the_second_alone"] == 0
    run, sit = found["agreement"]
    assert (run["activity"], run["iou"], sit["kappa"], sit["iou"]) == ("run", 0.5, 1, 1)
    # Of 20 moments both say run at 5, none at 10: (0.75 - 0.5) / (1 - 0.5).
    assert run["kappa"] == pytest.approx(0.5)
    assert "moments_not_compared" not in found["compared"]
    code, shown, _ = labelled("label-check", first, second)
    assert "mean_kappa: 0.75" in shown and "agreement:" in shown


def test_two_labellers_of_whom_one_counts_frames(labelled):
    """At 4 frames a second."""
    first = "path,labels,start_frame,end_frame\na,run,1,2\n"
    second = "path,labels,start,end\na,run,0,0.5\n"
    options = ["--frame-rate", "4", "--frame-base", "1", "--json"]
    code, shown, error = labelled("label-check", first, second, options=options)
    assert code == 0, error
    assert json.loads(shown)["compared"]["mean_iou"] == 1
    code, _, error = labelled("label-check", second, options=options)
    assert code == 2 and "--frame-rate is given, but no times here count frames" in error


def test_two_labellers_of_moments(labelled):
    """A moment lasts no time: its dash is not that nobody says that it happens."""
    first = "path,labels,start,end\na,run,0,1\na,jump,0.2,0.2\na,jump,0.7,0.7\n"
    second = "path,labels,start,end\na,run,0,1\na,jump,0.2,0.2\n"
    code, shown, error = labelled("label-check", first, second)
    assert code == 0, error
    assert "  moments_not_compared:\n    jump: 2 and 1\n" in shown


@pytest.mark.parametrize(
    "options,message",
    [
        (["--step", "0"], "--step is 0"),
        (["--gap", "-1"], "--gap is -1"),
        (["--min-positives", "-1"], "--min-positives is -1"),
        (["--separator", ""], "--separator is empty"),
    ],
)
def test_wrong_arguments(labelled, options, message):
    code, _, error = labelled("label-check", "path,labels\na,run\n", options=options)
    assert code == 2 and message in error


def test_two_labellers_of_other_videos(labelled):
    code, _, error = labelled("label-check", "path,labels\na,run\n", "path,labels\nb,run\n")
    assert code == 2 and "labels1.csv: has no video that" in error
