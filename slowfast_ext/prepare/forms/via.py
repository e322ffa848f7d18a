"""VIA 3 (video): segments of time with attributes, as CSV and as its project's JSON."""

import json

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.forms.content import as_written_by
from slowfast_ext.prepare.label_tables import Table, fields_of
from slowfast_ext.prepare.shapes import Shape
from slowfast_ext.utils.tables import rows_of_text

_TEXT, _CHECKBOX = 1, 2
_PROJECT = {"project", "config", "attribute", "file", "metadata", "view"}
_HEADER = "# CSV_HEADER ="
# Kinds of regions: rectangles; circles and ellipses, with their numbers; lines and polygons.
_RECTANGLE, _ROUND, _POINTS = 2, {3: 3, 4: 4}, (5, 6, 7)


def recognises(content):
    if content.is_archive:
        return False
    is_csv = content.text.startswith("#") and _HEADER in content.text[:100_000]
    return is_csv or isinstance(content.json, dict) and set(content.json) >= _PROJECT


def read(file, content):
    """Reads the values of all attributes, or of those that --label-columns names."""
    with as_written_by(file, "VIA 3"):
        _read(file, content)


def _read(file, content):
    attributes, rows = _attributes_and_rows(file, content)
    chosen = {i for i, one in attributes.items() if file.is_chosen(one["aname"])}
    file.unused = [one["aname"] for i, one in attributes.items() if i not in chosen]
    seen = set()
    for where, files, times, regions, values in rows:
        if len(files) != 1:
            file.problems.append(f"{where}: is about {len(files)} files: one is expected")
        elif regions:
            file.skip(where, "a region in an image")
        elif len(times) > 2:
            file.problems.append(f"{where}: {len(times)} times: a start and an end are expected")
        else:
            # A single time is a moment, none is the whole file.
            times = times * 2 if len(times) == 1 else times or ("", "")
            for group, labels in _labels(file, where, attributes, chosen, values):
                seen.update((group, label) for label in labels)
                file.add(where, files[0], labels, times, group=group)
    options = [
        (one["aname"], option)
        for i, one in attributes.items()
        for option in (one.get("options") or {}).values()
        if i in chosen
    ]
    file.unused_labels = [option for name, option in options if (name, option) not in seen]


def via_shapes(file, content):
    """
    The boxes of VIA 3's regions, each at a moment of a video.

    Args:
        file (LabelFile): the file and its videos; gets what is wrong with regions.
        content (Content)
    Returns:
        list[Shape]: of no subject; their attributes are VIA's.
    Raises:
        SlowFastExtError: not as VIA 3 writes it, or a video cannot be read.
    """
    with as_written_by(file, "VIA 3"):
        attributes, rows = _attributes_and_rows(file, content)
        found = [_shape(file, attributes, *row) for row in rows if row[3]]
    return list(filter(None, found))


def _shape(file, attributes, where, files, times, region, values):
    """A region's Shape; None, which it tells, or of a video that is not there."""
    if len(files) == 1 and file.is_missing(where, files[0]):
        return None
    video, problem = file.media.find(files[0]) if len(files) == 1 else (None, None)
    corners = _corners(region)
    if len(files) != 1 or len(times) != 1 or corners is None:
        problem = "a region needs one file, one time and a shape with corners"
    elif video is not None and (info := file.media.info(video)).times is None:
        problem = f"{video} has frames without times: boxes at moments are of video files"
    if problem:
        file.problems.append(f"{where}: {problem}")
        return None
    frame = int(np.abs(info.times - float(times[0])).argmin())
    named = _labels(file, where, attributes, attributes, values)
    found = {name: ";".join(labels) for name, labels in named}
    box = tuple(np.divide(corners, [info.width, info.height] * 2).tolist())
    return Shape(where, files[0], "", frame, frame + 1, "", found, box)


def _corners(region):
    """x1, y1, x2, y2 in pixels of VIA's region, its kind and numbers; None where it has none."""
    kind, *numbers = region
    if kind == _RECTANGLE and len(numbers) == 4:
        x, y, width, height = numbers
        return x, y, x + width, y + height
    if kind in _ROUND and len(numbers) == _ROUND[kind]:
        x, y, dx, dy = (*numbers, numbers[-1])[:4]
        return x - dx, y - dy, x + dx, y + dy
    if kind in _POINTS and len(numbers) > 3 and len(numbers) % 2 == 0:
        xs, ys = numbers[::2], numbers[1::2]
        return min(xs), min(ys), max(xs), max(ys)
    return None


def _attributes_and_rows(file, content):
    """({id: attribute}, rows as of `_csv_rows`); sets the form."""
    if content.json is not None:
        file.form = "VIA 3's project"
        return content.json["attribute"], _project_rows(file, content.json)
    file.form = "VIA 3's CSV"
    return _attributes(content), _csv_rows(file, content)


def _csv_rows(file, content):
    """Yields (place, files, times, region, values by attribute) of the lines without a #."""
    lines = content.text.splitlines()
    header = next(line for line in lines if line.startswith(_HEADER))
    names = [name.strip() for name in header.removeprefix(_HEADER).split(",")]
    columns = ["file_list", "temporal_coordinates", "spatial_coordinates", "metadata"]
    if missing := [name for name in columns if name not in names]:
        raise SlowFastExtError(f"{file.path}: CSV_HEADER has no {missing[0]}")
    text = "\n".join("" if line.startswith("#") else line for line in lines)
    rows = [(f"{file.path}:{n}", row) for n, row in rows_of_text(file.path, text)]
    for where, row in fields_of(file, Table(names, rows)):
        cells = [row[names.index(name)] or "[]" for name in columns]
        values = [_parsed(where, name, cell) for name, cell in zip(columns, cells, strict=True)]
        if all(isinstance(value, list) for value in values[:3]):
            yield where, *values
        else:
            file.problems.append(f"{where}: {', '.join(columns[:3])} must be lists")


def _parsed(where, name, text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SlowFastExtError(f"{where}: {name} is not JSON ({error})") from error


def _attributes(content):
    """{id: attribute} of the lines `# ATTRIBUTE = {...}`."""
    found = {}
    for number, line in enumerate(content.text.splitlines(), 1):
        if line.startswith("# ATTRIBUTE ="):
            where = f"{content.path}:{number}"
            found |= _parsed(where, "ATTRIBUTE", line.split("=", 1)[1])
    return found


def _project_rows(file, project):
    names = {fid: one["fname"] for fid, one in project["file"].items()}
    views = {vid: one["fid_list"] for vid, one in project["view"].items()}
    for key, one in project["metadata"].items():
        where = f"{file.path}: metadata.{key}"
        with as_written_by(file, "VIA 3", where):
            row = (
                [names[str(fid)] for fid in views[str(one["vid"])]],
                one["z"],
                one["xy"],
                one["av"],
            )
        yield where, *row


def _labels(file, where, attributes, chosen, values):
    """
    Yields (attribute, labels) of a row's values, which are ids of options or texts, where its id is
    `chosen`.
    """
    found = False
    for number, value in (values or {}).items():
        if number not in attributes:
            file.problems.append(f'{where}: there is no attribute "{number}"')
        elif number in chosen and value != "":
            one = attributes[number]
            options = one.get("options") or {}
            ids = str(value).split(",") if int(one["type"]) == _CHECKBOX else [str(value)]
            if int(one["type"]) == _TEXT:
                options = {str(value): str(value)}
            for i in filter(lambda i: i not in options, ids):
                file.problems.append(f'{where}: {one["aname"]} has no option "{i}"')
            found = True
            yield one["aname"], [options[i] for i in ids if i in options]
    if not found:
        file.skip(where, "no attribute is set")
