#!/usr/bin/env bash
# Label Studio's JSON_MIN does not say which region a choice belongs to.
#
# Versions: label-studio-sdk 2.1.2, whose converter makes the exports.
# Behaviour: a Choices control with perRegion="true" gives an answer for each tracked box. The full JSON
# ties both by the region's id. JSON_MIN drops the id: two boxes' answers become a list beside
# the list of boxes, and one box's answer becomes a plain text, the same as an answer for the whole video.
# How long an answer holds, and for whom, cannot be told from it.
# Output seen, of two boxes with an answer each, of one, and of an answer for the whole video:
#     a.mp4: boxes 2, speed ['fast', 'slow']
#     b.mp4: boxes 1, speed 'fast'
#     c.mp4: boxes 0, speed 'fast'
#     ids of regions left: False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -q label-studio-sdk==2.1.2
cat >check.py <<'PY'
import json
from pathlib import Path

from label_studio_sdk.converter import Converter

CONFIG = """
<View>
  <Video name="video" value="$video"/>
  <VideoRectangle name="box" toName="video"/>
  <Labels name="who" toName="video"><Label value="mouse"/></Labels>
  <Choices name="speed" toName="video" perRegion="true">
    <Choice value="fast"/><Choice value="slow"/>
  </Choices>
</View>
"""
REGIONS = ("region-1", "region-2")


def answer(region, speed, value=None):
    value = {**(value or {}), "choices": [speed]}
    return dict(id=region, from_name="speed", to_name="video", type="choices", value=value)


def box_with_answer(region, speed):
    key = dict(frame=1, time=0.04, enabled=True, x=1, y=1, width=5, height=5, rotation=0)
    value = dict(labels=["mouse"], sequence=[key], framesCount=100, duration=4)
    box = dict(id=region, from_name="box", to_name="video", type="videorectangle", value=value)
    return [box, answer(region, speed, value)]


def task(number, name, results):
    return dict(id=number, data={"video": name}, annotations=[dict(id=number, result=results)])


tasks = [
    task(1, "a.mp4", box_with_answer(REGIONS[0], "fast") + box_with_answer(REGIONS[1], "slow")),
    task(2, "b.mp4", box_with_answer(REGIONS[0], "fast")),
    task(3, "c.mp4", [answer("answer-1", "fast")]),
]
Path("tasks.json").write_text(json.dumps(tasks))
Converter(CONFIG, ".").convert_to_json_min("tasks.json", "minimal", is_dir=False)
text = Path("minimal/result.json").read_text()
found = {
    entry["video"]: (len(entry.get("box", ())), entry["speed"]) for entry in json.loads(text)
}
for name, (boxes, speed) in found.items():
    print(f"{name}: boxes {boxes}, speed {speed!r}")
is_left = any(region in text for region in REGIONS)
print("ids of regions left:", is_left)
assert found == {"a.mp4": (2, ["fast", "slow"]), "b.mp4": (1, "fast"), "c.mp4": (0, "fast")}
assert not is_left, "regions can be told apart now"
PY
env/bin/python -W ignore check.py
