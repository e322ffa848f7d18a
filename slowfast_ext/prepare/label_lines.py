"""Labels without names of columns: CSV files without a header, and lines of words."""

import re

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import seconds
from slowfast_ext.prepare.label_tables import Table, read_table
from slowfast_ext.prepare.own_media import VIDEO_ENDINGS
from slowfast_ext.utils.text import shortened


def read_without_header(file, rows):
    """
    Reads path,label[,start,end], path,start,end,label, or path,label,label,... .

    Args:
        file (LabelFile): gets the rows.
        rows (list[(int, list)]): line and fields.
    """
    rows = [(f"{file.path}:{line}", row) for line, row in rows]
    _refuse_options(file, "has no header")
    rests = [(where, row[0], _without_empty_end(row[1:])) for where, row in rows]
    _refuse_missing_first(file, *rests[0])
    order = _order_of_times(file, [rest for _, _, rest in rests])
    if order:
        read_table(file, Table(["path", *order], rows), rows[0][0])
        return
    _check_not_mixed(file, [rest for _, _, rest in rests])
    # A field alone may hold several labels, and so be separated as below a header.
    rows = [(w, [name, rest if len(rest) > 1 else "".join(rest)]) for w, name, rest in rests]
    read_table(file, Table(["path", "labels"], rows), rows[0][0])


def _refuse_options(file, why):
    """Raises where a column is named in a file without names of columns."""
    option = "--split-column" if file.split_column else "--label-columns"
    if file.split_column or file.label_columns:
        raise SlowFastExtError(
            f"{file.path}: {why}: take {option} away, or write a CSV file with a header"
        )


def _refuse_missing_first(file, where, name, rest):
    """Tells of a first video that is not there where its row may be a header: it is all words."""
    is_words = not name.lower().endswith(VIDEO_ENDINGS) and not any(map(_is_number, rest))
    if is_words and file.media.is_gone(name):
        file.problems.append(f"{where}: {file.media.find(name)[1]}")


def _without_empty_end(fields):
    return fields[: max((n for n, field in enumerate(fields, 1) if field), default=0)]


def _order_of_times(file, rests):
    """Names of the columns behind the path where two of them are times, else None."""
    timed = [rest for rest in rests if len(rest) == 3]
    if not timed or any(len(rest) > 3 for rest in rests):
        return None
    if all(field.isdecimal() for rest in timed for field in rest):
        if not file.class_names and all(len(rest) in (0, 1, 3) for rest in rests):
            raise SlowFastExtError(
                f"{file.path}: {','.join(timed[0])}: a class id and its times, or three class "
                "ids? Write path,labels,start,end above it, or name the ids by --class-names"
            )
        return None
    for order in (["labels", "start", "end"], ["start", "end", "labels"]):
        places = [order.index("start"), order.index("end")]
        if all(seconds(rest[place]) is not None for rest in timed for place in places):
            return order
    return None


def _check_not_mixed(file, rows_of_labels):
    """
    Raises SlowFastExtError where each row has a number before or behind names of labels: a time,
    or a number of frames, that would become a class.
    """
    several = [labels for labels in rows_of_labels if len(labels) > 1]
    has_names = any(not _is_number(label) for labels in several for label in labels)
    for place in (0, -1):
        if several and has_names and all(_is_number(labels[place]) for labels in several):
            raise SlowFastExtError(
                f'{file.path}: {shortened(" ".join(several[0]))}: "{several[0][place]}" stands '
                "beside names, is it a time or a number of frames? Write a CSV file with the "
                "header path,labels,start,end, times in seconds"
            )


def _is_number(text):
    return re.fullmatch(r"\d{1,9}(\.\d*)?", text, re.ASCII) is not None


# --- Lines ----------------------------------------------------------------------------


def read_lines(file, lines):
    """
    Reads lines of a path and labels, or of a path, its number of frames and labels.

    Args:
        lines (list[(int, str)]): number and text of those that are not empty.
    """
    _refuse_options(file, "lines have no columns")
    placed = [(f"{file.path}:{line}", text) for line, text in lines]
    parts = [(where, *_name_and_rest(file, where, text)) for where, text in placed]
    _refuse_missing_first(file, *parts[0])
    rests = [rest for _, _, rest in parts]
    found = [file.media.find(name)[0] for _, name, _ in parts]
    has_folders = any(name in file.media.num_frames for name in found)
    if not has_folders:
        _refuse_whole_times(file, rests)
    is_counted = all(len(rest) > 1 and re.fullmatch("[0-9]{1,9}", rest[0]) for rest in rests)
    is_counted = is_counted and (has_folders or _counts_frames(file, found, rests))
    if not is_counted:
        _check_not_mixed(file, rests)
    counted = f"{'folder' if has_folders else 'path'} number_of_frames label"
    file.form = counted if is_counted else "path label"
    for where, name, rest in parts:
        if not is_counted or not has_folders or _check_folder(file, where, name, int(rest[0])):
            words = rest[is_counted:]
            file.add(where, name, [label for word in words for label in re.split("[;,|]", word)])


def _refuse_whole_times(file, rests):
    """Raises where a file of a folder may be a class' in MultiTHUMOS' form, of whole seconds."""
    are_spans = all(
        len(rest) == 2 and all(map(str.isdecimal, rest)) and int(rest[0]) <= int(rest[1])
        for rest in rests
    )
    if file.is_of_folder and are_spans and not file.class_names:
        raise SlowFastExtError(
            f"{file.path}: {' '.join(rests[0])}: two class ids, or start and end of what the file "
            "is called as? Write times with decimals, 1.0, or name the ids by --class-names"
        )


def _counts_frames(file, videos, rests):
    """
    True where the numbers behind the paths of video files are how many frames these have.

    Raises:
        SlowFastExtError: they are not, and are no class ids that stand elsewhere too.
    """
    counts = [int(rest[0]) for rest in rests]
    pairs = [(v, n) for v, n in zip(videos, counts, strict=True) if v is not None]
    if all(abs(_num_frames(file, video) - number) < 2 for video, number in pairs[:3]):
        return True
    behind = {label for rest in rests for label in rest[1:]}
    if all(map(str.isdecimal, behind)) and not any(rest[0] in behind for rest in rests):
        raise SlowFastExtError(
            f"{file.path}: is {rests[0][0]} a class id or a number of frames, which video files "
            "do not need? Write a CSV file with the header path,labels, ids separated by ;"
        )
    return False


def _num_frames(file, video):
    try:
        return file.media.info(video).length
    except SlowFastExtError:
        return -2


def _check_folder(file, where, name, count):
    """True where a line's folder has as many frames as the line says; tells of it else."""
    folder, frames = file.media.find(name)[0], file.media.num_frames
    if folder is None or frames.get(folder, 0) == count:
        return True
    held = f"holds {frames[folder]} frames" if folder in frames else "is no folder"
    file.problems.append(f"{where}: {name} {held}, the line says {count}")
    return False


def _name_and_rest(file, where, line):
    """A line's path, which may hold blanks, and its further words."""
    words = line.split()
    ends = [end for end in range(1, len(words)) if file.media.has(" ".join(words[:end]))]
    # What follows a file's ending is no part of its name.
    ends = [end for end in ends if words[end - 1].lower().endswith(VIDEO_ENDINGS)] or ends
    if len(ends) > 1:
        first, second = (" ".join(words[:end]) for end in ends[:2])
        raise SlowFastExtError(
            f'{where}: is it about "{first}" or "{second}"? Write the path with its ending, or a '
            "CSV file path,labels"
        )
    if not ends:
        # A missing video's name may hold blanks, too.
        words_of_files = (word.lower().endswith(VIDEO_ENDINGS) for word in words[:-1])
        ends = [end for end, is_file in enumerate(words_of_files, 1) if is_file]
    end = ends[0] if ends else 1
    return " ".join(words[:end]), words[end:]
