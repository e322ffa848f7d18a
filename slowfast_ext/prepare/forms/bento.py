"""
Bento's .annot: a block for each channel, in it one for each behaviour, in it its bouts.

Whole numbers throughout are frames from 1, as MATLAB counts, both of them included, at the
file's own rate; else they are seconds. The duration of a bout is not read: beside seconds it is
that of frames.
"""

import re

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import seconds
from slowfast_ext.utils.text import shortened

_FIRST = "annotation start frame"


def recognises(content):
    pattern = r"(?ims)\s*((Bento|Tracergui) annotation file|.{0,4000}?^List of annotations:)"
    return not content.is_archive and re.match(pattern, content.text) is not None


def read(file, content):
    """
    Adds the bouts of all channels; those of one behaviour may overlap.

    The video is that of the file's own name where the file names none that is there.

    Raises:
        SlowFastExtError: bouts in frames without a rate, or that do not count from 1.
    """
    file.form = "Bento's .annot"
    lines = content.text.splitlines()
    head, labels, bouts = _parsed(file, lines)
    file.declared = labels
    name = _video_of(file, lines)
    file.add(f"{file.path}:1", name, [])
    _say_labelled(file, name, head)
    in_frames = all(re.fullmatch("[0-9]+", time) for _, _, times in bouts for time in times)
    if not in_frames:
        for where, label, times in bouts:
            file.add(where, name, [label], times)
        return
    rate = _rate(file, head) if bouts else None
    for where, label, (start, end) in bouts:
        if not 0 < int(start) <= int(end):
            file.problems.append(f"{where}: frames {start} to {end}: they count from 1")
        else:
            span = [(int(start) - 1) / rate, int(end) / rate]
            file.add(where, name, [label], span)


def _say_labelled(file, name, head):
    """The head says up to where a trial was labelled, in frames from 1 or in seconds."""
    stop, rate = seconds(head.get("annotation stop frame", "")), head.get("annotation framerate")
    stop = stop / seconds(rate) if stop and seconds(rate) else None
    stop = stop or seconds(head.get("annotation stop time", ""))
    if stop:
        file.add_labelled(name, 0.0, stop)


def _parsed(file, lines):
    """({field of the head: text}, names of behaviours, [(place, behaviour, (start, end))])."""
    head, labels, bouts, behaviour, in_list = {}, [], [], None, False
    is_head = True
    for number, line in enumerate(map(str.strip, lines), 1):
        where = f"{file.path}:{number}"
        if line.endswith("----------"):
            is_head, behaviour = False, None
        elif is_head and ":" in line:
            key, _, value = line.partition(":")
            head.setdefault(key.strip().lower(), value.strip())
            in_list = key.strip().lower() == "list of annotations"
        elif is_head:
            labels += [line] if in_list and line else []
        elif line.startswith(">"):
            behaviour = line[1:].strip()
        elif line and not line.lower().startswith("start"):
            fields = line.split()
            if behaviour is None or not 1 < len(fields) < 4 or None in map(seconds, fields[:2]):
                what = "no Start, Stop and Duration of a behaviour"
                file.problems.append(f'{where}: "{shortened(line)}" is {what}')
            else:
                bouts.append((where, behaviour, fields[:2]))
    if is_head:
        file.problems.append(
            f"{file.path}:{len(lines)}: ends before the bouts of a channel (NAME----------)"
        )
    return head, labels, bouts


def _video_of(file, lines):
    """The one video that the head names and that is there, or the file's own name."""
    for number, line in enumerate(lines):
        if line.lower().startswith("movie file"):
            # Python's writer has it on the next line.
            names = line.partition(":")[2].strip() or " ".join(lines[number + 1 : number + 2])
            return (
                names.strip() if names.strip() and file.media.has(names.strip()) else file.own_name
            )
    return file.own_name


def _rate(file, head):
    """Frames a second; raises SlowFastExtError."""
    first = head.get(_FIRST, "1")
    if seconds(first) != 1:
        raise SlowFastExtError(
            f"{file.path}: Annotation start frame is {shortened(first)}: bouts that count from "
            "another frame than 1 are not read"
        )
    rate = seconds(head.get("annotation framerate", ""))
    if not rate:
        raise SlowFastExtError(
            f"{file.path}: bouts in frames, and no Annotation framerate: write that line above "
            "List of channels"
        )
    return rate
