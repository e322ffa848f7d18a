#!/usr/bin/env bash
# ViViT's image processor, as it is by default, gives pixels of -3..1.
#
# Versions: transformers 5.24.0, pillow 12.0.0, numpy 2.4.0.
# Behaviour: it multiplies by 1/127.5 and subtracts 1, which gives -1..1, and then normalises by the
# mean 0.5 and the deviation 0.5, which are meant for 0..1. transformers' own conversion of the
# published weights (convert_vivit_flax_to_pytorch.py) asserts that nothing is normalised after the
# centring: they were trained on -1..1.
# Output seen, for a black and a white frame:
#     as it is: -3.0 1.0
#     do_normalize=False: -1.0 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -q transformers==5.24.0 pillow==12.0.0 numpy==2.4.0
cat >check.py <<'PY'
import numpy as np
from transformers.models.vivit.image_processing_vivit import VivitImageProcessor

FRAMES = [np.full((224, 224, 3), value, np.uint8) for value in (0, 255)]


def extremes(**options):
    pixels = np.asarray(VivitImageProcessor(**options)(FRAMES, return_tensors="np")["pixel_values"])
    return round(float(pixels.min()), 3), round(float(pixels.max()), 3)


as_it_is, centred = extremes(), extremes(do_normalize=False)
print("as it is:", *as_it_is)
print("do_normalize=False:", *centred)
assert as_it_is == (-3.0, 1.0), "the processor does not normalise what it has centred now"
assert centred == (-1.0, 1.0), "the processor does not centre now"
PY
env/bin/python check.py
