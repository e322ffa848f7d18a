"""Label Studio's exports: frames of its timeline at a given rate, and choices."""

import json

import pytest

from tests.prepare.tool_files import label_studio, label_studio_csv, label_studio_min, table


def task(*results, video="a.mp4", **more):
    annotation = {"was_cancelled": False, "updated_at": "2026", "result": list(results), **more}
    return {"data": {"video": video}, "annotations": [annotation]}


def timeline(first, last, *labels):
    value = {"ranges": [{"start": first, "end": last}], "timelinelabels": list(labels)}
    return {"type": "timelinelabels", "from_name": "tl", "value": value}


def choices(*labels, control="what"):
    return {"type": "choices", "from_name": control, "value": {"choices": list(labels)}}


def labelled(rows):
    return [row for row in rows if row[1]]


@pytest.mark.parametrize("rate", [24.0, 30.0])
def test_frames_from_one_with_the_last_included(read, rate):
    text = json.dumps([task(timeline(1, 12, "run"), timeline(7, 24, "run", "jump"))])
    assert labelled(read(text, frame_rate=rate)) == [
        ("a.mp4", "run", 0, 12 / rate),
        ("a.mp4", "run;jump", 6 / rate, 24 / rate),
    ]


def test_tasks_may_tell_their_rate(read):
    one = task(timeline(1, 6, "run"))
    one["data"]["timeline_fps"] = 12.0
    assert labelled(read(json.dumps([one]))) == [("a.mp4", "run", 0, 0.5)]
    # Who gives another knows of an interface that was set otherwise.
    assert labelled(read(json.dumps([one]), frame_rate=10.0)) == [("a.mp4", "run", 0, 0.6)]


def test_tasks(read):
    """Choices are about whole videos; what was not labelled is not nothing."""
    tasks = [
        task(choices("run", "jump"), choices("day", control="when"), {"type": "x", "value": {}}),
        task(video="https://x.cloud/89abcdef-b.mp4?X-Amz-Date=1&X-Amz-Signature=2"),
        {"data": {"video": "c.mp4"}, "annotations": []},
    ]
    text = json.dumps(tasks)
    assert [row[:2] for row in read(text)] == [
        ("a.mp4", ""),
        ("a.mp4", "run;jump"),
        ("a.mp4", "day"),
        ("b.mp4", ""),
    ]
    assert [*read.file.unused_rows] == ["a result of type x", "a task without an annotation"]
    assert [row[1] for row in labelled(read(text, label_columns=["when"]))] == ["day"]
    assert "nothing is called x, for --label-columns; there are " in (
        read.refusal(text, label_columns=["when", "x"])
    )


def sound(start, end, kind, *labels, control="tl"):
    value = {"start": start, "end": end, "channel": 0, kind: list(labels)}
    return {"type": kind, "from_name": control, "value": value}


def test_labels_of_the_sound_are_in_seconds(read):
    """Its template of a video's timeline labels the sound; all exports hold the same values."""
    regions = [sound(0.5, 1.5, "labels", "run", "jump"), sound(2, 3, "labels", "run")]
    wanted = [("a.mp4", "run;jump", 0.5, 1.5), ("a.mp4", "run", 2, 3)]
    assert labelled(read(json.dumps([task(*regions)]))) == wanted
    record = {"video": "a.mp4", "id": 1, "annotator": 1, "annotation_id": 1, "lead_time": 2.0}
    record["tl"] = [region["value"] for region in regions]
    assert labelled(read(json.dumps([record]))) == wanted
    cells = [value if isinstance(value, str) else json.dumps(value) for value in record.values()]
    assert labelled(read(table([*record], [cells]))) == wanted


def test_choices_of_a_region_hold_in_its_time_alone(read):
    frames = timeline(1, 10)
    frames["value"]["choices"] = ["fast"]
    frames["type"] = "choices"
    boxes = {"sequence": [{"frame": 1}], "choices": ["far"], "labels": ["cow"]}
    others = [{"type": kind, "from_name": "x", "value": boxes} for kind in ("choices", "labels")]
    others.append({"type": "relation", "from_id": "1", "to_id": "2"})
    results = [frames, sound(2, 3, "choices", "slow"), *others]
    assert labelled(read(json.dumps([task(*results)]), frame_rate=10)) == [
        ("a.mp4", "fast", 0, 1),
        ("a.mp4", "slow", 2, 3),
    ]
    assert {why: len(places) for why, places in read.file.unused_rows.items()} == {
        "a result of type choices": 1,
        "a result of type labels": 1,
        "a result of type relation": 1,
    }


@pytest.mark.parametrize(
    "cell,wanted",
    [
        ("run", "run"),
        ('{"choices": ["run", "jump"]}', "run;jump"),
        ("", ""),
    ],
)
def test_small_exports(read, cell, wanted):
    """Of one choice the text, of several JSON, of none nothing; the newest annotation counts."""
    header = [
        "video",
        "id",
        "what",
        "where",
        "annotator",
        "annotation_id",
        "updated_at",
        "lead_time",
    ]
    old = ["/data/upload/1/89abcdef-a.mp4", 1, "wave", "barn", 1, 1, "2026-01-01", 2.0]
    new = ["/data/upload/1/89abcdef-a.mp4", 1, cell, "barn", 1, 2, "2026-01-02", 2.0]
    text = table(header, [old, new])
    assert "".join(row[1] for row in read(text, label_columns=["what"])) == wanted
    assert read.file.unused == ["where"]
    assert [*read.file.unused_rows] == ["an annotation that is not the newest"]
    value = json.loads(cell) if cell.startswith("{") else cell
    records = [dict(zip(header, row, strict=True)) for row in (old, new)]
    records[1]["what"] = value
    small = read(json.dumps(records), label_columns=["what"])
    assert "".join(row[1] for row in small) == wanted
    if wanted == "run":
        assert "which of video, what, where are labels? --label-columns" in read.refusal(text)
        assert "no column x for --label-columns" in read.refusal(text, label_columns=["x"])


@pytest.mark.parametrize("text", [label_studio(), label_studio_min(), label_studio_csv()])
def test_the_rate_is_asked_for(read, text):
    assert "frameRate, 24 unless set: --frame-rate R says it" in read.refusal(text)


@pytest.mark.parametrize(
    "text,message",
    [
        (json.dumps([task(timeline(0, 5, "x"))]), '[0].annotations[0].result[0]: frame "0" is no'),
        (json.dumps([task(timeline(5, 2, "x"))]), "last frame 2 is before first 5"),
        (json.dumps([task(timeline(1, 2, "x"), video="q.mp4")]), '[0]: no video "q.mp4"'),
        (
            json.dumps([task({"type": "choices", "value": {}})]),
            "[0]: is not as Label Studio writes",
        ),
        (json.dumps([task(choices("-1"))]), 'result[0]: label "-1" is no class'),
        (json.dumps([{"data": {"video": "a"}, "annotations": 3}]), "[0]: is not as Label Studio"),
        (
            json.dumps([{"data": {"video": "a"}, "predictions": []}]),
            "with predictions alone: submit",
        ),
        (
            "video,id,tl,annotator,annotation_id,lead_time\na,1,[{],1,1,1\n",
            "labels:2: tl: is not as Label Studio writes it",
        ),
        (
            "video,id,tl,annotator,annotation_id,lead_time\na,1," + '[{"a":' * 15000 + ",1,1,1\n",
            "labels:2: tl: is not as Label Studio writes it (RecursionError",
        ),
    ],
)
def test_wrong_exports(read, text, message):
    assert message in read.refusal(text, frame_rate=10.0)
