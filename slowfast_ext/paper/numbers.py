"""
The rows of the paper's Tables 1 to 6 with its figures as printed (numbers.csv).

Every figure there is the paper's, not this code's: what this code counts or measures stands in
columns of its own. Rows that this code has and the paper has not bear no figure. Metrics are
fractions, as in `results.json`.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

MAP, ACCURACY = "mAP", "accuracy"
# Charades' official test list; section 3.7's views.
CHARADES_PROTOCOL = {"videos": 1863, "views": 30}

TITLES = {
    "1": "Charades, three backbones and the head on each",
    "2": "Charades with objects",
    "3a": "Charades, groups n of the linear maps (K = 64)",
    "3b": "Charades, number of observations K (n = 32)",
    "3c": "Charades, parts of the head",
    # n = 32 is the text's; the caption says 16.
    "3d": "Charades, sampling rates of the test's views (n = 32)",
    "3e": "Charades, the head against a two-stage transformer",
    "4": "parameters and multiply-adds",
    "5": "AVA",
    "6": "Volleyball",
}


@dataclass(frozen=True)
class PaperRow:
    """
    One row of a table.

    Attributes:
        table: of TITLES.
        name: as in the paper; "table/name" is ACTIVITY.TABLE_ROW of the row's config.
        metric: the field of `results.json` that the row compares; None where the table
            lists costs alone.
        number: the paper's metric, a fraction; None where the paper has none.
        activity_head: the row's head has two forms here (ACTIVITY.FORM).
        params_m: the paper's parameters, millions.
        gmacs: the paper's multiply-adds, 1e9, of one view; of 3a, 3b and 3d the head's alone.
        other_work: another method, which has no config here.
    """

    table: str
    name: str
    metric: str | None
    number: float | None
    activity_head: bool
    params_m: float | None
    gmacs: float | None
    other_work: bool

    @property
    def id(self):
        return f"{self.table}/{self.name}"

    @property
    def in_paper(self):
        """False for what this code adds to the table."""
        return self.number is not None or self.gmacs is not None

    @property
    def protocol(self):
        """Numbers of test videos and of views of each; empty where they are not compared."""
        return CHARADES_PROTOCOL if TITLES[self.table].startswith("Charades") else {}


def _read_rows():
    text = (Path(__file__).parent / "numbers.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(line for line in text.splitlines() if not line.startswith("#")):
        percent, params_m, gmacs = (
            float(row[name]) if row[name] else None for name in ("percent", "params_m", "gmacs")
        )
        yield PaperRow(
            row["table"],
            row["row"],
            row["metric"] or None,
            # Rounded: 46.4 / 100 is 0.46399999999999997.
            number=percent and round(percent / 100, 4),
            activity_head=row["kind"] == "ours",
            params_m=params_m,
            gmacs=gmacs,
            other_work=row["kind"] == "other",
        )


ROWS = tuple(_read_rows())


def find_row(table, name):
    """The row of that table and name, None where there is none."""
    return next((row for row in ROWS if (row.table, row.name) == (table, name)), None)
