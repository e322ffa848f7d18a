"""
Which images of a folder are a video's frames, and in which order.

A folder may hold several series of images side by side: optical flow beside the frames, a left
and a right camera, masks, a cover. One of them is a video; a path names it by a pattern, such as
clips/a/img_*.jpg.
"""

import fnmatch
import re

import numpy as np

from slowfast_ext.errors import SlowFastExtError

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")
# Cameras that recorded side by side; more are scenes one after the other.
_MOST_CAMERAS = 16
_LEAST_FRAMES = 3


def split_pattern(path):
    """(folder, pattern) of a path such as a/img_*.jpg; the path and None where it has none."""
    folder, _, last = str(path).rstrip("/").rpartition("/")
    return (folder or ".", last) if "*" in last or "?" in last else (str(path), None)


def is_image(name):
    """True for an image that is not hidden (macOS leaves ._x.jpg beside x.jpg)."""
    return name.lower().endswith(IMAGE_ENDINGS) and not name.startswith(".")


def frames_of(path, names, pattern=None):
    """
    The frames of the one series that a folder holds or that a pattern names.

    Args:
        path (str): of the folder, for messages.
        names (iterable[str]): of all that is in it.
        pattern (str or None): with * and ?, as a shell's; a series' own, such as img_*.jpg, means
            this series alone.

    Returns:
        list[str]: in the order of their numbers; empty where nothing is an image.

    Raises:
        SlowFastExtError: there are several series, or numbers are missing.
    """
    names = list(filter(is_image, names))
    if pattern is None:
        series = series_of(names)
    else:
        names = matching(names, pattern)
        series = {pattern: names} if pattern in _by_text(names) else series_of(names)
    if len(series) > 1:
        found = ", ".join(f"{key} ({len(members)})" for key, members in sorted(series.items())[:8])
        largest = max(series, key=lambda key: len(series[key]))
        raise SlowFastExtError(
            f"{path}: holds {len(series)} series of images, {found}: name the one that is the "
            f'video, such as {path}/{largest} (prepare lists: --frames "{largest}")'
        )
    keys = sorted(map(_natural_order, next(iter(series.values()), [])))
    _check_numbers(path, keys)
    return [name for _, name in keys]


def matching(names, pattern):
    """list[str]: the images of the series that has this pattern, or all that match it."""
    for groups in (_by_text(names), series_of(names)):
        if pattern in groups:
            return groups[pattern]
    return fnmatch.filter(names, pattern)


def series_of(names):
    """
    The series that names of images make.

    Returns:
        dict[str, list[str]]: the names of each series by its pattern. Names that differ in more
            than numbers nearly everywhere are one series.
    """
    groups = _by_text(names)
    numbered = {key: members for key, members in groups.items() if "*" in key}
    if not numbered or len(groups) > max(1, len(names) // 2):
        return {"*": names} if names else {}
    series = {key: members for key, members in groups.items() if key not in numbered}
    for key, members in numbered.items():
        series.update(_by_camera(key, members))
    return series


def _by_text(names):
    """{pattern: names}: alike but for numbers, and for the ending where no number is twice."""
    groups = {}
    for name in names:
        stem, _, ending = name.rpartition(".")
        # Numbers as they are written: 1.jpg and 1.png are of two series, 1.jpg and 2.png of one.
        kind = "png" if ending.lower() == "png" else "jpg"
        of_stem = groups.setdefault(re.sub("[0-9]+", "*", stem), {"jpg": {}, "png": {}})
        of_stem[kind][stem] = name
    found = {}
    for stem, kinds in groups.items():
        parts = [of_kind for of_kind in kinds.values() if of_kind]
        if len(parts) == 2 and parts[0].keys().isdisjoint(parts[1]):
            parts = [{**parts[0], **parts[1]}]
        for part in parts:
            members = list(part.values())
            found[f"{stem}.{members[0].rpartition('.')[2]}"] = members
    return found


def _by_camera(key, members):
    """
    {pattern: names}, a series for each number of a camera where there are several.

    They are several where one of the numbers has few values and the others are the same for each:
    cam1_0001 and cam2_0001. Dates and times, whose numbers have two digits each, are not meant.
    """
    numbers = [re.findall("[0-9]+", name.rpartition(".")[0]) for name in members]
    if len(numbers[0]) < 2 or max(len(number) for row in numbers for number in row[-2:]) <= 2:
        return {key: members}
    for place in range(len(numbers[0])):
        others = {}
        for row, name in zip(numbers, members, strict=True):
            rest = others.setdefault(row[place], {})
            rest[tuple(row[:place] + row[place + 1 :])] = name
        first, *further = others.values()
        is_same = all(rest.keys() == first.keys() for rest in further)
        if is_same and 2 <= len(others) <= _MOST_CAMERAS and len(first) >= _LEAST_FRAMES:
            parts = key.split("*")
            before, after = "*".join(parts[: place + 1]), "*".join(parts[place + 1 :])
            return {f"{before}{n}{after}": list(rest.values()) for n, rest in others.items()}
    return {key: members}


def _natural_order(name):
    """Sorting key that puts 2.jpg before 10.jpg; for padded numbers plain order by name."""
    texts_and_numbers = re.split(r"([0-9]+)", name)
    texts_and_numbers[1::2] = map(int, texts_and_numbers[1::2])
    return texts_and_numbers, name


def _check_numbers(path, keys):
    """
    Raises SlowFastExtError where frames that are numbered in even steps have a hole.

    Frames would stand for other times than their own. Names that are not numbers in even steps
    say nothing of times, and pass.

    Args:
        path (str): the folder.
        keys (list[tuple]): the files' `_natural_order`, sorted.
    """
    # What lies between a last number and the end of a name is no more than the ending.
    if len(keys) < 3 or any(parts[-1].lower() not in IMAGE_ENDINGS for parts, _ in keys):
        return
    # The last 18 digits, which an int64 holds.
    steps = np.diff([parts[-2] % 10**18 for parts, _ in keys])
    step = max(steps.min(), 1)
    if (steps < 1).any() or (steps % step).any() or (steps == step).all():
        return
    first = np.flatnonzero(steps != step)[0]
    raise SlowFastExtError(
        f"{path}: frames are missing between {keys[first][1]} and {keys[first + 1][1]} "
        f"({(steps // step - 1).sum()} in all): extract the frames again, or number them "
        "without holes"
    )
