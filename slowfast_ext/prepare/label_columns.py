"""What the columns of a table of labels mean, by their names and by what they hold."""

import re
import unicodedata
from dataclasses import dataclass

from slowfast_ext.datasets.container import VIDEO_ENDINGS
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import seconds

PATHS = (
    *("path", "video", "video_path", "video_file", "video_name", "file", "filename", "file_name"),
    *(
        "file_path",
        "filepath",
        "frame_dir",
        "video_id",
        "clip",
        "clip_name",
        "clip_id",
        "clip_path",
    ),
    *("media", "media_file_name", "media_file", "media_file_path", "videos", "vid", "id", "name"),
)
LABELS = (
    *("labels", "label", "classes", "class", "activities", "activity", "actions", "action", "tags"),
    *("tag", "behaviors", "behaviours", "behavior", "behaviour", "class_name", "label_name"),
    *("activity_name", "action_name", "class_id", "label_id", "class_ids", "label_ids"),
)
SUBJECTS = ("subject", "subject_id", "individual", "animal_id", "person_id")
# What `predict` writes: an activity a row, whatever its name holds.
SPANS = ["video", "activity", "start", "end", "score"]
# What a column is called that says whether a row's label happens at all, or how often.
PRESENCE = ("present", "presence", "is_present", "exists", "occurs", "occurred", "occurrence")
PRESENCE += ("occurrences", "value", "count", "counts", "frequency", "positive", "is_positive")
PRESENCE += ("truth",)
_NO = ("0", "0.0", "-1", "-1.0", "no", "false")
# What a row's video was cut from: `prepare tracks` and Charades' augmented lists.
SOURCES = ("source_video", "charades_video")
SPLITS = ("split", "subset", "set", "partition", "usage", "phase")
# Both of a pair; the first that a table has are its times.
_PAIRS = (("start", "end"), ("start", "stop"), ("begin", "end"), ("begin", "stop"))
_PAIRS += (("onset", "offset"), ("from", "to"))
_UNITS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "ss"), "seconds"),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), "milliseconds"),
    **dict.fromkeys(("frame", "frames", "index", "idx"), "frames"),
}
# Words beside which a time is still a row's own: not so `clip`, whose start lies in another file.
_NEUTRAL = {"time", "times", "timestamp", "t", "in", "segment", "action", "activity", "event"}
_NEUTRAL |= {"label", "annotation", "behavior", "behaviour", "hh", "mm"}
_TIME_WORDS = {word for pair in _PAIRS for word in pair} - {"to", "from"}
_TIME_WORDS |= {"time", "times", "timestamp", "timestamps", "segment", "segments", "interval"}
_TIME_WORDS |= {"t0", "t1", "t2"}
_AS_TIMES = (
    "seems to hold times, and the labels would be put on whole videos: call the columns start and "
    "end, in seconds from the video's start (equal for a moment), or take them out"
)
# Columns of 0 and 1 by which programs say something else than what happens.
_FLAG_NAMES = {
    *("occluded", "outside", "keyframe", "truncated", "difficult", "crowd", "iscrowd", "verified"),
    *(
        "valid",
        "flag",
        "flags",
        "train",
        "val",
        "test",
        "is_train",
        "is_test",
        "fold",
        "background",
    ),
    *("reviewed", "ignore", "ignored", "excluded", "was_cancelled", "ground_truth"),
    *("is_training", "is_testing", "is_val", "is_validation", "is_valid", "is_cc"),
    # Sides, subjects and videos may be numbered 0 and 1.
    *(*SPLITS, *SUBJECTS, *PATHS),
}


def plain(name):
    """A column's name in small letters, its words joined by _: `Start (s)` is start_s."""
    name = unicodedata.normalize("NFC", name)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", name).strip("_").lower()


def place_of(path, names, name, option="--label-columns"):
    """
    The place of the column that an option names, in capitals or not; raises SlowFastExtError, which
    names the columns that there are.
    """
    places = {plain(other): place for place, other in reversed(list(enumerate(names)))}
    if plain(name) not in places:
        raise SlowFastExtError(
            f"{path}: no column {name} for {option}; the columns are {', '.join(names)}"
        )
    return places[plain(name)]


@dataclass(frozen=True)
class TimeColumns:
    """
    The columns of start and end.

    Args:
        start (int), end (int): places in the header.
        scale (float or None): seconds a unit; None: they count frames.
    """

    start: int
    end: int
    scale: float | None = 1.0


def path_column(names, rows, media):
    """
    The column of videos: of those called so the one that names most of them, else the first
    one of which half the fields do.

    Args:
        names (list[str]): the header.
        rows (list[list]): the fields of the rows.
        media (OwnMedia)
    Returns:
        int or None: its place.
    """

    def num_videos(place):
        fields = (row[place] for row in rows if place < len(row))
        return sum(isinstance(field, str) and media.has(field) for field in fields)

    header = [plain(name) for name in names]
    named = [header.index(name) for name in PATHS if name in header]
    if len(named) > 1:
        named.sort(key=lambda place: -num_videos(place))
    if named or not rows:
        return next(iter(named), None)
    return next((p for p in range(len(names)) if 2 * num_videos(p) >= len(rows)), None)


def check_videos(path, names, rows, place, media):
    """
    Raises where there is no column of videos, or it may be one of rows' numbers, as which videos
    are called, too: another column names files that are here, and others than it does.

    Args:
        path (str), names (list[str]), rows (list[list]): of the file, for messages; of the table.
        place (int or None): the column of videos.
        media (OwnMedia)
    """
    if place is None:
        raise SlowFastExtError(
            f"{path}: nothing in it is called path or names videos; there are {', '.join(names)}"
        )
    numbers = [row[place] for row in rows if place < len(row)]
    if not all(isinstance(number, str) and number.isdecimal() for number in numbers):
        return
    for other, name in enumerate(names):
        files = [row[other] for row in rows if other < len(row)]
        are_files = all(isinstance(f, str) and f.lower().endswith(VIDEO_ENDINGS) for f in files)
        is_other = other != place and plain(name) not in SOURCES
        if is_other and files and are_files and all(map(media.has, files)):
            pairs = zip(numbers, files, strict=False)
            if any(media.find(number) != media.find(file) for number, file in pairs):
                raise SlowFastExtError(
                    f"{path}: {names[place]} and {name} name other videos: take the column away "
                    "that numbers the rows"
                )


def refuse_nameless_times(path, names, columns, videos):
    """
    Raises where columns of no known meaning, in which rows of one video differ, can only be times:
    one of clocks or spans, or of numbers and called as a unit; or two neighbours that are start and
    end under names of another language, the first never behind the second.

    Args:
        path (str), names (list[str]), columns (dict[int, list]): as of `time_columns`.
        videos (list[str]): of the same rows.
    """
    numbers = {
        place: [seconds(field) if isinstance(field, str) else None for field in fields]
        for place, fields in columns.items()
        # Flags beside any number are never behind it.
        if any(field not in ("0", "1") for field in fields)
    }
    whole = [p for p, found in numbers.items() if len(found) == len(videos) and None not in found]
    for one, other in zip(whole, whole[1:], strict=False):
        pairs = list(zip(numbers[one], numbers[other], strict=True))
        rises = all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
        if rises and len(set(zip(videos, pairs, strict=True))) > len(set(videos)):
            raise SlowFastExtError(f"{path}: {names[one]} and {names[other]}: {_AS_TIMES}")
    for place in numbers:
        texts = list(map(str, columns[place]))
        differ = len(set(zip(videos, texts, strict=False))) > len(set(videos))
        if differ and _are_times_alone(names[place], texts):
            raise SlowFastExtError(f"{path}: {names[place]}: {_AS_TIMES}")


def _are_times_alone(name, fields):
    """True where a column's fields are all clocks or spans, or numbers below a unit's name."""
    spans = [re.split(r"[-\u2013~]", field) for field in fields]
    if not all(len(span) < 3 and None not in map(seconds, span) for span in spans):
        return False
    is_unit = plain(name) == "t" or _UNITS.get(plain(name)) in ("seconds", "milliseconds")
    # 1:0 is how a game stands.
    return is_unit or all(len(s) == 2 or re.search(r":\d\d", s[0]) for s in spans)


def time_columns(path, names, columns):
    """
    The columns of start and end, in seconds, milliseconds or frames, the first that there are.

    Args:
        path (str): of the file, for messages.
        names (list[str]): the header.
        columns (dict[int, list]): fields of the columns whose meaning is not known yet.
    Returns:
        TimeColumns or None: None where no column has times.
    Raises:
        SlowFastExtError: one of a pair is missing, or a column seems to hold times under a name
            that is not known.
    """
    found = {}
    for place in columns:
        for word, unit in _time_word(names[place]):
            found.setdefault((unit, word), place)
    for unit, scale in (("seconds", 1.0), ("milliseconds", 1e-3), ("frames", None)):
        for pair in _PAIRS:
            if all((unit, word) in found for word in pair):
                return TimeColumns(*(found[unit, word] for word in pair), scale)
    doubtful = [place for place in columns if seems_timed(names[place], columns[place])]
    if not doubtful:
        return None
    halves = {word for unit, word in found if unit == "seconds"} & {"start", "end"}
    if len(halves) == 1:
        missing = ({"start", "end"} - halves).pop()
        raise SlowFastExtError(
            f"{path}: the header has no column {missing}; it is {','.join(names)}"
        )
    shown = " and ".join(names[place] for place in doubtful)
    if {"frame", "frames", "index", "idx"} & set(plain(shown).split("_")):
        raise SlowFastExtError(
            f"{path}: {shown}: frames are not read as times: write start,end in seconds, each "
            "frame's number from 0 divided by the video's frame rate"
        )
    raise SlowFastExtError(f"{path}: {shown}: {_AS_TIMES}")


def _time_word(name):
    """Yields the (word of a pair, unit) that a column's name says: start_sec is a start."""
    words = plain(re.sub(r"(?i)^(start|begin|end|stop)(time|frame|sec)", r"\1_\2", name)).split("_")
    units = [_UNITS[word] for word in words if word in _UNITS]
    rest = [word for word in words if word not in _UNITS and word not in _NEUTRAL]
    if len(rest) == 1 and any(rest[0] in pair for pair in _PAIRS):
        # ELAN's "ss.msec" is seconds with decimals.
        yield rest[0], units[0] if units else "seconds"


def seems_timed(name, fields):
    """True where a column's or a key's name, and all that it holds, may be times or frames."""
    words = set(plain(name).split("_"))
    is_frame = "frame" in words and not words & {"dir", "path", "folder", "rate", "file", "name"}
    if not (words & _TIME_WORDS or is_frame or any(True for _ in _time_word(name))):
        return False
    texts = [" ".join(map(str, f)) if isinstance(f, list) else str(f) for f in fields]
    held = [text for text in texts if text.strip()]
    number = r"[\[(]?[\d.:,\s]+s?([-\u2013;]\s*[\d.:,\s]+s?)?[\])]?"
    return bool(held) and all(seconds(f) is not None or re.fullmatch(number, f) for f in held)


def grouped_number(fields, scale):
    """
    The first of a column's times that may be a whole number with separators of thousands, such as
    1,000 milliseconds; None where there is none, or others show that they part decimals.

    Args:
        fields (list[str])
        scale (float or None): seconds a unit; None: they are numbers of frames.
    """
    # Seconds have decimals behind a point, and behind a comma unless others are whole numbers.
    mark = "," if scale == 1 else "[.,]"
    grouped = [f for f in fields if re.fullmatch(rf"[1-9]\d{{0,2}}({mark}\d{{3}})+", f)]
    whole = [f for f in fields if f.isdecimal()]
    others = set(fields) - {*grouped, *whole, ""}
    return grouped[0] if grouped and not others and (whole or scale != 1) else None


def absent_in(name, fields):
    """
    Those of a column's fields that say that a row's label does not happen.

    Args:
        name (str): of a column beside the one of labels. One that is called as such, too, says so
            where it holds nothing but 1 and -1, as HACS' does; a confidence where it is 0 or 1, as
            Open Images', since it may also be a score, or a level.
        fields (list)
    """
    texts = {str(field).lower() for field in fields}
    is_sign = plain(name) in LABELS and texts == {"1", "-1"}
    is_confidence = plain(name) == "confidence" and texts <= {*_NO, "1", "1.0"}
    if plain(name) in PRESENCE or is_sign or is_confidence:
        return [field for field in fields if str(field).lower() in _NO]
    return []


def further_labels(names, used):
    """
    Columns that are called as one of labels is, but for a number: label, label2.

    Args:
        names (list[str]): the header.
        used (set): places of columns whose meaning is known; None is none.
    """
    stems = {re.sub(r"_?\d+$", "", plain(names[p])) for p in used if p is not None} & set(LABELS)
    return [
        name
        for place, name in enumerate(names)
        if place not in used and re.sub(r"_?\d+$", "", plain(name)) in stems
    ]


def flags_by_name(names):
    """The names that are those of programs' own flags, not of what happens."""
    return [name for name in names if plain(name) in _FLAG_NAMES]
