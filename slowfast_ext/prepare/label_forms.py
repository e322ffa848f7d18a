"""
Reading people's own labels: which of the usual forms a file has is seen from its content.

    path,labels[,start,end]                          one row a segment; ; | or , between labels
    path[,start,end],run,jump                        a column of 0 and 1 for each label
    {"database": {ID: {"annotations": [...]}}}       ActivityNet's JSON
    [{"path": ..., "labels": [...]}]                 records, or {"a.mp4": [...]}
    label,youtube_id,time_start,time_end[,split]     Kinetics' CSV
    id,...,actions,length                            Charades' CSV: c092 11.90 21.20;...
    path label [label ...]                           lines, as Kinetics' lists
    folder number_of_frames label [label ...]        lines about folders of frames

Of other forms that are recognised it is said what they are and what to write. Nothing that is a
time, a count or a list becomes the name of a class.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, replace

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare import label_cells
from slowfast_ext.prepare.label_json import read_json
from slowfast_ext.prepare.label_lines import read_lines, read_without_header
from slowfast_ext.prepare.label_tables import read_with_header, rows_of
from slowfast_ext.utils.text import decode, read_bytes, summary_of_bad_rows

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
        label_columns (list[str]): the columns of labels; empty: they are found by their names.
        separator (str): between labels; empty: it is found from the file.

    Attributes:
        form (str): what it is, for people.
        rows (list[LabelRow])
        declared (list[str]): labels that exist, with or without a video.
        unused (list[str]): columns that nothing is read from.
        spellings (dict[str, list[str]]): labels that stand in other spellings too, and these.
        withheld (list[str]): videos without labels of a test whose labels are withheld.
        problems (list[str]): what is wrong, each with its place.
    """

    path: str
    media: object
    split_column: str | None = None
    label_columns: list = field(default_factory=list)
    separator: str = ""
    form: str = ""
    rows: list = field(default_factory=list)
    declared: list = field(default_factory=list)
    unused: list = field(default_factory=list)
    spellings: dict = field(default_factory=dict)
    withheld: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    _written: dict = field(default_factory=dict)

    def add(self, where, name, labels, times=("", ""), scale=1.0, **more):
        """
        Adds a row, or the problems that it has.

        Args:
            where (str): its place.
            name (str): of the video, as it is written.
            labels (list[str]), times (pair): as they are written.
            scale (float): seconds a unit of the times.
            more: further fields of LabelRow.
        """
        video, problem = self.media.find(name) if name else (None, "the path is empty")
        problem = problem or self._other_video(where, video, name)
        found = [problem] if problem else []
        labels = tuple(dict.fromkeys(filter(None, map(label_cells.clean, labels))))
        found += filter(None, map(label_cells.problem_of, labels))
        start, end = seconds_of(times, found, scale)
        if found:
            self.problems.append(f"{where}: {'; '.join(found)}")
        else:
            self.rows.append(LabelRow(where, video, labels, start, end, **more))

    def _other_video(self, where, video, name):
        """What is wrong where paths of two videos would both be this one; else None."""
        parts = self.media.parts(name)
        first, first_parts = self._written.setdefault(video, (where, parts))
        shared = min(len(parts), len(first_parts))
        if parts[-shared:] == first_parts[-shared:]:
            return None
        return f'"{name}" would be {video}, as "{"/".join(first_parts)}" at {first}: write the path'


def seconds_of(times, problems, scale=1.0):
    """Start and end as floats, (None, None) for the whole video; tells `problems` of wrong ones."""
    if not any(str(time) for time in times):
        return None, None
    values = []
    for name, time in zip(TIMES, times, strict=True):
        # JSON's true is no number, nor is its null.
        value = label_cells.seconds(time)
        if value is None:
            problems.append(f'{name} "{time}" is not a number of seconds from 0 on')
            return None, None
        values.append(value * scale)
    if values[1] < values[0]:
        problems.append(f"end {times[1]} is before start {times[0]}")
    return values


def check_problems(file):
    """Raises SlowFastExtError with all that is wrong with the file."""
    if file.problems:
        raise SlowFastExtError(summary_of_bad_rows(file.path, file.problems))
    if not file.rows:
        raise SlowFastExtError(f"{file.path}: holds no labels")


_CSV = "write a CSV file path,labels,start,end, a row a segment, with times in seconds"
# What a text of a form that is not read begins with; what it is; what to do.
_FOREIGN = (
    (r"<\?xml[^>]*>\s*<ANNOTATION_DOCUMENT|<ANNOTATION_DOCUMENT", "ELAN's .eaf", None),
    (r"(?s)(<\?xml[^>]*>\s*)?<annotations>.*?<(track|image)\b", "CVAT's XML", None),
    (r"<", "XML", None),
    (r"(?s)#.*?CSV_HEADER *=", "VIA 3's CSV", None),
    (r"(?s).{0,400}?List of (channels|annotations):", "Bento's .annot", None),
    (
        r"(?m)(\"?Observation id\"?\s*[,\t;]\s*[^,\t;\n]*$)",
        "BORIS' old tabular events",
        "export them once more, as Aggregated events",
    ),
)
_FRAME_LIST = ["video_id", "frame_id", "path", "labels"]


def _refuse_foreign(path, text):
    for pattern, name, what in _FOREIGN:
        if re.match(pattern, text.lstrip()):
            raise SlowFastExtError(f"{path}: is {name}, which is not read: {what or _CSV}")
    header = text.lstrip().split("\n", 1)[0]
    words = re.split(r"[\s,;]+", header.strip())
    if words[1:5] != _FRAME_LIST:
        return
    if header.split()[:1] == ["original_vido_id"] and len(header.split()) == len(words):
        raise SlowFastExtError(
            f"{path}: is one of PySlowFast's frame lists: TRAIN.DATASET Charades reads it as it is"
        )
    raise SlowFastExtError(
        f"{path}: is a frame list, which TRAIN.DATASET Charades reads where its first line is "
        f'"original_vido_id {" ".join(_FRAME_LIST)}" and blanks part the fields, not commas'
    )


def read_label_file(path, media, split_column=None, label_columns=(), separator=""):
    """
    Reads a label file of any of the forms above.

    Args:
        path (str): the file.
        media (OwnMedia): its videos.
        split_column (str or None): name of a column (in ActivityNet's JSON: a key of a video).
        label_columns (list[str]), separator (str): of LabelFile.
    Returns:
        LabelFile: with rows, and `problems` where rows are wrong.
    Raises:
        SlowFastExtError: not readable, of no known form, or its header is wrong.
    """
    file = LabelFile(path, media, split_column, list(label_columns), separator)
    data = read_bytes(path)
    if data.startswith(b"PK\x03\x04"):
        raise SlowFastExtError(
            f"{path}: is a spreadsheet or a zip archive: save the table as CSV in UTF-8"
        )
    text = unicodedata.normalize("NFC", decode(path, data))
    _refuse_foreign(path, text[:100_000])
    if re.match(r"\s*(\{|\[\s*[][{\d\"])", text):
        read_json(file, text)
    else:
        _read_text(file, text)
    unify_spellings(file)
    return file


def _read_text(file, text):
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip(' \t",;')]
    if not lines:
        raise SlowFastExtError(f"{file.path}: holds no labels; {_expected()}")
    rows = rows_of(file.path, text, file.media)
    if rows is not None:
        read_with_header(file, rows) or read_without_header(file, rows)
    elif all(len(line.split()) > 1 for _, line in lines):
        read_lines(file, lines)
    else:
        raise SlowFastExtError(
            f"{file.path}:{lines[0][0]}: no form that is known; {_expected()}; a table of a row a "
            "frame, such as DeepEthogram's or BORIS' binary one, must become segments"
        )


def _expected():
    return (
        "expected is a CSV file with the header path,labels[,start,end] or with a column of 0 and "
        "1 for each label, ActivityNet's JSON, Kinetics' CSV (label,youtube_id,time_start,"
        "time_end,split), or lines of: path label, or: folder number_of_frames label"
    )


def unify_spellings(file):
    """Labels that differ in capitals alone become the most frequent of their spellings."""
    counts = Counter(label for row in file.rows for label in row.labels)
    counts.update(dict.fromkeys(file.declared, 0))
    groups = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label)):
        groups.setdefault(label.casefold(), []).append(label)
    file.spellings = {first: rest for first, *rest in groups.values() if rest}
    spelt = {other: first for first, *rest in groups.values() for other in rest}
    for place, row in enumerate(file.rows):
        if spelt.keys() & set(row.labels):
            labels = dict.fromkeys(spelt.get(label, label) for label in row.labels)
            file.rows[place] = replace(row, labels=tuple(labels))
    file.declared = list(dict.fromkeys(spelt.get(label, label) for label in file.declared))
