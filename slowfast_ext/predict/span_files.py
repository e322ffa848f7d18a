"""
Spans in the forms of the tools that people correct them with.

    csv           video,activity,start,end,score of all videos
    json          ActivityNet's database
    boris         a project of BORIS, an observation a video
    label-studio  tasks of Label Studio with predictions on the timeline
    elan          an .eaf file for each video, a tier an activity
    cvat          "CVAT for video 1.1", an .xml file for each video, a track a span

BORIS' projects are as its version 10.0.2 writes them, ELAN's as its schema EAF 3.0 says.
"""

import datetime
import json
import mimetypes
import os
import string
import urllib.parse
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slowfast_ext.datasets.video import videos_to_name
from slowfast_ext.datasets.video_file import VideoInfo
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_columns import SPANS
from slowfast_ext.utils.paths import (
    is_local,
    open_atomically,
    pathmgr,
    require_writable,
    require_writable_in,
)
from slowfast_ext.utils.tables import csv_text


class NamedSpan(NamedTuple):
    """An activity's name, when it starts and ends in seconds, and its score."""

    activity: str
    start: float
    end: float
    score: float


class VideoSpans(NamedTuple):
    """
    What was found in a video.

    Args:
        path (str): as it was given.
        info (VideoInfo)
        times (float array): when each frame is shown, in seconds.
        fps (float): frames per second.
        spans (list[NamedSpan])
    """

    path: str
    info: VideoInfo
    times: np.ndarray
    fps: float
    spans: list

    @property
    def duration(self):
        """Seconds, to the end of the last frame."""
        return float(self.times[-1] + 1 / self.fps)

    @property
    def place(self):
        """The path that leads to the video from any folder."""
        return os.path.abspath(self.path) if is_local(self.path) else self.path


def check_output(form, out, videos):
    """
    Raises SlowFastExtError, before hours of scoring, where `write_spans` could not write.

    Args:
        form (str): one of FORMS.
        out (str): the file, or the folder where each video gets a file of its own.
        videos (list[str]): their paths.
    """
    if form not in FORMS:
        raise SlowFastExtError(f"--format is {form}: it must be one of {', '.join(FORMS)}")
    _, ending, is_each = FORMS[form]
    if form not in ("csv", "json"):
        for video in videos:
            if pathmgr.isdir(video) or "*" in video:
                raise SlowFastExtError(
                    (pathmgr.isdir(video) and videos_to_name(video))
                    or f"{video}: is a folder of frames, and --format {form} is of video files: "
                    "--format csv or json"
                )
    if not is_each:
        if not out.endswith(ending) or pathmgr.isdir(out):
            raise SlowFastExtError(f"--out {out}: must be a file that ends in {ending}")
        require_writable(out, "--out")
        return
    if out.endswith(ending):
        raise SlowFastExtError(f"--out {out}: name a folder, where each video gets its {ending}")
    first = {}
    for video in videos:
        name = _file_name(video, ending)
        if first.setdefault(name, video) != video:
            raise SlowFastExtError(
                f"{video} and {first[name]} would both be {name}: give them one at a time, with "
                "another --out for each"
            )
    require_writable_in(out, first, "--out")


def write_spans(form, out, videos, class_names):
    """
    Writes what was found in all videos; each file appears whole.

    Args:
        form (str), out (str): as `check_output` takes them.
        videos (list[VideoSpans])
        class_names (list[str]): of all activities.
    """
    text_of, ending, is_each = FORMS[form]
    if is_each:
        texts = {
            os.path.join(out, _file_name(video.path, ending)): text_of(video, class_names)
            for video in videos
        }
    else:
        texts = {out: text_of(videos, class_names)}
    for path, text in texts.items():
        with open_atomically(path) as stream:
            stream.write(text)


def _file_name(video, ending):
    return os.path.splitext(os.path.basename(video))[0] + ending


def _now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


# --- Tables ---------------------------------------------------------------------------


def _csv_of(videos, _):
    rows = [SPANS]
    for video in videos:
        for activity, start, end, score in video.spans:
            rows.append([video.path, activity, f"{start:.3f}", f"{end:.3f}", f"{score:.4f}"])
    return csv_text(rows)


def _activitynet_of(videos, _):
    """A video in which nothing was found has no annotations, and is there."""
    database = {}
    for video in videos:
        annotations = [
            {
                "label": span.activity,
                "segment": [round(span.start, 3), round(span.end, 3)],
                "score": round(span.score, 4),
            }
            for span in video.spans
        ]
        database[video.path] = {"duration": round(video.duration, 3)}
        database[video.path]["annotations"] = annotations
    return json.dumps({"database": database}, ensure_ascii=False, indent=1)


# --- BORIS ----------------------------------------------------------------------------

_PLAYERS = [str(number) for number in range(1, 9)]


def _boris_of(videos, class_names):
    ids = [os.path.splitext(os.path.basename(video.path))[0] for video in videos]
    # Videos of one name in several folders are told apart by their paths.
    ids = [name if ids.count(name) == 1 else v.path for name, v in zip(ids, videos, strict=True)]
    date = _now()[:19]
    project = {
        "time_format": "hh:mm:ss",
        "project_date": date,
        "project_name": "predictions",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {},
        "behaviors_conf": {str(n): _behavior(n, name) for n, name in enumerate(class_names)},
        "observations": {
            name: _observation(video, date) for name, video in zip(ids, videos, strict=True)
        },
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    return json.dumps(project, ensure_ascii=False, indent=1)


def _behavior(number, name):
    """An entry of the ethogram; the first ones are coded by the keys a, b, ..."""
    return {
        "type": "State event",
        "key": string.ascii_lowercase[number : number + 1],
        "code": name,
        "description": "",
        "color": "",
        "category": "",
        "modifiers": {},
        "excluded": "",
        "coding map": "",
    }


def _observation(video, date):
    place = video.place
    events = []
    for span in video.spans:
        for time in (span.start, span.end):
            # Time, subject, behaviour, modifiers, comment, frame.
            score = f"score {span.score:.4f}"
            events.append([round(time, 3), "", span.activity, "", score, round(time * video.fps)])
    return {
        "file": {player: [place] if player == "1" else [] for player in _PLAYERS},
        "type": "MEDIA",
        "date": date,
        "description": "",
        "time offset": 0.0,
        "events": sorted(events, key=lambda event: event[:3]),
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {place: video.duration},
            "fps": {place: float(video.fps)},
            "hasVideo": {place: True},
            "hasAudio": {place: False},
            "offset": {"1": 0.0},
            "display": {place: "Nothing"},
        },
    }


# --- Label Studio ---------------------------------------------------------------------


def label_studio_interface(class_names):
    """The labelling interface (Settings) that the tasks of `--format label-studio` are made for."""
    view = ElementTree.Element("View")
    labels = ElementTree.SubElement(view, "TimelineLabels", name="activities", toName="video")
    for name in class_names:
        ElementTree.SubElement(labels, "Label", value=name)
    ElementTree.SubElement(view, "Video", name="video", value="$video", frameRate="$timeline_fps")
    return ElementTree.tostring(view, encoding="unicode")


def _label_studio_of(videos, _):
    """
    Frames count from 1, and both ends are included:
    https://labelstud.io/tags/timelinelabels
    """
    tasks = []
    for video in videos:
        result = []
        for number, span in enumerate(video.spans):
            first = round(span.start * video.fps) + 1
            value = {"ranges": [{"start": first, "end": max(first, round(span.end * video.fps))}]}
            value["timelinelabels"] = [span.activity]
            result.append(
                {
                    "id": f"span{number}",
                    "type": "timelinelabels",
                    "from_name": "activities",
                    "to_name": "video",
                    "value": value,
                    "score": round(span.score, 4),
                }
            )
        place = urllib.parse.quote(video.place.lstrip("/"), safe="/ ")
        url = f"/data/local-files/?d={place}" if is_local(video.path) else video.path
        prediction = {"model_version": "slowfast_ext", "result": result}
        if result:
            prediction["score"] = round(float(np.mean([span.score for span in video.spans])), 4)
        # `prepare lists` takes it for the rate of the ranges.
        data = {"video": url, "timeline_fps": round(float(video.fps), 6)}
        tasks.append({"data": data, "predictions": [prediction]})
    return json.dumps(tasks, ensure_ascii=False, indent=1)


# --- ELAN -----------------------------------------------------------------------------

# pympi reads no file that does not name it.
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
_EAF = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"


def _elan_of(video, class_names):
    add = ElementTree.SubElement
    document = ElementTree.Element("ANNOTATION_DOCUMENT", AUTHOR="slowfast_ext", DATE=_now())
    document.attrib |= {"FORMAT": "3.0", "VERSION": "3.0", _SCHEMA: _EAF}
    header = add(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    url = Path(video.place).as_uri() if is_local(video.path) else video.path
    mime = mimetypes.guess_type(video.path)[0] or "video/mp4"
    add(header, "MEDIA_DESCRIPTOR", MEDIA_URL=url, MIME_TYPE=mime)
    order, slots = add(document, "TIME_ORDER"), []
    for name in class_names:
        tier = add(document, "TIER", LINGUISTIC_TYPE_REF="activity", TIER_ID=name)
        for span in video.spans:
            if span.activity == name:
                ends = {f"TIME_SLOT_REF{n}": f"ts{len(slots) + n}" for n in (1, 2)}
                slots += [span.start, span.end]
                attributes = {"ANNOTATION_ID": f"a{len(slots) // 2}", **ends}
                annotation = add(add(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", attributes)
                add(annotation, "ANNOTATION_VALUE").text = name
    for number, seconds in sorted(enumerate(slots, 1), key=lambda slot: slot[1]):
        milliseconds = str(round(1000 * seconds))
        add(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=milliseconds)
    _add_vocabulary(document, class_names)
    return _xml_text(document)


def _add_vocabulary(document, class_names):
    """Lets ELAN offer the activities' names where an annotation is made or changed."""
    add = ElementTree.SubElement
    kind = {"LINGUISTIC_TYPE_ID": "activity", "TIME_ALIGNABLE": "true"}
    kind |= {"GRAPHIC_REFERENCES": "false", "CONTROLLED_VOCABULARY_REF": "activities"}
    add(document, "LINGUISTIC_TYPE", kind)
    add(document, "LANGUAGE", LANG_ID="und", LANG_LABEL="undetermined (und)")
    vocabulary = add(document, "CONTROLLED_VOCABULARY", CV_ID="activities")
    add(vocabulary, "DESCRIPTION", LANG_REF="und")
    for number, name in enumerate(class_names):
        entry = add(vocabulary, "CV_ENTRY_ML", CVE_ID=f"cveid{number}")
        add(entry, "CVE_VALUE", LANG_REF="und").text = name


def _xml_text(document):
    ElementTree.indent(document)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(document, "unicode")}\n'


# --- CVAT -----------------------------------------------------------------------------


def _cvat_of(video, class_names):
    """
    A track is a box of the whole frame, since tags would be single frames' own: its ends are moved
    by its switch "outside". Frames count from 0; as in CVAT's own files each frame has its box.
    """
    add, info = ElementTree.SubElement, video.info
    document = ElementTree.Element("annotations")
    add(document, "version").text = "1.1"
    task = add(add(document, "meta"), "task")
    name = os.path.basename(video.path)
    texts = {"name": name, "size": info.length, "mode": "interpolation", "overlap": 0}
    texts |= {"start_frame": 0, "stop_frame": info.length - 1}
    for key, value in texts.items():
        add(task, key).text = str(value)
    labels = add(task, "labels")
    for label_name in class_names:
        label = add(labels, "label")
        add(label, "name").text = label_name
        add(label, "attributes")
    size = add(task, "original_size")
    add(size, "width").text, add(size, "height").text = str(info.width), str(info.height)
    add(task, "source").text = name
    for number, span in enumerate(video.spans):
        track = add(document, "track", id=str(number), label=span.activity, source="auto")
        first, behind = (_nearest_frame(video, seconds) for seconds in (span.start, span.end))
        last = max(first, behind - 1)
        for frame in range(first, min(last + 2, info.length)):
            is_end = frame in (first, last + 1)
            states = {"outside": frame > last, "occluded": False, "keyframe": is_end}
            states = {key: str(int(value)) for key, value in states.items()}
            corners = {"xtl": "0.00", "ytl": "0.00"}
            corners |= {"xbr": f"{info.width}.00", "ybr": f"{info.height}.00"}
            add(track, "box", frame=str(frame), **states, **corners, z_order="0")
    return _xml_text(document)


def _nearest_frame(video, seconds):
    """The number of the frame whose start is nearest; the number of frames from the end on."""
    starts = np.append(video.times, video.duration)
    return int(np.abs(starts - seconds).argmin())


# What gives a form's text; the ending of its files; whether each video has a file of its own.
FORMS = {
    "csv": (_csv_of, ".csv", False),
    "json": (_activitynet_of, ".json", False),
    "boris": (_boris_of, ".boris", False),
    "label-studio": (_label_studio_of, ".json", False),
    "elan": (_elan_of, ".eaf", True),
    "cvat": (_cvat_of, ".xml", True),
}
