"""EPIC-KITCHENS-100's CSV: an action a row, with a verb, nouns and clocks of start and stop."""

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_tables import read_table

_COLUMNS = ("narration_id", "video_id", "start_timestamp", "stop_timestamp", "verb", "noun")


def recognises(content):
    return content.table(*_COLUMNS) is not None


def read(file, content):
    """Reads the labels of the columns that --label-columns names, such as verb and all_nouns."""
    if not file.label_columns:
        raise SlowFastExtError(
            f"{file.path}: is EPIC-KITCHENS' CSV: which labels? --label-columns verb, noun, or "
            "verb,all_nouns"
        )
    # Verbs and nouns stand alone; what joins two words in them, as in take-out, parts nothing.
    file.separator = file.separator or ";"
    read_table(file, content.table(*_COLUMNS), f"{file.path}:1")
    file.form = "EPIC-KITCHENS' CSV"
