#!/usr/bin/env bash
# BORIS' export over the "media duration" leaves out events of an observation with a time offset.
#
# Versions: boris-behav-obs 10.0.2, its export functions without their windows (Qt is stood in for).
# Behaviour: times of events count from the time offset, and the export compares them with 0 and the
# media's summed length. Of an observation of 5 s with an offset of 5 s nothing is left, with an
# offset of 2 s what happens in its last 2 s is missing; the function says that all is well. The
# interval "observed events" has all of them.
# Output seen, of events at 1 and 4 s of the media:
#     offset 0: media duration 2, observed events 2
#     offset 2: media duration 1, observed events 2
#     offset 5: media duration 0, observed events 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
# Its Python is 3.13 and newer, and Qt is large: what exports needs neither.
env/bin/pip install -q --no-deps --ignore-requires-python boris-behav-obs==10.0.2
env/bin/pip install -q numpy==2.3.2 pandas==2.3.2 scipy==1.16.1 matplotlib==3.10.5 tablib==3.8.0 \
    hachoir==3.3.0 exifread pillow 2>&1 | grep -v "boris-behav-obs 10.0.2 requires" || true
cat >check.py <<'PY'
import csv
import ctypes.util
import importlib.machinery
import sys
import types
from unittest.mock import MagicMock

WINDOWS = ("PySide6", "shiboken6", "pyqtgraph")
PLAYER = ("boris.mpv", "boris.mpv2", "boris.core_qrc")


class Windows:
    """Stands in for modules of windows and of the player: whatever is asked of them is there."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in WINDOWS or name in PLAYER or "backend_qt" in name:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = self.widget
        return module

    def widget(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {}) if name[0] == "Q" and name != "Qt" else MagicMock()

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Windows())
found = ctypes.util.find_library
ctypes.util.find_library = lambda name: name if name == "mpv" else found(name)

from boris import config as names
from boris import export_observation


def project(offset):
    media = {"length": {"a.mp4": 5.0}, "fps": {"a.mp4": 10.0}, "hasVideo": {"a.mp4": True}}
    observation = {
        "file": {str(player): ["a.mp4"] if player == 1 else [] for player in range(1, 9)},
        "type": "MEDIA",
        "date": "2026-01-01T00:00:00",
        "description": "",
        "time offset": offset,
        "events": [[time + offset, "", "call", "", "", 0] for time in (1.0, 4.0)],
        "observation time interval": [0, 0],
        "independent_variables": {},
        "media_info": media | {"hasAudio": {"a.mp4": False}, "offset": {"1": 0.0}},
    }
    call = {"type": "Point event", "key": "c", "code": "call", "description": "", "color": ""}
    call |= {"category": "", "modifiers": {}, "excluded": "", "coding map": ""}
    conf = dict.fromkeys(("subjects_conf", "independent_variables", "coding_map"), {})
    return conf | {"observations": {"o": observation}, "behaviors_conf": {"0": call}}


def exported(offset, interval):
    whole = project(offset)
    options = {
        names.SELECTED_SUBJECTS: [names.NO_FOCAL_SUBJECT],
        names.SELECTED_BEHAVIORS: ["call"],
        names.TIME_INTERVAL: interval,
    }
    given = (whole, options, "o", whole["observations"]["o"], whole["behaviors_conf"])
    said = export_observation.export_tabular_events(*given, "events.csv", "csv")
    assert said == (True, ""), said
    with open("events.csv", newline="") as stream:
        return sum(1 for row in csv.reader(stream) if any(row)) - 1


for offset, seen in ((0.0, (2, 2)), (2.0, (1, 2)), (5.0, (0, 2))):
    counts = tuple(exported(offset, n) for n in (names.TIME_FULL_OBS, names.TIME_EVENTS))
    print(f"offset {offset:g}: media duration {counts[0]}, observed events {counts[1]}")
    assert counts == seen, "this has changed"
PY
env/bin/python check.py
