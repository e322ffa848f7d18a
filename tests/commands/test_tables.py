"""The command: which result stands beside which row, and what is said of the others."""

import argparse
import json
import os
import re

import numpy as np
import pytest

from slowfast_ext import upstream
from slowfast_ext.commands import tables as command
from slowfast_ext.commands.arguments import tables_arguments
from slowfast_ext.config.defaults import add_slowfast_ext_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.evaluation.results import results_object, write_results
from slowfast_ext.paper import cost
from slowfast_ext.paper.numbers import ROWS, TITLES

# The persons' boxes of the SlowFast paper's code.
PAPERS_BOXES = {
    "AVA": {
        "TEST_PREDICT_BOX_LISTS": [
            "person_box_67091280_iou90/ava_detection_val_boxes_and_labels.csv"
        ]
    }
}


@pytest.fixture
def tables(capsys):
    """Runs the command: (what it printed, its warnings)."""

    def run(*arguments):
        parser = argparse.ArgumentParser()
        tables_arguments(parser)
        command.run(parser.parse_args([str(argument) for argument in arguments]))
        printed = capsys.readouterr()
        return printed.out, printed.err

    return run


@pytest.fixture
def write_run(tmp_path):
    """Leaves what a test run leaves, evaluated at a given minute: (folder, row) -> path."""

    def write(folder, row, minute=0, form="default", **changes):
        cfg = add_slowfast_ext_config(upstream.base_config())
        cfg.ACTIVITY.TABLE_ROW, cfg.ACTIVITY.FORM = row, form
        cfg.OUTPUT_DIR = f"output/{folder}"
        # Precisions 1 and 1/2: a mAP of 75 %.
        scores = multilabel_metrics(np.array([[0.9, 0.9], [0.1, 0.1]]), np.eye(2, dtype=bool))
        counts, protocol = {"videos": 1863}, {"num_views": 30}
        results = results_object("task", scores, ["a", "b"], protocol, counts, row, cfg)
        path = tmp_path / folder / "results.json"
        date = f"1970-01-01T00:{minute:02}:00+00:00"
        write_results(str(path), {**results, "date": date, **changes})
        return str(path)

    return write


def lines_of(tables, folder):
    rows = json.loads(tables("--results", folder, "--json")[0])
    return {(f"{row['table']}/{row['row']}", row["form"]): row for row in rows}


class TestResults:
    @pytest.mark.parametrize(
        "keyframes, remark",
        [
            ({"evaluated": 57_000}, None),
            ({"evaluated": 9}, "9 keyframes, where AVA's validation set has 50029"),
            ({}, "? keyframes, where"),
        ],
    )
    def test_a_part_of_ava_is_marked(self, tables, write_run, tmp_path, keyframes, remark):
        write_run("a", "5/CSN-152 v2.2", counts={"keyframes": keyframes}, config=PAPERS_BOXES)
        found = lines_of(tables, tmp_path)["5/CSN-152 v2.2", None]["remark"]
        assert found is None if remark is None else remark in found

    def test_other_boxes_than_the_papers_are_marked(self, tables, write_run, tmp_path):
        write_run("a", "5/SlowFast-101 v2.2", counts={"keyframes": {"evaluated": 57_000}})
        remark = lines_of(tables, tmp_path)["5/SlowFast-101 v2.2", None]["remark"]
        assert remark.startswith(
            "boxes of ava_val_predicted_boxes.csv, where the paper's are person"
        )

    def test_upstreams_head_in_a_row_of_ours_is_marked(self, tables, write_run, tmp_path):
        row, config = "5/CSN-152 ours v2.2", {"ACTIVITY": {"HEAD": "RoIPoolHead"}, **PAPERS_BOXES}
        write_run("a", row, counts={"keyframes": {"evaluated": 57_000}}, config=config)
        line = lines_of(tables, tmp_path)[row, "default"]
        assert line["remark"] == "ACTIVITY.HEAD is RoIPoolHead, which is upstream's"
        assert "75.0*" in tables("--results", tmp_path, "--only", "5")[0]

    @pytest.mark.parametrize(
        "row,form,options,remark",
        [
            (
                "3c/complete",
                "default",
                {"HEAD": "ActivityHead", "EVIDENCE": True, "COLUMN_DIM": 256},
                "with ACTIVITY.COLUMN_DIM, ACTIVITY.EVIDENCE, which the paper's head has not",
            ),
            ("3c/complete", "as_printed", {"HEAD": "ActivityHead", "EVIDENCE": True}, None),
            (
                "3c/baseline",
                None,
                {"HEAD": "LSEPoolHead"},
                "ACTIVITY.HEAD is LSEPoolHead, which the paper has not",
            ),
            (
                "3c/complete",
                "default",
                {"HEAD": "MyHead"},
                "ACTIVITY.HEAD is MyHead, which the paper has not",
            ),
            ("3c/baseline", None, {"HEAD": "PoolHead", "EVIDENCE": True}, None),
        ],
    )
    def test_what_the_paper_has_not_is_marked_in_its_rows(
        self, tables, write_run, tmp_path, row, form, options, remark
    ):
        """Keys that only another head or form would heed count for nothing."""
        write_run("a", row, config={"ACTIVITY": {"FORM": form or "default", **options}})
        line = lines_of(tables, tmp_path)[row, form]
        assert (line["ours"], line["remark"]) == (0.75, remark)

    def test_without_results_every_row_is_not_run(self, tables):
        rows = json.loads(tables("--json")[0])
        assert {row["table"] for row in rows} == set(TITLES)
        assert all(row["ours"] is None for row in rows)

    def test_found_by_row_and_form_at_any_depth(self, tables, write_run, tmp_path):
        path = write_run("a/b/ours", "3c/complete")
        write_run("printed", "3c/complete", form="as_printed", mAP=0.125)
        write_run("pool", "3c/baseline", mAP=0.5)
        found = lines_of(tables, tmp_path)
        ours = found["3c/complete", "default"]
        assert (ours["ours"], ours["config"], ours["file"]) == (0.75, "ours", path)
        assert found["3c/complete", "as_printed"]["ours"] == 0.125
        assert found["3c/baseline", None]["ours"] == 0.5
        assert sum(row["ours"] is not None for row in found.values()) == 3

    def test_the_newest_wins_and_the_others_are_named(self, tables, write_run, tmp_path):
        old = write_run("z", "3d/2+4+8 tuned", minute=1, mAP=0.25)
        new = write_run("a", "3d/2+4+8 tuned", minute=3, mAP=0.5)
        middle = write_run("m", "3d/2+4+8 tuned", minute=2, mAP=0.75)
        row = lines_of(tables, tmp_path)["3d/2+4+8 tuned", "default"]
        assert (row["ours"], row["file"], row["older"]) == (0.5, new, [middle, old])
        text, _ = tables("--results", tmp_path, "--only", "3d")
        assert f"the newest of 3 results, {new}; not {middle}, {old}" in text

    def test_the_metric_of_the_row(self, tables, write_run, tmp_path):
        write_run("persons", "6/ours persons", accuracy=0.875)
        assert lines_of(tables, tmp_path)["6/ours persons", "default"]["ours"] == 0.875

    def test_text_names_date_and_config(self, tables, write_run, tmp_path):
        write_run("ours", "3c/complete", minute=7)
        lines = tables("--results", tmp_path, "--only", "3c")[0].splitlines()
        line = next(line for line in lines if line.startswith("complete"))
        name, paper, ours, _not, _run, videos, views, day, time, config = line.split()
        assert (name, paper, ours, config) == ("complete", "49.2", "75.0", "ours")
        assert (videos, views) == ("1863", "30")
        assert (day, time) == ("1970-01-01", "00:07Z")
        assert "48.4    not run  not run" in next(
            line for line in lines if "no activity corr" in line
        )

    def test_text_shows_both_forms_side_by_side(self, tables, write_run, tmp_path):
        write_run("ours", "3c/complete", minute=7)
        write_run("printed", "3c/complete", minute=9, form="as_printed", mAP=0.125)
        lines = tables("--results", tmp_path, "--only", "3c")[0].splitlines()
        header = next(line for line in lines if line.startswith("row"))
        assert re.split("  +", header)[:4] == ["row", "paper", "ours", "as printed"]
        (line,) = (line for line in lines if line.startswith("complete"))
        assert re.split("  +", line) == [
            *("complete", "49.2", "75.0", "12.5", "1863", "30"),
            *("1970-01-01 00:07Z / 1970-01-01 00:09Z", "ours / printed"),
        ]
        # The baseline has one form.
        (line,) = (line for line in lines if line.startswith("baseline"))
        assert re.split("  +", line.rstrip()) == ["baseline", "46.4", "not run"]

    @pytest.mark.parametrize(
        "counts, protocol, remark",
        [
            ({"videos": 3}, {"num_views": 30}, "3 videos of 30 views"),
            ({"videos": 1863}, {"num_views": 1}, "1863 videos of 1 views"),
            ({"videos": 1863}, {}, "1863 videos of ? views"),
            (None, {"num_views": True}, "? videos of ? views"),
        ],
    )
    def test_another_protocol_than_the_papers_is_remarked(
        self, counts, protocol, remark, tables, write_run, tmp_path
    ):
        path = write_run("few", "3c/complete", counts=counts, protocol=protocol)
        text, warnings = tables("--results", tmp_path, "--only", "3c")
        remark += ", where the paper tests 1863 of 30"
        assert f"* 3c/complete, {path}: {remark}" in text and "75.0*" in text
        assert warnings == ""
        assert lines_of(tables, tmp_path)["3c/complete", "default"]["remark"] == remark

    def test_the_papers_protocol_is_not_remarked(self, tables, write_run, tmp_path):
        write_run("all", "3c/complete")
        counts = {"keyframes": {"evaluated": 57_000}}
        write_run("ava", "5/CSN-152 v2.2", counts=counts, config=PAPERS_BOXES)
        assert "*" not in tables("--results", tmp_path)[0]

    @pytest.mark.parametrize("date", ["1970-01-01T09:02:00+09:00", "1970-01-01T00:02:00"])
    def test_a_date_counts_and_not_when_the_file_was_copied(
        self, date, tables, write_run, tmp_path
    ):
        os.utime(write_run("old", "3c/complete", minute=1), (600, 600))
        os.utime(write_run("new", "3c/complete", date=date), (0, 0))
        row = lines_of(tables, tmp_path)["3c/complete", "default"]
        assert (row["config"], row["date"]) == ("new", "1970-01-01 00:02Z")

    def test_a_file_without_a_date_has_its_own_time(self, tables, write_run, tmp_path):
        os.utime(write_run("undated", "3c/complete", date=None), (180, 180))
        write_run("dated", "3c/complete", minute=2)
        row = lines_of(tables, tmp_path)["3c/complete", "default"]
        assert (row["config"], row["date"]) == ("undated", "1970-01-01 00:03Z")

    def test_links_are_followed_and_each_folder_is_read_once(self, tables, write_run, tmp_path):
        path = write_run("elsewhere/run", "3c/complete")
        folder = tmp_path / "results"
        folder.mkdir()
        for name in ("first", "second"):
            (folder / name).symlink_to(os.path.dirname(path))
        (folder / "back").symlink_to(folder)
        row = lines_of(tables, folder)["3c/complete", "default"]
        assert (row["file"], row["older"]) == (str(folder / "first" / "results.json"), [])

    def test_runs_without_a_row_are_no_complaint(self, tables, write_run, tmp_path):
        write_run("mine", "")
        text, warnings = tables("--results", tmp_path)
        assert warnings == ""
        assert "75.0" not in text


class TestPassedOver:
    @pytest.mark.parametrize(
        "content, message",
        [
            (b"", ":1: not JSON"),
            (b'{"row":\n "3c/complete"', ":2: not JSON"),
            (b"\xff\xfe{}", ": not JSON in UTF-8"),
            (b"[" * 100_000, ": not JSON"),
            (b"[1, 2]", ": not a result of slowfast_ext"),
            (b'{"accuracy": 0.5}', ": not a result of slowfast_ext"),
            (b'{"row": 3, "mAP": 0.5}', ": not a result of slowfast_ext"),
            (b'{"row": "3c/complete", "mAP": "high"}', ": its mAP is 'high'"),
            (b'{"row": "3c/complete", "mAP": NaN}', ": its mAP is nan"),
            (b'{"row": "3c/complete", "mAP": 48.2}', ": its mAP is 48.2"),
            (b'{"row": "3c/complete", "mAP": true}', ": its mAP is True"),
            (b'{"row": "3c/complete", "mAP": 0.5, "date": "today"}', ": its date is 'today'"),
            (b'{"row": "3c/complete", "mAP": 0.5, "date": 12}', ": its date is 12"),
            (b'{"row": "3c/complete", "mAP": null}', ": it has no mAP"),
            (b'{"row": "3c/compleet", "mAP": 0.5}', ": the tables have no row '3c/compleet'"),
            (b'{"row": "4/CSN-152", "mAP": 0.5}', ": row '4/CSN-152' lists costs alone"),
            (
                b'{"row": "3c/complete", "mAP": 0.5, "config": {"ACTIVITY": {"FORM": "new"}}}',
                ": ACTIVITY.FORM is 'new'",
            ),
        ],
    )
    def test_named_while_the_rest_is_shown(self, content, message, tables, write_run, tmp_path):
        write_run("good", "3c/complete")
        bad = tmp_path / "bad" / "results.json"
        bad.parent.mkdir()
        bad.write_bytes(content)
        text, warnings = tables("--results", tmp_path, "--json")
        assert f"warning: passed over {bad}{message}" in warnings
        assert len(warnings.splitlines()) == 1
        assert [row["ours"] for row in json.loads(text) if row["ours"] is not None] == [0.75]

    def test_a_file_that_is_a_folder_or_leads_nowhere(self, tables, tmp_path):
        (tmp_path / "a" / "results.json").mkdir(parents=True)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "results.json").symlink_to(tmp_path / "absent")
        _, warnings = tables("--results", tmp_path)
        assert f"{tmp_path / 'b' / 'results.json'}: cannot be read" in warnings

    @pytest.mark.parametrize("date", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
    def test_a_date_outside_the_calendar(self, date, tables, write_run, tmp_path):
        path = write_run("run", "3c/complete", date=date)
        assert f"{path}: its date is '{date}'" in tables("--results", tmp_path)[1]

    def test_what_is_no_regular_file_is_not_read(self, tables, write_run, tmp_path):
        write_run("good", "3c/complete")
        (tmp_path / "pipe").mkdir()
        os.mkfifo(tmp_path / "pipe" / "results.json")
        text, warnings = tables("--results", tmp_path)
        assert f"{tmp_path / 'pipe' / 'results.json'}: not a regular file" in warnings
        assert "75.0" in text

    @pytest.mark.parametrize("name", ["a\ud800", "a\n", "a\x1b"])
    def test_a_configs_name_is_printable(self, name, tables, write_run, tmp_path):
        config = {"OUTPUT_DIR": f"output/{name}"}
        path = tmp_path / "run" / "results.json"
        write_run("run", "3c/complete")
        path.write_text(json.dumps({"row": "3c/complete", "mAP": 0.5, "config": config}))
        text, _ = tables("--results", tmp_path)
        assert next(line for line in text.splitlines() if " 50.0" in line).endswith(" a?")

    def test_a_folders_name_need_not_be_text(self, tables, write_run, tmp_path):
        path = write_run("run", "3c/complete", counts={"videos": 3})
        os.rename(os.path.dirname(path), f"{tmp_path}/a\udcff")
        text, _ = tables("--results", tmp_path)
        assert "a\\udcff/results.json: 3 videos" in text

    @pytest.mark.parametrize(
        "config",
        ["null", '"name"', '{"ACTIVITY": 3, "OUTPUT_DIR": 5}', '{"OUTPUT_DIR": "."}'],
    )
    def test_a_foreign_config_leaves_the_folders_name(self, config, tables, tmp_path):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "results.json").write_text(
            f'{{"row": "3c/complete", "mAP": 1, "config": {config}}}', encoding="utf-8"
        )
        row = lines_of(tables, tmp_path)["3c/complete", "default"]
        assert (row["ours"], row["config"]) == (1, "run")


class TestArguments:
    def test_no_such_folder(self, tables, tmp_path):
        with pytest.raises(SlowFastExtError, match="absent: there is no such folder"):
            tables("--results", tmp_path / "absent")
        with pytest.raises(SlowFastExtError, match="--results '': there is no such folder"):
            tables("--results", "")

    @pytest.mark.parametrize("only", ["9", "3c,", "3", ""])
    def test_no_such_table(self, only, tables):
        with pytest.raises(SlowFastExtError, match="there is no table"):
            tables("--only", only)

    def test_costs_are_of_five_tables(self, tables):
        with pytest.raises(
            SlowFastExtError, match="no table '5' here, there are 3a, 3b, 3c, 3d, 4"
        ):
            tables("--cost", "--only", "5")

    def test_only_in_the_papers_order(self, tables):
        text, _ = tables("--only", "3d, 3c")
        assert text.index("Table 3c") < text.index("Table 3d")
        assert text.count("Table") == 2

    def test_cost_as_json(self, tables):
        rows = json.loads(tables("--cost", "--only", "3a", "--json")[0])
        fields = {"table", "row", "params_M", "gmacs_plain", "gmacs"}
        assert all(fields <= row.keys() for row in rows)

    def test_cost_as_text(self, tables, monkeypatch):
        # The others are counted in tests/paper.
        one = {"SlowFast-101": cost.BACKBONES["SlowFast-101"]}
        monkeypatch.setattr(cost, "BACKBONES", one)
        text, _ = tables("--cost", "--only", "4")
        assert "without batch-norm" in text
        line = next(line for line in text.splitlines() if line.startswith("A=1024  "))
        assert line.split() == ["A=1024", "1.70", "0.328", "0.070", "1.7", "0.33"]
        assert "SlowFast-101: 16x8" in text


def test_the_papers_rows_are_told_apart():
    assert len({row.id for row in ROWS}) == len(ROWS)
    assert {row.table for row in ROWS} == set(TITLES)
    assert all(row.number is None or 0 < row.number < 1 for row in ROWS)
