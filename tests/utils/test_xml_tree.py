"""XML that was made to harm is refused by its line; other files' elements know theirs."""

import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.xml_tree import parse_xml


def test_elements_know_their_lines():
    text = '<?xml version="1.0" encoding="UTF-16"?>\n<a>\n  <b n="é"/>\n<c>x &amp; y</c></a>'
    root = parse_xml("f.xml", text)
    assert [(element.tag, element.line) for element in root.iter()] == [
        ("a", 2),
        ("b", 3),
        ("c", 4),
    ]
    assert root.find("b").get("n") == "é" and root.findtext("c") == "x & y"


@pytest.mark.parametrize(
    "text,message",
    [
        ("<a>\n<b></a>", "f.xml:2: not XML (mismatched tag)"),
        ("<a>", "f.xml:1: not XML (no element found)"),
        ("", "f.xml:1: not XML (no element found)"),
        ("<a>\ud800</a>", "f.xml:1: not XML"),
        ("<a>&x;</a>", "f.xml:1: not XML (undefined entity)"),
        ('\n<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "f.xml:2: a document type (<!DOCTYPE>)"),
        ('<!DOCTYPE a SYSTEM "http://example.org/x.dtd"><a/>', "f.xml:1: a document type"),
    ],
)
def test_other_files_are_refused(text, message):
    with pytest.raises(SlowFastExtError) as caught:
        parse_xml("f.xml", text)
    assert message in str(caught.value)


def test_deep_files_are_read():
    depth = 50_000
    assert len(list(parse_xml("f.xml", "<a>" * depth + "</a>" * depth).iter())) == depth
