"""PySlowFast's lists of a line a frame, as Animal Kingdom and KABR have them, as segments."""

from slowfast_ext.datasets.charades import read_frame_list
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.frame_spans import Held, add_held, other_length

_COLUMNS = ["video_id", "frame_id", "path", "labels"]


def recognises(content):
    """The first line is `original_vido_id video_id frame_id path labels [type]`."""
    text = "" if content.is_archive else content.text.lstrip()
    words = text.split("\n", 1)[0].split()
    return words[1:5] == _COLUMNS


def read(file, content):
    """
    Adds what the frames of each video show: class ids, of which neighbouring frames' equal ones
    are one segment; ids of all its frames are the whole video's.

    A video is found by its frames' folder, or as a file of that name.

    Raises:
        SlowFastExtError: bad rows, all of them with their lines.
    """
    file.form = "a line a frame"
    # At one frame a second its times are numbers of frames.
    for video in read_frame_list(file.path, 10**9, "", 1.0, check_files=False, outside="any"):
        where = f"{file.path}: {video.id}"
        name = video.id if video.path in ("", ".") else video.path
        if file.is_missing(where, name):
            continue
        found, problem = file.media.find(name)
        try:
            other = problem or other_length(file, found, video.num_frames)
        except SlowFastExtError as error:
            other = str(error)
        if other:
            file.problems.append(f"{where}: {other}")
            continue
        helds = [
            Held(where, round(s.start), round(s.end) + 1, tuple(map(str, s.labels)))
            for s in video.segments
        ]
        if [(held.first, held.until) for held in helds] == [(0, video.num_frames)]:
            file.add(where, name, helds[0].labels)
        else:
            add_held(file, where, name, helds)
