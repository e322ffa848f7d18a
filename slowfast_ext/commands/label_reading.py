"""Reading label files by the arguments that `prepare lists`, `summary` and `label-check` share."""

import math
import sys

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import read_label_file
from slowfast_ext.prepare.media import named
from slowfast_ext.prepare.own_media import OwnMedia


def read_labels(args, path):
    """
    Reads labels of the videos below --videos; says which of these are not there.

    Args:
        args (Namespace): of `data_arguments.add_label_arguments`.
        path (str): the file, or the folder of files.
    Returns:
        LabelFile
    Raises:
        SlowFastExtError: an option is empty or no rate, no such folder, or a form that is not
            known.
    """
    if args.frame_rate is not None and not 0 < args.frame_rate < math.inf:
        raise SlowFastExtError(f"--frame-rate is {args.frame_rate:g}: it must be above 0")
    for option in ("split_column", "label_columns", "separator", "subjects", "class_names"):
        if getattr(args, option, None) == "":
            name = "--" + option.replace("_", "-")
            raise SlowFastExtError(f"{name} is empty: name a column, or leave it out")
    file = read_label_file(
        path,
        OwnMedia(args.videos, args.frames),
        split_column=getattr(args, "split_column", None),
        label_columns=args.label_columns.split(",") if args.label_columns else [],
        separator=args.separator or "",
        class_names=args.class_names or "",
        frame_rate=args.frame_rate,
        frame_base=args.frame_base,
        # Two labellers may have two tools, of which one counts frames.
        facts_are_shared=getattr(args, "second", None) is not None,
        subjects=[name.strip() for name in (args.subjects or "").split(",") if name.strip()],
    )
    if file.rows:
        warn_of_missing(path, file.missing, file.media)
    return file


def warn_of_missing(path, missing, media):
    """Says on stderr which videos a file names that are not there; nothing where all are."""
    if missing:
        print(
            f"{path}: videos that are not in {media.folder} are left out, with their labels: "
            f"{named(list(missing))}; the first stands at {next(iter(missing.values()))}",
            file=sys.stderr,
        )
