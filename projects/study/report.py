"""The study's results as text for people: percent and percentage points."""

import textwrap

from projects.study.results import SPEEDS

METRICS = ("mAP", *SPEEDS)

NOTE = """\
mAP in percent of the test videos, means over the seeds, and by the speed of the activities.
Differences in percentage points, paired by seed, with 95 % intervals (Student's t over seeds).
The backbone of a seed is trained once and frozen, so that ACTIVITY.LR_MULT, the head's learning
rate over the backbone's, means nothing here: it has no row."""


def study_text(result):
    """The object of `run_study` as tables."""
    blocks = [NOTE, _conditions(result)]
    for table, title in result["titles"].items():
        rows = [row for row in result["rows"] if row["table"] == table]
        differences = [line for line in result["differences"] if line["table"] == table]
        blocks.append("\n".join([f"Table {table}. {title}", *_row_lines(rows)]))
        if differences:
            blocks.append("\n".join(_difference_lines(differences)))
        blocks += ["\n".join(_weight_lines(row["weights"])) for row in rows if "weights" in row]
    if "correlation" in result:
        blocks.append(_correlation_text(result["correlation"]))
    return "\n\n".join(blocks)


def control_text(result):
    """The object of `run_control` as a table and a verdict per difference."""
    # The columns by speed group activities by speeds that they do not have there.
    metrics = METRICS[:1] if result["without"] == "speeds" else METRICS
    blocks = [f"The generator without {result['without']}. {_conditions(result)}"]
    gained, controlled = result["with_property"], result["without_property"]
    for title, part, shown in (
        ("With the property:", gained, METRICS),
        ("Without it:", controlled, metrics),
    ):
        blocks.append("\n".join([title, *_row_lines(part["rows"], shown)]))
        blocks.append("\n".join(_difference_lines(part["differences"], shown)))
    pairs = zip(gained["differences"], controlled["differences"], strict=True)
    blocks.append("\n".join(_verdict(gain, control) for gain, control in pairs))
    return "\n\n".join(blocks)


def _verdict(gain, control):
    name = f"{control['row']} - {control['against']}"
    gain, control = gain["metrics"]["mAP"], control["metrics"]["mAP"]
    if control["low"] is None:
        return f"{name}: one seed has no interval"
    if gain["low"] <= 0:
        return f"{name}: there was no gain with the property that could vanish"
    if control["high"] < 0:
        return f"{name}: without the property the gain is a loss, with all of the interval below 0"
    where = "contains" if control["low"] <= 0 else "excludes"
    narrow = control["high"] - control["low"] < gain["mean"] / 2
    return (
        f"{name}: the interval without the property {where} 0 "
        f"and is {'' if narrow else 'not '}narrower than half the gain with it"
    )


def _conditions(result):
    seeds, rates = (", ".join(map(str, result[key])) for key in ("seeds", "backbone_rates"))
    return f"Seeds: {seeds}. Backbone trained at the rates: {rates}."


def _row_lines(rows, shown=METRICS):
    cells = [("row", "parameters", *shown, "mAP by seed")]
    for row in rows:
        metrics = row["metrics"]
        means = [_percent(metrics[name]["mean"]) for name in shown]
        cells.append((row["row"], f"{row['parameters']:,}", *means, _per_seed(metrics["mAP"])))
    return _aligned(cells)


def _difference_lines(differences, shown=METRICS):
    cells = [("difference", *shown, "mAP by seed")]
    for line in differences:
        metrics = line["metrics"]
        intervals = [_interval_text(metrics[name]) for name in shown]
        name = f"{line['row']} - {line['against']}"
        cells.append((name, *intervals, _per_seed(metrics["mAP"], "+")))
    return _aligned(cells)


def _weight_lines(weights):
    rates = list(next(iter(weights.values())))
    cells = [("weights, mean over seeds", *(f"rate {rate}" for rate in rates))]
    cells += [
        (name, *(f"{rate_weights[rate]:.2f}" for rate in rates))
        for name, rate_weights in weights.items()
    ]
    return _aligned(cells)


def _correlation_text(correlation):
    cells = [("part of the complete head", "rank correlation", "95 % interval", "by seed")]
    for name, value in correlation.items():
        ends = "" if value["low"] is None else f"[{value['low']:+.2f}, {value['high']:+.2f}]"
        seeds = " ".join(f"{seed_value:+.2f}" for seed_value in value["per_seed"])
        cells.append((name, f"{value['mean']:+.2f}", ends, seeds))
    note = (
        "Rank correlation (Spearman) with the generator's conditional frequencies, off the "
        "diagonal. Mask is counted from the training labels; what is learned is Attn_C."
    )
    return "\n".join([textwrap.fill(note, 96), *_aligned(cells)])


def _percent(fraction, sign=""):
    return f"{100 * fraction:{sign}.1f}"


def _interval_text(value):
    if value["low"] is None:
        return _percent(value["mean"], "+")
    ends = ", ".join(_percent(value[end], "+") for end in ("low", "high"))
    return f"{_percent(value['mean'], '+')} [{ends}]"


def _per_seed(value, sign=""):
    return " ".join(_percent(seed_value, sign) for seed_value in value["per_seed"])


def _aligned(cells):
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
