"""`python -m slowfast_ext tables`: the paper's Tables 1 to 6, row by row."""

import itertools
import json
import sys
import textwrap

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paper.comparison import FORMS, compare, unmatched
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
        # Not whether it is true: an empty name of a folder is given, too.
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
        heading = (
            f"Percent; {NOT_IN_PAPER}: a row that the paper does not have; where the head has two",
            "forms, ours is ACTIVITY.FORM default, as printed is ACTIVITY.FORM as_printed.",
        )
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
    """
    The lines of `compare` as aligned tables, then remarks on what is not like with like.

    A row whose head has two forms shows them side by side: "ours" is `default`, then `as_printed`;
    what is said of both stands as "first / second" where they differ.
    """
    cells, firsts, titles, remarks, doubles = [], [], {}, [], []
    for _, group in itertools.groupby(rows, lambda row: (row["table"], row["row"])):
        forms = list(group)
        first = forms[0]
        paper = "" if first["in_paper"] else NOT_IN_PAPER
        figures = [_figure(row) for row in forms] + [""]
        firsts.append(first)
        cells.append(
            (
                first["row"],
                paper if first["paper"] is None else f"{100 * first['paper']:.1f}",
                *figures[:2],
                *(_of_both(forms, name) for name in ("videos", "views", "date", "config")),
            )
        )
    for row in rows:
        titles[row["table"]] = f" ({row['metric']})" if row["metric"] else ""
        name = f"{row['table']}/{row['row']}" + (" as printed" if row["form"] == FORMS[1] else "")
        if row["remark"]:
            remarks.append(f"* {name}, {row['file']}: {row['remark']}")
        if row["older"]:
            doubles.append(
                f"{name}: the newest of {1 + len(row['older'])} results, {row['file']}; not "
                f"{', '.join(row['older'])}"
            )
    header = ("row", "paper", "ours", "as printed", "videos", "views", "date", "config")
    return _tables(firsts, [header, *cells], titles, remarks + doubles)


def _figure(row):
    """What this code reached, with an asterisk where a remark follows."""
    if row["ours"] is None:
        return "" if row["other_work"] else NOT_RUN if row["metric"] else SEE_COST
    return f"{100 * row['ours']:.1f}" + ("*" if row["remark"] else "")


def _of_both(forms, name):
    """The value of a row's forms, once where all that have one have the same."""
    values = [str(row[name]) for row in forms if row[name] is not None]
    return " / ".join(dict.fromkeys(values))


def cost_text(rows):
    """The lines of `cost_rows` as aligned tables; the paper's numbers in columns of their own."""
    formats = {"params_M": ".2f", "gmacs_plain": ".3f", "gmacs": ".3f"}
    cells = [("row", "parameters (M)", "plain (G)", "ours (G)", "paper (M)", "paper (G)")]
    for row in rows:
        counted = (
            "" if row[key] is None else f"{row[key]:{form}}" for key, form in formats.items()
        )
        known = (row[name] for name in ("paper_params_M", "paper_gmacs"))
        cells.append(
            (row["row"], *counted, *("" if value is None else str(value) for value in known))
        )
    notes = [
        textwrap.fill(f"{row['row']}: {row['note']}.", 96, subsequent_indent="  ")
        for row in rows
        if row["note"]
    ]
    return _tables(rows, cells, {}, notes)


def _tables(rows, cells, more, notes):
    """A block per table: an empty line, its title with `more`, the header, its rows; then notes."""
    header, *cells = cells
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    form = "  ".join(f"{{:<{width}}}" for width in widths)
    lines, table = [], None
    for row, line in zip(rows, cells, strict=True):
        if row["table"] != table:
            table = row["table"]
            title = f"Table {table}. {TITLES[table]}{more.get(table, '')}"
            lines += ["", title, form.format(*header).rstrip()]
        lines.append(form.format(*line).rstrip())
    return "\n".join([*lines, *([""] if notes else []), *notes])
