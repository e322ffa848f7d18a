"""CVAT's XML: tracks, tags and shapes of single images become segments."""

import shutil

import cv2
import numpy as np
import pytest

from slowfast_ext.prepare.forms.cvat import cvat_shapes
from slowfast_ext.prepare.label_forms import read_label_file
from slowfast_ext.prepare.label_times import check_times
from slowfast_ext.prepare.labelled_spans import add_unlabelled_time
from slowfast_ext.prepare.own_media import OwnMedia
from slowfast_ext.utils.xml_tree import parse_xml
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


def test_a_skeleton_is_there_while_one_of_its_points_is(folder):
    def skeleton(frame, *outside):
        points = "".join(f'<points label="{n}" outside="{o}"/>' for n, o in enumerate(outside))
        return f'<skeleton frame="{frame}" keyframe="1">{points}</skeleton>\n'

    text = video(track(0, [skeleton(5, 0, 0), skeleton(10, 1, 0), skeleton(15, 1, 1)]))
    assert spans(read(folder, "x.xml", text)) == [("a.mp4", "run", 0.5, 1.5, "0")]


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


def test_a_project_counts_the_frames_of_a_subsets_tasks_on(folder):
    """The second task of a subset begins behind the first one's frames, each by its own step."""

    def task(number, name, subset, size, filter=""):
        return (
            f"<task><id>{number}</id><size>{size}</size><subset>{subset}</subset><start_frame>10"
            f"</start_frame><stop_frame>19</stop_frame><frame_filter>{filter}</frame_filter>"
            f"<source>{name}.mp4</source></task>"
        )

    tasks = task(1, "a", "x", 2, "step=5") + task(2, "b", "x", 10) + task(3, "c", "y", 10)
    rows = [track(0, [box(n)], more=f' task_id="{t}"') for n, t in ((15, 1), (31, 2), (12, 3))]
    text = video("".join(rows), f"<project><tasks>{tasks}</tasks></project>")
    assert spans(read(folder, "x.xml", text)) == [
        ("a.mp4", "run", 1.5, 2.0, "0"),
        ("b.mp4", "run", 1.1, 1.2, "0"),
        ("c.mp4", "run", 1.2, 1.3, "0"),
    ]
    assert "x.xml:9: frame 29 of b.mp4, whose frames begin here at 30" in refusal(
        folder, "x.xml", text.replace('frame="31"', 'frame="29"')
    )
    # Tasks in another order would have other frames.
    assert "x.xml:9: frame 40 of b.mp4, whose frames end here at 39" in refusal(
        folder, "x.xml", text.replace('frame="31"', 'frame="40"')
    )


def test_each_task_of_a_project_has_its_own_size(folder):
    sizes = ((1, "a", 48, 32), (2, "b", 96, 64))
    tasks = "".join(
        f"<task><id>{n}</id><source>{v}.mp4</source><original_size><width>{w}</width><height>{h}"
        "</height></original_size></task>"
        for n, v, w, h in sizes
    )
    tracks = "".join(track(0, [box(0)], more=f' task_id="{n}"') for n, *_ in sizes)
    root = parse_xml("x", video(tracks, f"<project><tasks>{tasks}</tasks></project>"))
    one, two = (shape.box for shape in cvat_shapes("x", root, None)[0])
    assert one == (4 / 48, 8 / 32, 20 / 48, 24 / 32)
    assert two == (4 / 96, 8 / 64, 20 / 96, 24 / 64)


def part(first, last, body):
    frames = f"<start_frame>{first}</start_frame><stop_frame>{last}</stop_frame>"
    return video(body, f"<job>{frames}<source>a.mp4</source></job>")


def test_what_no_task_is_about_is_unknown(folder, tmp_path):
    """Of a video's jobs each is about a part; the rest, where nobody looked, is not `nothing`."""

    def unknown(name):
        file = read_label_file(str(tmp_path / name), OwnMedia(str(folder / "videos")))
        add_unlabelled_time(file, check_times(file))
        return [(r.labels, round(r.start, 6), round(r.end, 6)) for r in file.rows if r.unknown]

    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "1.xml").write_text(part(5, 14, track(0, [box(5)])))
    (tmp_path / "jobs" / "2.xml").write_text(part(15, 29, track(0, [box(20)])))
    (tmp_path / "all.xml").write_text(part(0, 39, track(0, [box(20)])))
    assert unknown("jobs/1.xml") == [((), 0, 0.5), ((), 1.5, 4)]
    assert unknown("jobs") == [((), 0, 0.5), ((), 3, 4)]
    assert unknown("all.xml") == []


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


def test_a_name_of_two_videos(tmp_path):
    write_videos(tmp_path, "a")
    for name in ("x", "y"):
        (tmp_path / "videos" / name).mkdir()
        shutil.copy(tmp_path / "videos" / "a.mp4", tmp_path / "videos" / name / "d.mp4")
    text = video(track(0, [box(n) for n in range(5)]), "<task><source>d.mp4</source></task>")
    said = refusal(tmp_path, "x.xml", text)
    assert '"d.mp4" may be x/d.mp4 or y/d.mp4: write the path' in said and "None" not in said
