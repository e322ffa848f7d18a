"""The same videos and the same truth give the same lists, whatever tool wrote the labels."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.prepare import set_files, tool_files
from tests.prepare.all_forms import FORMS, run, write


def lists_of(videos, tmp_path, content, words, capsys):
    """(report, {file: text}) of the command."""
    run(videos, tmp_path, content, words)
    report = json.loads(capsys.readouterr().out)
    return report, {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_lists(form, videos, tmp_path, capsys):
    report, lists = lists_of(videos, tmp_path, FORMS[form][0](), FORMS[form][1], capsys)
    names = dict(zip(tool_files.LABELS, tool_files.LABELS, strict=True))
    if form == "Charades' actions":
        names = tool_files.CHARADES
    elif form in ("JSON of actions by their numbers", "a line a frame"):
        names = set_files.NUMBERS
    wanted = [
        f"{videos}/{video}.mp4,{names[label]},{start},{end}"
        for video, label, start, end in tool_files.TRUTH
    ]
    rows = [line for name in ("train.csv", "test.csv") for line in lists[name].splitlines()[1:]]
    # Labels of equal times share a row.
    assert sorted(parted(rows)) == sorted(wanted)
    assert sorted(lists["classes.txt"].split()) == sorted(names.values())
    assert report["form"] == form.split(" (")[0] or form.split()[0] in (
        "decimal",
        "clocks",
        "frames",
    )


def parted(rows):
    """A row a label."""
    for row in rows:
        path, labels, *times = row.split(",")
        yield from (",".join([path, label, *times]) for label in labels.split(";"))


_NAMES = "".join(f"{number} {name}\n" for name, number in set_files.NUMBERS.items())
_MOMENTS = "a.mp4,0,1\nb.mp4,1,2\nc.mp4,0\n"
# Boxes of a subject called 7, and what BORIS says of it.
_BOXES = "".join(f"{n},7,4,4,20,20,1,run\n" for n in range(1, 11))
_EVENTS = tool_files.boris_tabular().replace("No focal subject", "7")
_SPANS = "video,activity,start,end,score\n/old/a.mp4,run,0.2,0.6,0.9\nb.mp4,jump,0.1,0.5,0.7\n"
# What the files of the commands in docs/OWN_DATA.md hold: a form of FORMS, or the content itself.
DOCUMENTED = {
    "cvat": "CVAT's XML (video)",
    "deepethogram": "a row a frame (DeepEthogram)",
    "simba": "a row a frame (SimBA)",
    "boris_binary": "a row a step of time (BORIS)",
    "solomon": "a row a step of time (Solomon)",
    "bento": "Bento's .annot",
    "multithumos": "a file a class",
    "charades.json": "JSON of actions by their numbers",
    "kabr.csv": "a line a frame",
    "boris.csv": "BORIS' aggregated events",
    "project.boris": "BORIS' project",
    "eaf": "ELAN's .eaf",
    "label_studio.json": "Label Studio's JSON",
    "observer.csv": "Observer's event log",
    "via.csv": "VIA 3's CSV",
    "epic.csv": "EPIC-KITCHENS' CSV",
    "data/labels.csv": "path,labels[,start,end]",
}
CONTENTS = {
    **{name: FORMS[form][0]() for name, form in DOCUMENTED.items()},
    "classes.txt": _NAMES,
    "moments.csv": _MOMENTS,
    "tracks": {f"{video}.txt": _BOXES for video in "abc"},
    "mot": {f"{video}.txt": _BOXES for video in "abc"},
    "events.tsv": _EVENTS,
    "mine.csv": tool_files.plain(),
    "yours.csv": _SPANS,
    "spans.csv": _SPANS,
}
# Commands that need no trained network.
_COMMANDS = r"^python -m slowfast_ext (?:prepare|label-check|summary) (?:.*\\\n)*.*$"


def documented_commands():
    """Those of docs/OWN_DATA.md, as lists of words behind the package's name."""
    text = Path(__file__, "../../../docs/OWN_DATA.md").resolve().read_text()
    blocks = "\n".join(text.split("```")[1::2])
    found = re.findall(_COMMANDS, blocks, re.M)
    return [shlex.split(lines.replace("\\\n", " "))[3:] for lines in found]


def test_every_documented_command_runs(videos, tmp_path, command, monkeypatch):
    """On the files of the tools that the document describes, and tells their form."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    for name in ("clips", "data/demo"):
        Path(name).symlink_to(videos)
    for name, content in CONTENTS.items():
        write(Path(name), content)
    forms, commands = {}, documented_commands()
    for words in commands:
        code, shown, error = command(*words)
        assert code == 0 and not error, (words, error)
        if "--labels" in words and words[1] == "lists":
            labels = words[words.index("--labels") + 1]
            forms[labels] = re.match("form: (.*)", shown)[1].strip("'").replace("''", "'")
    of_moments = {"moments.csv": "path,labels[,start,end]"}
    assert forms == {n: form.split(" (")[0] for n, form in DOCUMENTED.items()} | of_moments
    mentioned = {word for words in commands for word in words}
    # No file is written here that no command takes.
    assert set(CONTENTS) <= mentioned
