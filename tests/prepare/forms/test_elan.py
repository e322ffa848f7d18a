"""ELAN's annotations: times of slots, tiers that refer to others, and media."""

import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import read_label_file
from slowfast_ext.prepare.own_media import OwnMedia
from tests.prepare.tool_files import elan_document

SLOTS = '<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="t2"/>'
SLOTS += '<TIME_SLOT TIME_SLOT_ID="t3"/><TIME_SLOT TIME_SLOT_ID="t4" TIME_VALUE="4000"/>'
MEDIA = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/x/a.mp4" MIME_TYPE="video/mp4"/>'


def span(name, first, last, value):
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="{first}" '
        f'TIME_SLOT_REF2="{last}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>\n"
    )


def reference(name, other, value, before=""):
    before = f' PREVIOUS_ANNOTATION="{before}"' if before else ""
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{name}" ANNOTATION_REF="{other}"{before}>'
        f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>\n"
    )


def tier(name, annotations, participant="", parent=""):
    who = f' PARTICIPANT="{participant}"' if participant else ""
    who += f' PARENT_REF="{parent}"' if parent else ""
    return f'<TIER TIER_ID="{name}"{who}>{annotations}</TIER>\n'


def labelled(rows):
    return [row for row in rows if row[1]]


def test_slots_without_times_and_tiers_that_refer(read):
    """Slots lie evenly between their neighbours; a chain of references has its end's span."""
    tiers = tier("A", span("a1", "t1", "t2", "run") + span("a2", "t2", "t4", "jump"))
    tiers += tier("B", reference("b1", "a1", "fast") + reference("b2", "b1", ""))
    tiers += tier("C", reference("c1", "b2", "loud"))
    assert read(elan_document(MEDIA, SLOTS, tiers)) == [
        ("a.mp4", "", None, None),
        ("a.mp4", "run", 1, 2),
        ("a.mp4", "jump", 2, 4),
        ("a.mp4", "fast", 1, 2),
        ("a.mp4", "loud", 1, 2),
    ]
    assert [*read.file.unused_rows] == ["an annotation without a value"]
    text = elan_document(MEDIA, SLOTS, tiers)
    assert labelled(read(text, label_columns=["B"])) == [("a.mp4", "fast", 1, 2)]
    assert read.file.unused == ["A", "C"]
    assert "nothing is called D, for --label-columns; there are A, B, C" in (
        read.refusal(text, label_columns=["B", "D"])
    )


def test_symbolic_subdivisions_part_what_they_refer_to(read):
    """ELAN shows each behind its PREVIOUS_ANNOTATION, with an equal part of the parent's time."""
    parts = reference("b3", "a1", "sit", "b2") + reference("b1", "a1", "run")
    parts += reference("b2", "a1", "jump", "b1") + reference("b4", "a2", "lie")
    tiers = tier("A", span("a1", "t1", "t4", "all") + span("a2", "t1", "t2", "few"))
    tiers += tier("B", parts, parent="A")
    tiers += tier("C", reference("c1", "b2", "up") + reference("c2", "b2", "down", "c1"))
    text = elan_document(MEDIA, SLOTS, tiers)
    assert labelled(read(text, label_columns=["B", "C"])) == [
        ("a.mp4", "sit", 3, 4),
        ("a.mp4", "run", 1, 2),
        ("a.mp4", "jump", 2, 3),
        ("a.mp4", "lie", 1, 2),
        ("a.mp4", "up", 2, 2.5),
        ("a.mp4", "down", 2.5, 3),
    ]


def test_a_subdivided_time_is_parted_by_the_slots_of_its_own_tier(read):
    """Another tier's slots may stand between them in the list, and do not count."""
    slots = SLOTS.replace(
        '<TIME_SLOT TIME_SLOT_ID="t2"/>',
        '<TIME_SLOT TIME_SLOT_ID="s1" TIME_VALUE="1100"/><TIME_SLOT TIME_SLOT_ID="t2"/>'
        '<TIME_SLOT TIME_SLOT_ID="s2" TIME_VALUE="1200"/>',
    )
    parts = span("b1", "t1", "t2", "run") + span("b2", "t2", "t3", "sit")
    tiers = tier("B", parts + span("b3", "t3", "t4", "jump"), parent="A")
    tiers += tier("A", span("a1", "t1", "t4", "all")) + tier("X", span("x1", "s1", "s2", "hit"))
    assert labelled(read(elan_document(MEDIA, slots, tiers))) == [
        ("a.mp4", "run", 1, 2),
        ("a.mp4", "sit", 2, 3),
        ("a.mp4", "jump", 3, 4),
        ("a.mp4", "all", 1, 4),
        ("a.mp4", "hit", 1.1, 1.2),
    ]


def test_a_tier_may_be_in_one_file_of_a_folder(tmp_path, read):
    folder = tmp_path / "files"
    folder.mkdir()
    for name, title in (("a", "A"), ("b", "B")):
        text = elan_document("", SLOTS, tier(title, span("a1", "t1", "t2", "run")))
        (folder / f"{name}.eaf").write_text(text)
    media = OwnMedia(str(tmp_path / "videos"))
    rows = read_label_file(str(folder), media, label_columns=["A"]).rows
    assert [row.video for row in rows if row.labels] == ["a.mp4"]
    with pytest.raises(SlowFastExtError, match="nothing is called C, .*; there are A, B"):
        read_label_file(str(folder), media, label_columns=["A", "C"])


def test_tiers_of_equal_values(read):
    """One participant's stand apart, several participants' are the same activity."""
    tiers = tier("left", span("a1", "t1", "t4", "hold") + span("a2", "t1", "t4", "drop"))
    text = elan_document(MEDIA, SLOTS, tiers + tier("right", span("b1", "t1", "t4", "hold")))
    found = [label for _, label, *_ in labelled(read(text))]
    assert found == ["left:hold", "drop", "right:hold"]
    tiers = tier("x@1", span("a1", "t1", "t4", "hold"), "Ann")
    tiers += tier("x@2", span("b1", "t1", "t2", "hold"), "Bo")
    text = elan_document(MEDIA, SLOTS, tiers)
    assert [label for _, label, *_ in labelled(read(text))] == ["hold", "hold"]
    assert labelled(read(text, subjects=["Bo"])) == [("a.mp4", "hold", 1, 2)]


def test_values_that_join_others(read):
    """As in tables: one name or two? --separator decides."""
    tiers = tier("A", span("a1", "t1", "t2", "run, jump") + span("a2", "t2", "t4", "run"))
    tiers += tier("B", span("b1", "t1", "t2", "jump"))
    text = elan_document(MEDIA, SLOTS, tiers)
    assert 'labels:5: "run, jump" is one label or several, whose parts are labels' in (
        read.refusal(text)
    )
    assert [row[1] for row in labelled(read(text, separator=";"))] == ["run, jump", "run", "jump"]
    assert [row[1] for row in labelled(read(text, separator=",", label_columns=["A"]))] == [
        "run;jump",
        "run",
    ]


def test_lines_of_a_value_are_labels(read):
    tiers = tier("A", span("a1", "t1", "t4", "run\njump"))
    assert labelled(read(elan_document(MEDIA, SLOTS, tiers))) == [("a.mp4", "run;jump", 1, 4)]


def test_media(read):
    """Views of one time have their own clocks, and stay together; sound is no video."""
    one = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/x/{}" TIME_ORIGIN="{}"/>'
    media = one.format("a.mp4", 0) + one.format("b.mp4", 1500) + one.format("a.wav", 0)
    tiers = tier("A", span("a1", "t1", "t4", "run"))
    rows = labelled(read(elan_document(media, SLOTS, tiers)))
    assert rows == [("a.mp4", "run", 1, 4), ("b.mp4", "run", 2.5, 5.5)]
    assert len({row.source for row in read.file.rows}) == 1
    relative = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/gone.mp4" RELATIVE_MEDIA_URL="./b.mp4"/>'
    assert labelled(read(elan_document(relative, SLOTS, tiers))) == [("b.mp4", "run", 1, 4)]
    assert labelled(read(elan_document("", SLOTS, tiers), "c.eaf")) == [("c.mp4", "run", 1, 4)]


A = tier("A", span("a1", "t1", "t4", "run"))


@pytest.mark.parametrize(
    "text,message",
    [
        (elan_document(MEDIA.replace("a.mp4", "q.mp4"), SLOTS, A), 'labels:2: no video "file:///'),
        (elan_document(MEDIA, SLOTS, A, units="frames"), "labels:3: TIME_UNITS frames are not"),
        (
            elan_document(MEDIA, SLOTS.replace("t4", "t9"), A),
            "labels:5: its time slots t1 and t4 are not there",
        ),
        (elan_document(MEDIA, SLOTS.replace("4000", "4 s"), A), 'labels:4: TIME_VALUE "4 s" is no'),
        (
            elan_document(MEDIA, '<TIME_SLOT TIME_SLOT_ID="t0"/>' + SLOTS, A),
            "labels:4: the time slot t0 has no time",
        ),
        (elan_document(MEDIA, SLOTS, tier("B", reference("b", "z", "x"))), 'no annotation "z"'),
        (
            elan_document(MEDIA, SLOTS, tier("B", reference("b", "b", "x"))),
            "labels:5: its time slots None and None are not there",
        ),
        (
            elan_document(MEDIA, SLOTS, tier("A", span("a1", "t4", "t1", "run"))),
            "labels:5: end 1.0 is before start 4.0",
        ),
        (
            elan_document(MEDIA.replace("MIME", 'TIME_ORIGIN="x" MIME'), SLOTS, A),
            "labels:3: TIME_ORIGIN is no whole number",
        ),
        (elan_document(MEDIA, SLOTS, A)[:-30], "not XML"),
        ('<!DOCTYPE x [<!ENTITY y "z">]>' + elan_document("", "", "")[39:], "a document type"),
    ],
)
def test_wrong_documents(read, text, message):
    assert message in read.refusal(text)


def test_what_pympi_writes(read):
    elan = pytest.importorskip("pympi.Elan")
    document = elan.Eaf(author="x")
    document.add_linked_file("file:///C:/my%20data/a.mp4", mimetype="video/mp4")
    for name in ("activity", "place"):
        document.add_tier(name)
    document.add_annotation("activity", 500, 2500, "run")
    document.add_annotation("activity", 2500, 3000, "jump")
    document.add_annotation("place", 0, 2750, "field")
    document.to_file(str(read.folder / "pympi.eaf"))
    text = (read.folder / "pympi.eaf").read_text()
    assert sorted(labelled(read(text))) == [
        ("a.mp4", "field", 0, 2.75),
        ("a.mp4", "jump", 2.5, 3),
        ("a.mp4", "run", 0.5, 2.5),
    ]
