"""`python -m slowfast_ext tables`: the paper's Tables 1 to 6, row by row."""

import json
import sys
import textwrap

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paper.comparison import compare, unmatched
from slowfast_ext.paper.numbers import TITLES
from slowfast_ext.paper.results import find_results

NOT_IN_PAPER, NOT_RUN, SEE_COST = "(ours)", "not run", "see --cost"


def run(args):
    """
    Prints the tables.

    Raises:
        SlowFastExtError: no such folder, no such table, or an argument that needs another.
    """
    if args.miniature:
        run_miniature(args)
        return
    for name in ("seeds", "fresh", "without", "backbone_rates", "plots"):
        # An empty name of a folder is given, too.
        if getattr(args, name) not in (None, False):
            option = name.replace("_", "-")
            raise SlowFastExtError(f"--{option} belongs to --miniature, which is not given")
    if args.cost:
        # It builds networks, and so needs torch and PySlowFast; the rest does not.
        from slowfast_ext.paper.cost import COUNTED, TABLES, cost_rows

        rows = cost_rows(chosen_tables(args.only, TABLES))
        heading, as_text = COUNTED, cost_text
    else:
        tables = chosen_tables(args.only, list(TITLES))
        results, passed_over = find_results(args.results) if args.results is not None else ([], [])
        for sentence in passed_over + unmatched(results):
            print(f"warning: passed over {sentence}", file=sys.stderr)
        rows = compare(results, tables)
        heading = (f"Percent; {NOT_IN_PAPER}: a row that the paper does not have.",)
        as_text = comparison_text
    if args.json:
        print(json.dumps(rows, indent=2, allow_nan=False))
    else:
        text = "\n".join([*heading, as_text(rows)])
        # Names of files need not be text.
        print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def run_miniature(args):
    """The study; it trains networks, and so needs torch and PySlowFast."""
    from projects.study import miniature

    if args.without and args.only is not None:
        raise SlowFastExtError("--without shows the differences that matter to it: omit --only")
    if args.without and args.plots is not None:
        raise SlowFastExtError("--plots draws tables 3c and 3d: omit --without")
    miniature.run(
        chosen_tables(args.only, list(miniature.TITLES)),
        args.seeds or [1, 2, 3, 4, 5],
        args.without,
        args.backbone_rates or miniature.BACKBONE_RATES,
        args.fresh,
        args.json,
        args.plots,
    )


def chosen_tables(only, known):
    """
    The tables of `--only`, in the paper's order; all where it is None.

    Raises:
        SlowFastExtError: it names one that is not in `known`.
    """
    if only is None:
        return list(known)
    names = [name.strip() for name in only.split(",")]
    strange = [name for name in names if name not in known]
    if strange:
        raise SlowFastExtError(
            f"--only {only}: there is no table '{strange[0]}' here, there are {', '.join(known)}"
        )
    return [name for name in known if name in names]


def comparison_text(rows):
    """The lines of `compare` as aligned tables."""
    cells = [("row", "form", "paper", "ours", "videos", "views", "date", "config")]
    cells += [
        (
            row["row"],
            row["form"] or "",
            _percent(row["paper"], "" if row["in_paper"] else NOT_IN_PAPER),
            _percent(row["ours"], _no_result(row)) + ("*" if row["remark"] else ""),
            *("" if row[name] is None else str(row[name]) for name in ("videos", "views")),
            row["date"] or "",
            row["config"] or "",
        )
        for row in rows
    ]
    titles = {
        row["table"]: _title(row["table"]) + (f" ({row['metric']})" if row["metric"] else "")
        for row in rows
    }
    remarks = _remarks(rows)
    return "\n".join([*_tables(rows, cells, titles), *([""] + remarks if remarks else [])])


def _remarks(rows):
    """Sentences about rows that are no like with like, then about those with several results."""
    differing = [
        f"* {row['table']}/{row['row']}, {row['file']}: {row['remark']}"
        for row in rows
        if row["remark"]
    ]
    return differing + [
        f"{row['table']}/{row['row']}: the newest of {1 + len(row['older'])} results, "
        f"{row['file']}; not {', '.join(row['older'])}"
        for row in rows
        if row["older"]
    ]


def cost_text(rows):
    """The lines of `cost_rows` as aligned tables; the paper's numbers in columns of their own."""
    cells = [("row", "parameters (M)", "plain (G)", "ours (G)", "paper (M)", "paper (G)")]
    cells += [
        (
            row["row"],
            _number(row["params_M"], 2),
            _number(row["gmacs_plain"], 3),
            _number(row["gmacs"], 3),
            _known(row, "paper_params_M"),
            _known(row, "paper_gmacs"),
        )
        for row in rows
    ]
    titles = {row["table"]: _title(row["table"]) for row in rows}
    notes = [
        textwrap.fill(f"{row['row']}: {row['note']}.", 96, subsequent_indent="  ")
        for row in rows
        if row["note"]
    ]
    return "\n".join([*_tables(rows, cells, titles), *([""] + notes if notes else [])])


def _title(table):
    return f"Table {table}. {TITLES[table]}"


def _number(value, digits):
    return "" if value is None else f"{value:.{digits}f}"


def _known(row, field):
    """A number of the paper; nothing under conditions that the paper does not list."""
    if not row["in_paper"]:
        return ""
    return "" if row[field] is None else str(row[field])


def _no_result(row):
    """What stands in place of a measured result."""
    if row["other_work"]:
        return ""
    return NOT_RUN if row["metric"] else SEE_COST


def _percent(fraction, otherwise):
    return otherwise if fraction is None else f"{100 * fraction:.1f}"


def _tables(rows, cells, titles):
    """Lines of one block per table: an empty line, its title, the header and its rows."""
    header, *cells = cells
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(header))]
    lines, table = [], None
    for row, line in zip(rows, cells, strict=True):
        if row["table"] != table:
            table = row["table"]
            lines += ["", titles[table], _aligned(header, widths)]
        lines.append(_aligned(line, widths))
    return lines


def _aligned(line, widths):
    return "  ".join(f"{text:<{width}}" for text, width in zip(line, widths, strict=True)).rstrip()
