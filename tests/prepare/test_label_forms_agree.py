"""The same videos and the same truth give the same lists, whatever tool wrote the labels."""

import argparse
import json
import re
import shlex
from pathlib import Path

import pytest

from slowfast_ext.commands import prepare_lists
from slowfast_ext.commands.data_arguments import prepare_lists_arguments
from tests.prepare import set_files, tool_files

_RATE = ["--frame-rate", str(tool_files.RATE)]
# Form -> (what stands in a file, or in the files of a folder; options that say the rest).
FORMS = {
    "path,labels[,start,end]": (tool_files.plain(), []),
    "decimal comma": (tool_files.decimal_comma(), []),
    "clocks": (tool_files.clocks(), []),
    "frames from 0": (tool_files.frames(0), ["--frame-base", "0"]),
    "frames from 1": (tool_files.frames(1), ["--frame-base", "1", *_RATE]),
    "Charades' actions": (tool_files.charades(), []),
    "EPIC-KITCHENS' CSV": (tool_files.epic(), ["--label-columns", "verb"]),
    "BORIS' aggregated events": (tool_files.boris_aggregated(), []),
    "BORIS' tabular events": (tool_files.boris_tabular(), []),
    "BORIS' project": (json.dumps(tool_files.boris_project()), []),
    "ELAN's .eaf": ({f"{name}.eaf": text for name, text in tool_files.elan().items()}, []),
    "Label Studio's JSON": (tool_files.label_studio(), _RATE),
    "Label Studio's JSON_MIN": (tool_files.label_studio_min(), _RATE),
    "Label Studio's CSV": (tool_files.label_studio_csv(), _RATE),
    "Observer's event log": (tool_files.observer().encode("utf-16"), []),
    "VIA 3's CSV": (tool_files.via_csv(), []),
    "VIA 3's project": (json.dumps(tool_files.via_project()), []),
    "CVAT's XML (video)": (set_files.cvat_video(), []),
    "CVAT's XML (images)": (set_files.cvat_images(), []),
    "a row a frame (DeepEthogram)": (set_files.deep_ethogram(), []),
    "a row a frame (SimBA)": (set_files.simba(), []),
    "a row a step of time (BORIS)": (set_files.boris_binary(), []),
    "a row a step of time (Solomon)": (set_files.solomon(), []),
    "JSON of actions by their numbers": (set_files.actions(), []),
    "a line a frame": (set_files.frame_list(), []),
    "Bento's .annot": (set_files.bento(), []),
    "a file a class": (set_files.class_files(), []),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory, write_moving_square):
    folder = tmp_path_factory.mktemp("agree")
    write_moving_square(folder / "a.mp4", 10, fps=10, width=48, height=32)
    for name in "bc":
        (folder / f"{name}.mp4").write_bytes((folder / "a.mp4").read_bytes())
    return folder


def lists_of(videos, tmp_path, content, words, capsys):
    """(report, {file: text}) of the command."""
    labels = tmp_path / "labels"
    if isinstance(content, dict):
        labels.mkdir()
        for name, text in content.items():
            (labels / name).write_text(text)
    else:
        labels.write_bytes(content if isinstance(content, bytes) else content.encode())
    parser = argparse.ArgumentParser()
    prepare_lists_arguments(parser)
    paths = ["--videos", videos, "--labels", labels, "--out", tmp_path / "out"]
    prepare_lists.run(parser.parse_args([*map(str, paths), "--json", *words]))
    report = json.loads(capsys.readouterr().out)
    return report, {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_lists(form, videos, tmp_path, capsys):
    report, lists = lists_of(videos, tmp_path, *FORMS[form], capsys)
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


# What the files of the commands in docs/OWN_DATA.md hold.
DOCUMENTED = {
    "boris.csv": "BORIS' aggregated events",
    "project.boris": "BORIS' project",
    "eaf": "ELAN's .eaf",
    "label_studio.json": "Label Studio's JSON",
    "observer.csv": "Observer's event log",
    "via.csv": "VIA 3's CSV",
    "epic.csv": "EPIC-KITCHENS' CSV",
}


def test_documented_commands(videos, tmp_path, capsys, monkeypatch):
    """Each tool's command in the documentation reads that tool's files."""
    text = Path(__file__, "../../../docs/OWN_DATA.md").resolve().read_text()
    text = text.partition("## From annotation tools")[2].partition("\n## ")[0]
    commands = [
        shlex.split(found.replace("\\\n", " "))[5:]
        for found in re.findall(r"^python -m slowfast_ext prepare lists (?:.*\\\n)*.*$", text, re.M)
    ]
    monkeypatch.chdir(tmp_path)
    Path("clips").symlink_to(videos)
    parser = argparse.ArgumentParser()
    prepare_lists_arguments(parser)
    found = {}
    for words in commands:
        args = parser.parse_args([*words, "--json"])
        if args.labels not in DOCUMENTED:
            continue
        content = FORMS[DOCUMENTED[args.labels]][0]
        if isinstance(content, dict):
            Path(args.labels).mkdir()
            for name, text in content.items():
                Path(args.labels, name).write_text(text)
        else:
            data = content if isinstance(content, bytes) else content.encode()
            Path(args.labels).write_bytes(data)
        prepare_lists.run(args)
        found[args.labels] = json.loads(capsys.readouterr().out)["form"]
    assert found == DOCUMENTED
