"""The study's rows: which head, trained how, tested on which views, compared with which."""

from dataclasses import dataclass, replace

from slowfast_ext.paper import numbers


@dataclass(frozen=True)
class Recipe:
    """
    How one head is trained.

    Attributes:
        options: KEY, VALUE, ... over configs/Synthetic/ACTIVITY_FROZEN.yaml.
        tuned: TUNE.RATES of a tuning after the training; empty: none.
    """

    options: tuple = ()
    tuned: tuple = ()

    def settings(self):
        """KEY, VALUE, ... of the whole recipe."""
        tuning = ("TUNE.ENABLE", bool(self.tuned))
        rates = ("TUNE.RATES", list(self.tuned)) if self.tuned else ()
        return [*self.options, *tuning, *rates]


@dataclass(frozen=True)
class Row:
    """
    Attributes:
        table, name: as in the paper where it has the row.
        recipe: Recipe of its head.
        views: (rate, clips, crops) as in TEST.VIEWS.
        against: the rows of the same table that it is compared with.
        rates: how the rates' predictions are joined: "mean" of all views, "weighted" per
            activity (evaluation/rate_weights.py) or "gated" per video (study/gate.py).
        whole_rate: the learning rate at which the whole network is trained on, once its head was
            trained on cached maps; None: it is not.
    """

    table: str
    name: str
    recipe: Recipe
    views: tuple
    against: tuple = ()
    rates: str = "mean"
    whole_rate: float | None = None


# The 30 views of sec. 3.6. Frames are square, so that the three crops of a clip are the same:
# one is taken. Neither the means nor the rates' shares of them change.
RATE_4 = ((4, 10, 1),)
RATES_2_4 = ((4, 5, 1), (2, 5, 1))
RATES_2_4_8 = ((4, 4, 1), (8, 3, 1), (2, 3, 1))

# The complete head's learning rate, of every recipe that names none.
COMPLETE_RATE = 0.002
COMPLETE = Recipe()
TUNED = Recipe(tuned=(2, 4, 8))
BASELINE = Recipe(("ACTIVITY.HEAD", "PoolHead", "SOLVER.BASE_LR", 0.05))
_NO_CORRELATION = ("ACTIVITY.CORRELATION", False)
NO_CORRELATION = Recipe(_NO_CORRELATION)
# What the default form may have and the paper's head has not. The map has 384 channels.
_EVIDENCE = ("ACTIVITY.EVIDENCE", True)
_RESIDUAL = ("ACTIVITY.RESIDUAL_CORRELATION", True)
_COLUMNS = ("ACTIVITY.COLUMN_DIM", 256)
EVIDENCE = Recipe((*_EVIDENCE, "SOLVER.BASE_LR", 0.005))
_ALL_ADDED = (*_RESIDUAL, *_EVIDENCE, *_COLUMNS)
WITH_ALL = Recipe((*_ALL_ADDED, "SOLVER.BASE_LR", 0.002))

TITLES = {table: numbers.TITLES[table] for table in ("3a", "3b", "3c", "3d", "3e")}
TITLES = {table: title.replace("Charades, ", "") for table, title in TITLES.items()}
# The paper's sizes are those of a wider backbone.
TITLES["3a"], TITLES["3b"] = "groups n of the linear maps (K = 32)", "observations K (n = 8)"
TITLES["3d"] = "sampling rates of the test's views (complete head, n = 8)"
TITLES |= {
    "open": "what the paper leaves open (complete head)",
    "peer": "heads that the paper does not have (ML-Decoder's within 10 % of the complete's size)",
    "evidence": "forms of the evidence (complete head)",
    "correlation": "forms of the correlation, with evidence",
    "decoder": "what of ML-Decoder's head helps: taken from it, given to the complete one",
    "rates": "rates weighted per activity (complete head, tuned on 2+4+8)",
    "whole": "heads of the other tables, the whole network trained on with them",
}


def _pairs(options):
    return dict(zip(options[::2], options[1::2], strict=True))


# {key: value}: what configs/Synthetic/EXTENDED_FROZEN.yaml adds to the paper's head.
ALL_ADDED = _pairs(_ALL_ADDED)


def _named(head):
    return "ACTIVITY.HEAD", head


def _head(name, *options):
    return Recipe((*_named(name), *options))


TWO_STAGE = _head("TwoStageTransformerHead", "SOLVER.BASE_LR", 0.005)
# 160 wide: with 12 activities its parameters are within 10 % of the complete head's.
ML_DECODER = _head("MLDecoderHead", "ACTIVITY.DIM", 160, "SOLVER.BASE_LR", 0.001)
LOG_MEAN_EXP = _head("LSEPoolHead", "SOLVER.BASE_LR", 0.01)
EMBEDDED_LOG_MEAN_EXP = _head("EmbeddedLSEHead", *_COLUMNS, "SOLVER.BASE_LR", 0.005)


def _decoder(head):
    return _head(head, *ML_DECODER.options[2:])


def _as_printed(head="ActivityHead"):
    return _head(head, "ACTIVITY.FORM", "as_printed", "SOLVER.BASE_LR", 0.005)


def _sizes(table, key, values, default, letter):
    """Rows of the head without correlation, as in the paper, with one size changed."""
    return [
        Row(
            table,
            f"{letter}={value}",
            NO_CORRELATION if value == default else Recipe((*_NO_CORRELATION, key, value)),
            RATE_4,
            () if value == default else (f"{letter}={default}",),
        )
        for value in values
    ]


def _compared(table, recipes):
    """{name: recipe} -> rows, all compared with the first."""
    first = next(iter(recipes))
    return [
        Row(table, name, recipe, RATE_4, () if name == first else (first,))
        for name, recipe in recipes.items()
    ]


def _open_points():
    recipes = {
        "default": COMPLETE,
        "as printed": _as_printed(),
        "as printed + LayerNorm": _as_printed("LayerNormAloneHead"),
        "as printed + mean query": _as_printed("MeanQueryAloneHead"),
        "as printed + scaled products": _as_printed("ScaleAloneHead"),
        "a classifier per activity": Recipe(("ACTIVITY.CLASSIFIER", "per_activity")),
        "Mask only": _head("MaskAloneHead"),
        "Attn_C only": _head("AttentionAloneHead"),
        "Mask's rows sum to 1": _head("ScaledMaskHead"),
        "one output, from F_AC": _head("OneOutputHead"),
    }
    return _compared("open", recipes)


def _at(rate, *options):
    """A recipe with the learning rate that was its best on seed 7."""
    return Recipe((*options, "SOLVER.BASE_LR", rate))


def _peers():
    against = "complete", "ML-Decoder", "log-mean-exp"
    recipes = {
        "complete + evidence": EVIDENCE,
        "complete, residual correlation": _at(0.005, *_RESIDUAL),
        "complete + columns": _at(0.001, *_COLUMNS),
        "complete + evidence + columns": _at(0.002, *_EVIDENCE, *_COLUMNS),
        "residual + evidence": _at(0.005, *_RESIDUAL, *_EVIDENCE),
        "residual + evidence + columns": WITH_ALL,
        "no correlation + evidence": _at(0.002, *_NO_CORRELATION, *_EVIDENCE),
        "no correlation + evidence + columns": _at(0.001, *_NO_CORRELATION, *_EVIDENCE, *_COLUMNS),
    }
    return [
        Row("peer", "complete", COMPLETE, RATE_4),
        Row("peer", "ML-Decoder", ML_DECODER, RATE_4, against[:1]),
        Row("peer", "log-mean-exp", LOG_MEAN_EXP, RATE_4, against[:2]),
        Row("peer", "log-mean-exp + columns", EMBEDDED_LOG_MEAN_EXP, RATE_4, against),
        *(Row("peer", name, recipe, RATE_4, against) for name, recipe in recipes.items()),
    ]


def _evidence_forms():
    recipes = {
        "evidence": EVIDENCE,
        "none": COMPLETE,
        "learned temperature": _at(0.005, *_named("TemperatureEvidenceHead"), *_EVIDENCE),
        "per pathway": _at(0.005, *_named("PathwayEvidenceHead"), *_EVIDENCE),
        "a hidden layer": _at(0.005, *_named("HiddenEvidenceHead"), *_EVIDENCE),
        "rank 4": _at(0.001, *_EVIDENCE, "ACTIVITY.EVIDENCE_RANK", 4),
    }
    return _compared("evidence", recipes)


def _correlation_forms():
    recipes = {
        "no correlation": (0.002, *_NO_CORRELATION),
        "as built": (0.005,),
        "residual": (0.005, *_RESIDUAL),
        "residual, three steps": (0.005, *_named("MessagesHead")),
        "residual, activities dropped": (0.001, *_named("DroppedActivitiesHead")),
        "of logits": (0.005, *_named("LogitCorrelationHead"), *_NO_CORRELATION),
        "queries from names": (0.005, *_named("NamedQueriesHead")),
    }
    recipes = {name: _at(*parts, *_EVIDENCE) for name, parts in recipes.items()}
    return _compared("correlation", recipes)


def _parts_of_decoder():
    per_activity = "ACTIVITY.CLASSIFIER", "per_activity"
    most_parts = *_named("FixedQueriesFeedforwardHead"), *_COLUMNS, *per_activity
    taken = {
        "ML-Decoder": ML_DECODER,
        "ML-Decoder, one head": _decoder("MLDecoderOfOneHead"),
        "ML-Decoder, no feed-forward": _decoder("MLDecoderWithoutFeedforward"),
        "ML-Decoder, no ReLU on columns": _decoder("MLDecoderOfLinearColumns"),
    }
    given = {
        "no correlation": (0.001,),
        "ReLU on columns": (0.002, *_COLUMNS),
        "fixed queries": (0.005, *_named("FixedQueriesHead")),
        "feed-forward on F_A": (0.001, *_named("FeedforwardHead")),
        "a classifier per activity": (0.002, *per_activity),
        "eight heads in Attn_A": (0.002, *_named("ManyHeadsHead")),
        "all but the eight heads": (0.005, *most_parts),
        "ReLU on columns, eight heads": (0.001, *_named("ManyHeadsHead"), *_COLUMNS),
    }
    given = {name: _at(*parts, *_NO_CORRELATION) for name, parts in given.items()}
    return [*_compared("decoder", taken), *_compared("decoder", given)]


def _whole_networks():
    recipes = {
        "residual + evidence + columns": (WITH_ALL, 0.0003),
        "complete + evidence": (EVIDENCE, 0.001),
        "complete": (COMPLETE, 0.001),
        "baseline": (BASELINE, 0.003),
        "log-mean-exp": (LOG_MEAN_EXP, 0.001),
        "ML-Decoder": (ML_DECODER, 0.001),
    }
    rows = _compared("whole", {name: recipe for name, (recipe, _) in recipes.items()})
    return [replace(row, whole_rate=recipes[row.name][1]) for row in rows]


ROWS = (
    *_sizes("3a", "ACTIVITY.GROUPS", (1, 8, 32, 64), 8, "n"),
    *_sizes("3b", "ACTIVITY.NUM_OBSERVATIONS", (16, 32, 64, 128), 32, "K"),
    Row("3c", "baseline", BASELINE, RATE_4),
    Row(
        "3c",
        "no activity-specific",
        Recipe(("ACTIVITY.ACTIVITY_FEATURES", False)),
        RATE_4,
        ("baseline",),
    ),
    # Not the paper's: whether what is gained is gained by looking at the right place.
    Row(
        "3c",
        "even attention",
        _head("EvenAttentionHead", *_NO_CORRELATION),
        RATE_4,
        ("baseline",),
    ),
    Row(
        "3c",
        "no activity correlation",
        NO_CORRELATION,
        RATE_4,
        ("baseline", "even attention"),
    ),
    Row(
        "3c",
        "complete",
        COMPLETE,
        RATE_4,
        ("baseline", "no activity-specific", "no activity correlation"),
    ),
    Row("3d", "4", COMPLETE, RATE_4),
    # Not the paper's: what more training at one rate gives.
    Row("3d", "4 tuned on 4", Recipe(tuned=(4,)), RATE_4, ("4",)),
    Row("3d", "2+4", COMPLETE, RATES_2_4, ("4",)),
    Row("3d", "2+4 tuned", Recipe(tuned=(2, 4)), RATES_2_4, ("4", "2+4")),
    Row("3d", "2+4+8", COMPLETE, RATES_2_4_8, ("4",)),
    Row(
        "3d",
        "2+4+8 tuned",
        TUNED,
        RATES_2_4_8,
        ("4", "4 tuned on 4", "2+4 tuned", "2+4+8"),
    ),
    Row("3e", "two-stage transformer", TWO_STAGE, RATE_4),
    Row("3e", "ours", NO_CORRELATION, RATE_4, ("two-stage transformer",)),
    *_open_points(),
    *_peers(),
    Row("rates", "plain mean", TUNED, RATES_2_4_8),
    Row("rates", "weighted per activity", TUNED, RATES_2_4_8, ("plain mean",), "weighted"),
    Row(
        "rates",
        "gated per video",
        TUNED,
        RATES_2_4_8,
        ("plain mean", "weighted per activity"),
        "gated",
    ),
    *_evidence_forms(),
    *_correlation_forms(),
    *_parts_of_decoder(),
    *_whole_networks(),
)

# What is gained by looking at one place at a time.
_LOOKING = [
    ("3c", "no activity correlation", "baseline"),
    ("3c", "no activity correlation", "even attention"),
]
# Generator's property -> (its key, the difference that must vanish without it).
CONTROLS = {
    "actors": ("SYNTHETIC.SEVERAL_AT_ONCE", _LOOKING),
    "places": ("SYNTHETIC.SEVERAL_PLACES", _LOOKING),
    "speeds": ("SYNTHETIC.SEVERAL_SPEEDS", [("3d", "2+4+8", "4"), ("3d", "2+4+8 tuned", "4")]),
    "correlations": ("SYNTHETIC.CORRELATED", [("3c", "complete", "no activity correlation")]),
    "distractors": ("SYNTHETIC.DISTRACTORS", _LOOKING),
}


def rows_of(tables):
    """The rows of these tables."""
    return [row for row in ROWS if row.table in tables]


def has_complete_head(rows):
    """True where the complete head on cached maps, whose Corr is looked at, is among them."""
    return any(row.recipe == COMPLETE and row.whole_rate is None for row in rows)


def rows_of_control(name):
    """The rows whose difference must vanish where the property `name` is switched off."""
    wanted = {(table, row) for table, *pair in CONTROLS[name][1] for row in pair}
    return [row for row in ROWS if (row.table, row.name) in wanted]
