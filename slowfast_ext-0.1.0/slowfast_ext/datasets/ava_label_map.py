"""The forms of the file that names AVA's classes: `.pbtxt`, and a text list."""

import re

_BLOCKS = ("item", "label")
_KEYS = {"name": "name", "id": "id", "label_id": "id"}
_TOKEN = re.compile(
    r"""(?P<skipped>\s+|\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<word>[\w.+-]+)
    |(?P<mark>.)""",
    re.VERBOSE,
)


def classes_of(text):
    """
    Yields (line, id or None, name or None, None) of each class of a label map's text, and
    (line, None, None, sentence) of what is wrong in it otherwise.
    """
    blocks = re.search(rf"(?m)^\s*(?:{'|'.join(_BLOCKS)})\s*:?\s*\{{", text)
    return _pbtxt_classes(text) if blocks else _listed_classes(text)


def _pbtxt_classes(text):
    """The classes of `item { name: "..." id: N }` or `label { name: "..." label_id: N }`."""
    tokens = _Tokens(text)
    while tokens.kind:
        line, word = tokens.line, tokens.take()
        tokens.skip(":")
        if word not in _BLOCKS or not tokens.skip("{"):
            yield line, None, None, f"'{word}' where 'item {{' or 'label {{' is expected"
            return
        found, sentence = _fields(tokens)
        if sentence:
            yield tokens.line if tokens.kind else line, None, None, sentence
            return
        number = found.get("id")
        if number is not None and not re.fullmatch("[0-9]{1,9}", number):
            yield line, None, None, f"the id '{number}' is not a whole number from 0 on"
        else:
            yield line, None if number is None else int(number), found.get("name"), None


def _fields(tokens):
    """(the fields `name` and `id` of a block, None), or what is wrong at the token reached."""
    found = {}
    while not tokens.skip("}"):
        if not tokens.kind:
            return found, "the item is not closed by }"
        kind, key = tokens.kind, tokens.text
        if kind != "word":
            return found, f"{key} where a field's name or }} is expected"
        if key in _BLOCKS:
            return found, f"'{key}' where the }} of the one before is expected"
        tokens.take()
        if not tokens.skip(":") or tokens.kind not in ("string", "word"):
            return found, f"the field '{key}' has no value: 'name: \"...\"' is the form"
        kept, is_name = _KEYS.get(key), key == "name"
        if kept in found:
            return found, f"the item has a second {kept}: is the one before not closed by }}?"
        if is_name and tokens.kind != "string":
            return found, 'the name is not in ""'
        value = tokens.take()
        if kept:
            found[kept] = re.sub(r"\\(.)", r"\1", value[1:-1]) if is_name else value
        if not tokens.skip(","):
            tokens.skip(";")
    return found, None


class _Tokens:
    """
    A text's tokens, one after the other.

    Attributes:
        kind (str | None): "string", "word" or "mark"; None at the end.
        text (str), line (int): the token, and where it begins.
    """

    def __init__(self, text):
        self._matches = _TOKEN.finditer(text)
        self._next_line = 1
        self.take()

    def take(self):
        """Returns the token and goes on to the next."""
        taken = getattr(self, "text", None)
        self.kind = self.text = None
        for match in self._matches:
            self.line, self._next_line = self._next_line, self._next_line + match[0].count("\n")
            if match.lastgroup != "skipped":
                self.kind, self.text = match.lastgroup, match[0]
                break
        return taken

    def skip(self, mark):
        """True where the token is this mark, which is then left behind."""
        is_there = self.kind == "mark" and self.text == mark
        if is_there:
            self.take()
        return is_there


def _listed_classes(text):
    """The classes of a text list of one class a line."""
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), start=1)]
    lines = [(n, line) for n, line in lines if line and not line.startswith("#")]
    numbered = [re.fullmatch(r"([0-9]{1,9})\s*[\s:,]\s*(.*)", line) for _, line in lines]
    for index, ((n, line), parts) in enumerate(zip(lines, numbered, strict=True), start=1):
        if parts:
            yield n, int(parts[1]), parts[2], None
        elif re.match(r"\w+\s*:|.*[{}]", line):
            yield n, None, None, f"'{line}' is neither a class's name nor of an item {{ ... }}"
        else:
            yield n, None if any(numbered) else index, line, None
