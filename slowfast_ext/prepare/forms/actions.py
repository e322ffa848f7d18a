"""
JSON of actions by their numbers, as for temporal localisation (Charades, MultiTHUMOS, TSU):
{ID: {"subset": "training", "duration": 24.8, "actions": [[class number, start, end], ...]}}.
"""

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import seconds
from slowfast_ext.utils.text import shortened


def recognises(content):
    data = content.json
    videos = list(data.values()) if isinstance(data, dict) else []
    return any(isinstance(video, dict) and "actions" in video for video in videos)


def read(file, content):
    """
    Adds the actions of each video.

    Times are in the unit of `duration`, which stands for the video's whole length: seconds or
    frames. What ends behind it ends with the video.

    Raises:
        SlowFastExtError: no video has the key that --split-column names.
    """
    data = content.json
    file.form = "JSON of actions by their numbers"
    key = file.split_column or "subset"
    videos = [video for video in data.values() if isinstance(video, dict)]
    if file.split_column and not any(key in video for video in videos):
        raise SlowFastExtError(f"{file.path}: no video has the key {key} for --split-column")
    for name, video in data.items():
        where = f"{file.path}: {shortened(name)}"
        actions = video.get("actions") if isinstance(video, dict) else None
        length = seconds(video.get("duration", "")) if isinstance(video, dict) else None
        if not isinstance(actions, list) or not length:
            file.problems.append(f"{where}: has no list of actions, or no duration above 0")
            continue
        side = str(video.get(key, ""))
        file.add(where, name, [], side=side)
        found, problem = file.media.find(name)
        if problem:
            continue
        try:
            scale = _seconds(file, found) / length
        except SlowFastExtError as error:
            file.problems.append(f"{where}: {error}")
            continue
        for number, action in enumerate(actions):
            _add(file, f"{where}.actions[{number}]", name, action, (length, scale, side))


def _seconds(file, video):
    """A video's length; raises SlowFastExtError where it is not known."""
    info = file.media.info(video)
    if info.duration is not None:
        return info.duration
    return info.length / file.fact("frame_rate", f"{video} does not say when its frames are shown")


def _add(file, where, name, action, video):
    length, scale, side = video
    if not isinstance(action, list) or len(action) != 3 or None in map(seconds, action[1:]):
        form = f"must be [class number, start, end], not {shortened(str(action))}"
        file.problems.append(f"{where}: {form}")
        return
    label, start, end = action
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, bool) or not isinstance(label, (int, str)):
        file.problems.append(f"{where}: {shortened(str(label))} is no class's number")
        return
    # Charades' own times may lie behind the length that it gives.
    times = start, min(seconds(end), length)
    file.add(where, name, [str(label)], times, scale, side=side)
