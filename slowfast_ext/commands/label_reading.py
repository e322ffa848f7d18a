"""Reading label files by the arguments that `prepare lists`, `summary` and `label-check` share."""

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import read_label_file
from slowfast_ext.prepare.own_media import OwnMedia


def read_labels(args, path):
    """
    Reads a file of labels of the videos below --videos.

    Args:
        args (Namespace): of `arguments.label_arguments`.
        path (str): the file.
    Returns:
        LabelFile
    Raises:
        SlowFastExtError: no such folder, a form that is not known, or an option is empty.
    """
    for option in ("label_columns", "separator"):
        if getattr(args, option) == "":
            name = "--" + option.replace("_", "-")
            raise SlowFastExtError(f"{name} is empty: name a column, or leave it out")
    media = OwnMedia(args.videos, args.frames)
    label_columns = args.label_columns.split(",") if args.label_columns else []
    return read_label_file(path, media, label_columns=label_columns, separator=args.separator or "")
