"""The command report: what it computes, what it says of what is missing."""

import argparse
import html
import json
import re
import sys

import numpy as np
import pytest

from slowfast_ext.commands import report as command
from slowfast_ext.commands.arguments import report_arguments
from slowfast_ext.engine.checkpoint import checkpoint_path
from slowfast_ext.engine.weights import read_checkpoint
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.calibration import calibration
from slowfast_ext.report import correlation, sections
from slowfast_ext.report.correlation import clustered_order, spread
from slowfast_ext.report.hardest import cross_entropy, hardest_videos
from slowfast_ext.report.run_files import Run
from tests.report.conftest import IDS, LABELS, MASK_OF_RUN, NAMES, SCORES

pytest.importorskip("jinja2", reason="needs jinja2")


def report(*words):
    parser = argparse.ArgumentParser()
    report_arguments(parser)
    command.run(parser.parse_args([str(word) for word in words]))


def page_of(folder, *words):
    report(folder, *words)
    return (folder / "report.html").read_text()


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))


def test_names_are_escaped(run_folder):
    page = page_of(run_folder, "--videos", "0")
    assert "<script>alert" not in page and "<img src=x" not in page
    assert html.escape(NAMES[0]) in page and html.escape(IDS[0]) in page
    # The data, the script, nothing that a name opened.
    assert page.count("<script") == page.count("</script>") == 2
    assert NAMES[2] in data_of(page)["correlation"]["names"]


def test_the_page_loads_nothing(run_folder):
    page = page_of(run_folder, "--videos", "0")
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page) and "@import" not in page


def test_precision_and_recall_end_where_the_average_precision_does(run_folder):
    run = Run(str(run_folder))
    curves = {curve["name"]: curve for curve in sections.precision_recall(run)}
    assert NAMES[3] not in curves
    by_class = {of["name"]: of["ap"] for of in run.results["per_class"]}
    for place, name in enumerate(NAMES[:3]):
        points = np.array(curves[name]["points"])
        # One point a positive: the mean of their precisions is the average precision.
        assert len(points) == LABELS[:, place].sum()
        assert points[:, 1].mean() == pytest.approx(by_class[name], abs=1e-4)
        assert points[-1, 0] == 1


def test_the_summary_has_the_classes_by_how_often_they_are_learnt(run_folder):
    run = Run(str(run_folder))
    ap = [of["ap"] for of in run.results["per_class"]]
    tiles = {figure["name"]: figure["value"] for figure in sections.summary(run)}
    assert tiles["mAP of the head (9 to 40 in training)"] == pytest.approx((ap[1] + ap[2]) / 2)
    assert tiles["mAP of the tail (2 to 2 in training)"] == pytest.approx(ap[0])
    # The only class of the middle has no positives in the test.
    assert ap[3] is None and not any("middle" in name for name in tiles)


def test_calibration_is_the_results_own(run_folder):
    run = Run(str(run_folder))
    drawn = data_of(page_of(run_folder, "--videos", "0"))["calibration"]
    assert drawn == {
        "error": run.results["calibration"]["expected_calibration_error"],
        "points": run.results["calibration"]["curve"],
    }
    path = run_folder / "results.json"
    path.write_text(json.dumps(run.results | {"calibration": None}))
    assert "has no calibration" in page_of(run_folder, "--videos", "0")
    nothing_known = calibration(np.array([[0.5]]), np.array([[-1]]))
    path.write_text(json.dumps(run.results | {"calibration": nothing_known}))
    page = page_of(run_folder, "--videos", "0")
    assert "has no calibration" in page and "is not a result" not in page


def test_classes_by_falling_precision_those_without_last(run_folder):
    rows = sections.classes(Run(str(run_folder)))
    values = [row["ap"] for row in rows[:3]]
    assert values == sorted(values, reverse=True)
    assert rows[3]["name"] == NAMES[3] and rows[3]["ap"] is None
    assert all(row["by_rate"] == [row["ap"]] * 2 for row in rows)


def test_rates_and_their_sum(run_folder):
    bars = sections.rates(Run(str(run_folder)))
    assert [bar["name"] for bar in bars] == ["rate 4", "rate 2", "sum of all"]
    rates = [{"rate": 4, "clips": 1, "crops": 3}, {"rate": 4, "clips": 2, "crops": 1}]
    assert sections.rate_name(rates[1], rates) == "rate 4, 2 x 1 views"


def test_the_loss_of_a_video_is_over_what_is_known_of_it():
    """Nothing known is nothing to be wrong about."""
    scores = np.array([[0.2, 0.9, 0.5], [0.3, 0.3, 0.3]])
    losses = cross_entropy(scores, np.array([[1, -1, 0], [-1, -1, -1]]))
    np.testing.assert_allclose(losses, [-(np.log(0.2) + np.log(0.5)) / 2, 0])


def test_hardest_videos(run_folder):
    videos = hardest_videos(Run(str(run_folder)), with_maps=False)
    losses = cross_entropy(SCORES, LABELS > 0)
    expected = [
        -np.mean(
            [np.log(s) if is_there else np.log(1 - s) for s, is_there in zip(*pair, strict=True)]
        )
        for pair in zip(SCORES, LABELS, strict=True)
    ]
    np.testing.assert_allclose(losses, expected)
    assert [video["id"] for video in videos] == [IDS[i] for i in np.argsort(-losses)]
    first = np.argmax(losses)
    assert {name for name, _ in videos[0]["present"]} == {
        NAMES[k] for k in np.flatnonzero(LABELS[first])
    }
    assert videos[0]["pictures"][0]["source"].startswith("data:image/jpeg;base64,")
    assert len(videos[0]["pictures"]) == 1


def test_hardest_videos_have_maps(run_folder):
    """Of what happens, at the view's own scores, and of the highest of the others."""
    videos = hardest_videos(Run(str(run_folder)), with_maps=True)
    assert not any(video["why_no_picture"] for video in videos)
    for video in videos:
        present = {name for name, _ in video["present"]}
        captions = [picture["caption"] for picture in video["pictures"][1:]]
        assert sum("(happens)" in caption for caption in captions) == len(present)
        assert "(does not happen)" in captions[-1]
        # A number behind "evidence" alone would be taken for the evidence.
        assert all(": score " in caption for caption in captions)
        assert all(any(name in caption for caption in captions) for name in present)


def test_hardest_videos_of_a_head_without_maps(run_folder):
    run = Run(str(run_folder), ["ACTIVITY.HEAD", "PoolHead"])
    assert [len(v["pictures"]) for v in hardest_videos(run, with_maps=True)] == [1] * 6


def test_frames_stay_where_the_network_is_gone(run_folder):
    run = Run(str(run_folder), ["ACTIVITY.NUM_OBSERVATIONS", "7"])
    for video in hardest_videos(run, with_maps=True):
        assert len(video["pictures"]) == 1
        assert "NUM_OBSERVATIONS" in video["why_no_picture"]


def test_learned_correlation_is_attention(run_folder):
    """Rows of Attn_C sum to 1, whatever Mask is."""
    found = correlation.correlation(Run(str(run_folder)), 16)
    assert found["num_videos"] == len(IDS)
    order = [NAMES.index(name) for name in found["names"]]
    np.testing.assert_allclose(np.sum(found["learned"], 1), 1, atol=1e-3)
    np.testing.assert_allclose(found["cooccurrence"], MASK_OF_RUN[np.ix_(order, order)], atol=1e-4)


def test_order_puts_blocks_together():
    blocks = np.repeat(np.arange(4), 5)
    rng = np.random.default_rng(0)
    mixed = rng.permutation(blocks)
    similarity = 0.8 * (mixed[:, None] == mixed) + 0.1 * rng.random((20, 20))
    order = clustered_order(similarity)
    assert sorted(order) == list(range(20))
    assert (np.diff(mixed[order]) != 0).sum() == 3
    assert sorted(clustered_order(np.zeros((5, 5)))) == list(range(5))
    assert clustered_order(np.ones((1, 1))) == [0]
    assert spread(100, 3) == [0, 49, 99] and spread(2, 16) == [0, 1]


@pytest.mark.parametrize(
    "gone, sentence",
    [
        ("predictions.csv", "precision_recall is left out: .*predictions.csv is not there"),
        ("results.json", "classes is left out: .*results.json is not there"),
        ("checkpoints", "curves is left out: .*holds no checkpoint"),
    ],
)
def test_what_is_missing_is_said(run_folder, capsys, gone, sentence):
    path = run_folder / gone
    if gone == "checkpoints":
        (run_folder / "checkpoints" / "checkpoint_tune_epoch_00002.pyth").unlink()
        results = json.loads((run_folder / "results.json").read_text())
        results["protocol"]["checkpoint"] = "/nowhere/x.pyth"
        (run_folder / "results.json").write_text(json.dumps(results))
    else:
        path.unlink()
    page = page_of(run_folder, "--videos", "0")
    assert re.search(sentence, capsys.readouterr().err)
    assert "Not drawn: " in page


def test_a_data_set_that_is_gone(run_folder, capsys):
    page_of(run_folder, "--videos", "0", "--opts", "DATA.PATH_TO_DATA_DIR", run_folder / "none")
    assert "name the place with --opts DATA.PATH_TO_DATA_DIR" in capsys.readouterr().err


def test_plugins_of_a_run_are_imported_where_they_are_named(run_folder, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "of_the_run.py").write_text("")
    path = run_folder / "results.json"
    results = json.loads(path.read_text())
    results["config"]["PLUGINS"] = ["of_the_run"]
    path.write_text(json.dumps(results))
    sentence = """has PLUGINS ['of_the_run'], .*: --opts PLUGINS "['of_the_run']"$"""
    with pytest.raises(SlowFastExtError, match=sentence.replace("[", r"\[").replace("]", r"\]")):
        _ = Run(str(run_folder)).cfg
    assert "of_the_run" not in sys.modules
    assert Run(str(run_folder), ["PLUGINS", "['of_the_run']"]).cfg.PLUGINS == ["of_the_run"]
    assert sys.modules.pop("of_the_run")


def test_damaged_results(run_folder, capsys):
    (run_folder / "results.json").write_text("{")
    page_of(run_folder, "--videos", "0")
    assert "results.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    "keys, value",
    [
        (["per_class"], [1, 2]),
        (["per_class", 0, "ap"], "high"),
        (["calibration"], [0.1]),
        (["calibration", "curve", 0], [0.1, "x", 3]),
        (["calibration", "expected_calibration_error"], None),
        (["by_frequency"], {"group": "head"}),
        (["by_frequency"], [{"group": "head", "most": 3, "least": 1, "mAP": "x"}]),
        (["by_rate"], 3),
        (["by_rate", 0], {}),
        (["by_rate", 0, "ap"], [0.1]),
        (["counts", "skipped"], 5),
        (["protocol", "views"], 4),
        (["mAP"], "high"),
    ],
)
def test_results_of_another_form(run_folder, capsys, keys, value):
    path = run_folder / "results.json"
    results = json.loads(path.read_text())
    part = results
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    path.write_text(json.dumps(results))
    page_of(run_folder, "--videos", "0")
    assert "results.json is not a result of slowfast_ext: test again" in capsys.readouterr().err


def test_correlation_of_a_run_that_was_not_tested(run_folder):
    (run_folder / "results.json").unlink()
    found = correlation.correlation(Run(str(run_folder)), 0)
    assert sorted(found["names"]) == sorted(NAMES)


def test_correlation_of_other_classes(run_folder, capsys):
    path = run_folder / "results.json"
    results = json.loads(path.read_text())
    results |= {"per_class": results["per_class"][:3], "by_rate": []}
    path.write_text(json.dumps(results))
    page_of(run_folder, "--videos", "0")
    assert "correlates 4 activities, and the run names 3" in capsys.readouterr().err


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_nothing_of_a_run(tmp_path, make):
    make(tmp_path / "run")
    with pytest.raises(SlowFastExtError, match="name a run's OUTPUT_DIR"):
        report(tmp_path / "run")


def test_without_jinja2(run_folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SlowFastExtError, match="pip install jinja2"):
        report(run_folder)
    assert not (run_folder / "report.html").exists()


def test_curves_come_from_the_checkpoint(run_folder):
    assert sections.curves(Run(str(run_folder))) == [
        {"name": "train", "points": [[1, 0.9, 0.1, None], [2, 0.7, 0.05, 0.4]]}
    ]
    state = read_checkpoint(checkpoint_path(str(run_folder), "tune", 2))
    np.testing.assert_allclose(
        state["model_state"]["head.correlation.mask"], MASK_OF_RUN, atol=1e-6
    )


def test_time_budget_of_spans(finished_report_run, run_folder):
    """Folders of 8 frames last 8 / 24 s; names are escaped as everywhere."""
    data = finished_report_run[1]
    names = [f'"{name}"'.replace('says "</script>"', 'says ""</script>""') for name in NAMES]
    rows = [f"b,{names[0]},0,0.25,0.9", f"b,{names[2]},0.125,0.25,0.8", f"c,{names[0]},0,0.125,0.7"]
    spans = run_folder / "spans.csv"
    spans.write_text("\n".join(["video,activity,start,end,score", *rows, f"q,{names[0]},0,1,1"]))
    page = page_of(run_folder, "--videos", 0, "--spans", spans, "--spans-videos", data)
    section = page.partition('<section id="time-budget">')[2].partition("</section>")[0]
    cells = re.findall(r"<t[dh](?: scope=\"row\")?>(.*?)</t[dh]>", section)
    assert [html.unescape(cell) for cell in cells] == [
        *(NAMES[0], "2", "2", "0.4", "0.2", "56.2 %", "0.0"),
        *(NAMES[2], "1", "1", "0.1", "0.1", "18.8 %", "0.1"),
    ]
    assert section.count('<img src="data:image/png;base64,') == 2 and "of 2 videos" in section
    assert "<script>alert" not in page and '<a href="#time-budget">' in page
    assert "time-budget" not in page_of(run_folder, "--videos", 0)


@pytest.mark.parametrize(
    "words,message",
    [
        (["--spans", "{spans}"], "--spans and --spans-videos go together"),
        (["--spans-videos", "{data}"], "--spans and --spans-videos go together"),
        (["--spans", "{spans}", "--spans-videos", "{data}"], 'spans.csv:2: no video "q"'),
        (["--spans", "{spans}", "--spans-videos", "{spans}"], "no such folder"),
    ],
)
def test_wrong_spans(finished_report_run, run_folder, words, message):
    spans = run_folder / "spans.csv"
    spans.write_text("video,activity,start,end,score\nq,run,0,1,1\n")
    words = [word.format(spans=spans, data=finished_report_run[1]) for word in words]
    with pytest.raises(SlowFastExtError, match=message):
        report(run_folder, "--videos", 0, *words)
    assert not (run_folder / "report.html").exists()
