"""What a label file says, whatever its form (see `slowfast_ext.prepare.label_forms`)."""

import math
from dataclasses import dataclass, field

from slowfast_ext.datasets.lists import summary_of_bad_rows
from slowfast_ext.errors import SlowFastExtError

TIMES = ("start", "end")


@dataclass(frozen=True)
class LabelRow:
    """
    What one place of a label file says.

    Args:
        where (str): that place, for messages.
        video (str): relative to the folder of videos.
        labels (tuple[str]): names.
        start (float or None), end (float or None): seconds; None: the whole video.
        side (str): what the split column says, as it stands there.
        source (str): what the video was cut from; videos of one source stay together.
    """

    where: str
    video: str
    labels: tuple[str, ...]
    start: float | None = None
    end: float | None = None
    side: str = ""
    source: str = ""


@dataclass
class LabelFile:
    """
    A label file's content.

    Args:
        path (str): of the file.
        media (OwnMedia): where its videos are looked up.
        split_column (str or None): the column that says a video's side.

    Attributes:
        form (str): what it is, for people.
        rows (list[LabelRow])
        declared (list[str]): labels that exist, with or without a video.
        unused (list[str]): columns that nothing is read from.
        problems (list[str]): what is wrong, each with its place.
    """

    path: str
    media: object
    split_column: str | None = None
    form: str = ""
    rows: list = field(default_factory=list)
    declared: list = field(default_factory=list)
    unused: list = field(default_factory=list)
    problems: list = field(default_factory=list)

    def add(self, where, name, labels, times=("", ""), **more):
        """Adds a row, or the problems that it has."""
        video, problem = self.media.find(name) if name else (None, "the path is empty")
        found = [problem] if problem else []
        labels = tuple(dict.fromkeys(filter(None, (" ".join(text.split()) for text in labels))))
        # The lists separate labels by it.
        found += [f'label "{label}" holds a ";"; rename it' for label in labels if ";" in label]
        start, end = seconds_of(times, found)
        if found:
            self.problems.append(f"{where}: {'; '.join(found)}")
        else:
            self.rows.append(LabelRow(where, video, labels, start, end, **more))


def seconds_of(times, problems):
    """Start and end as floats, (None, None) for the whole video; tells `problems` of wrong ones."""
    if not any(str(time) for time in times):
        return None, None
    values = []
    for name, time in zip(TIMES, times, strict=True):
        try:
            value = float(time)
        except (TypeError, ValueError):
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            problems.append(f'{name} "{time}" is not a number of seconds from 0 on')
            return None, None
        values.append(value)
    if values[1] < values[0]:
        problems.append(f"end {times[1]} is before start {times[0]}")
    return values


def check_problems(file):
    """Raises SlowFastExtError with all that is wrong with the file."""
    if file.problems:
        raise SlowFastExtError(summary_of_bad_rows(file.path, file.problems))
    if not file.rows:
        raise SlowFastExtError(f"{file.path}: holds no labels")
