#!/usr/bin/env bash
# Datumaro takes AVA's boxes, shares of the frame, for pixels.
#
# Versions: datumaro 1.13.12, protobuf 7.36.2 (which the importer needs and the package does not ask for).
# Behaviour: AVA's files give corners as shares of width and height (0 to 1). The importer "ava" keeps
# the numbers as they are in boxes that count in pixels everywhere else in Datumaro, though it knows
# the frame's size. An actor who fills 40 % of a frame of 640 x 360 is written to other forms as a box
# of half a pixel at the upper left corner; no import or export says a word.
# Output seen, of the box 0.25, 0.1, 0.75, 0.9 (160, 36, 480, 324 in pixels):
#     frame (360, 640), box in Datumaro [0.25, 0.1, 0.5, 0.8]
#     COCO: bbox [0.25, 0.1, 0.5, 0.8]
#     CVAT: xtl="0.25" ytl="0.10" xbr="0.75" ybr="0.90"
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -q datumaro==1.13.12 protobuf==7.36.2
cat >check.py <<'PY'
import json
import re
from pathlib import Path

import datumaro
import numpy as np
from PIL import Image

CLASSES = ("bend", "stand")
LABEL = 'label {{\n  name: "{}"\n  label_id: {}\n  label_type: PERSON_MOVEMENT\n}}\n'

annotations, frames = Path("ava/annotations"), Path("ava/frames/movie")
annotations.mkdir(parents=True)
frames.mkdir(parents=True)
Image.fromarray(np.zeros((360, 640, 3), np.uint8)).save(frames / "movie_0902.jpg")
text = "".join(LABEL.format(name, number) for number, name in enumerate(CLASSES, 1))
(annotations / "ava_action_list_v2.2.pbtxt").write_text(text)
(annotations / "ava_train_v2.2.csv").write_text("movie,0902,0.250,0.100,0.750,0.900,2,7\n")

dataset = datumaro.Dataset.import_from("ava", "ava")
(item,) = dataset
box = [round(float(number), 3) for number in item.annotations[0].get_bbox()]
print(f"frame {item.media.size}, box in Datumaro {box}")
dataset.export("coco", "coco_instances")
(path,) = Path("coco/annotations").glob("*.json")
coco = json.loads(path.read_text())["annotations"][0]["bbox"]
print(f"COCO: bbox {coco}")
dataset.export("cvat", "cvat")
(path,) = Path("cvat").glob("*.xml")
cvat = re.search(r'xtl="\S+" ytl="\S+" xbr="\S+" ybr="\S+"', path.read_text()).group()
print(f"CVAT: {cvat}")
assert box == coco == [0.25, 0.1, 0.5, 0.8], "the boxes are scaled to pixels now"
assert cvat == 'xtl="0.25" ytl="0.10" xbr="0.75" ybr="0.90"', "they are scaled in CVAT's form now"
PY
env/bin/python -W ignore check.py
