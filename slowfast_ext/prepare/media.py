"""What the commands that match annotations with media have in common."""

import json
import math
import os

import yaml

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr, require_writable_in
from slowfast_ext.utils.text import MAX_PROBLEMS_SHOWN


def check_media_arguments(args, files):
    """
    Raises SlowFastExtError where these arguments do not go together, or --out takes no files.

    Args:
        files (list[str]): what is to be written, below --out.
    """
    for option, value in vars(args).items():
        # The empty name would be the current folder, or as good as none.
        if value == "":
            raise SlowFastExtError(f"--{option.replace('_', '-')} is empty: name a folder")
    if args.videos and args.frames:
        raise SlowFastExtError("--videos and --frames are given together: choose one of them")
    if args.annotations_only:
        for option in ("videos", "frames", "out"):
            if getattr(args, option) is not None:
                raise SlowFastExtError(
                    f"--{option} and --annotations-only are given together: the latter reads no "
                    "media and writes nothing; leave one of them out"
                )
        return
    if not args.videos and not args.frames:
        raise SlowFastExtError(
            "neither --videos nor --frames is given: name the folder of the media, or count "
            "without them by --annotations-only"
        )
    if not args.out:
        raise SlowFastExtError("--out is missing: name the folder that gets the lists")
    require_writable_in(args.out, files, "--out")


def check_new_files(folder, contents):
    """
    Raises SlowFastExtError where a folder holds another file of one of these names.

    Args:
        contents (dict[str, str or bytes or None]): what is to be written; None: no file of this
            name, which may not be there.
    """
    for name, content in contents.items():
        path = os.path.join(folder, name)
        content = content.encode() if isinstance(content, str) else content
        # People's own lists have the same names and the same header as these.
        if pathmgr.exists(path) and _bytes_of(path) != content:
            raise SlowFastExtError(
                f"{path} is there already and is not what this command would write: choose "
                "another --out, or delete it"
            )


def _bytes_of(path):
    with pathmgr.open(path, "rb") as stream:
        return stream.read()


def conclude(args, report, notes, failed=None):
    """
    Prints the report as one JSON object, or for people as YAML, with notes on what it means.

    Raises:
        SlowFastExtError: `failed`, the sentence on why nothing was written, where there is one.
    """
    noted = {**report, "notes": notes} if notes else report
    print(json.dumps(report) if args.json else as_yaml(noted))
    if failed:
        raise SlowFastExtError(failed)


def as_yaml(report):
    """A report's YAML, without what it lists beyond MAX_PROBLEMS_SHOWN items."""
    # A sentence is not broken, so that it is found by its words.
    options = {"sort_keys": False, "allow_unicode": True, "width": math.inf}
    return yaml.safe_dump(_cut_short(report), **options).rstrip()


def _cut_short(value):
    if isinstance(value, dict):
        value = {key: _cut_short(item) for key, item in value.items()}
        # Counts are shown in full, what is wrong with single videos is not.
        if not any(isinstance(item, str | float) for item in value.values()):
            return value
        items, number = dict(first(value.items())), len(value) - MAX_PROBLEMS_SHOWN
        return {**items, "...": f"and {number} more"} if number > 0 else items
    if isinstance(value, list):
        number = len(value) - MAX_PROBLEMS_SHOWN
        items = [_cut_short(item) for item in first(value)]
        return [*items, f"... and {number} more"] if number > 0 else items
    return value


def first(items):
    """As many of `items` as a report shows, as a list."""
    return list(items)[:MAX_PROBLEMS_SHOWN]


def named(ids):
    """How many, and the first of them by name."""
    if not ids:
        return "none"
    more = ", ..." if len(ids) > MAX_PROBLEMS_SHOWN else ""
    return f"{len(ids)} ({', '.join(map(str, first(ids)))}{more})"
