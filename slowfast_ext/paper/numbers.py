"""
The rows of the paper's Tables 1 to 6 and the numbers that are known of them.

Every number in this file is the paper's, not this code's. A number that could not be
established is None; none is guessed. Metrics are fractions, as in `results.json`.
"""

from dataclasses import dataclass

MAP, ACCURACY = "mAP", "accuracy"
# Charades' official test list; section 3.7's views.
CHARADES_PROTOCOL = {"videos": 1863, "views": 30}


@dataclass(frozen=True)
class PaperRow:
    """
    One row of a table.

    Attributes:
        table: "1", "2", "3a" to "3e", "4", "5" or "6".
        name: as in the paper; "table/name" is ACTIVITY.TABLE_ROW of the row's config.
        metric: the field of `results.json` that the row compares; None where the table
            lists costs alone.
        number: the paper's metric, a fraction.
        activity_head: the row's head has two forms here (ACTIVITY.FORM).
        params_m: the paper's parameters, millions.
        gmacs: the paper's multiply-adds, 1e9.
    """

    table: str
    name: str
    metric: str | None = MAP
    number: float | None = None
    activity_head: bool = False
    params_m: float | None = None
    gmacs: float | None = None

    @property
    def id(self):
        return f"{self.table}/{self.name}"

    @property
    def protocol(self):
        """Numbers of test videos and of views of each; empty where they are not compared."""
        return CHARADES_PROTOCOL if TITLES[self.table].startswith("Charades") else {}


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

_BACKBONES = ("Nonlocal-101", "SlowFast-101", "CSN-152")

# What 3a, 3b, 3c and 3e share: K = 64, n = 32, no correlation, one and the same network.
_WITHOUT_CORRELATION = 0.484

# What Table 6 compares with other work.
_VOLLEYBALL = {("ours", "persons"): 0.866}


def _head_row(table, name, number=None, **costs):
    return PaperRow(table, name, number=number, activity_head=True, **costs)


ROWS = (
    *(PaperRow("1", name) for name in _BACKBONES),
    *(_head_row("1", f"{name} ours") for name in _BACKBONES),
    PaperRow("2", "CSN-152"),
    _head_row("2", "CSN-152 ours"),
    _head_row("3a", "n=1", params_m=50.4, gmacs=9.871),
    _head_row("3a", "n=8", params_m=6.3, gmacs=1.239),
    _head_row("3a", "n=32", _WITHOUT_CORRELATION, params_m=1.6, gmacs=0.314),
    _head_row("3a", "n=64", params_m=0.8, gmacs=0.160),
    _head_row("3b", "K=16", params_m=0.4, gmacs=0.078),
    _head_row("3b", "K=32", params_m=0.8, gmacs=0.157),
    _head_row("3b", "K=64", _WITHOUT_CORRELATION, params_m=1.6, gmacs=0.314),
    _head_row("3b", "K=128", params_m=3.2, gmacs=0.628),
    PaperRow("3c", "baseline"),
    PaperRow("3c", "no activity-specific"),
    _head_row("3c", "no activity correlation", _WITHOUT_CORRELATION),
    _head_row("3c", "complete"),
    _head_row("3d", "4"),
    _head_row("3d", "2+4"),
    _head_row("3d", "2+4 tuned"),
    _head_row("3d", "2+4+8"),
    _head_row("3d", "2+4+8 tuned"),
    PaperRow("3e", "two-stage transformer"),
    _head_row("3e", "ours", _WITHOUT_CORRELATION),
    PaperRow("4", "Nonlocal-101", metric=None),
    PaperRow("4", "SlowFast-101", metric=None),
    PaperRow("4", "CSN-152", metric=None, params_m=32.8, gmacs=108.8),
    PaperRow("4", "A=157", metric=None, params_m=1.6, gmacs=0.314),
    PaperRow("4", "A=1024", metric=None, params_m=1.7, gmacs=0.328),
    *(
        PaperRow("5", f"{name} {version}", activity_head=name.endswith("ours"))
        for version in ("v2.1", "v2.2")
        for name in ("SlowFast-101", "SlowFast-101 ours", "CSN-152", "CSN-152 ours")
    ),
    *(
        PaperRow("6", f"{head} {task}", ACCURACY, _VOLLEYBALL.get((head, task)), head == "ours")
        for head in ("baseline", "ours")
        for task in ("persons", "group (s)", "group (bb)")
    ),
)


def find_row(table, name):
    """The row of that table and name, None where the paper has none."""
    return next((row for row in ROWS if (row.table, row.name) == (table, name)), None)
