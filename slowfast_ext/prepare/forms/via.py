"""VIA 3 (video): segments of time with attributes, as CSV and as its project's JSON."""

import json

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.forms.content import as_written_by
from slowfast_ext.prepare.label_columns import plain
from slowfast_ext.prepare.label_tables import Table, fields_of
from slowfast_ext.utils.tables import rows_of_text

_TEXT, _CHECKBOX = 1, 2
_PROJECT = {"project", "config", "attribute", "file", "metadata", "view"}
_HEADER = "# CSV_HEADER ="


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
    if content.json is not None:
        file.form = "VIA 3's project"
        attributes, rows = content.json["attribute"], _project_rows(file, content.json)
    else:
        file.form = "VIA 3's CSV"
        attributes, rows = _attributes(content), _csv_rows(file, content)
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
            for group, labels in _labels(file, where, attributes, values):
                seen.update((group, label) for label in labels)
                file.add(where, files[0], labels, times, group=group)
    file.unused_labels = [name[1] for name in _options(file, attributes) if name not in seen]


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


def _wanted(file, attributes):
    """{id: attribute} of those that are read; tells the file of the others."""
    if not file.label_columns:
        return attributes
    wanted = set(map(plain, file.label_columns))
    found = {i: one for i, one in attributes.items() if plain(one["aname"]) in wanted}
    if not found:
        names = ", ".join(one["aname"] for one in attributes.values())
        raise SlowFastExtError(
            f"{file.path}: no attribute of --label-columns; the attributes are {names}"
        )
    file.unused = [one["aname"] for i, one in attributes.items() if i not in found]
    return found


def _options(file, attributes):
    """[(attribute, option)] of the attributes that are read."""
    return [
        (one["aname"], option)
        for one in _wanted(file, attributes).values()
        for option in (one.get("options") or {}).values()
    ]


def _labels(file, where, attributes, values):
    """Yields (attribute, labels) of a row's values, which are ids of options or texts."""
    wanted, found = _wanted(file, attributes), False
    for number, value in (values or {}).items():
        if number not in attributes:
            file.problems.append(f'{where}: there is no attribute "{number}"')
        elif number in wanted and value != "":
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
