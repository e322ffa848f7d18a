"""Reading XML: a tree whose elements know their lines, without what XML can do to its readers."""

import xml.etree.ElementTree as ET
from xml.parsers import expat

from slowfast_ext.errors import SlowFastExtError


class Element(ET.Element):
    """An element of a file; `line` is where it begins."""

    line = 0


def parse_xml(path, text):
    """
    Parses an XML file's text.

    Args:
        path (str): the file, for messages.
        text (str): its content, decoded; what it says of its encoding does not count any more.
    Returns:
        Element: the root.
    Raises:
        SlowFastExtError: not well formed, or with a document type, whose entities can grow to
            any size and read other files.
    """
    builder = ET.TreeBuilder(element_factory=Element)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True

    def start(name, attributes):
        builder.start(name, attributes).line = parser.CurrentLineNumber

    def refuse(*_):
        raise SlowFastExtError(
            f"{path}:{parser.CurrentLineNumber}: a document type (<!DOCTYPE>) is not read: export "
            "the file again, or take that part out"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, builder.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(text.encode(errors="surrogatepass"), True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise SlowFastExtError(f"{path}:{error.lineno}: not XML ({reason})") from error
    return builder.close()
