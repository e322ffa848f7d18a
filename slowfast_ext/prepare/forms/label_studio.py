"""
Label Studio's JSON, JSON_MIN and CSV: segments of its timeline or of a video's sound, and choices
about whole videos or such segments.

The timeline counts whole frames from 1, both ends included, at the interface's own frame rate,
which the files do not have unless a task's data has `timeline_fps`, as `predict` writes it. Labels
of the sound (its template "Video timeline segmentation") are in seconds.
"""

import json
import re
import urllib.parse

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.forms.content import as_written_by
from slowfast_ext.prepare.label_columns import LABELS, plain

_OWN = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"}
_MARKS = {"annotations", "predictions"}
# Types of results, and where their values have labels.
_KINDS = ("timelinelabels", "labels", "choices")
_CSV = ("annotation_id", "annotator", "lead_time")


def recognises(content):
    return content.table(*_CSV) is not None or bool(_tasks(content.json))


def _tasks(data):
    """The tasks of JSON or JSON_MIN, or None."""
    tasks = data if isinstance(data, list) else [data]
    if not tasks or not all(isinstance(task, dict) for task in tasks):
        return None
    is_full = all("data" in task and _MARKS & set(task) for task in tasks)
    is_small = all({"annotation_id", "annotator"} <= set(task) for task in tasks)
    return tasks if is_full or is_small else None


def read(file, content):
    with as_written_by(file, "Label Studio"):
        tasks = _tasks(content.json)
        if tasks and not any("annotations" in task for task in tasks) and "data" in tasks[0]:
            raise SlowFastExtError(
                f"{file.path}: is Label Studio's tasks with predictions alone: submit them there, "
                "corrected or as they are, and export the project as JSON"
            )
        if tasks and "annotations" in tasks[0]:
            file.form = "Label Studio's JSON"
            for number, task in enumerate(tasks):
                where = f"{file.path}: [{number}]"
                with as_written_by(file, "Label Studio", where):
                    _read_task(file, where, task)
            return
        file.form = "Label Studio's JSON_MIN" if tasks else "Label Studio's CSV"
        _read_small(file, _small_rows(file, content, tasks))


def _video(file, values):
    """The name of a task's video: of its data the one that names a video, else one called so."""
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    names = {key: _name(file, value) for key, value in texts.items()}
    found = next((key for key in names if file.media.has(names[key])), None)
    found = found or next((key for key in names if "video" in key.lower()), None)
    return found, names.get(found, "")


def _name(file, text):
    """A path without what Label Studio puts before it: ?d= of local files, 8 digits of uploads."""
    path = urllib.parse.unquote(text.rpartition("?d=")[2])
    if file.media.has(path):
        return path
    # What signs the address of a file in a cloud is no part of its name.
    path = path.partition("?")[0] if "://" in path else path
    return re.sub(r"(^|/)[0-9a-f]{8}-([^/]+)$", r"\1\2", path)


def _newest(annotations):
    """The place of the newest; ISO's times sort as texts do."""
    times = [
        (str(one.get("updated_at") or one.get("created_at") or ""), n) for n, one in annotations
    ]
    return max(times)[1]


def _read_task(file, where, task):
    kept = [(n, a) for n, a in enumerate(task["annotations"]) if not a.get("was_cancelled")]
    if not kept:
        file.skip(where, "a task without an annotation")
        return
    number = _newest(kept)
    for other, _ in kept:
        if other != number:
            file.skip(f"{where}.annotations[{other}]", "an annotation that is not the newest")
    _, name = _video(file, task["data"])
    file.add(where, name, [])
    for place, result in enumerate(task["annotations"][number]["result"]):
        here = f"{where}.annotations[{number}].result[{place}]"
        control = result.get("from_name", "")
        if not file.is_chosen(control):
            file.skip(here, f"control {control}")
        elif result["type"] not in _KINDS or _is_elsewhere(result["value"]):
            file.skip(here, f"a result of type {result['type']}")
        else:
            rate = float(task["data"].get("timeline_fps") or 0) or None
            _add_value(file, here, name, result["value"], result["type"], control, rate)


def _is_elsewhere(value):
    """True for what a value is about boxes in a video, or letters of a text."""
    return bool({"sequence", "text", "x"} & set(value))


def _add_value(file, where, name, value, kind, control, rate=None):
    """Adds labels with the times of their region: frames, seconds, or the whole video."""
    labels = value[kind]
    if "ranges" in value:
        if rate is None:
            why = "the timeline counts frames at its interface's frameRate, 24 unless set"
            file.fact("frame_rate", why)
        for one in value["ranges"]:
            frames = (one["start"], one["end"])
            file.add_frames(where, name, labels, frames, 1, rate, group=control)
    elif "start" in value or kind != "choices":
        file.add(where, name, labels, (value["start"], value["end"]), group=control)
    else:
        file.add(where, name, labels, group=control)


# --- JSON_MIN and CSV -----------------------------------------------------------------


def _small_rows(file, content, tasks):
    """[(place, {name: value})], with the cells of CSV that hold JSON parsed."""
    if tasks:
        return [(f"{file.path}: [{number}]", task) for number, task in enumerate(tasks)]
    table = content.table(*_CSV)
    rows = []
    for where, row in table.rows:
        values = dict(zip(table.names, row, strict=False))
        for name, text in values.items():
            if re.match(r"\[\s*\{|\{", text):
                with as_written_by(file, "Label Studio", f"{where}: {name}"):
                    values[name] = json.loads(text)
        rows.append((where, values))
    return rows


def _read_small(file, rows):
    controls = file.label_columns or _controls(file, rows)
    if missing := [name for name in controls if not any(name in values for _, values in rows)]:
        raise SlowFastExtError(f"{file.path}: no column {missing[0]} for --label-columns")
    by_task = {}
    for number, (_, values) in enumerate(rows):
        by_task.setdefault(str(values.get("id", number)), []).append((number, values))
    unused = {}
    for same in by_task.values():
        newest = _newest(same)
        for number, values in same:
            where = rows[number][0]
            if number != newest:
                file.skip(where, "an annotation that is not the newest")
                continue
            key, name = _video(file, {k: v for k, v in values.items() if k not in controls})
            unused |= dict.fromkeys(values.keys() - _OWN - {key, *controls})
            with as_written_by(file, "Label Studio", where):
                file.add(where, name, [])
                for control in controls:
                    _add_small(file, where, name, control, values.get(control) or "")
    file.unused = sorted(unused)


def _controls(file, rows):
    """Names of the values that are annotations: by their form, else by how they are called."""
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    found = [n for n in names if any(_is_annotation(values.get(n)) for _, values in rows)]
    found += [n for n in names if n not in found and plain(n) in (*LABELS, "choice", "choices")]
    if not found:
        raise SlowFastExtError(
            f"{file.path}: which of {', '.join(n for n in names if n not in _OWN)} are labels? "
            "--label-columns names them"
        )
    return found


def _kind(value):
    """Which of _KINDS a value of a region, or of a video, is; None: of none."""
    if not isinstance(value, dict) or _is_elsewhere(value):
        return None
    return next((kind for kind in _KINDS if kind in value), None)


def _is_annotation(value):
    return any(map(_kind, value if isinstance(value, list) else [value]))


def _add_small(file, where, name, control, value):
    if isinstance(value, str):
        file.add(where, name, [value] if value else [], group=control)
        return
    for one in value if isinstance(value, list) else [value]:
        kind = _kind(one)
        if kind is None:
            file.skip(where, f"{control}, which is about no stretch of time")
        else:
            _add_value(file, where, name, one, kind, control)
