"""Videos of 40 frames at 10 a second, and what a label file says of them."""

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia
from tests.helpers import write_video


def write_videos(folder, names="abc"):
    """videos/a.mp4, ..., of 48 x 32 pixels."""
    (folder / "videos").mkdir()
    first, *others = [folder / "videos" / f"{name}.mp4" for name in names]
    write_video(first, np.zeros((40, 32, 48, 3), np.uint8), 10)
    for path in others:
        path.write_bytes(first.read_bytes())


def read(folder, name, text, **options):
    """The LabelFile of a file of this name and text."""
    (folder / name).write_text(text)
    file = read_label_file(str(folder / name), OwnMedia(str(folder / "videos")), **options)
    check_problems(file)
    return file


def spans(file):
    """(video, label, start, end), and the subject where there is one, of all rows with labels."""
    rows = [row for row in file.rows if row.labels]
    return sorted(
        (r.video, ";".join(r.labels), *(t if t is None else round(t, 6) for t in (r.start, r.end)))
        + ((r.subject,) if r.subject else ())
        for r in rows
    )


def refusal(folder, name, text, **options):
    """What is said of a wrong file, without where it lies."""
    with pytest.raises(SlowFastExtError) as caught:
        read(folder, name, text, **options)
    return str(caught.value).replace(f"{folder}/", "")
