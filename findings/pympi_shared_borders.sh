#!/usr/bin/env bash
# pympi gives None for borders of ELAN's annotations that have no time of their own.
#
# Versions: pympi-ling 1.71.
# Behaviour: where an annotation is parted in ELAN (a tier of "Time Subdivision"), the borders between
# its parts may be time slots without a value, which the format allows; they lie evenly between
# their neighbours, and other readers (act of R, for one) place them so. pympi gives None as
# the end of one part and the start of the next, though the outer times are there.
# Output seen, of "walk", "turn" and "run" that share 1 to 4 s:
#     [(1000, None, 'walk'), (None, None, 'turn'), (None, 4000, 'run')]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -q pympi-ling==1.71
cat >check.py <<'PY'
from pathlib import Path

import pympi

PARTS = ("walk", "turn", "run")
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
slots = "".join(
    f'<TIME_SLOT TIME_SLOT_ID="ts{number}"{value}/>'
    for number, value in enumerate((' TIME_VALUE="1000"', "", "", ' TIME_VALUE="4000"'), 1)
)
parts = "".join(
    f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" TIME_SLOT_REF1="ts{number}"'
    f' TIME_SLOT_REF2="ts{number + 1}"><ANNOTATION_VALUE>{name}</ANNOTATION_VALUE>'
    "</ALIGNABLE_ANNOTATION></ANNOTATION>"
    for number, name in enumerate(PARTS, 1)
)
whole = (
    '<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a9" TIME_SLOT_REF1="ts1"'
    ' TIME_SLOT_REF2="ts4"><ANNOTATION_VALUE>way</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>'
    "</ANNOTATION>"
)
Path("ways.eaf").write_text(
    '<?xml version="1.0" encoding="UTF-8"?><ANNOTATION_DOCUMENT AUTHOR=""'
    ' DATE="2026-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    f' xsi:noNamespaceSchemaLocation="{SCHEMA}">'
    '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>'
    f"<TIME_ORDER>{slots}</TIME_ORDER>"
    f'<TIER LINGUISTIC_TYPE_REF="any" TIER_ID="way">{whole}</TIER>'
    f'<TIER LINGUISTIC_TYPE_REF="parted" PARENT_REF="way" TIER_ID="parts">{parts}</TIER>'
    '<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="any" TIME_ALIGNABLE="true"'
    ' GRAPHIC_REFERENCES="false"/>'
    '<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="parted" TIME_ALIGNABLE="true"'
    ' GRAPHIC_REFERENCES="false" CONSTRAINTS="Time_Subdivision"/>'
    '<CONSTRAINT STEREOTYPE="Time_Subdivision" DESCRIPTION="parts of the parent, without gaps"/>'
    "</ANNOTATION_DOCUMENT>"
)
eaf = pympi.Eaf("ways.eaf")
found = eaf.get_annotation_data_for_tier("parts")
print(found)
assert eaf.get_annotation_data_for_tier("way") == [(1000, 4000, "way")]
expected = [(1000, None, "walk"), (None, None, "turn"), (None, 4000, "run")]
assert found == expected, "borders without a time are placed now"
PY
env/bin/python check.py
