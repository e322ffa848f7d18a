"""
BORIS' aggregated and tabular events (CSV or TSV, also of versions before 8) and its projects.

Times count over an observation's whole queue of files, behind its time offset (BORIS 10.0.2); the
files of the first player are that queue, those of other players run beside it.
"""

import math
import re
from dataclasses import dataclass

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.forms.content import as_written_by
from slowfast_ext.prepare.label_columns import place_of, plain
from slowfast_ext.prepare.label_tables import fields_of, named_table
from slowfast_ext.utils.tables import rows_of_text
from slowfast_ext.utils.text import parse_number

_AGGREGATED = ("observation_id", "behavior", "start_s", "stop_s")
_TABULAR = ("observation_id", "behavior", "behavior_type", "time")
_MEDIA = ("source", "media_file_name", "media_file")
_OLD_TABULAR = ("time", "media_file_path", "behavior", "status")
_NOBODY = "No focal subject"
_NOTHING = ("", "NA", "None", "LIVE")
_USED = {*_AGGREGATED, *_TABULAR, *_OLD_TABULAR, *_MEDIA}
_USED |= {"subject", "observation_type", "time_offset_s", "media_duration_s"}


@dataclass
class Queue:
    """
    An observation's files, one behind the other.

    Args:
        files (list[str]): paths as they are written.
        lengths (list[float or None]): seconds of each.
        offset (float): the time at which the first file begins.
    """

    files: list
    lengths: list
    offset: float = 0.0

    def parts(self, start, stop):
        """
        Yields (file, start, stop) of each file in which a bout goes on, in seconds from its start;
        a moment lies in one file, and what ends after all of them in the last one.
        """
        begin = self.offset
        for number, (name, length) in enumerate(zip(self.files, self.lengths, strict=True)):
            is_last = number == len(self.files) - 1
            end = float("inf") if is_last else begin + length
            if start < end and (stop > begin or stop == start >= begin or number == 0):
                # To the microsecond: differences of decimals are none.
                first = max(start, begin) if number else start
                yield name, round(first - begin, 6), round(min(stop, end) - begin, 6)
            begin = end


def recognises(content):
    return (
        _is_project(content)
        or any(_table(content, columns) for columns in (_AGGREGATED, _TABULAR))
        or _old_header(content) is not None
    )


def _table(content, columns):
    """The Table of these columns and one of videos; the names of both vary with the version."""
    found = (content.table(*columns, name) for name in _MEDIA)
    return next((table for table in found if table is not None), None)


def read(file, content):
    """Reads the behaviors, or what --label-columns names, such as Behavior and Modifiers."""
    with as_written_by(file, "BORIS"):
        _read(file, content)


def _read(file, content):
    if _is_project(content):
        file.form = "BORIS' project"
        bouts = _project_bouts(file, content.json)
    elif _table(content, _AGGREGATED):
        file.form = "BORIS' aggregated events"
        bouts = _aggregated_bouts(file, _table(content, _AGGREGATED))
    else:
        file.form = "BORIS' tabular events"
        table, constants = _table(content, _TABULAR), {}
        if table is None:
            table, constants = _old_table(content)
        bouts = _paired(file, _tabular_events(file, table, constants))
    seen, queues = set(), {}
    for where, queue, labels, times, subject in bouts:
        for name in queue.files:
            queues.setdefault(name, where)
        for name, *span in queue.parts(*times) if labels else ():
            if span[0] < 0:
                file.problems.append(
                    f"{where}: {times[0]:g} s is before the first file, which begins at the time "
                    f"offset, {queue.offset:g} s"
                )
                continue
            seen.add(name)
            file.add(where, name, labels, span, subject="" if subject == _NOBODY else subject)
    for name in queues.keys() - seen:
        # It was watched, and nothing happens in it.
        file.add(queues[name], name, [])


# --- Tables ---------------------------------------------------------------------------


def _records(file, table, constants=None):
    """Yields (place, {plain name: field}, Queue, labels) of the rows about videos."""
    names = [plain(name) for name in table.names]
    wanted = [place_of(file.path, table.names, name) for name in file.label_columns]
    columns = [names[place] for place in wanted] or ["behavior"]
    used = _USED | set(columns)
    file.unused = [name for name in table.names if plain(name) not in used]
    first_of = {}
    for where, fields in fields_of(file, table):
        row = dict(zip(names, fields, strict=True)) | (constants or {})
        queue = _queue_of(file, where, row)
        if queue is not None and "source" not in row:
            # A bout's own file alone does not say where in the queue it lies.
            video = file.media.find(queue.files[0])[0] or queue.files[0]
            first = first_of.setdefault(row.get("observation_id"), video)
            if first != video:
                file.problems.append(
                    f"{where}: times count from the first of several files, here {first} and "
                    f"{video}, and no columns Source and Media duration (s) say how long they are"
                )
                continue
        if queue is not None:
            yield where, row, queue, _labels(columns, row)


def _labels(columns, row):
    """What the columns say; modifiers are several choices, or one of each of several sets."""
    texts = []
    for name in columns:
        texts += [row[name]] if name == "behavior" else re.split("[,|]", row[name])
    return [text for text in texts if text not in _NOTHING]


def _queue_of(file, where, row):
    """The row's Queue; None where it is about no video, or where that is wrong and told."""
    # Players are parted by a bar, by a blank in the first versions 8.
    first = re.split(r"[|\s]*\bplayer #(?!1:)\d+:", row.get("source", "").split("|")[0])[0]
    files = [name for name in first.strip().removeprefix("player #1:").split(";") if name]
    files = [name.strip() for name in files]
    named = [row.get(name, "") for name in ("media_file_name", "media_file", "media_file_path")]
    files = files if set(files) - set(_NOTHING) else next(([n] for n in named if n), [])
    kind = row.get("observation_type", "").lower()
    if not set(files) - set(_NOTHING) or kind.startswith(("live", "from pictures")):
        file.skip(where, "an observation without a video")
        return None
    lengths = row.get("media_duration_s", "").split("|")[0].split(";")
    lengths = [parse_number(text) for text in lengths]
    offset = parse_number(row.get("time_offset_s") or "0")
    if len(files) > 1 and (len(lengths) != len(files) or None in lengths):
        file.problems.append(
            f"{where}: times count from the first of several files, and Media duration (s) does "
            "not say how long each of them is"
        )
    elif offset is None:
        file.problems.append(f'{where}: Time offset (s) "{row["time_offset_s"]}" is not a number')
    else:
        return Queue(files, lengths if len(files) > 1 else [None], offset)
    return None


def _time(file, where, name, text):
    time = parse_number(text.replace(",", "."))
    if time is None or not math.isfinite(time):
        file.problems.append(f'{where}: {name} "{text}" is not a number of seconds')
        return None
    return time


def _aggregated_bouts(file, table):
    for where, row, queue, labels in _records(file, table):
        times = [_time(file, where, name, row[plain(name)]) for name in ("Start (s)", "Stop (s)")]
        if None in times:
            continue
        if times[1] < times[0]:
            file.problems.append(
                f"{where}: Stop (s) {row['stop_s']} is before Start (s) {row['start_s']}"
            )
        else:
            yield where, queue, labels, times, row.get("subject", "")


def _tabular_events(file, table, constants):
    """Yields (place, key of equal bouts, START, STOP or POINT, time, Queue, labels, subject)."""
    for where, row, queue, labels in _records(file, table, constants):
        time = _time(file, where, "Time", row["time"])
        status = row.get("status") or row.get("behavior_type", "")
        if status not in ("START", "STOP", "POINT"):
            file.problems.append(f'{where}: "{status}" is neither START, STOP nor POINT')
        elif time is not None:
            modifiers = [text for name, text in row.items() if name.startswith("modifier")]
            subject = row.get("subject", "")
            key = (row.get("observation_id", ""), subject, row["behavior"], *modifiers)
            yield where, key, status, time, queue, labels, subject


def _paired(file, events):
    """Yields bouts of START and STOP of equal keys in the order of their times, and of POINT."""
    started = {}
    for where, key, status, time, queue, labels, subject in sorted(events, key=lambda e: e[3]):
        other = started.pop(key, None) if status != "POINT" else None
        if status == "POINT":
            yield where, queue, labels, (time, time), subject
        elif status == "STOP" and other:
            yield other[0], queue, labels, (other[1], time), subject
        elif status == "STOP":
            file.problems.append(f"{where}: STOP of {key[2]} at {time:g} s has no START before it")
        else:
            started[key] = (where, time)
            if other:
                file.problems.append(f"{other[0]}: START of {key[2]} has no STOP before the next")
    for key, (where, time) in started.items():
        file.problems.append(f"{where}: START of {key[2]} at {time:g} s has no STOP")


# --- Tabular events before version 8: lines of description, then a table ---------------


def _old_header(content):
    """(delimiter, number of the header's line from 0) or None."""
    if content.is_archive or not content.text.lstrip('" \n').startswith("Observation id"):
        return None
    for number, line in enumerate(content.text.splitlines()[:100]):
        for delimiter in "\t;,":
            if set(_OLD_TABULAR) <= set(map(plain, line.split(delimiter))):
                return delimiter, number
    return None


def _old_table(content):
    """(Table, {plain name: field} that all of its rows share)."""
    delimiter, number = _old_header(content)
    rows = rows_of_text(content.path, content.text, delimiter)
    above = {plain(row[0]): row[1] for line, row in rows if line <= number and len(row) > 1}
    (_, header), *below = [(line, row) for line, row in rows if line > number]
    below = [(f"{content.path}:{line}", row) for line, row in below]
    table = named_table(header, below)
    if len(set(table.column([*map(plain, table.names)].index("media_file_path")))) > 1:
        raise SlowFastExtError(
            f"{content.path}: times count from the first of several files, whose lengths are not "
            "in it: export the events again, with BORIS 8 or later"
        )
    return table, {"time_offset_s": above.get("time_offset_s", "0")}


# --- Projects -------------------------------------------------------------------------


def _is_project(content):
    return isinstance(content.json, dict) and {"observations", "behaviors_conf"} <= set(
        content.json
    )


def _project_bouts(file, project):
    """Yields the bouts of all observations, and one without labels of each."""
    conf = project["behaviors_conf"].values()
    kinds = {behavior["code"]: behavior["type"] for behavior in conf}
    for name, observation in project["observations"].items():
        place = f"{file.path}: observations.{name}"
        with as_written_by(file, "BORIS", place):
            files = list(observation["file"].get("1", []))
            if observation["type"] != "MEDIA" or not files:
                file.skip(place, "an observation without a video")
                continue
            queue = _project_queue(place, files, observation)
            _say_interval(file, queue, observation)
            events = list(_project_events(file, place, observation, kinds, queue))
        yield place, queue, [], (0, 0), ""
        yield from _paired(file, events)
    observed = {e[2] for o in project["observations"].values() for e in o["events"]}
    file.unused_labels = [code for code in kinds if code not in observed]


def _project_queue(place, files, observation):
    lengths = observation.get("media_info", {}).get("length", {})
    if len(files) > 1 and not all(name in lengths for name in files):
        raise SlowFastExtError(
            f"{place}: times count from the first of several files, and media_info.length does "
            "not say how long each of them is"
        )
    lengths = [float(lengths[name]) if len(files) > 1 else None for name in files]
    offset = float(observation.get("time offset", 0))
    if observation.get("media_creation_date_as_offset"):
        if len(files) > 1:
            raise SlowFastExtError(
                f"{place}: its times are the files' creation dates, of several files: take "
                '"media creation date as offset" away in BORIS, or give each file an observation'
            )
        offset += float(observation["media_info"]["media_creation_time"][files[0]])
    return Queue(files, lengths, offset)


def _say_interval(file, queue, observation):
    """BORIS plays an observation's interval alone, in seconds of its queue without the offset."""
    start, stop = observation.get("observation time interval") or (0, 0)
    span = (queue.offset + float(start), queue.offset + (float(stop) or math.inf))
    seen = {name: times for name, *times in queue.parts(*span)}
    for name in queue.files:
        file.add_labelled(name, *seen.get(name, (0, 0)))


def _project_events(file, place, observation, kinds, queue):
    """Yields what `_tabular_events` does; a state's events are its START and STOP in turn."""
    is_on = {}
    columns = [plain(name) for name in file.label_columns] or ["behavior"]
    if not set(columns) <= {"behavior", "modifiers"}:
        raise SlowFastExtError(f"{place}: --label-columns takes Behavior and Modifiers here")
    order = sorted(enumerate(observation["events"]), key=lambda item: float(item[1][0]))
    for number, (time, subject, code, modifiers, *_) in order:
        where = f"{place}.events[{number}]"
        key = ("", subject, code, modifiers)
        if code not in kinds:
            file.problems.append(f'{where}: "{code}" is no behavior of the project')
            continue
        status = "POINT"
        if kinds[code].startswith("State"):
            status = "STOP" if is_on.get(key) else "START"
            is_on[key] = not is_on.get(key)
        labels = _labels(columns, {"behavior": code, "modifiers": modifiers})
        time = _time(file, where, "time", str(time))
        if time is not None:
            yield where, key, status, time, queue, labels, subject
