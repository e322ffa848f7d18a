"""The truth of `tool_files` in every form that is read, and the lists that come of a form."""

import argparse
import json
from functools import partial

from slowfast_ext.commands import prepare_lists
from slowfast_ext.commands.data_arguments import prepare_lists_arguments
from tests.prepare import set_files, tool_files

_RATE = ["--frame-rate", str(tool_files.RATE)]


def _eaf_files():
    return {f"{name}.eaf": text for name, text in tool_files.elan().items()}


# Form -> (what gives the content of a file, or of the files of a folder; options that say the
# rest).
FORMS = {
    "path,labels[,start,end]": (tool_files.plain, []),
    "decimal comma": (tool_files.decimal_comma, []),
    "clocks": (tool_files.clocks, []),
    "frames from 0": (partial(tool_files.frames, 0), ["--frame-base", "0"]),
    "frames from 1": (partial(tool_files.frames, 1), ["--frame-base", "1", *_RATE]),
    "Charades' actions": (tool_files.charades, []),
    "EPIC-KITCHENS' CSV": (tool_files.epic, ["--label-columns", "verb"]),
    "BORIS' aggregated events": (tool_files.boris_aggregated, []),
    "BORIS' tabular events": (tool_files.boris_tabular, []),
    "BORIS' project": (lambda: json.dumps(tool_files.boris_project()), []),
    "ELAN's .eaf": (_eaf_files, []),
    "Label Studio's JSON": (tool_files.label_studio, _RATE),
    "Label Studio's JSON_MIN": (tool_files.label_studio_min, _RATE),
    "Label Studio's CSV": (tool_files.label_studio_csv, _RATE),
    "Observer's event log": (lambda: tool_files.observer().encode("utf-16"), []),
    "VIA 3's CSV": (tool_files.via_csv, []),
    "VIA 3's project": (lambda: json.dumps(tool_files.via_project()), []),
    "CVAT's XML (video)": (set_files.cvat_video, []),
    "CVAT's XML (images)": (set_files.cvat_images, []),
    "a row a frame (DeepEthogram)": (set_files.deep_ethogram, []),
    "a row a frame (SimBA)": (set_files.simba, []),
    "a row a step of time (BORIS)": (set_files.boris_binary, []),
    "a row a step of time (Solomon)": (set_files.solomon, []),
    "JSON of actions by their numbers": (set_files.actions, []),
    "a line a frame": (set_files.frame_list, []),
    "Bento's .annot": (set_files.bento, []),
    "a file a class": (set_files.class_files, []),
}


def write(path, content):
    """Writes a file, or a folder of files by their names."""
    if isinstance(content, dict):
        path.mkdir()
        for name, part in content.items():
            write(path / name, part)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def run(videos, tmp_path, content, words):
    """Writes tmp_path/labels, and runs the command on them, which writes into tmp_path/out."""
    labels = tmp_path / "labels"
    write(labels, content)
    parser = argparse.ArgumentParser()
    prepare_lists_arguments(parser)
    paths = ["--videos", videos, "--labels", labels, "--out", tmp_path / "out"]
    prepare_lists.run(parser.parse_args([*map(str, paths), "--json", *words]))
