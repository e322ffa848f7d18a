"""One truth as each tool writes it, for three videos of one second and ten frames."""

import csv
import io
import json

RATE = 10.0
# (video, label, start, end): activities overlap, and `wave` goes on from a to b.
TRUTH = [
    ("a", "run", 0.2, 0.6),
    ("a", "jump", 0.4, 0.9),
    ("a", "wave", 0.8, 1.0),
    ("b", "wave", 0.0, 0.3),
    ("b", "run", 0.1, 0.5),
    ("c", "jump", 0.0, 1.0),
    ("c", "run", 0.0, 0.4),
]
LABELS = ["run", "jump", "wave"]
CHARADES = {"run": "c001", "jump": "c002", "wave": "c003"}
# What BORIS saw: a.mp4 and b.mp4 in a queue, whose times begin at 5 s, and c.mp4 alone.
OFFSET = 5.0
BOUTS = [
    ("ab", "run", 5.2, 5.6),
    ("ab", "jump", 5.4, 5.9),
    ("ab", "wave", 5.8, 6.3),
    ("ab", "run", 6.1, 6.5),
    ("c", "jump", 0.0, 1.0),
    ("c", "run", 0.0, 0.4),
]
_SOURCES = {"ab": "player #1:/old/a.mp4;/old/b.mp4|player #2:/old/x.mp4", "c": "player #1:c.mp4"}
_LENGTHS = {"ab": "1.000;1.000|9.000", "c": "1.000"}


def table(header, rows, delimiter=","):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerows([header, *rows])
    return stream.getvalue()


def plain():
    return table(["path", "labels", "start", "end"], TRUTH)


def decimal_comma():
    rows = [(n, label, *(str(t).replace(".", ",") for t in times)) for n, label, *times in TRUTH]
    return table(["Media file name", "Behaviour", "Start (s)", "Stop (s)"], rows, ";")


def _clock(time):
    return f"00:00:{time:05.2f}"


def clocks():
    rows = [(label, _clock(start), _clock(end), n) for n, label, start, end in TRUTH]
    return table(["activity", "onset", "offset", "video_name"], rows, "\t")


def _frames(start, end, base):
    return round(start * RATE) + base, round(end * RATE) - 1 + base


def frames(base):
    rows = [(n, label, *_frames(start, end, base)) for n, label, start, end in TRUTH]
    return table(["clip", "action", "start_frame", "stop_frame"], rows)


def _per_video(values_of):
    """[values_of(video, its rows of TRUTH)] of each video."""
    return [values_of(name, [row for row in TRUTH if row[0] == name]) for name in "abc"]


def charades():
    def row(name, truth):
        return name, ";".join(f"{CHARADES[label]} {s:.2f} {e:.2f}" for _, label, s, e in truth), 1.0

    return table(["id", "actions", "length"], _per_video(row))


def epic():
    header = ["narration_id", "video_id", "start_timestamp", "stop_timestamp", "start_frame"]
    header += ["stop_frame", "verb", "noun"]
    rows = [
        (f"{n}_1", n, _clock(start), _clock(end), 7, 8, label, "door")
        for n, label, start, end in TRUTH
    ]
    return table(header, rows)


# --- BORIS 10.0.2 ---------------------------------------------------------------------


def _boris_start(observation):
    offset = OFFSET if observation == "ab" else 0.0
    return [
        *(observation, "2026-01-01", "", "Media file(s)", _SOURCES[observation], offset),
        _LENGTHS[observation],
    ]


def boris_aggregated():
    header = ["Observation id", "Observation date", "Description", "Observation type", "Source"]
    header += ["Time offset (s)", "Media duration (s)", "FPS (frame/s)", "Subject", "Behavior"]
    header += ["Behavioral category", "Modifier #1", "Behavior type", "Start (s)", "Stop (s)"]
    header += ["Duration (s)", "Media file name", "Image index start", "Image index stop"]
    rows = [
        [*_boris_start(o), 10, "No focal subject", label, "", "", "STATE", start, end, end - start]
        + ["Not found", 1, "NA"]
        for o, label, start, end in BOUTS
    ]
    return table(header, rows)


def boris_tabular():
    header = ["Observation id", "Observation date", "Description", "Observation type", "Source"]
    header += ["Time offset (s)", "Media duration (s)", "FPS", "Subject", "Behavior"]
    header += ["Modifier #1", "Behavior type", "Time", "Media file name", "Image index", "Comment"]
    events = [(o, start, "START", label) for o, label, start, _ in BOUTS]
    events += [(o, end, "STOP", label) for o, label, _, end in BOUTS]
    rows = [
        [*_boris_start(o), 10, "No focal subject", label, "", kind, time, "Not found", "NA", ""]
        for o, time, kind, label in sorted(events, key=lambda event: event[:2])
    ]
    return table(header, rows, "\t")


def boris_project():
    def observation(name):
        times = [(t, label) for o, label, *times in BOUTS if o == name for t in times]
        files = {"ab": ["/old/a.mp4", "/old/b.mp4"], "c": ["c.mp4"]}[name]
        return {
            "type": "MEDIA",
            "file": {"1": files, "2": []},
            "time offset": OFFSET if name == "ab" else 0.0,
            "media_info": {"length": dict.fromkeys(files, 1.0), "fps": dict.fromkeys(files, 10)},
            "events": [[time, "", label, "", ""] for time, label in sorted(times)],
        }

    kinds = dict.fromkeys(LABELS, "State event") | {"call": "Point event"}
    conf = [{"code": code, "type": kind, "modifiers": {}} for code, kind in kinds.items()]
    return {
        "project_format_version": "7.0",
        "behaviors_conf": {str(number): one for number, one in enumerate(conf)},
        "subjects_conf": {},
        "observations": {name: observation(name) for name in ("ab", "c")},
    }


# --- ELAN -----------------------------------------------------------------------------


def elan():
    """{video: .eaf}; a slot without a time lies between its neighbours, a tier refers to one."""

    def document(name, truth):
        slots, annotations = [], []
        for number, (_, label, start, end) in enumerate(truth):
            # The middle one of three slots is not needed, and has no time.
            for place, time in enumerate((start, None, end)):
                value = "" if time is None else f' TIME_VALUE="{round(1000 * time)}"'
                slots.append(f'<TIME_SLOT TIME_SLOT_ID="ts{3 * number + place}"{value}/>')
            annotations.append(
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" '
                f'TIME_SLOT_REF1="ts{3 * number}" TIME_SLOT_REF2="ts{3 * number + 2}">'
                f"<ANNOTATION_VALUE>{label}</ANNOTATION_VALUE>"
                "</ALIGNABLE_ANNOTATION></ANNOTATION>"
            )
        return elan_document(
            f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/my%20data/{name}.mp4" '
            'MIME_TYPE="video/mp4"/>',
            "".join(slots),
            f'<TIER TIER_ID="activity" LINGUISTIC_TYPE_REF="t">{"".join(annotations)}</TIER>',
        )

    return dict(zip("abc", _per_video(document), strict=True))


def elan_document(media, slots, tiers, units="milliseconds"):
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT FORMAT="3.0" VERSION="3.0">\n'
        f'<HEADER MEDIA_FILE="" TIME_UNITS="{units}">{media}</HEADER>\n'
        f"<TIME_ORDER>{slots}</TIME_ORDER>\n{tiers}\n</ANNOTATION_DOCUMENT>\n"
    )


# --- Label Studio ---------------------------------------------------------------------


def _timeline(truth):
    return [
        {
            "ranges": [dict(zip(("start", "end"), _frames(s, e, 1), strict=True))],
            "timelinelabels": [n],
        }
        for _, n, s, e in truth
    ]


def label_studio():
    def task(name, truth):
        result = [
            {"type": "timelinelabels", "from_name": "tl", "to_name": "video", "value": value}
            for value in _timeline(truth)
        ]
        annotations = [
            {"was_cancelled": False, "updated_at": "2026-01-01T00:00:00Z", "result": result[:1]},
            {"was_cancelled": False, "updated_at": "2026-01-02T00:00:00Z", "result": result},
            {"was_cancelled": True, "updated_at": "2026-01-03T00:00:00Z", "result": []},
        ]
        data = {"who": "me", "video": f"/data/upload/1/0123abcd-{name}.mp4"}
        return {"id": ord(name), "data": data, "annotations": annotations}

    return json.dumps(_per_video(task))


def _small(name, truth):
    return {
        "video": f"/data/local-files/?d=my%20data/{name}.mp4",
        "id": ord(name),
        "tl": _timeline(truth),
        "annotator": 1,
        "annotation_id": ord(name),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "lead_time": 3.5,
    }


def label_studio_min():
    return json.dumps(_per_video(_small))


def label_studio_csv():
    tasks = [task | {"tl": json.dumps(task["tl"])} for task in _per_video(_small)]
    return table(list(tasks[0]), [task.values() for task in tasks])


# --- Observer and VIA -----------------------------------------------------------------


def observer():
    header = ["Date_Time_Absolute_dmy_hmsf", "Time_Relative_sf", "Duration_sf", "Observation"]
    header += ["Subject", "Behavior", "Modifier_1", "Event_Type", "Comment"]

    def number(value):
        return f"{value:.3f}".replace(".", ",")

    rows = []
    for name, label, start, end in TRUTH:
        rows.append(["", number(start), number(end - start), name, "Cow", label, "", "State start"])
        rows.append(["", number(end), "0", name, "Cow", label, "", "State stop"])
    return table(header, [[*row, ""] for row in rows], ";")


_OPTIONS = {str(number): label for number, label in enumerate(LABELS)}
ATTRIBUTE = {
    "1": {"aname": "activity", "anchor_id": "FILE1_Z2_XY0", "type": 4, "options": _OPTIONS}
}


def via_csv():
    head = (
        f"# Exported using VIA\n# ATTRIBUTE = {json.dumps(ATTRIBUTE)}\n# CSV_HEADER = metadata_id,"
    )
    head += "file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for number, (name, label, start, end) in enumerate(TRUTH):
        cells = [[f"{name}.mp4"], [start, end], [], {"1": str(LABELS.index(label))}]
        files, *cells = map(json.dumps, cells)
        writer.writerow([f"1_{number}", files, 0, *cells])
    return head + stream.getvalue()


def via_project():
    metadata = {
        f"1_{number}": {"vid": name, "z": times, "xy": [], "av": {"1": str(LABELS.index(label))}}
        for number, (name, label, *times) in enumerate(TRUTH)
    }
    return {
        "project": {"pname": "x"},
        "config": {},
        "attribute": ATTRIBUTE,
        "file": {name: {"fid": name, "fname": f"{name}.mp4"} for name in "abc"},
        "metadata": metadata,
        "view": {name: {"fid_list": [name]} for name in "abc"},
    }
