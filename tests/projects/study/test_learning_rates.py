"""Every row at several learning rates, on a seed of its own."""

import sys

from projects.study import learning_rates
from projects.study.results import Score
from projects.study.rows import LOG_MEAN_EXP, ROWS


def options_of(row):
    options = row.recipe.options
    return dict(zip(options[::2], options[1::2], strict=True))


def test_each_row_has_each_rate(monkeypatch, capsys, tmp_path):
    asked = []

    def run_tasks(tasks):
        (task,) = tasks
        asked.extend(task.rows)
        assert task.experiment.seed == 7
        rates = [options_of(row)["SOLVER.BASE_LR"] for row in task.rows]
        return [([Score({"mAP": rate * 10}, 0, None) for rate in rates], None)]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(learning_rates, "run_tasks", run_tasks)
    words = ["learning_rates", "--only", "3e,peer", "--rates", "0.01", "0.05"]
    monkeypatch.setattr(sys, "argv", words)
    learning_rates.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["0.01", "0.05"]
    assert lines[1].split() == ["3e:", "two-stage", "transformer", "10.0", "50.0"]
    assert len(asked) == 2 * (len(lines) - 1)
    # Of the head's own settings only the rate has changed.
    decoders = [options_of(row) for row in asked if row.name == "ML-Decoder"]
    assert [options["ACTIVITY.DIM"] for options in decoders] == [160, 160]


def test_a_whole_networks_head_keeps_its_own():
    row = next(row for row in ROWS if (row.table, row.name) == ("whole", "log-mean-exp"))
    tried = learning_rates.at_rate(row, 0.0002)
    assert tried.whole_rate == 0.0002
    assert tried.recipe == row.recipe == LOG_MEAN_EXP
