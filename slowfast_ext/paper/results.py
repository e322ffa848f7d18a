"""What this code reached: the `results.json` files below a folder, by the row that they name."""

import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.paper.numbers import ACCURACY, MAP

RESULTS_FILE = "results.json"
# What ActivityHead's default form may have and the paper's head has not, of the section ACTIVITY.
_ADDITIONS = ("COLUMN_DIM", "CONTEXT", "EVIDENCE", "RESIDUAL_CORRELATION")


@dataclass(frozen=True)
class Result:
    """
    One `results.json`.

    Attributes:
        row: the ACTIVITY.TABLE_ROW of its config.
        form: its ACTIVITY.FORM, "default" or "as_printed".
        metrics: those that the paper's tables compare and it has, fractions.
        head: its ACTIVITY.HEAD; empty where it does not say.
        additions: keys that give its head what the paper's has not.
        boxes: its AVA.TEST_PREDICT_BOX_LISTS.
        counts: `videos` and `views` of each that were tested, `keyframes` of AVA, int; None
            where it does not say.
        config: its config's name, which is that of its output folder.
        path: the file.
        time: when it was evaluated, seconds since 1970.
    """

    row: str
    form: str
    head: str
    additions: list
    metrics: dict
    boxes: list
    counts: dict
    config: str
    path: str
    time: float

    @property
    def date(self):
        """In UTC, to the minute."""
        return datetime.fromtimestamp(self.time, timezone.utc).strftime("%Y-%m-%d %H:%MZ")


def find_results(folder):
    """
    Reads every `results.json` anywhere below `folder`, also where links lead.

    Returns:
        tuple[list[Result], list[str]]: newest first, and a sentence for each file or folder
            that was passed over; results without a row are not listed and not complained of.

    Raises:
        SlowFastExtError: there is no such folder.
    """
    if not os.path.isdir(folder):
        raise SlowFastExtError(f"--results {folder or repr(folder)}: there is no such folder")
    results, passed_over, seen = [], [], set()

    def unreadable(error):
        passed_over.append(f"{error.filename}: cannot be read ({error.strerror})")

    for parent, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        folders.sort()
        real = os.path.realpath(parent)
        if real in seen:  # Links may lead back to where the walk has been.
            folders.clear()
            continue
        seen.add(real)
        if RESULTS_FILE not in files:
            continue
        path = os.path.join(parent, RESULTS_FILE)
        try:
            result = read_result(path)
        except SlowFastExtError as error:
            passed_over.append(str(error))
            continue
        if result.row:
            results.append(result)
    results.sort(key=lambda result: (-result.time, result.path))
    return results, passed_over


def read_result(path):
    """
    Reads one `results.json`.

    Raises:
        SlowFastExtError: it cannot be read, is not JSON or not a result of this code.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        # Reading a pipe might never end.
        raise SlowFastExtError(f"{path}: not a regular file")
    try:
        with open(path, encoding="utf-8-sig") as stream:
            content = json.load(stream)
            written = os.fstat(stream.fileno()).st_mtime
    except OSError as error:
        raise SlowFastExtError(f"{path}: cannot be read ({error.strerror})") from error
    except json.JSONDecodeError as error:
        raise SlowFastExtError(f"{path}:{error.lineno}: not JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:
        raise SlowFastExtError(f"{path}: not JSON in UTF-8 ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("row"), str):
        raise SlowFastExtError(f"{path}: not a result of slowfast_ext, it names no 'row'")
    config, counts = _section(content, "config"), _section(content, "counts")
    boxes = _section(config, "AVA").get("TEST_PREDICT_BOX_LISTS")
    options = _section(config, "ACTIVITY")
    return Result(
        row=content["row"],
        form=str(options.get("FORM", "default")),
        head=str(options.get("HEAD", "")),
        additions=_additions(options),
        metrics=_metrics(path, content),
        boxes=[str(name) for name in boxes] if isinstance(boxes, list) else [],
        counts={
            "videos": _count(counts.get("videos")),
            "views": _count(_section(content, "protocol").get("num_views")),
            "keyframes": _count(_section(counts, "keyframes").get("evaluated")),
        },
        config=_config_name(config.get("OUTPUT_DIR"), path),
        path=path,
        # Files from before the date was written have their own time.
        time=_time(path, content["date"]) if content.get("date") is not None else written,
    )


def _time(path, date):
    """Seconds since 1970 of an ISO 8601 date, which is UTC where it names no other zone."""
    try:
        moment = datetime.fromisoformat(date)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        # In UTC some dates lie before the first year or after the last.
        return moment.astimezone(timezone.utc).timestamp()
    except (TypeError, ValueError, OverflowError) as error:
        raise SlowFastExtError(
            f"{path}: its date is {date!r}, not one of ISO 8601 in UTC's years"
        ) from error


def _config_name(output_dir, path):
    """The last part of OUTPUT_DIR; where that says nothing, of the folder the file lies in."""
    if isinstance(output_dir, str):
        name = os.path.basename(os.path.normpath(output_dir))
        if name not in ("", ".", ".."):
            return "".join(letter if letter.isprintable() else "?" for letter in name)
    return os.path.basename(os.path.dirname(os.path.abspath(path)))


def _section(mapping, name):
    section = mapping.get(name)
    return section if isinstance(section, dict) else {}


def _additions(options):
    if options.get("FORM", "default") != "default" or options.get("HEAD") != "ActivityHead":
        return []
    return [f"ACTIVITY.{name}" for name in _ADDITIONS if options.get(name)]


def _count(value):
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _metrics(path, content):
    """The metrics of a result; one that is null (nothing to score) is left out."""
    metrics = {name: content[name] for name in (MAP, ACCURACY) if content.get(name) is not None}
    for name, value in metrics.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= 1:
            raise SlowFastExtError(f"{path}: its {name} is {value!r}, not a fraction from 0 to 1")
    return metrics
