"""What the commands that match annotations with media have in common."""

import json

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import require_writable_in
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


def conclude(args, report, report_text, failed):
    """
    Prints the report, for people by `report_text` or as JSON.

    Raises:
        SlowFastExtError: `failed`, the sentence on why nothing was written, where there is one.
    """
    print(json.dumps(report) if args.json else report_text(report))
    if failed:
        raise SlowFastExtError(failed)


def first(items):
    """As many of `items` as a report shows, as a list."""
    return list(items)[:MAX_PROBLEMS_SHOWN]


def named(ids):
    """How many, and the first of them by name."""
    if not ids:
        return "none"
    more = ", ..." if len(ids) > MAX_PROBLEMS_SHOWN else ""
    return f"{len(ids)} ({', '.join(map(str, first(ids)))}{more})"
