"""Labels in JSON: ActivityNet's database, records, and a video's labels by its name."""

import json
from collections import Counter

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import seconds
from slowfast_ext.prepare.label_columns import LABELS, PATHS, plain, seems_timed
from slowfast_ext.prepare.label_tables import Table, read_table
from slowfast_ext.utils.text import shortened

ACTIVITYNET = (
    '{"database": {ID: {"annotations": [{"label": NAME, "segment": [START, END]}]}}} is expected'
)
# (keys that a form has, at its top or in its first record; what it is).
_FOREIGN = (
    ({"images", "annotations", "categories"}, "COCO's JSON, whose labels are of single images"),
    ({"_via_img_metadata"}, "VIA 2's project"),
    ({"info", "licenses", "videos"}, "a data set's own JSON"),
)
_WRITE = "write a CSV file path,labels,start,end, a row a segment, with times in seconds"


def read_json(file, data):
    """
    Reads what `parse_json` gives.

    Raises:
        SlowFastExtError: of a form that is not read, which is named, with what to do.
    """
    if isinstance(data, dict) and isinstance(data.get("database"), dict) and data["database"]:
        _read_activitynet(file, data["database"])
        return
    records = _records(data)
    _refuse_foreign(file.path, data, records)
    if not records:
        if isinstance(data, dict):
            raise SlowFastExtError(
                f"{file.path}: JSON, but not of a known form: {ACTIVITYNET}, or records with a "
                "path and labels, or labels by paths"
            )
        raise SlowFastExtError(f"{file.path}:1: no form that is known; {ACTIVITYNET}")
    names = list(dict.fromkeys(name for _, record in records for name in record))
    rows = [
        (f"{file.path}: {place}", [_field(file, place, name, record) for name in names])
        for place, record in records
    ]
    read_table(file, Table(names, rows), file.path)
    file.form = "JSON's records" if isinstance(data, list) else "JSON of labels by paths"


def parse_json(path, text):
    """
    What a JSON text holds, or a list of it of lines of one JSON object each.

    Raises:
        SlowFastExtError: not JSON, or a key stands twice.
    """

    def unique(pairs):
        # Python would keep the last and say nothing.
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                raise SlowFastExtError(f'{path}: the key "{shortened(key)}" stands {count} times')
        return dict(pairs)

    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    is_lines = len(lines) > 1 and all(
        line.strip()[:1] + line.strip()[-1:] == "{}" for _, line in lines
    )
    first = 1
    try:
        if not is_lines:
            return json.loads(text, object_pairs_hook=unique)
        data = []
        for first, line in lines:  # noqa: B007
            data.append(json.loads(line, object_pairs_hook=unique))
        return data
    except (ValueError, RecursionError) as error:
        line = f":{first + error.lineno - 1}" if hasattr(error, "lineno") else ""
        raise SlowFastExtError(f"{path}{line}: not JSON ({error})") from error


def _records(data):
    """[(place, {name: value})] of a list of objects, or of an object of videos' names."""
    if isinstance(data, list):
        pairs = [(f"[{number}]", record) for number, record in enumerate(data)]
    elif isinstance(data, dict):
        pairs = list(data.items())
        pairs = [(name, _with_path(name, value)) for name, value in pairs]
    else:
        return []
    return pairs if all(isinstance(record, dict) and record for _, record in pairs) else []


def _with_path(name, value):
    """What an object says of the video `name`: a record, its labels, or None for neither."""
    if isinstance(value, dict):
        known = {plain(key) for key in value}
        has_labels = known & set(LABELS)
        return {**({} if known & set(PATHS) else {"path": name}), **value} if has_labels else None
    is_list = isinstance(value, list) and all(isinstance(item, (str, int)) for item in value)
    return {"path": name, "labels": value} if is_list or isinstance(value, (str, int)) else None


def _refuse_foreign(path, data, records):
    first = data[0] if isinstance(data, list) and data else data
    tops = [data] if isinstance(data, dict) else []
    for some in [*tops, first, *(record for _, record in records[:1])]:
        for keys, name in _FOREIGN:
            if isinstance(some, dict) and keys <= set(some):
                raise SlowFastExtError(f"{path}: is {name}, which is not read: {_WRITE}")


def _field(file, place, name, record):
    """A value as a table's field: a text, or a list of labels."""
    value = record.get(name, "")
    if value is None:
        return ""
    # Label Studio writes several choices so.
    if isinstance(value, dict) and list(value) == ["choices"]:
        value = value["choices"]
    if isinstance(value, list) and all(isinstance(item, (str, int)) for item in value):
        return _labels(file, place, value)
    if isinstance(value, (dict, list)):
        raise SlowFastExtError(
            f"{file.path}: {place}.{name} holds {shortened(json.dumps(value))}, which is not read: "
            f"{_WRITE}"
        )
    return str(value)


def _labels(file, place, values):
    if len(values) > 1 and all(value in (0, 1) and not isinstance(value, str) for value in values):
        raise SlowFastExtError(
            f"{file.path}: {place}: {shortened(str(values))}: class ids, or a 0 or 1 for each "
            "class? Write the names of the labels"
        )
    return [str(value) for value in values]


# --- ActivityNet ----------------------------------------------------------------------


def _read_activitynet(file, database):
    """
    Adds the rows of {"database": {ID: {"annotations": [{"label": ..., "segment": [0.5, 2]}]}}}.

    An annotation without a segment is about the whole video; a video without annotations shows
    no activity. The video is looked up as ID or as v_ID.
    """
    file.form = "ActivityNet's JSON"
    _check_split_key(file, database)
    for video_id, video in database.items():
        key = f"{file.path}: database.{video_id}"
        annotations = video.get("annotations") if isinstance(video, dict) else None
        if not isinstance(annotations, list):
            file.problems.append(f"{key}: has no list of annotations")
            continue
        more = {"side": str(video.get(file.split_column or "subset", ""))}
        name = video_id
        if not file.media.has(name) and file.media.has(f"v_{name}"):
            name = f"v_{name}"
        length, found = seconds(video.get("duration", "")), file.media.find(name)[0]
        if length is not None and found is not None:
            file.durations[found] = (length, key)
        if not annotations:
            file.add(key, name, [], **more)
        for number, annotation in enumerate(annotations):
            _add(file, f"{key}.annotations[{number}]", name, annotation, more)


def _check_split_key(file, database):
    keys = {key for video in database.values() if isinstance(video, dict) for key in video}
    if file.split_column and file.split_column not in keys:
        raise SlowFastExtError(
            f"{file.path}: no video has the key {file.split_column} for --split-column; the keys "
            f"are {', '.join(sorted(keys))}"
        )


def _add(file, key, name, annotation, more):
    label = annotation.get("label") if isinstance(annotation, dict) else None
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    if not isinstance(label, str) or not label.strip():
        file.problems.append(f"{key}: has no label")
        return
    timed = [name for name, value in annotation.items() if seems_timed(name, [value])]
    if timed and "segment" not in annotation:
        file.problems.append(
            f'{key}: {", ".join(timed)}: seems to hold times: write "segment": [START, END] in '
            "seconds"
        )
        return
    segment = annotation.get("segment", ["", ""])
    if not isinstance(segment, list) or len(segment) != 2:
        file.problems.append(f"{key}.segment: must be [START, END] in seconds, not {segment}")
        return
    file.add(key, name, [label], segment, **more)
