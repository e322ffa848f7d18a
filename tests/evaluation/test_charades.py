"""Charades' evaluation against a line-by-line port of the official script."""

import argparse
import csv
import json

import numpy as np
import pytest

from slowfast_ext.commands import evaluate_charades
from slowfast_ext.commands.data_arguments import evaluate_charades_arguments
from slowfast_ext.datasets import charades_annotations
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation import charades

A = charades_annotations.NUM_CLASSES


def official(scores_by_id, actions_by_id):
    """Charades_v1_classify.m in plain loops: (AP per class, mAP, weighted AP)."""
    ids = list(actions_by_id)
    ground_truth = np.zeros((len(ids), A))
    for v, video_id in enumerate(ids):
        for action in actions_by_id[video_id]:
            ground_truth[v, action] = 1
    scores = np.full((len(ids), A), -np.inf)
    for v, video_id in enumerate(ids):
        if video_id in scores_by_id and ground_truth[v].sum() > 0:
            scores[v] = scores_by_id[video_id]
    precisions, weights = [], []
    for a in range(A):
        # A stable descending sort, as MATLAB's.
        order = sorted(range(len(ids)), key=lambda v: -scores[v, a])
        true_positives = false_positives = 0
        total = 0.0
        for v in order:
            if ground_truth[v, a]:
                true_positives += 1
                total += true_positives / (true_positives + false_positives)
            else:
                false_positives += 1
        precisions.append(total / true_positives if true_positives else float("nan"))
        weights.append(true_positives)
    precisions, weights = np.array(precisions), np.array(weights)
    return precisions, precisions.mean(), (precisions * weights).sum() / weights.sum()


def write_ground_truth(path, actions_by_id):
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "subject", "actions", "length"])
        for video_id, actions in actions_by_id.items():
            text = ";".join(f"c{action:03d} 1.00 45.50" for action in actions)
            writer.writerow([video_id, "S1", text, "30.2"])


def write_rows(path, scores_by_id, separator=" "):
    lines = [separator.join([i, *map(repr, row.tolist())]) for i, row in scores_by_id.items()]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def data():
    """230 videos: ties, some without actions, a repeated action, some without scores."""
    random = np.random.default_rng(0)
    ids = [f"V{index:04d}" for index in range(230)]
    # Every class has a positive, or the official mAP would be NaN.
    actions = {i: [n % A, *random.integers(0, A, n % 6).tolist()] for n, i in enumerate(ids)}
    for video_id in ids[200:220]:
        actions[video_id] = []
    actions[ids[0]].append(actions[ids[0]][0])
    scores = {i: np.round(random.random(A), 1) for i in ids if i not in ids[50:55]}
    return scores, actions


@pytest.fixture
def files(data, tmp_path):
    scores, actions = data
    write_ground_truth(tmp_path / "test.csv", actions)
    write_rows(tmp_path / "scores.txt", scores)
    return tmp_path


def evaluate(folder, *words, predictions="scores.txt"):
    parser = argparse.ArgumentParser()
    evaluate_charades_arguments(parser)
    paths = ["--ground-truth", str(folder / "test.csv")]
    paths += ["--predictions", str(folder / predictions)]
    evaluate_charades.run(parser.parse_args([*paths, *words]))


def evaluated(folder, capsys, **options):
    evaluate(folder, "--json", **options)
    return json.loads(capsys.readouterr().out)


def test_equals_the_official_script(data, files, capsys):
    precisions, mean, weighted = official(*data)
    results = evaluated(files, capsys)
    ours = [row["ap"] for row in results["per_class"]]
    np.testing.assert_allclose(ours, precisions, atol=1e-12, rtol=0)
    assert results["mAP"] == pytest.approx(mean, abs=1e-12)
    assert results["weighted_mAP"] == pytest.approx(weighted, abs=1e-12)
    counts = {"videos": 230, "videos_without_activity": 20, "videos_without_scores": 5}
    assert results["counts"] == counts


def test_differs_from_scoring_videos_without_actions_as_negatives(data, files, capsys):
    scores, actions = data
    ids = [i for i in actions if i in scores]
    as_negatives = []
    for a in range(A):
        order = sorted(ids, key=lambda i: -scores[i][a])
        hits = np.array([a in actions[i] for i in order])
        as_negatives.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    assert evaluated(files, capsys)["mAP"] > np.mean(as_negatives) + 1e-3


def test_ties_keep_the_order_of_the_ground_truth(files, data, capsys):
    before = evaluated(files, capsys)["mAP"]
    scores, actions = data
    write_rows(files / "scores.txt", dict(reversed(scores.items())))
    assert evaluated(files, capsys)["mAP"] == before
    write_ground_truth(files / "test.csv", dict(reversed(actions.items())))
    assert evaluated(files, capsys)["mAP"] != before


def test_both_forms_and_their_round_trip_give_the_same(files, data, capsys):
    first = evaluated(files, capsys)
    with open(files / "predictions.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", *(f"c{a:03d}" for a in range(A))])
        for video_id, row in data[0].items():
            writer.writerow([f"Charades_v1_480/{video_id}.mp4", *row.tolist()])
    written = files / "official.txt"
    evaluate(files, "--write-submission", str(written), predictions="predictions.csv")
    ids, scores = charades.read_scores(str(written))
    assert ids == list(data[0])
    np.testing.assert_array_equal(scores, np.stack(list(data[0].values())))
    capsys.readouterr()
    again = evaluated(files, capsys, predictions="official.txt")
    assert again["per_class"] == first["per_class"]


def write_csv(path, names, rows):
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([["id", *names], *rows])


@pytest.fixture
def named(files, data):
    """A predictions.csv of columns in another order than the classes'."""
    names = [f"Holding, or putting, {A - a} cups" for a in range(A)]
    lines = [f"c{a:03d} {name}\n" for a, name in enumerate(names)]
    (files / "classes.txt").write_text("".join(lines))
    order = np.random.default_rng(1).permutation(A)
    rows = [[video_id, *row[order].tolist()] for video_id, row in data[0].items()]
    write_csv(files / "predictions.csv", [names[a] for a in order], rows)
    write_csv(files / "codes.csv", [f"c{a:03d}" for a in order], rows)
    return files


@pytest.mark.parametrize("predictions", ["predictions.csv", "codes.csv"])
def test_columns_of_a_csv_go_by_their_names(named, capsys, predictions):
    words = ["--classes", str(named / "classes.txt"), "--json"]
    evaluate(named, *words)
    wanted = json.loads(capsys.readouterr().out)["per_class"]
    evaluate(named, *words, predictions=predictions)
    assert json.loads(capsys.readouterr().out)["per_class"] == wanted


def test_columns_whose_names_say_nothing_are_refused(named):
    with pytest.raises(SlowFastExtError, match=r"csv:1: no class is named 'Holding.*--classes"):
        evaluate(named, predictions="predictions.csv")
    write_csv(named / "predictions.csv", ["a", "b"], [["V0000", 1, 2]])
    with pytest.raises(SlowFastExtError, match=r"csv:1: 2 classes, where Charades has 157"):
        evaluate(named, predictions="predictions.csv")


@pytest.mark.parametrize("quoted", ["id", "ID", '"id"'])
def test_csv_files_are_told_by_their_comma(files, data, quoted):
    rows = [",".join([video_id, *map(str, row)]) for video_id, row in data[0].items()]
    header = ",".join([quoted, *charades.CODES])
    (files / "predictions.csv").write_text("\n".join([header, *rows]) + "\n")
    if quoted == "ID":
        with pytest.raises(SlowFastExtError) as caught:
            evaluate(files, predictions="predictions.csv")
        assert "begins with 'ID'" in str(caught.value) and len(str(caught.value)) < 300
    else:
        evaluate(files, predictions="predictions.csv")


def test_a_header_alone_is_named(files):
    write_csv(files / "predictions.csv", charades.CODES, [])
    with pytest.raises(SlowFastExtError, match="predictions.csv: no rows after the header"):
        evaluate(files, predictions="predictions.csv")


def test_little_of_a_bad_row_is_quoted(files):
    (files / "scores.txt").write_text("x" * 999 + " 1 2\n")
    with pytest.raises(SlowFastExtError, match=r"scores.txt:1: 2 scores for x{77}\.\.\., "):
        evaluate(files)


@pytest.mark.parametrize("output", ["--csv", "--write-submission"])
@pytest.mark.parametrize("name", ["test.csv", "scores.txt", "classes.txt", "link", "both"])
def test_no_output_is_another_file(named, output, name):
    (named / "link").symlink_to(named / "test.csv")
    before = {path.name: path.read_bytes() for path in named.iterdir()}
    words = ["--classes", str(named / "classes.txt"), output, str(named / name)]
    other = {"--csv": "--write-submission", "--write-submission": "--csv"}[output]
    words += [other, str(named / "both")] if name == "both" else []
    with pytest.raises(SlowFastExtError, match=r"--\S+ \S+ is the file of --"):
        evaluate(named, *words)
    assert {path.name: path.read_bytes() for path in named.iterdir()} == before


@pytest.mark.parametrize("output", ["--csv", "--write-submission"])
@pytest.mark.parametrize("name", ["folder", "scores.txt/x", "/proc/x/y"])
def test_outputs_are_tried_before_any_is_written(files, monkeypatch, output, name):
    monkeypatch.setattr(charades, "read_ground_truth", None)
    (files / "folder").mkdir()
    other = {"--csv": "--write-submission", "--write-submission": "--csv"}[output]
    with pytest.raises(SlowFastExtError, match=f"{output}: .*{name}"):
        evaluate(files, output, str(files / name), other, str(files / "other"))
    assert not (files / "other").exists()


@pytest.mark.parametrize("option", ["--csv", "--write-submission", "--classes"])
def test_an_empty_name_is_refused(files, option):
    with pytest.raises(SlowFastExtError, match=f"{option} is empty: name a file"):
        evaluate(files, option, "")


def test_tabs_and_windows_line_ends(files, data, capsys):
    first = evaluated(files, capsys)["mAP"]
    write_rows(files / "scores.txt", data[0], separator="\t")
    text = (files / "scores.txt").read_text().replace("\n", "\r\n")
    (files / "scores.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert evaluated(files, capsys)["mAP"] == first


def test_missing_videos_warn_or_end_with_strict(files, capsys):
    evaluate(files)
    captured = capsys.readouterr()
    assert "5 videos have no scores, V0050 first" in captured.err
    assert "mAP" in captured.out and "230 videos" in captured.out
    with pytest.raises(SlowFastExtError, match="5 videos have no scores"):
        evaluate(files, "--strict")


def test_a_class_without_positives_is_named(data, files, capsys):
    scores, actions = data
    without = {i: [a for a in found if a != 7] for i, found in actions.items()}
    write_ground_truth(files / "test.csv", without)
    evaluate(files, "--csv", str(files / "ap.csv"))
    out = capsys.readouterr().out
    assert "no positives: no AP" in out and "Charades_v1_classify.m would give NaN" in out
    assert "over the 156 of 157 classes with positives here" in out
    rows = list(csv.DictReader((files / "ap.csv").read_text().splitlines()))
    assert (rows[7]["name"], rows[7]["ap"], rows[7]["positives"]) == ("c007", "nan", "0")


@pytest.mark.parametrize(
    "old,new,sentence",
    [
        ("V0003 ", "X0003 ", "no video X0003"),
        ("V0003 ", "V0002 ", "scores.txt:4: V0002 stands on line 3 already"),
        ("V0003 ", "V0003 nan ", "158 scores for V0003"),
        ("V0003 0.", "V0003 nan ", "158 scores"),
        ("V0003 ", "V0003 1.0\nV0099x ", "scores.txt:4: 1 scores for V0003"),
    ],
)
def test_bad_submissions_are_named(files, old, new, sentence):
    path = files / "scores.txt"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(SlowFastExtError) as error:
        evaluate(files)
    assert sentence in str(error.value)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "much", "1_0"])
def test_scores_that_are_no_finite_numbers_are_named(files, data, value):
    path = files / "scores.txt"
    lines = path.read_text().split("\n")
    lines[3] = " ".join([*lines[3].split()[:-1], value])
    path.write_text("\n".join(lines))
    with pytest.raises(SlowFastExtError, match=f"scores.txt:4: the score '{value}' of V0003"):
        evaluate(files)


def test_a_wrong_action_in_the_ground_truth_is_named(files):
    path = files / "test.csv"
    path.write_text(path.read_text().replace("c005 1.00", "c157 1.00", 1))
    with pytest.raises(SlowFastExtError, match=r"test.csv:\d+: .*the classes go from c000 to c156"):
        evaluate(files)


def test_an_empty_file_is_named(files):
    (files / "scores.txt").write_text("\n")
    with pytest.raises(SlowFastExtError, match="no scores; one line a video"):
        evaluate(files)
