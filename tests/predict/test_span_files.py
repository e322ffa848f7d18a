"""Spans in the forms of the tools that people correct them with, read by those tools' own code."""

import ctypes.util
import importlib
import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.video_file import VideoInfo
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.predict.span_files import (
    FORMS,
    NamedSpan,
    VideoSpans,
    check_output,
    label_studio_interface,
    write_spans,
)
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia

NAMES = ["run", "jump & turn", "wave"]
# Two overlap, and wave is in neither video.
SPANS = [
    NamedSpan("run", 0.0, 1.5, 0.75),
    NamedSpan("jump & turn", 0.5, 2.0, 0.625),
    NamedSpan("run", 1.75, 2.0, 0.5),
]


def found_in(folder, name, fps, spans):
    """What was found in a video of 2 s."""
    times = np.arange(round(2 * fps)) / fps
    info = VideoInfo(len(times), fps, 32, 48, times)
    return VideoSpans(str(folder / name), info, times, fps, spans)


@pytest.fixture
def found(tmp_path):
    """A video at 24 frames a second, with a blank in its name, and one without spans at 30."""
    return [found_in(tmp_path, "a b.mp4", 24.0, SPANS), found_in(tmp_path, "c.mp4", 30.0, [])]


@pytest.fixture
def write(found, tmp_path):
    """`write(form)` -> where the spans were written."""

    def written(form):
        _, ending, is_each = FORMS[form]
        out = tmp_path / "out" / ("spans" if is_each else f"spans{ending}")
        check_output(form, str(out), [video.path for video in found])
        write_spans(form, str(out), found, NAMES)
        return out

    return written


def test_csv(write, tmp_path):
    assert write("csv").read_text() == (
        "video,activity,start,end,score\n"
        f"{tmp_path}/a b.mp4,run,0.000,1.500,0.7500\n"
        f"{tmp_path}/a b.mp4,jump & turn,0.500,2.000,0.6250\n"
        f"{tmp_path}/a b.mp4,run,1.750,2.000,0.5000\n"
    )


def test_json_names_videos_without_spans(write, tmp_path):
    database = json.loads(write("json").read_text())["database"]
    assert list(database) == [f"{tmp_path}/a b.mp4", f"{tmp_path}/c.mp4"]
    first, second = database.values()
    assert first["annotations"][1] == {
        "label": "jump & turn",
        "segment": [0.5, 2.0],
        "score": 0.625,
    }
    assert first["duration"] == 2.0 and second["annotations"] == []


def test_a_project_of_boris(write, tmp_path):
    project = json.loads(write("boris").read_text())
    assert [b["code"] for b in project["behaviors_conf"].values()] == NAMES
    assert {b["type"] for b in project["behaviors_conf"].values()} == {"State event"}
    assert list(project["observations"]) == ["a b", "c"]
    observation = project["observations"]["a b"]
    assert observation["file"]["1"] == [f"{tmp_path}/a b.mp4"]
    assert [event[:3] for event in observation["events"]] == [
        [0.0, "", "run"],
        [0.5, "", "jump & turn"],
        [1.5, "", "run"],
        [1.75, "", "run"],
        [2.0, "", "jump & turn"],
        [2.0, "", "run"],
    ]
    assert project["observations"]["c"]["events"] == []


def test_boris_opens_its_project(write, tmp_path):
    """By the code with which BORIS opens, checks and exports projects; it must change nothing."""
    pytest.importorskip("boris")
    if not ctypes.util.find_library("mpv"):
        pytest.skip("BORIS ends Python where libmpv is not installed")
    project_functions = importlib.import_module("boris.project_functions")
    for name in ("a b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(b"")
    path = str(write("boris"))
    _, is_changed, project, message = project_functions.open_project_json(path)
    assert not is_changed and not message and "error" not in project
    problems = project_functions.check_project_integrity(project, "hh:mm:ss", path)
    assert problems.replace("<br>", "") == ""
    error, table = project_functions.project2dataframe(project)
    assert error == ""
    columns = ["Observation id", "Behavior", "Start (s)", "Stop (s)"]
    assert table[columns].to_numpy().tolist() == [["a b", *span[:3]] for span in SPANS]


def test_elan_has_a_tier_an_activity(write, tmp_path):
    out = write("elan")
    assert sorted(path.name for path in out.iterdir()) == ["a b.eaf", "c.eaf"]
    root = ElementTree.parse(out / "a b.eaf").getroot()
    (media,) = root.iter("MEDIA_DESCRIPTOR")
    assert media.get("MEDIA_URL") == f"file://{tmp_path}/a%20b.mp4"
    assert [tier.get("TIER_ID") for tier in root.iter("TIER")] == NAMES
    times = [int(slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
    assert times == sorted(times) and len(times) == 6
    values = [entry.text for entry in root.iter("CVE_VALUE")]
    assert values == NAMES


def test_pympi_reads_elan(write):
    elan = pytest.importorskip("pympi.Elan")
    document = elan.Eaf(str(write("elan") / "a b.eaf"))
    read = {name: document.get_annotation_data_for_tier(name) for name in NAMES}
    assert {name: [part[:3] for part in parts] for name, parts in read.items()} == {
        "run": [(0, 1500, "run"), (1750, 2000, "run")],
        "jump & turn": [(500, 2000, "jump & turn")],
        "wave": [],
    }


def test_label_studio_counts_frames_from_1_and_includes_both_ends(write, tmp_path):
    first, second = json.loads(write("label-studio").read_text())
    assert first["data"] == {
        "video": f"/data/local-files/?d={str(tmp_path)[1:]}/a b.mp4",
        "timeline_fps": 24.0,
    }
    regions = first["predictions"][0]["result"]
    assert [region["value"]["timelinelabels"] for region in regions] == [[s[0]] for s in SPANS]
    # At 24 a second: 0.5 s is where the 13th begins, 1.5 s where the 36th ends.
    ranges = [region["value"]["ranges"] for region in regions]
    assert ranges == [
        [{"start": 1, "end": 36}],
        [{"start": 13, "end": 48}],
        [{"start": 43, "end": 48}],
    ]
    assert second["data"]["timeline_fps"] == 30.0 and second["predictions"][0]["result"] == []


def test_label_studio_takes_its_tasks(write):
    """By the code with which its server checks what is imported."""
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    label_interface = interface.LabelInterface(label_studio_interface(NAMES))
    label_interface.validate()
    tasks = json.loads(write("label-studio").read_text())
    for task in tasks:
        assert label_interface.validate_task({"data": task["data"]})
        for prediction in task["predictions"]:
            assert label_interface.validate_prediction(prediction, return_errors=True) == []
    tasks[0]["predictions"][0]["result"][0]["value"]["timelinelabels"] = ["swim"]
    assert label_interface.validate_prediction(tasks[0]["predictions"][0], return_errors=True)


def shown_frames(path):
    """{track's label: frames that its boxes show}, in the order of the tracks."""
    tracks = ElementTree.parse(path).getroot().iter("track")
    return [
        (
            track.get("label"),
            [int(box.get("frame")) for box in track if box.get("outside") == "0"],
            [int(box.get("frame")) for box in track if box.get("keyframe") == "1"],
        )
        for track in tracks
    ]


def test_cvat_has_a_track_a_span(write):
    out = write("cvat")
    assert shown_frames(out / "a b.xml") == [
        ("run", list(range(36)), [0, 36]),
        # It lasts to the last frame: no box ends it.
        ("jump & turn", list(range(12, 48)), [12]),
        ("run", list(range(42, 48)), [42]),
    ]
    root = ElementTree.parse(out / "c.xml").getroot()
    task = root.find("meta/task")
    assert [task.findtext(key) for key in ("source", "size", "stop_frame")] == ["c.mp4", "60", "59"]
    assert [label.findtext("name") for label in task.iter("label")] == NAMES
    assert root.find("track") is None


def test_datumaro_reads_cvat(write):
    """Datumaro is CVAT's own library of forms."""
    base = pytest.importorskip("datumaro.plugins.data_formats.cvat.base")
    found = {}
    for item in base.CvatBase(str(write("cvat") / "a b.xml")):
        for box in item.annotations:
            if not box.attributes["outside"]:
                key = box.attributes["track_id"], NAMES[box.label]
                found.setdefault(key, []).append(item.attributes["frame"])
    assert found == {
        (0, "run"): list(range(36)),
        (1, "jump & turn"): list(range(12, 48)),
        (2, "run"): list(range(42, 48)),
    }


def test_cvat_counts_the_frames_of_a_varying_rate(tmp_path):
    """Frames are shown at 0, 0.1, 0.2, 1.0, 1.1: CVAT numbers them 0 to 4."""
    times = np.array([0, 0.1, 0.2, 1.0, 1.1])
    video = found_in(tmp_path, "a.mp4", 4.0, [NamedSpan("run", 0.2, 1.1, 0.5)])
    video = video._replace(times=times, info=VideoInfo(5, 4.0, 32, 48, times))
    write_spans("cvat", str(tmp_path / "out"), [video], NAMES)
    assert shown_frames(tmp_path / "out" / "a.xml") == [("run", [2, 3], [2, 4])]


@pytest.mark.parametrize(
    "form,out,videos,message",
    [
        ("excel", "a.csv", ["a.mp4"], "--format is excel: it must be one of csv, json, boris"),
        ("boris", "a.csv", ["a.mp4"], "must be a file that ends in .boris"),
        ("elan", "a.eaf", ["a.mp4"], "name a folder, where each video gets its .eaf"),
        ("elan", "out", ["x/a.mp4", "y/a.avi"], "y/a.avi and x/a.mp4 would both be a.eaf"),
        ("cvat", "file", ["a.mp4"], "--out file is a file: name a folder"),
        ("boris", "a.boris", ["frames"], "frames: is a folder of frames"),
        ("cvat", "out", ["frames/img_*.jpg"], "is a folder of frames"),
        ("boris", "a.boris", ["clips"], "clips: is a folder of videos: name these, clips/*.MP4"),
    ],
)
def test_what_cannot_be_written(tmp_path, monkeypatch, form, out, videos, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").mkdir()
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.MP4").write_text("")
    (tmp_path / "file").write_text("")
    with pytest.raises(SlowFastExtError) as caught:
        check_output(form, out, videos)
    assert message in str(caught.value)


def test_videos_of_one_name_are_two_observations(tmp_path):
    found = [found_in(tmp_path / name, "a.mp4", 30.0, []) for name in ("x", "y")]
    write_spans("boris", str(tmp_path / "a.boris"), found, NAMES)
    observations = json.loads((tmp_path / "a.boris").read_text())["observations"]
    assert list(observations) == [f"{tmp_path}/x/a.mp4", f"{tmp_path}/y/a.mp4"]


# Names that hold what parts labels elsewhere, or that mean something to a spreadsheet or a tool.
ODD_NAMES = ["run,fast", "up|down", "007", "=1+1", 'say "hi"', "a / b", "True", "<走る>", "-x"]


@pytest.mark.parametrize("form", FORMS)
def test_odd_names_come_back(tmp_path, write_moving_square, form):
    video, ending, is_each = "=a, 'ü'#1.mp4", *FORMS[form][1:]
    write_moving_square(tmp_path / video, 10, fps=10, width=48, height=32)
    spans = [NamedSpan(name, 0.1 * n, 1.0, 0.5) for n, name in enumerate(ODD_NAMES)]
    with open_video(tmp_path / video) as reader:
        info = reader.info
    out = str(tmp_path / f"out{'' if is_each else ending}")
    found = VideoSpans(str(tmp_path / video), info, info.times, info.fps, spans)
    write_spans(form, out, [found], ODD_NAMES)
    if form == "label-studio":
        tasks = confirmed(json.loads((tmp_path / "out.json").read_text()))
        (tmp_path / "out.json").write_text(json.dumps(tasks))
    file = read_label_file(out, OwnMedia(str(tmp_path)))
    check_problems(file)
    rows = [(r.video, label, round(r.start, 3)) for r in file.rows for label in r.labels]
    assert sorted(rows) == sorted((video, name, round(start, 3)) for name, start, *_ in spans)


def confirmed(tasks):
    """What Label Studio exports of predictions that somebody has submitted as they are."""
    for task in tasks:
        (prediction,) = task.pop("predictions")
        annotation = {"was_cancelled": False, "updated_at": "2026-01-01T00:00:00Z"}
        task["annotations"] = [{**annotation, "result": prediction["result"]}]
        task["predictions"] = []
    return tasks


@pytest.mark.parametrize("form", FORMS)
def test_prepare_lists_reads_what_is_written(write, tmp_path, write_moving_square, form):
    for name, fps in (("a b.mp4", 24), ("c.mp4", 30)):
        write_moving_square(tmp_path / name, 2 * fps, fps=fps, width=48, height=32)
    out = write(form)
    if form == "label-studio":
        out.write_text(json.dumps(confirmed(json.loads(out.read_text()))))
    file = read_label_file(str(out), OwnMedia(str(tmp_path)))
    check_problems(file)
    with open_video(tmp_path / "a b.mp4") as reader:
        assert reader.info.duration == pytest.approx(2.0)
    rows = {
        (row.video, row.subject, label, round(row.start, 3), round(row.end, 3))
        for row in file.rows
        for label in row.labels
    }
    assert rows == {("a b.mp4", "", *span[:3]) for span in SPANS}
    # A table of spans cannot say that nothing was found in a video.
    assert {row.video for row in file.rows} == {"a b.mp4", *(["c.mp4"] if form != "csv" else [])}
