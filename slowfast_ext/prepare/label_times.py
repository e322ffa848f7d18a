"""The times of a label file against the lengths of its videos."""

from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from slowfast_ext.errors import SlowFastExtError

# Seconds by which a segment may end after its video: annotators round.
_TOLERANCE = 1.0


def check_times(file):
    """
    Opens all videos; tells the file's problems of those that do not open, and of late times.

    Args:
        file (LabelFile)
    Returns:
        dict: video -> its length in seconds; None for a folder of frames, whose times are not
            checked. Videos that do not open are missing.
    """
    first_row = {}
    for row in file.rows:
        first_row.setdefault(row.video, row)
    with ThreadPoolExecutor() as pool:
        opened = pool.map(lambda video: _seconds(file.media, video), first_row)
        progress = tqdm(opened, "videos", len(first_row), disable=None, leave=False)
        seconds = dict(zip(first_row, progress, strict=True))
    for video, found in seconds.items():
        if isinstance(found, str):
            file.problems.append(f"{first_row[video].where}: {found}")
    for row in file.rows:
        length = seconds[row.video]
        if row.start is None or not isinstance(length, float):
            continue
        if row.start >= length or row.end > length + _TOLERANCE:
            file.problems.append(
                f"{row.where}: {row.start:g} to {row.end:g} s, but {row.video} ends at "
                f"{length:.2f} s"
            )
    _check_durations(file, seconds)
    return {video: found for video, found in seconds.items() if not isinstance(found, str)}


def _check_durations(file, seconds):
    """Tells of a file most of whose videos last otherwise than it says: its unit is another."""
    told = [(v, *said) for v, said in file.durations.items() if isinstance(seconds.get(v), float)]
    wrong = [one for one in told if abs(one[1] - seconds[one[0]]) > max(2.0, 0.1 * one[1])]
    if len(wrong) > len(told) / 2:
        video, duration, where = wrong[0]
        file.problems.append(
            f"{where}: its duration is {duration:g}, and {video} lasts {seconds[video]:.2f} s: are "
            "the times of this file frames, or of other cuts of the videos? Write seconds, or "
            "take its durations out"
        )


def _seconds(media, video):
    """A video's length, None for a folder of frames; what is wrong with it where it is broken."""
    try:
        return media.duration(video)
    except SlowFastExtError as error:
        return str(error)
