"""What is wrong in a file of any form is told by its place, and nothing is written."""

import re

import pytest

from slowfast_ext.errors import SlowFastExtError
from tests.prepare import tool_files
from tests.prepare.all_forms import FORMS, run

# Forms that have a row or an element for each frame or step of time.
BY_FRAME = {form for form in FORMS if form.startswith("a row a ")} | {"a line a frame"}
BY_FRAME |= {"CVAT's XML (images)"}
# Charades' own times may be swapped; BORIS keeps events by time, CVAT boxes by frame.
IN_ORDER = {"Charades' actions", "BORIS' project", "CVAT's XML (video)", *BY_FRAME}
# A name that the form needs, or a frame's number, and what stands in its place.
OTHERS = {
    "path,labels[,start,end]": ("start,end", "von,bis"),
    "decimal comma": ("Start (s)", "Anfang"),
    "clocks": ("offset", "hint"),
    "frames from 0": ("start_frame", "one"),
    "frames from 1": ("stop_frame", "frames"),
    "Charades' actions": ("actions", "what"),
    "EPIC-KITCHENS' CSV": ("verb", "deed"),
    "BORIS' aggregated events": ("Stop (s)", "Till"),
    "BORIS' tabular events": ("Behavior type", "Kind"),
    "BORIS' project": ('"events"', '"seen"'),
    "ELAN's .eaf": ("TIME_SLOT_REF1", "FIRST"),
    "Label Studio's JSON": ('"result"', '"found"'),
    "Label Studio's JSON_MIN": ('"ranges"', '"spans"'),
    "Label Studio's CSV": ("annotation_id", "number"),
    "Observer's event log": ("Event_Type", "Kind"),
    "VIA 3's CSV": ("temporal_coordinates", "times"),
    "VIA 3's project": ('"av"', '"values"'),
    "CVAT's XML (video)": ("frame=", "number="),
    "CVAT's XML (images)": ("tag label=", "tag name="),
    "a row a frame (DeepEthogram)": ("\n4,", "\n5,"),
    "a row a frame (SimBA)": ("\n0,", "\n2,"),
    "a row a step of time (BORIS)": ("time", "when"),
    "a row a step of time (Solomon)": ("Time", "When"),
    "JSON of actions by their numbers": ('"duration"', '"length"'),
    "a line a frame": ("frame_id", "number"),
    "Bento's .annot": (">run", "run"),
    "a file a class": ("a 0.2", "a soon"),
}


def changed(content, change):
    """The content with the bytes of its first file changed."""
    if isinstance(content, dict):
        first, *rest = content
        return {first: changed(content[first], change), **{name: content[name] for name in rest}}
    return change(content if isinstance(content, bytes) else content.encode())


def renamed(content, old, new):
    """The content with each `old` of its first file another word."""
    is_utf_16 = isinstance(content, bytes) and content[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if is_utf_16 else "utf-8"
    found = changed(content, lambda data: data.decode(encoding).replace(old, new).encode(encoding))
    assert found != content
    return found


def at_times(form, start, end):
    """The content with other times of the second span of a; BORIS' count from its offset."""
    lists, offset = (tool_files.TRUTH, tool_files.BOUTS), tool_files.OFFSET
    kept = [spans[1] for spans in lists]
    try:
        tool_files.TRUTH[1] = ("a", "jump", start, end)
        tool_files.BOUTS[1] = ("ab", "jump", start + offset, end + offset)
        return FORMS[form][0]()
    finally:
        for spans, span in zip(lists, kept, strict=True):
            spans[1] = span


def damaged(form):
    """{what is wrong: content}"""
    content = FORMS[form][0]()
    found = {
        "empty": changed(content, lambda data: b""),
        "not a text": changed(content, lambda data: data[:70] + b"\xff\xfe\xff" + data[70:]),
        "cut in half": changed(content, lambda data: data[: len(data) // 2]),
        "other names": renamed(content, *OTHERS[form]),
    }
    # What is cut off at the end of Label Studio's table is nothing that is read.
    if form != "Label Studio's CSV":
        found["cut at its end"] = changed(content, lambda data: data[:-7])
    times = {"end before start": (0.9, 0.4), "negative": (-0.4, 0.9), "behind": (5.4, 5.9)}
    for name, span in times.items():
        if form not in (IN_ORDER if name == "end before start" else BY_FRAME):
            found[name] = at_times(form, *span)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_bad_input_is_told_by_its_place_and_nothing_is_written(form, videos, tmp_path):
    for what, content in damaged(form).items():
        folder = tmp_path / what
        folder.mkdir()
        with pytest.raises(SlowFastExtError) as caught:
            run(videos, folder, content, FORMS[form][1])
        lines = str(caught.value).replace(f"{folder}/", "").split("\n")
        # One sentence; several rows have one each, below how many they are.
        told = lines[1:] if "bad row" in lines[0] else lines
        files = [f"labels/{name}" for name in content] if isinstance(content, dict) else ["labels"]
        if what in ("end before start", "negative", "behind"):
            # By the line, or by the element.
            assert all(re.match(r"labels[^:]*(:\d+|: \w*[\[.][\w\[\].]+): ", line) for line in told)
        assert all(line.startswith(("labels:", "labels/")) for line in told), (what, lines)
        assert any(file in str(caught.value) for file in files), (what, lines)
        assert not (folder / "out").exists()
