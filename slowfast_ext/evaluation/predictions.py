"""`predictions.csv`: the scores of each video, as an evaluation leaves them."""

import numpy as np

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.tables import read_table, write_rows
from slowfast_ext.utils.text import shortened


def write_predictions(path, video_ids, class_names, scores):
    """
    Writes a CSV file of one line a video: its id and its score for each class, [V, A].

    Raises SlowFastExtError where the numbers of ids, names and scores do not fit.
    """
    # As float64 and unrounded, so that reading gives the same floats: ties change the AP.
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(video_ids), len(class_names)):
        raise SlowFastExtError(
            f"{path}: scores of shape {list(scores.shape)} do not fit {len(video_ids)} videos "
            f"and {len(class_names)} classes"
        )
    rows = zip(video_ids, scores.tolist(), strict=True)
    write_rows(path, [["id", *class_names], *([video_id, *row] for video_id, row in rows)])


def read_predictions(path):
    """
    What `write_predictions` wrote: ids, [V], class names, [A], scores, [V, A] float64; raises
    SlowFastExtError, which names file:line.
    """
    table = read_table(path, is_number=lambda name: name != "id")
    class_names = _class_names(path, table.header or [""])
    has_all = table.lengths == len(table.header)
    for length in set(table.lengths[~has_all]):
        what = f"{length - 1} scores, but the header names {len(class_names)} classes"
        table.tell(table.lengths == length, what)
    for name in class_names:
        sentence = f"the score '{{}}' for class '{shortened(name)}' is no number"
        table.tell(has_all & table.rows[name].isna(), sentence, name)
    first_lines = {}
    for line, row in table:
        if not row["id"]:
            table.add(line, ["the video's id is empty"])
        elif row["id"] in first_lines:
            first = first_lines[row["id"]]
            table.add(line, [f"video '{shortened(row['id'])}' stands in line {first} already"])
        first_lines.setdefault(row["id"], line)
    table.check()
    return list(first_lines), class_names, table.rows[class_names].to_numpy(float)


def _class_names(path, header):
    """The class names in the header row of a predictions file; raises SlowFastExtError."""
    if header[0] != "id" or len(header) < 2:
        raise SlowFastExtError(
            f"{path}:1: the header must be 'id' and the class names, separated by commas; it "
            f"begins with '{shortened(header[0])}'"
        )
    names = header[1:]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise SlowFastExtError(f"{path}:1: class '{shortened(twice)}' has more than one column")
    return names
