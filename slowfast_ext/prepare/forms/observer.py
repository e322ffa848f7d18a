"""Noldus Observer XT's event logs, as CSV (of UTF-8 or UTF-16) or a spreadsheet."""

from slowfast_ext.prepare.label_cells import seconds
from slowfast_ext.prepare.label_columns import place_of, plain
from slowfast_ext.prepare.label_tables import fields_of

_COLUMNS = ("observation", "behavior", "event_type", "time_relative_sf", "duration_sf")


def recognises(content):
    return content.table(*_COLUMNS) is not None


def read(file, content):
    """
    Reads the states and points of each observation, whose video has its name. Times count from
    the observation's start; where in the video that lies, the file does not say.
    """
    file.form = "Observer's event log"
    table = content.table(*_COLUMNS)
    names = [plain(name) for name in table.names]
    wanted = [place_of(file.path, table.names, name) for name in file.label_columns]
    labels = [names[place] for place in wanted] or ["behavior"]
    used = {*_COLUMNS, *labels, "subject"}
    file.unused = [name for name in table.names if plain(name) not in used]
    for where, fields in fields_of(file, table):
        row = dict(zip(names, fields, strict=True))
        kind = row["event_type"].lower()
        start, length = seconds(row["time_relative_sf"]), seconds(row["duration_sf"] or "0")
        if kind not in ("state start", "state stop", "point"):
            file.problems.append(
                f'{where}: Event_Type "{row["event_type"]}" is neither State start, State stop nor '
                "Point"
            )
        elif start is None or length is None or kind == "state start" and not row["duration_sf"]:
            file.problems.append(
                f'{where}: Time_Relative_sf "{row["time_relative_sf"]}" or Duration_sf '
                f'"{row["duration_sf"]}" is not a number of seconds from 0 on'
            )
        # The start's row says how long a state lasts, the stop's nothing more.
        elif kind != "state stop":
            end = round(start + (length if kind == "state start" else 0), 6)
            texts = [row[name] for name in labels]
            more = {"subject": row.get("subject", "")}
            file.add(where, row["observation"], texts, (start, end), **more)
