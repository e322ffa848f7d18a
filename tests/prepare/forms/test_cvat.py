"""CVAT's XML: tracks, tags and shapes of single images become segments."""

import shutil

import cv2
import numpy as np
import pytest

from tests.prepare.forms.reading import read, refusal, spans, write_videos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cvat")
    write_videos(folder)
    return folder


def video(body, meta="<task><source>C:\\x\\a.mp4</source></task>"):
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
        f"<meta>{meta}</meta>\n{body}</annotations>\n"
    )


def box(frame, attributes="", outside=0):
    return (
        f'<box frame="{frame}" outside="{outside}" keyframe="1" xtl="4" ytl="8" xbr="20" ybr="24">'
        f"{attributes}</box>\n"
    )


def attribute(name, text):
    return f'<attribute name="{name}">{text}</attribute>'


def track(number, rows, label="run", more=""):
    return f'<track id="{number}" label="{label}" source="manual"{more}>\n{"".join(rows)}</track>\n'


def test_a_track_holds_its_label_up_to_where_it_is_outside(folder):
    rows = [box(n) for n in range(5, 15)] + [box(15, outside=1)]
    rows += [box(n) for n in range(20, 25)]
    text = video(track(0, rows) + track(1, [box(n) for n in range(10, 30)], "jump"))
    file = read(folder, "x.xml", text)
    assert file.form == "CVAT's XML"
    assert spans(file) == [
        ("a.mp4", "jump", 1.0, 3.0, "1"),
        ("a.mp4", "run", 0.5, 1.5, "0"),
        ("a.mp4", "run", 2.0, 2.5, "0"),
    ]


def test_attributes_say_what_happens(folder):
    rows = [box(n, attribute("Behavior", "run" if n < 10 else "jump")) for n in range(20)]
    text = video(track(3, rows, "cow"))
    assert spans(read(folder, "x.xml", text)) == [
        ("a.mp4", "jump", 1.0, 2.0, "3"),
        ("a.mp4", "run", 0.0, 1.0, "3"),
    ]
    rows = [
        box(
            n, attribute("eats", "true" if n < 10 else "false") + attribute("gait", "__undefined__")
        )
        for n in range(20)
    ]
    text = video(track(3, rows, "cow"))
    assert "label or their attributes eats, gait? Name it by --label-columns" in refusal(
        folder, "x.xml", text
    )
    assert spans(read(folder, "x.xml", text, label_columns=["eats", "gait", "label"])) == [
        ("a.mp4", "cow", 0.0, 2.0, "3"),
        ("a.mp4", "eats", 0.0, 1.0, "3"),
    ]
    assert "no attribute x for --label-columns; there are label, eats, gait" in refusal(
        folder, "x.xml", text, label_columns=["x"]
    )


def test_every_nth_frame_holds_up_to_the_next(folder):
    meta = "<task><frame_filter>step=5</frame_filter><source>a.mp4</source></task>"
    text = video(track(0, [box(5), box(10), box(20, outside=1), box(30)]), meta)
    assert spans(read(folder, "x.xml", text)) == [
        ("a.mp4", "run", 0.5, 2.0, "0"),
        ("a.mp4", "run", 3.0, 3.5, "0"),
    ]


def test_a_project_names_its_tasks(folder):
    tasks = "".join(
        f"<task><id>{n}</id><name>t</name><source>{v}.mp4</source></task>"
        for n, v in ((7, "a"), (9, "b"))
    )
    tracks = track(0, [box(0)], more=' task_id="7"') + track(0, [box(1)], more=' task_id="9"')
    text = video(tracks, f"<project><tasks>{tasks}</tasks></project>")
    assert spans(read(folder, "x.xml", text)) == [
        ("a.mp4", "run", 0.0, 0.1, "0"),
        ("b.mp4", "run", 0.1, 0.2, "0"),
    ]
    assert 'x.xml:5: <track> of task "8", which <meta> does not name' in refusal(
        folder, "x.xml", text.replace('task_id="7"', 'task_id="8"')
    )


def images(rows, name="frame_{n}"):
    return "".join(
        f'<image id="{n}" name="{name.format(n=n)}" width="48" height="32">\n'
        + "".join(f'<tag label="{label}" source="manual"></tag>' for label in labels)
        + "</image>\n"
        for n, labels in rows
    )


def test_tags_of_images_overlap(folder):
    rows = [(n, ["run", "jump"] if n < 5 else ["run"]) for n in range(10)] + [(20, [])]
    assert spans(read(folder, "x.xml", video(images(rows)))) == [
        ("a.mp4", "jump", 0.0, 0.5),
        ("a.mp4", "run", 0.0, 1.0),
    ]


def test_images_that_are_files_are_frames_of_their_folder(folder):
    for n in range(3, 13):
        (folder / "videos" / "cows").mkdir(exist_ok=True)
        path = folder / "videos" / "cows" / f"img_{n}.png"
        cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    text = video(images([(n, ["run"]) for n in range(2, 5)], "cows/img_{n}.png"), "<task></task>")
    bad = refusal(folder, "x.xml", text, frame_rate=5)
    assert 'x.xml:5: no frame "img_2.png" in cows' in bad
    text = video(images([(n, ["run"]) for n in range(4, 7)], "cows/img_{n}.png"), "<task></task>")
    assert spans(read(folder, "x.xml", text, frame_rate=5)) == [("cows", "run", 0.2, 0.8)]
    shutil.rmtree(folder / "videos" / "cows")


def test_a_video_without_shapes_shows_nothing(folder):
    (row,) = read(folder, "x.xml", video("")).rows
    assert (row.video, row.labels) == ("a.mp4", ())


def test_without_a_source_the_file_is_called_as_its_video(folder):
    assert spans(read(folder, "b.xml", video(track(0, [box(0)]), ""))) == [
        ("b.mp4", "run", 0.0, 0.1, "0")
    ]


def test_frames_behind_the_end_are_told_as_times_behind_it_are(folder):
    text = video(track(0, [box(90)]))
    assert spans(read(folder, "x.xml", text)) == [("a.mp4", "run", 9.0, 9.1, "0")]


@pytest.mark.parametrize(
    "text,message",
    [
        (video(track(0, [box("x")])), 'x.xml:6: frame "x" of <box> is no number of a frame'),
        (video("<track id='0'>" + box(0) + "</track>"), "x.xml:5: <box> has no label"),
        (video(images([("-1", ["run"])])), 'x.xml:5: id "-1" of <image> is no number'),
        (video(track(0, [box(0)]), "<source>q.mp4</source>"), 'x.xml:6: no video "q.mp4"'),
        (video(track(0, [box(0)], "1.5")), 'label "1.5" is a number'),
        ("<annotations>\n<track>\n</annotations>", "x.xml:3: not XML (mismatched tag)"),
        ("<!DOCTYPE a><annotations/>", "x.xml:1: a document type"),
        (
            video(track(0, [box(0).replace('"4"', '"nan"')]),
            "<task><original_size><width>48</width><height>32</height></original_size></task>"),
            "x.xml:6: <box> has no corners that are numbers",
        ),
    ],
)  # fmt: skip
def test_wrong_files_are_told_by_their_lines(folder, text, message):
    assert message in refusal(folder, "x.xml", text)
