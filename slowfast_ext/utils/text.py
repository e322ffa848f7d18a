"""Reading text files: bytes, lines, numbers, and what is said of bad ones."""

import difflib

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import pathmgr


def read_text(path):
    """Reads a UTF-8 file with or without byte-order mark; raises SlowFastExtError."""
    return decode(path, read_bytes(path))


def read_bytes(path):
    """Reads a file; raises SlowFastExtError."""
    try:
        with pathmgr.open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        reason = error.strerror or error
        raise SlowFastExtError(f"{path}: cannot be read ({reason}); check the path") from error


def decode(path, data):
    """The text of a UTF-8 file's bytes; raises SlowFastExtError as `read_text` does."""
    try:
        return data.decode("utf-8-sig")  # Spreadsheets write a byte-order mark.
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SlowFastExtError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from error


def read_words(path):
    """
    Reads a UTF-8 file line by line, since some have millions: yields (line number, its words) of
    lines that are not blank; raises SlowFastExtError.
    """
    try:
        with pathmgr.open(path, "r", encoding="utf-8-sig") as stream:
            for line, text in enumerate(stream, start=1):
                if words := text.split():
                    yield line, words
    except (OSError, UnicodeDecodeError):
        read_text(path)  # Says where and why.
        raise


def parse_number(text):
    """The number that a text holds, as a float, or None; Python's own 1_0 for 10 is none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def shortened(text, width=80):
    """The text, or its beginning: what a message quotes may be a whole file's line."""
    return text if len(text) <= width else f"{text[: width - 3]}..."


MAX_PROBLEMS_SHOWN = 20


def refuse_bad_rows(path, bad_rows):
    """Raises SlowFastExtError that names them where there are any."""
    if bad_rows:
        raise SlowFastExtError(summary_of_bad_rows(path, bad_rows))


def summary_of_bad_rows(path, bad_rows):
    """The message about bad rows of a file or folder: how many there are, then the first."""
    rows = "1 bad row" if len(bad_rows) == 1 else f"{len(bad_rows)} bad rows"
    lines = [f"{path}: {rows}; correct or remove:", *bad_rows[:MAX_PROBLEMS_SHOWN]]
    if len(bad_rows) > MAX_PROBLEMS_SHOWN:
        lines.append(f"... and {len(bad_rows) - MAX_PROBLEMS_SHOWN} more")
    return "\n".join(lines)


def nearest(word, words):
    """`; did you mean X?`, or nothing where no known word is near."""
    # A right name in a wrong section is as common as a misspelt one.
    section, _, last = word.rpartition(".")
    beside = [known for known in words if section and known.rpartition(".")[0] == section]
    close = difflib.get_close_matches(word, beside, n=1, cutoff=0.9)
    close = close or [known for known in words if known.rpartition(".")[2] == last]
    close = close or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
