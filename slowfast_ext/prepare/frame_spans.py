"""Labels that a file counts in frames: which frames hold them, and when these are shown."""

from dataclasses import dataclass

# A file's rows and its video's frames may differ by as many, or by this part.
_FEW, _PART = 2, 0.02


@dataclass(frozen=True)
class Held:
    """
    What is there from one frame up to another.

    Args:
        where (str): the place that says so, for messages.
        first (int): the first frame, from 0.
        until (int): the first frame behind.
        labels (tuple[str])
    """

    where: str
    first: int
    until: int
    labels: tuple


def other_length(file, video, num_rows):
    """
    What is wrong where a file has a row a frame and the video other frames, or None: tools count
    a few more or less than there are.

    Raises:
        SlowFastExtError: the video cannot be read.
    """
    length = file.media.info(video).length
    if file.frame_rate or abs(length - num_rows) <= max(_FEW, _PART * length):
        return None
    return f"{video} has {length} frames: --frame-rate says how many a second were labelled"


def runs_of(helds):
    """
    Joins what follows without a gap, label by label.

    Args:
        helds (iterable[Held])
    Returns:
        list[Held]: of one label each.
    """
    runs, last = [], {}
    for held in sorted(helds, key=lambda held: held.first):
        for label in held.labels:
            place = last.get(label)
            if place is not None and held.first <= runs[place].until:
                before = runs[place]
                until = max(before.until, held.until)
                runs[place] = Held(before.where, before.first, until, before.labels)
            else:
                last[label] = len(runs)
                runs.append(Held(held.where, held.first, held.until, (label,)))
    return runs


def add_held(file, where, name, helds, unknown=(), **more):
    """
    Adds a video, and a row for each run of frames with a label.

    Args:
        file (LabelFile): gets the rows.
        where (str): the place that names the video.
        name (str): of the video, as it is written.
        helds (iterable[Held]): as of `runs_of`.
        unknown (iterable[Held]): likewise, where nobody knows whether the labels are there.
        more: further fields of LabelRow.
    """
    file.add(where, name, [], **more)
    if file.media.has(name):
        for run in runs_of(helds):
            file.add_frames(run.where, name, run.labels, (run.first, run.until - 1), 0, **more)
        for run in runs_of(unknown):
            frames = run.first, run.until - 1
            file.add_frames(run.where, name, run.labels, frames, 0, unknown=True, **more)
