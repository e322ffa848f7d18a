"""Reading labels in the form of ActivityNet's JSON, for `slowfast_ext.prepare.label_forms`."""

import json
from collections import Counter

from slowfast_ext.datasets.list_rows import shortened
from slowfast_ext.errors import SlowFastExtError


def read_activitynet(file, text):
    """
    Adds the rows of {"database": {ID: {"annotations": [{"label": ..., "segment": [0.5, 2]}]}}}.

    An annotation without a segment is about the whole video; a video without annotations shows
    no activity. The video is looked up as ID or as v_ID.

    Raises:
        SlowFastExtError: not JSON, or without such a database, or a key stands twice.
    """
    file.form = "ActivityNet's JSON"
    database = _database(file.path, text)
    _check_split_key(file, database)
    for video_id, video in database.items():
        key = f"{file.path}: database.{video_id}"
        annotations = video.get("annotations") if isinstance(video, dict) else None
        if not isinstance(annotations, list):
            file.problems.append(f"{key}: has no list of annotations")
            continue
        more = {"side": str(video.get(file.split_column, ""))}
        name = video_id
        if not file.media.has(name) and file.media.has(f"v_{name}"):
            name = f"v_{name}"
        if not annotations:
            file.add(key, name, [], **more)
        for number, annotation in enumerate(annotations):
            _add(file, f"{key}.annotations[{number}]", name, annotation, more)


def _database(path, text):
    def unique(pairs):
        # Python would keep the last and say nothing.
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                raise SlowFastExtError(f'{path}: the key "{shortened(key)}" stands {count} times')
        return dict(pairs)

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if hasattr(error, "lineno") else ""
        raise SlowFastExtError(f"{path}{line}: not JSON ({error})") from error
    database = data.get("database") if isinstance(data, dict) else None
    if not isinstance(database, dict) or not database:
        raise SlowFastExtError(
            f'{path}: JSON, but not of a known form: {{"database": {{ID: {{"annotations": '
            '[{"label": NAME, "segment": [START, END]}]}}} is expected'
        )
    return database


def _check_split_key(file, database):
    keys = {key for video in database.values() if isinstance(video, dict) for key in video}
    if file.split_column and file.split_column not in keys:
        raise SlowFastExtError(
            f"{file.path}: no video has the key {file.split_column} for --split-column; the keys "
            f"are {', '.join(sorted(keys))}"
        )


def _add(file, key, name, annotation, more):
    label = annotation.get("label") if isinstance(annotation, dict) else None
    if not isinstance(label, str) or not label.strip():
        file.problems.append(f"{key}: has no label")
        return
    segment = annotation.get("segment", ["", ""])
    if not isinstance(segment, list) or len(segment) != 2:
        file.problems.append(f"{key}.segment: must be [START, END] in seconds, not {segment}")
        return
    file.add(key, name, [label], segment, **more)
