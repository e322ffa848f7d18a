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

What annotation tools and data sets write is read by `prepare.forms`. Of other forms that are
recognised it is said what they are and what to write. Nothing that is a time, a count or a list
becomes the name of a class.
"""

import os
from dataclasses import dataclass, field

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare import label_cells
from slowfast_ext.prepare.class_numbers import name_numbers
from slowfast_ext.prepare.foreign_forms import refuse_foreign
from slowfast_ext.prepare.forms import READERS
from slowfast_ext.prepare.forms.content import Content
from slowfast_ext.prepare.label_columns import plain
from slowfast_ext.prepare.label_json import read_json
from slowfast_ext.prepare.label_lines import read_lines, read_without_header
from slowfast_ext.prepare.label_names import (
    choose_subjects,
    part_labels,
    tell_groups_apart,
    tell_of_flags,
    unify_spellings,
)
from slowfast_ext.prepare.label_tables import read_with_header, rows_of, rows_of_one_video
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.text import parse_number, summary_of_bad_rows

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
        subject (str): which animal or person does it; empty: it is not said.
        unknown (bool): within its time it is not known whether `labels` happen, as where nobody
            has looked; no labels: this holds for all that there are. Where another row shows a
            label it happens all the same. Such rows make no label present, and are written into
            the lists' column `unknown`.
        group (str): what the labels belong to: ELAN's tier, VIA's attribute.
    """

    where: str
    video: str
    labels: tuple[str, ...]
    start: float | None = None
    end: float | None = None
    side: str = ""
    source: str = ""
    subject: str = ""
    unknown: bool = False
    group: str = ""


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
        frame_rate (float or None): of times that count frames; None: the video's own.
        frame_base (int or None): the number of a video's first frame.
        subjects (list[str]): whose labels are read; empty: all.
        class_names (str): a file of names for labels that are numbers; empty: they stay numbers.
        is_of_folder (bool): one of a folder of label files is read.
        facts_are_shared (bool): frame rate and base are another file's too, and may be idle here.

    Attributes:
        form (str): what it is, for people.
        rows (list[LabelRow])
        declared (list[str]): labels that exist, with or without a video.
        unused (list[str]): columns that nothing is read from.
        unused_rows (dict[str, list[str]]): why rows are not used, and their places.
        unused_labels (list[str]): labels that the file knows and no row has.
        spellings (dict[str, list[str]]): labels that stand in other spellings too, and these.
        withheld (list[str]): videos without labels of a test whose labels are withheld.
        ends_early (bool): its text does not end in a whole line: it may have been cut off.
        missing (dict[str, str]): videos that are not in the folder, whose rows are left out, and
            the first place that names them.
        problems (list[str]): what is wrong, each with its place.
        durations (dict[str, (float, str)]): how long a file says that a video is, and where.
        labelled (dict[str, list]): of a video the spans, in seconds, that were labelled, where a
            file says so: outside of them nobody has looked.
        lengths (set[int]): how many labels its rows have, of those that have any.
        like_flags (dict[str, str]): places of rows that may be a 0 or 1 for each class, and these.
    """

    path: str
    media: object
    split_column: str | None = None
    label_columns: list = field(default_factory=list)
    separator: str = ""
    frame_rate: float | None = None
    frame_base: int | None = None
    subjects: list = field(default_factory=list)
    class_names: str = ""
    is_of_folder: bool = False
    facts_are_shared: bool = False
    form: str = ""
    rows: list = field(default_factory=list)
    declared: list = field(default_factory=list)
    unused: list = field(default_factory=list)
    unused_rows: dict = field(default_factory=dict)
    unused_labels: list = field(default_factory=list)
    spellings: dict = field(default_factory=dict)
    withheld: list = field(default_factory=list)
    ends_early: bool = False
    missing: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)
    durations: dict = field(default_factory=dict)
    labelled: dict = field(default_factory=dict)
    lengths: set = field(default_factory=set)
    like_flags: dict = field(default_factory=dict)
    _written: dict = field(default_factory=dict)
    _asked: set = field(default_factory=set)
    _choices: dict = field(default_factory=dict)
    _missing_labels: dict = field(default_factory=dict)

    @property
    def own_name(self):
        """The file's name without its ending: the video of a file that names none."""
        return os.path.splitext(os.path.basename(self.path))[0]

    def fact(self, option, why):
        """
        A fact that is not in the file.

        Args:
            option (str): `frame_rate` or `frame_base`, which says it.
            why (str): what it is needed for.
        Raises:
            SlowFastExtError: it is not given.
        """
        self._asked.add(option)
        if getattr(self, option) is None:
            flag, values = _FACTS[option]
            raise SlowFastExtError(f"{self.path}: {why}: {flag} {values}")
        return getattr(self, option)

    def is_chosen(self, name):
        """
        Whether labels are read of what is called so: an ELAN tier, a VIA attribute, a Label Studio
        control. All are where --label-columns names none; names that no file has are refused.
        """
        self._choices[plain(name)] = name
        return not self.label_columns or plain(name) in map(plain, self.label_columns)

    def skip(self, where, why):
        """Counts a row that is not used."""
        self.unused_rows.setdefault(why, []).append(where)

    def add(self, where, name, labels, times=("", ""), scale=1.0, **more):
        """
        Adds a row, or the problems that it has; rows of videos that are not there are left out.

        Args:
            where (str): its place.
            name (str): of the video, as it is written.
            labels (list[str]), times (pair): as they are written.
            scale (float): seconds a unit of the times.
            more: further fields of LabelRow.
        """
        if name and self.is_missing(where, name):
            self._missing_labels |= dict.fromkeys(filter(None, map(label_cells.clean, labels)))
            return
        video, problem = self.media.find(name) if name else (None, "the path is empty")
        problem = problem or self._other_video(where, video, name)
        found = [problem] if problem else []
        labels = list(filter(None, map(label_cells.clean, labels)))
        self.lengths |= {len(labels)} - {0}
        if label_cells.is_of_flags(labels):
            self.like_flags[where] = ",".join(labels)
        labels = tuple(dict.fromkeys(labels))
        found += filter(None, map(label_cells.problem_of, labels))
        start, end = seconds_of(times, found, scale)
        if found:
            self.problems.append(f"{where}: {'; '.join(found)}")
        else:
            self.rows.append(LabelRow(where, video, labels, start, end, **more))

    def add_frames(self, where, name, labels, frames, base, rate=None, **more):
        """
        Adds a row whose times are frames, as `add` does.

        Args:
            frames (pair): first and last, both included, as they are written; the video's own
                times of them count where no frame rate is given.
            base (int): the number of a video's first frame.
            rate (float or None): of the frames, where the file says it.
        """
        self._asked.add("frame_rate")
        numbers = [parse_number(str(frame)) for frame in frames]
        wrong = [n is None or n % 1 != 0 or n < base for n in numbers]
        if not any(map(str, frames)) or not self.media.has(name):
            self.add(where, name, labels, **more)
        elif any(wrong):
            frame = frames[wrong.index(True)]
            self.problems.append(f'{where}: frame "{frame}" is no whole number from {base} on')
        elif numbers[1] < numbers[0]:
            self.problems.append(f"{where}: last frame {frames[1]} is before first {frames[0]}")
        else:
            first, last = (int(number) - base for number in numbers)
            try:
                times = [self._time_of(name, number, rate) for number in (first, last + 1)]
            except SlowFastExtError as error:
                self.problems.append(f"{where}: {error}")
                return
            self.add(where, name, labels, times, **more)

    def is_missing(self, where, name):
        """Whether a video is not there, and therefore left out; remembers that it is named."""
        is_gone = self.media.is_gone(name)
        if is_gone:
            self.missing.setdefault(name, where)
        return is_gone

    def add_labelled(self, name, start, end):
        """Says that a video was labelled from one time, in seconds, to another."""
        if (video := self.media.find(name)[0]) is not None:
            self.labelled.setdefault(video, []).append((start, end))

    def add_labelled_frames(self, name, first, until):
        """Says the same by frames, which count from 0; `until` is the first one behind."""
        if self.media.find(name)[0] is None:
            return
        try:
            self.add_labelled(name, *(self._time_of(name, n, None) for n in (first, until)))
        except SlowFastExtError:
            # Such a video, or its frames without times, are told of where its labels are added.
            return

    def _time_of(self, name, number, rate):
        """When a frame of a video begins, in seconds to the microsecond; frames count from 0."""
        if rate := self.frame_rate or rate:
            return round(number / rate, 6)
        video, problem = self.media.find(name)
        if problem:
            raise SlowFastExtError(problem)
        time = self.media.time_of_frame(video, number)
        if time is None:
            raise SlowFastExtError(
                f"{name} has frames without times: --frame-rate R says their rate"
            )
        return round(time, 6)

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
        value = time if isinstance(time, float) and time >= 0 else label_cells.seconds(time)
        if value is None:
            problems.append(f'{name} "{time}" is not a number of seconds from 0 on')
            return None, None
        values.append(value * scale)
    if values[1] < values[0]:
        problems.append(f"end {times[1]} is before start {times[0]}")
    return values


def refuse_problems(file, found):
    """
    Raises SlowFastExtError with all that is wrong with the file, or where it names no video that is
    there, and nothing is `found` therefore.
    """
    if file.problems or (file.missing and not found):
        gone = [f"{where}: {file.media.find(name)[1]}" for name, where in file.missing.items()]
        problems = list(dict.fromkeys([*file.problems, *gone]))
        raise SlowFastExtError(summary_of_bad_rows(file.path, problems))


def check_problems(file):
    """Raises SlowFastExtError as `refuse_problems`, and where there is no label."""
    refuse_problems(file, file.rows)
    if not file.rows:
        raise SlowFastExtError(f"{file.path}: holds no labels")


# What says a fact that is not in a file, and how it is called.
_FACTS = {
    "frame_rate": ("--frame-rate", "R says it, in frames a second"),
    "frame_base": ("--frame-base", "0 or --frame-base 1 says which number the first one has"),
}
# What all files of a folder write into.
_OF_A_FOLDER = ("_written", "_asked", "_choices", "missing", "_missing_labels")
_OF_A_FOLDER += ("durations", "labelled", "lengths", "like_flags")
# Which files of a folder are read; annotators leave others beside them.
_ENDINGS = ("csv", "tsv", "txt", "json", "jsonl", "boris", "eaf", "xml", "annot", "xlsx")


def read_label_file(path, media, **options):
    """
    Reads a label file of any of the forms above, or a folder of such files.

    Args:
        path (str): the file; or a folder, whose files may each be about the video of their name.
        media (OwnMedia): its videos.
        options: further arguments of LabelFile; `split_column` is a key of a video in
            ActivityNet's JSON.
    Returns:
        LabelFile: with rows, and `problems` where rows are wrong.
    Raises:
        SlowFastExtError: not readable, of no known form, its header is wrong, or an option is
            given that says nothing about it.
    """
    file = LabelFile(path, media, **options)
    if pathmgr.isdir(path):
        _read_folder(file, options)
    else:
        _read(file)
    for option, (flag, _) in _FACTS.items():
        is_idle = option not in file._asked and not (file.problems or file.facts_are_shared)
        if is_idle and getattr(file, option) is not None:
            raise SlowFastExtError(f"{path}: {flag} is given, but no times here count frames")
    for name in file.label_columns if file._choices else ():
        if plain(name) not in file._choices:
            raise SlowFastExtError(
                f"{path}: nothing is called {name}, for --label-columns; there are "
                f"{', '.join(filter(None, file._choices.values()))}"
            )
    tell_of_flags(file)
    choose_subjects(file)
    known = {label_cells.spelling(label) for row in file.rows for label in row.labels}
    known.update(map(label_cells.spelling, [*file.declared, *file.unused_labels]))
    file.unused_labels += [
        name for name in file._missing_labels if label_cells.spelling(name) not in known
    ]
    if file.class_names:
        name_numbers(file)
    part_labels(file)
    unify_spellings(file)
    tell_groups_apart(file)
    return file


def _read_folder(file, options):
    names = sorted(name for name in pathmgr.ls(file.path) if not name.startswith("."))
    paths = [f"{file.path.rstrip('/')}/{name}" for name in names]
    forms, separators = {}, set()
    for path in paths:
        if pathmgr.isdir(path):
            file.skip(path, "a folder below, whose files are not read")
            continue
        if path.lower().rpartition(".")[2] not in _ENDINGS:
            file.skip(path, "no file of labels by its ending")
            continue
        shared = {name: getattr(file, name) for name in _OF_A_FOLDER}
        shared["is_of_folder"] = True
        part = LabelFile(path, file.media, **options, **shared)
        _read(part)
        forms[part.form] = None
        separators.add(part.separator)
        for name in ("rows", "declared", "unused", "unused_labels", "problems"):
            getattr(file, name).extend(getattr(part, name))
        for why, places in part.unused_rows.items():
            file.unused_rows.setdefault(why, []).extend(places)
    if not forms:
        raise SlowFastExtError(f"{file.path}: holds no label file (.{', .'.join(_ENDINGS)})")
    file.form = " and ".join(forms)
    # What `predict` wrote has one of its own; the labels of other files beside it are asked about.
    file.separator = separators.pop() if len(separators) == 1 else file.separator
    file.declared, file.unused = (
        list(dict.fromkeys(file.declared)),
        list(dict.fromkeys(file.unused)),
    )


def _read(file):
    content = Content(file.path)
    for reader in READERS:
        if reader.recognises(content):
            reader.read(file, content)
            return
    if content.is_archive:
        raise SlowFastExtError(
            f"{file.path}: is a spreadsheet or a zip archive: save the table as CSV in UTF-8"
        )
    refuse_foreign(file.path, content.text[:100_000])
    if content.json is not None:
        read_json(file, content.json)
    else:
        _read_text(file, content.text)


def _read_text(file, text):
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip(' \t",;')]
    if not lines:
        raise SlowFastExtError(f"{file.path}: holds no labels; {_expected()}")
    file.ends_early = not text.endswith(("\n", "\r"))
    rows = rows_of_one_video(file, text) or rows_of(file.path, text, file.media)
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
