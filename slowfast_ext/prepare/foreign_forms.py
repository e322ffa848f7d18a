"""Texts of forms that are not read, by what they begin with: what they are, and what to write."""

import re

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_columns import plain

_CSV = "write a CSV file path,labels,start,end, a row a segment, with times in seconds"
_FRAME_LIST = ["video_id", "frame_id", "path", "labels"]
# Columns of time budgets: BORIS', in either spelling, and `summary`'s.
_COUNTS = ({"total_number_of_occurences"}, {"total_number_of_occurrences"}, {"bouts", "share"})


def refuse_foreign(path, text):
    """Raises SlowFastExtError where a text is of such a form."""
    if text.lstrip().startswith("<"):
        raise SlowFastExtError(f"{path}: is XML, which is not read: {_CSV}")
    header = text.lstrip().split("\n", 1)[0]
    # Another set's file of this name begins with the classes 0, 1 and 2, too, and goes on.
    if re.search(r"_test_split\d\.txt$", path) and re.fullmatch(r"(\S+ [012]\s*)+", text):
        raise SlowFastExtError(
            f"{path}: is HMDB51's list of a split, whose numbers are sides, 1 to train and 2 to "
            "test, and whose class is the file's name: write a CSV file path,labels,split"
        )
    names = set(map(plain, re.split("[,;\t]", header)))
    if any(names >= columns for columns in _COUNTS):
        raise SlowFastExtError(
            f"{path}: counts what happens in each video, 0 times too, and says of nothing when: "
            "give the events themselves"
        )
    if re.split(r"[\s,;]+", header.strip())[1:5] == _FRAME_LIST:
        raise SlowFastExtError(
            f"{path}: is a frame list, which is read where its first line is "
            f'"original_vido_id {" ".join(_FRAME_LIST)}" and blanks part the fields, not commas'
        )
