"""Which time of people's videos was labelled: outside of it all labels are unknown."""

from dataclasses import replace

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import seconds_of
from slowfast_ext.utils.tables import read_table
from slowfast_ext.utils.text import summary_of_bad_rows

HEADER = "video,start,end"
# How long a folder of frames is in seconds, a label file does not say: eleven days.
_NO_END = 1e6
# Seconds: a shorter stretch between spans, or after the last, comes from rounded times.
_ROUNDING = 0.1
# Of what files say by themselves: tools count a few frames more or less than there are.
_FEW_FRAMES = 0.25


def read_labelled_spans(path, media):
    """
    Reads a CSV file of the time that was labelled, a row a span; start and end, in seconds, are
    empty where all of a video was. Rows of videos that are not there are left out: that of one that
    is there under another name is missed by `add_unknown_time`.

    Args:
        path (str): the file.
        media (OwnMedia): its videos.
    Returns:
        dict[str, list[(float, float)]]: a video's spans in their order; none: all was labelled.
    Raises:
        SlowFastExtError: not readable, a wrong header, or any bad rows.
    """
    table = read_table(path)
    table.require(HEADER.split(","), HEADER)
    spans = {}
    for line, fields in table:
        if media.is_gone(fields["video"]):
            continue
        video, problem = media.find(fields["video"])
        problems = [problem] if problem else []
        start, end = seconds_of((fields["start"], fields["end"]), problems)
        table.add(line, problems)
        of_video = spans.setdefault(video, [])
        if start is not None:
            of_video.append((start, end))
    table.check()
    return {video: sorted(found) for video, found in spans.items()}


def add_unknown_time(file, path, spans, seconds):
    """
    Adds a row of unknown time for each stretch of the file's videos that was not labelled; tells
    its problems of videos that the spans leave out, and of labels that nobody can have seen.

    Args:
        file (LabelFile)
        path (str), spans (dict): as of `read_labelled_spans`.
        seconds (dict): a video's length, as of `check_times`.
    Raises:
        SlowFastExtError: the spans leave out videos, and nothing is wrong with the labels.
    """
    rows_of, left_out = {}, []
    for row in file.rows:
        rows_of.setdefault(row.video, []).append(row)
    for video, rows in rows_of.items():
        if video not in spans:
            left_out.append(
                f"{path}: does not say which time of {video} was labelled: add a row, with start "
                "and end empty where all of it was"
            )
        for row in rows if spans.get(video) else ():
            is_timed = row.labels and row.start is not None and not row.unknown
            if is_timed and not any(
                row.start <= end and row.end >= start for start, end in spans[video]
            ):
                file.problems.append(
                    f"{row.where}: {row.start:g} to {row.end:g} s of {video} was not labelled by "
                    f"{path}"
                )
        _add_gaps(file, path, rows[0], spans.get(video), seconds.get(video))
    if left_out and not file.problems:
        raise SlowFastExtError(summary_of_bad_rows(path, left_out))
    file.problems += left_out


def add_unlabelled_time(file, seconds):
    """
    Adds a row of unknown time for each stretch of a video that nobody has labelled, as the label
    files themselves say it: a part of a video that a task of CVAT is about, an observation's
    interval.

    Args:
        file (LabelFile)
        seconds (dict): a video's length, as of `check_times`.
    """
    first_of = {}
    for row in file.rows:
        first_of.setdefault(row.video, row)
    for video, row in first_of.items():
        spans = sorted(file.labelled.get(video, ()))
        _add_gaps(file, file.path, row, spans, seconds.get(video), _FEW_FRAMES)


def _add_gaps(file, where, row, spans, length, rounding=_ROUNDING):
    """Adds what spans leave open of a video of `length` seconds as unknown, beside its `row`."""
    for start, end in _gaps(spans, length or _NO_END, rounding):
        times = {"start": start, "end": end, "subject": "", "group": ""}
        file.rows.append(replace(row, where=where, labels=(), unknown=True, **times))


def _gaps(spans, length, rounding):
    """The stretches from 0 to `length` that spans, in their order, leave open."""
    gaps, reach = [], 0.0
    for start, end in spans or ():
        if start - reach > rounding:
            gaps.append((reach, start))
        reach = max(reach, end)
    return [*gaps, (reach, round(length, 3))] if spans and length - reach > rounding else gaps
