"""The paper's rows beside this code's."""

from slowfast_ext.paper.numbers import ROWS

FORMS = ("default", "as_printed")
UPSTREAM_HEADS = ("PoolHead", "RoIPoolHead")
# Those that the paper's rows have; others are there to compare with, or a user's own.
PAPER_HEADS = (*UPSTREAM_HEADS, "ActivityHead", "ChannelCorrelationHead", "TwoStageTransformerHead")
# Keyframes of ava_val_v2.1 that have a box with a pose label.
AVA_KEYFRAMES = 50_029
# The persons' boxes of the SlowFast paper's released code, which section 5 takes.
AVA_BOXES = "person_box_67091280_iou90/ava_detection_val_boxes_and_labels.csv"


def compare(results, tables):
    """
    One line per row of the paper, two where the row's head has two forms.

    The rows of Table 4 have no metric: their `paper` and `ours` are None.

    Args:
        results (list[Result]): newest first.
        tables (sequence[str]): which tables.

    Returns:
        list[dict]: `table`, `row`, `metric`, `form` (None where the head has but one),
            `paper` and `ours` (fractions or None), `in_paper` (False: a row of ours),
            `other_work` (a method that has no config here), `videos`, `views`, `date`,
            `config`, `file` (of ours), `remark` (how the test differs from the paper's, or
            None), and `older`, the files of the same row and form that are not shown.
    """
    lines = []
    for row in ROWS:
        if row.table not in tables:
            continue
        for form in FORMS if row.activity_head else (None,):
            found = [
                result
                for result in results
                if result.row == row.id
                and row.metric in result.metrics
                and form in (None, result.form)
            ]
            lines.append(_line(row, form, found))
    return lines


def _line(row, form, found):
    newest = found[0] if found else None
    return {
        "table": row.table,
        "row": row.name,
        "metric": row.metric,
        "form": form,
        "paper": row.number,
        "in_paper": row.in_paper,
        "other_work": row.other_work,
        "ours": newest and newest.metrics[row.metric],
        "videos": newest and newest.counts["videos"],
        "views": newest and newest.counts["views"],
        "date": newest and newest.date,
        "config": newest and newest.config,
        "file": newest and newest.path,
        "remark": newest and ("; ".join(_remarks(newest, row)) or None),
        "older": [result.path for result in found[1:]],
    }


def _remarks(result, row):
    """What of a result is not the row's or not the paper's protocol: yields clauses."""
    counts, protocol = result.counts, row.protocol
    known = {name: "?" if number is None else number for name, number in counts.items()}
    if row.activity_head and result.head in UPSTREAM_HEADS:
        yield f"ACTIVITY.HEAD is {result.head}, which is upstream's"
    if result.head and result.head not in PAPER_HEADS:
        yield f"ACTIVITY.HEAD is {result.head}, which the paper has not"
    if result.additions:
        yield f"with {', '.join(result.additions)}, which the paper's head has not"
    if any(counts[name] != number for name, number in protocol.items()):
        yield (
            f"{known['videos']} videos of {known['views']} views, where the paper tests "
            f"{protocol['videos']} of {protocol['views']}"
        )
    if row.table == "5" and (counts["keyframes"] or 0) < AVA_KEYFRAMES:
        yield (
            f"{known['keyframes']} keyframes, where AVA's validation set has {AVA_KEYFRAMES} with "
            "pose labels alone"
        )
    if row.table == "5" and result.boxes != [AVA_BOXES]:
        yield f"boxes of {', '.join(result.boxes) or '?'}, where the paper's are {AVA_BOXES}"


def unmatched(results):
    """Sentences about the results that no table has a place for."""
    metrics = {row.id: row.metric for row in ROWS if not row.other_work}
    sentences = []
    for result in results:
        if result.row not in metrics:
            sentences.append(f"{result.path}: the tables have no row {result.row!r}")
        elif metrics[result.row] is None:
            sentences.append(f"{result.path}: row '{result.row}' lists costs alone, see --cost")
        elif metrics[result.row] not in result.metrics:
            sentences.append(f"{result.path}: it has no {metrics[result.row]}")
        elif result.form not in FORMS:
            sentences.append(f"{result.path}: ACTIVITY.FORM is {result.form!r}")
    return sentences
