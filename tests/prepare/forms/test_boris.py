"""BORIS' events and projects: queues of files, offsets, pairs of START and STOP."""

import copy
import json
import math

import pytest

from tests.prepare import tool_files

AGGREGATED = "Observation id,Source,Time offset (s),Media duration (s),Subject,Behavior,"
AGGREGATED += "Modifier #1,Behavior type,Start (s),Stop (s),Media file name\n"
TABULAR = "Observation id,Subject,Behavior,Modifier #1,Behavior type,Time,Media file name\n"
QUEUE = "o,player #1:a.mp4;b.mp4,{offset},2.5;4,No focal subject,{label},,STATE,{start},{stop},NA\n"


def queued(start, stop, offset=0, label="run"):
    return AGGREGATED + QUEUE.format(start=start, stop=stop, offset=offset, label=label)


@pytest.mark.parametrize(
    "times,offset,wanted",
    [
        ((1, 2), 0, [("a.mp4", 1, 2)]),
        ((3, 4), 0, [("b.mp4", 0.5, 1.5)]),
        ((1, 4), 0, [("a.mp4", 1, 2.5), ("b.mp4", 0, 1.5)]),
        ((11, 14), 10, [("a.mp4", 1, 2.5), ("b.mp4", 0, 1.5)]),
        # A moment, and one where the next file begins.
        ((1, 1), 0, [("a.mp4", 1, 1)]),
        ((2.5, 2.5), 0, [("b.mp4", 0, 0)]),
        # What ends with a file is not in the next one.
        ((1, 2.5), 0, [("a.mp4", 1, 2.5)]),
        ((0.5, 1.2), -0.5, [("a.mp4", 1, 1.7)]),
        # Rounded lengths: what goes on past the end stays in the last file.
        ((6, 7), 0, [("b.mp4", 3.5, 4.5)]),
    ],
)
def test_queued_files_and_time_offsets(read, times, offset, wanted):
    found = read(queued(*times, offset))
    assert [(video, *span) for video, label, *span in found if label] == wanted
    # In the other file nothing happens.
    rest = {"a.mp4", "b.mp4"} - {video for video, *_ in wanted}
    assert [row for row in found if not row[1]] == [(video, "", None, None) for video in rest]


def test_subjects_modifiers_and_live_observations(read):
    text = AGGREGATED + 'o,player #1:a.mp4,0,9,cow,eat,"grass,hay",STATE,1,2,a.mp4\n'
    text += "o,player #1:a.mp4,0,9,dog,eat,None,POINT,1,1,a.mp4\n"
    text += "o,NA,NA,NA,cow,eat,None,POINT,1,1,NA\n"
    assert read(text) == [("a.mp4", "eat", 1, 2), ("a.mp4", "eat", 1, 1)]
    assert read.file.unused_rows == {"an observation without a video": [f"{read.folder}/labels:4"]}
    assert read.file.unused == ["Modifier #1"]
    assert read(text, label_columns=["Behavior", "Modifier #1"])[0][1] == "eat;grass;hay"
    assert read(text, subjects=["dog"]) == [("a.mp4", "eat", 1, 1)]
    assert "no column x for --label-columns" in read.refusal(text, label_columns=["x"])


def test_tabular_events_are_paired_by_subject_behavior_and_modifiers(read):
    rows = [
        *("o,cow,run,,START,1.0,a.mp4", "o,dog,run,,START,1.5,a.mp4", "o,cow,run,fast,START,1.7,a"),
        *("o,dog,run,,STOP,3,a.mp4", "o,cow,run,fast,STOP,3.5,a", "o,cow,run,,STOP,2.0,a.mp4"),
        "p,cow,call,,POINT,0.5,b.mp4",
    ]
    assert sorted(read(TABULAR + "\n".join(rows))) == [
        ("a.mp4", "run", 1.0, 2.0),
        ("a.mp4", "run", 1.5, 3.0),
        ("a.mp4", "run", 1.7, 3.5),
        ("b.mp4", "call", 0.5, 0.5),
    ]


OLD = "Observation id\tobs1\n\nMedia file(s)\n\nPlayer #1\ta.mp4\n\nTime offset (s)\t{offset}\n\n"
OLD += "Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tComment\t"
OLD += "Status\n"


def test_tabular_events_before_version_8(read):
    rows = "11\t/old/a.mp4\t9\t25\tcow\trun\t\t\tSTART\n12\t/old/a.mp4\t9\t25\tcow\trun\t\t\tSTOP\n"
    assert read(OLD.format(offset=10) + rows) == [("a.mp4", "run", 1, 2)]
    assert "labels:10: START of run at 11 s has no STOP" in read.refusal(
        OLD.format(offset=10) + rows.split("\n")[0]
    )
    assert "the first of several files" in read.refusal(
        OLD.format(offset=0) + rows + "12\tb.mp4\t9\t25\tcow\trun\t\t\tPOINT\n"
    )


def test_projects(read):
    project = tool_files.boris_project()
    project["observations"]["c"]["events"].append([0.7, "cow", "call", "", ""])
    project["observations"]["live"] = {"type": "LIVE", "file": {}, "events": []}
    del project["behaviors_conf"]["1"]
    for observation in project["observations"].values():
        observation["events"] = [event for event in observation["events"] if event[2] != "jump"]
    found = read(json.dumps(project))
    assert ("c.mp4", "call", 0.7, 0.7) in found
    assert read.file.unused_labels == []
    assert [*read.file.unused_rows] == ["an observation without a video"]
    project["observations"]["c"]["events"] = []
    # A video that was watched, and in which nothing happens.
    assert ("c.mp4", "", None, None) in read(json.dumps(project))
    assert read.file.unused_labels == ["call"]


def test_the_players_of_a_source_in_the_first_versions_8(read):
    text = queued(1, 2).replace("player #1:a.mp4;b.mp4", "player #1: a.mp4 player #2: c.mp4")
    assert read(text) == [("a.mp4", "run", 1, 2)]


@pytest.mark.parametrize(
    "interval,wanted",
    [
        ([0, 0], {"a.mp4": [(0, math.inf)], "b.mp4": [(0, math.inf)]}),
        ([0.25, 0.75], {"a.mp4": [(0.25, 0.75)], "b.mp4": [(0, 0)]}),
        ([0.5, 1.5], {"a.mp4": [(0.5, 1)], "b.mp4": [(0, 0.5)]}),
        ([1.5, 0], {"a.mp4": [(0, 0)], "b.mp4": [(0.5, math.inf)]}),
    ],
)
def test_what_lies_outside_an_observations_interval_was_not_labelled(read, interval, wanted):
    """It counts along the queue, whose files last 1 s, without the time offset of 5 s."""
    project = tool_files.boris_project()
    project["observations"]["ab"]["observation time interval"] = interval
    read(json.dumps(project))
    ends = {"a.mp4": 1, "b.mp4": math.inf, "c.mp4": math.inf}
    wanted = {video: [(a, min(b, ends[video]))] for video, ((a, b),) in wanted.items()}
    assert read.file.labelled == {**wanted, "c.mp4": [(0, math.inf)]}


def test_times_that_begin_at_a_medias_creation(read):
    """BORIS adds the date, in seconds since 1970, to the times of an observation's events."""
    project = tool_files.boris_project()
    one = project["observations"]["c"]
    one["media_creation_date_as_offset"] = True
    one["media_info"] = {"media_creation_time": {"c.mp4": 1.7e9}}
    one["events"] = [[1.7e9 + time, *event] for time, *event in one["events"]]
    assert ("c.mp4", "jump", 0, 1) in read(json.dumps(project))
    project["observations"]["ab"]["media_creation_date_as_offset"] = True
    assert "observations.ab: its times are the files' creation dates, of several files" in (
        read.refusal(json.dumps(project))
    )


@pytest.mark.parametrize(
    "text,message",
    [
        (queued(3, 1), "labels:2: Stop (s) 1 is before Start (s) 3"),
        (queued("x", 1), 'labels:2: Start (s) "x" is not a number'),
        (queued(1, 2, "late"), 'labels:2: Time offset (s) "late" is not a number'),
        (queued(1, 2, 5), "labels:2: 1 s is before the first file, which begins at the time"),
        (queued(1, 2).replace("2.5;4", "2.5"), "labels:2: times count from the first of several"),
        (
            TABULAR + "o,cow,run,,POINT,1,a.mp4\no,cow,run,,POINT,3,b.mp4\n",
            "labels:3: times count from the first of several files, here a.mp4 and b.mp4, and no",
        ),
        (TABULAR + "o,cow,run,,STOP,1,a\n", "labels:2: STOP of run at 1 s has no START before it"),
        (TABULAR + "o,cow,run,,START,1,a\n", "labels:2: START of run at 1 s has no STOP"),
        (
            TABULAR + "o,cow,run,,START,1,a\no,cow,run,,START,2,a\no,cow,run,,STOP,3,a\n",
            "labels:2: START of run has no STOP before the next",
        ),
        (TABULAR + "o,cow,run,,BEGIN,1,a\n", 'labels:2: "BEGIN" is neither START, STOP nor POINT'),
        (TABULAR + "o,cow,run,,START,soon,a\n", 'labels:2: Time "soon" is not a number'),
        (TABULAR + "o,cow,run\n", "labels:2: 3 fields where the header has 7"),
    ],
)
def test_wrong_events(read, text, message):
    assert message in read.refusal(text)


def test_a_file_of_the_queue_that_is_not_there(read):
    """Its part is left out, the others keep their places."""
    whole = read(queued(1, 4))
    assert read(queued(1, 4).replace("b.mp4", "q.mp4")) == whole[:1]
    assert read.file.missing == {"q.mp4": f"{read.folder}/labels:2"}


def test_wrong_projects(read):
    def refusal(change):
        project = copy.deepcopy(tool_files.boris_project())
        change(project["observations"]["ab"])
        return read.refusal(json.dumps(project))

    assert 'observations.ab.events[8]: "fly" is no behavior of the project' in refusal(
        lambda one: one["events"].append([7, "", "fly", "", ""])
    )
    assert "observations.ab.events[3]: START of wave at 5.8 s has" in refusal(
        lambda one: one["events"].pop(6)
    )
    assert "observations.ab: times count from the first of several files" in refusal(
        lambda one: one.pop("media_info")
    )
    assert 'observations.ab.events[0]: time "nan" is not a number of seconds' in refusal(
        lambda one: one["events"][0].__setitem__(0, float("nan"))
    )
    assert "observations.ab: is not as BORIS writes it (KeyError: 'events')" in refusal(
        lambda one: one.pop("events")
    )
