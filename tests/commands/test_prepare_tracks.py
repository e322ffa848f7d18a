"""prepare tracks: boxes become sets that `prepare ava` reads, and clips around each subject."""

import argparse
import csv
import json
import re

import numpy as np
import pytest

from slowfast_ext.commands import prepare_ava, prepare_lists, prepare_tracks
from slowfast_ext.commands.data_arguments import (
    prepare_ava_arguments,
    prepare_lists_arguments,
    prepare_tracks_arguments,
)
from slowfast_ext.datasets.ava_annotations import (
    read_ground_truth,
    read_label_map,
    read_person_boxes,
)
from slowfast_ext.datasets.video import open_video
from slowfast_ext.errors import SlowFastExtError
from tests.helpers import write_video

# Videos of 25 frames at 10 a second, 40 x 20 pixels. A subject moves to the right, a pixel a
# frame, from x 4 on; it runs up to frame 12 and jumps from frame 8 on.
WIDTH, HEIGHT, FRAMES = 40, 20, 25


def box_at(frame):
    return [4 + frame, 6, 10 + frame, 14]


def labels_at(frame):
    return [*(["run"] if frame < 12 else []), *(["jump"] if frame >= 8 else [])]


@pytest.fixture
def folder(tmp_path):
    images = np.full((FRAMES, HEIGHT, WIDTH, 3), 40, np.uint8)
    for frame, image in enumerate(images):
        x1, y1, x2, y2 = box_at(frame)
        image[y1:y2, x1:x2] = (255, 80, 200)
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", images, 10, crf="10")
    for name in "bc":
        (tmp_path / "videos" / f"{name}.mp4").write_bytes((tmp_path / "videos/a.mp4").read_bytes())
    return tmp_path


def cvat(name):
    # Every 4th frame: between them boxes go on evenly.
    rows = "".join(
        f'<box frame="{n}" outside="0" keyframe="1" xtl="{x1}" ytl="{y1}" xbr="{x2}" ybr="{y2}">'
        f'<attribute name="activity">{";".join(labels_at(n))}</attribute></box>\n'
        for n in range(0, FRAMES, 4)
        for x1, y1, x2, y2 in [box_at(n)]
    )
    return (
        f"<annotations><meta><task><source>{name}.mp4</source><frame_filter>step=4</frame_filter>"
        f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size></task>"
        f'</meta>\n<track id="7" label="cow">\n{rows}</track></annotations>'
    )


def mot(name):
    return "".join(
        f"{n + 1},7,{x1},{y1},{x2 - x1},{y2 - y1},1,{';'.join(labels_at(n))}\n"
        for n in range(FRAMES)
        for x1, y1, x2, y2 in [box_at(n)]
    )


def mot_with_header(name):
    return "frame,track_id,x1,y1,x2,y2,video,activity\n" + "".join(
        f"{n},7,{','.join(map(str, box_at(n)))},{name},{';'.join(labels_at(n))}\n"
        for n in range(FRAMES)
    )


def via(name):
    attributes = {
        "1": {"aname": "activity", "type": "2", "options": {"0": "run", "1": "jump"}},
        "2": {"aname": "who", "type": "1", "options": {}},
    }
    ids = {"run": "0", "jump": "1"}
    lines = [f"# ATTRIBUTE = {json.dumps(attributes)}"]
    names = "metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata"
    lines.append(f"# CSV_HEADER = {names}")
    for n in range(FRAMES):
        x1, y1, x2, y2 = box_at(n)
        values = {"1": ",".join(ids[label] for label in labels_at(n)), "2": "7"}
        cells = ([f"{name}.mp4"], 0, [n / 10], [2, x1, y1, x2 - x1, y2 - y1], values)
        cells = [json.dumps(cell).replace('"', '""') for cell in cells]
        lines.append(",".join(f'"{cell}"' for cell in (f"{n}", *cells)))
    return "\n".join(lines) + "\n"


FORMS = {"xml": (cvat, []), "txt": (mot, []), "csv": (mot_with_header, ["--frame-base", "0"])}
FORMS["via.csv"] = (via, ["--subject", "who"])


def write_tracks(folder, ending, names="abc"):
    (folder / "tracks").mkdir(exist_ok=True)
    for name in names:
        (folder / "tracks" / f"{name}.{ending}").write_text(FORMS[ending][0](name))


def call(command, arguments, *words):
    parser = argparse.ArgumentParser()
    arguments(parser)
    command.run(parser.parse_args([str(word) for word in words]))


def run(folder, *words, tracks="tracks", out="out"):
    paths = ["--videos", folder / "videos", "--tracks", folder / tracks, "--out", folder / out]
    call(prepare_tracks, prepare_tracks_arguments, *paths, *words)


@pytest.mark.parametrize("ending", FORMS)
def test_a_set_in_the_form_of_ava(folder, ending, capsys):
    write_tracks(folder, ending)
    run(folder, "--test-share", "0.4", "--json", *FORMS[ending][1])
    report = json.loads(capsys.readouterr().out)
    assert report["train"]["videos"] + report["val"]["videos"] == 3
    out = folder / "out"
    assert read_label_map(str(out / "ava_action_list_v2.2_for_activitynet_2019.pbtxt")) == {
        1: "jump",
        2: "run",
    }
    tables = [read_ground_truth(str(out / f"ava_{split}_v2.2.csv")) for split in ("train", "val")]
    found = {
        (row.video, row.second, row.action, *np.round((row.x1, row.y1, row.x2, row.y2), 4).tolist())
        for table in tables
        for row in table.itertuples()
    }
    # Seconds 0, 1 and 2 are frames 0, 10 and 20.
    wanted = {
        (
            name,
            second,
            action,
            *np.round(np.array(box_at(10 * second)) / [40, 20, 40, 20], 4).tolist(),
        )
        for name in "abc"
        for second, actions in ((0, [2]), (1, [1, 2]), (2, [1]))
        for action in actions
    }
    assert found == wanted
    persons = read_person_boxes(str(out / "ava_val_predicted_boxes.csv"))
    assert len(persons) == 3 * report["val"]["videos"] and (persons["score"] == 1).all()


def test_prepare_ava_takes_the_set(folder, capsys):
    write_tracks(folder, "xml")
    run(folder)
    annotations = ["--annotations", folder / "out", "--videos", folder / "videos"]
    call(prepare_ava, prepare_ava_arguments, *annotations, "--start", 0, "--out", folder / "ava")
    assert (folder / "ava" / "frame_lists" / "start.txt").read_text() == "0\n"
    assert "prepare ava --annotations" in capsys.readouterr().out


@pytest.mark.parametrize("ending", ["xml", "via.csv"])
def test_mini_scenes(folder, ending, capsys):
    write_tracks(folder, ending, "ab")
    run(folder, "--mini-scenes", "32", *FORMS[ending][1])
    assert "clips: 2" in capsys.readouterr().out
    with open(folder / "out" / "labels.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [
        (r["path"], r["labels"], r["start"][:3], r["end"][:3], r["source_video"]) for r in rows
    ] == [
        (f"{name}_7_000000.mp4", *row, f"{name}.mp4")
        for name in "ab"
        for row in (("run", "0.0", "1.2"), ("jump", "0.8", "2.5"))
    ]
    with open_video(str(folder / "out" / "clips" / "a_7_000000.mp4")) as video:
        images = video.read(range(video.info.length))
        assert video.info.length == FRAMES and video.info.fps == 10
    # Windows are 10 x 10 pixels around a box of 6 x 8, and follow it.
    assert images.shape[1:3] == (32, 32)
    inside = images[:, 8:24, 10:22].reshape(FRAMES, -1, 3).mean(axis=1)
    assert np.abs(inside - [255, 80, 200]).max() < 40
    assert np.abs(images[:, 8:24, :3].reshape(FRAMES, -1, 3).mean(axis=1) - 40).max() < 40
    paths = ["--videos", folder / "out/clips", "--labels", folder / "out/labels.csv"]
    call(prepare_lists, prepare_lists_arguments, *paths, "--out", folder / "lists")
    assert (folder / "lists" / "classes.txt").read_text() == "jump\nrun\n"
    with pytest.raises(SlowFastExtError, match="holds clips already"):
        run(folder, "--mini-scenes", "32", *FORMS[ending][1])


def test_videos_that_differ_in_their_endings_alone(folder):
    """AVA's lists have names without endings: one would take the other's place."""
    (folder / "videos/b.mp4").rename(folder / "videos/a.avi")
    write_tracks(folder, "csv", ["a.mp4", "a.avi"])
    with pytest.raises(SlowFastExtError, match=r"a\.mp4: is a\.avi too, without the ending"):
        run(folder, "--frame-base", "0")


def test_a_gap_ends_a_scene_and_idle_ones_are_kept(folder):
    """Boxes may lie partly outside the frame; subjects' names become names of files."""
    rows = ["3,x/1,-4,2,12,30,1,run", "4,x/1,-4,2,12,30,1,run", "9,x/1,30,2,12,12,1,"]
    (folder / "a.txt").write_text("\n".join(rows))
    run(folder, "--mini-scenes", "16", tracks="a.txt")
    text = (folder / "out" / "labels.csv").read_text().splitlines()
    assert text[1].startswith("a_x_1_000002.mp4,run,0.0,0.2") and len(text) == 3
    assert text[2] == "a_x_1_000008.mp4,,,,a.mp4"
    for name, length in (("a_x_1_000002", 2), ("a_x_1_000008", 1)):
        with open_video(str(folder / "out" / "clips" / f"{name}.mp4")) as video:
            assert video.info.length == length
    (folder / "a.txt").write_text("\n".join([*rows, *(r.replace("x/1", "x_1") for r in rows)]))
    with pytest.raises(SlowFastExtError, match="two tracks would be the clip a_x_1_000002.mp4"):
        run(folder, "--mini-scenes", "16", tracks="a.txt", out="again")


def test_tracks_of_two_jobs_are_two_subjects(folder):
    """CVAT numbers each file's from 0 on: one that ends where the other begins is not the other."""
    (folder / "tracks").mkdir()
    for job, frames, x in ((1, range(8), 2), (2, range(8, 16), 30)):
        boxes = "".join(
            f'<box frame="{n}" xtl="{x}" ytl="4" xbr="{x + 6}" ybr="12"></box>' for n in frames
        )
        text = cvat("a").partition("<track")[0].replace("step=4", "")
        text += f'<track id="0" label="run">{boxes}</track></annotations>'
        (folder / "tracks" / f"job{job}.xml").write_text(text)
    run(folder, "--mini-scenes", "16")
    clips = sorted(path.name for path in (folder / "out" / "clips").iterdir())
    assert clips == ["a_0_000000.mp4", "a_job2_0_000008.mp4"]


def test_a_row_a_label(folder):
    """A box that stands on every 5th frame, once for each of its labels, shows both throughout."""
    rows = "".join(
        f"{n},7,{x1},{y1},{x2},{y2},{name},{label}\n"
        for name in "ab"
        for n in range(0, FRAMES, 5)
        for x1, y1, x2, y2 in [box_at(n)]
        for label in ("run", "jump")
    )
    text = f"frame,track_id,x1,y1,x2,y2,video,activity\n{rows}"
    (folder / "all.csv").write_text(text)
    run(folder, "--frame-base", 0, tracks="all.csv")
    for split in ("train", "val"):
        truth = read_ground_truth(str(folder / "out" / f"ava_{split}_v2.2.csv"))
        assert truth["action"].tolist() == [2, 1] * 3
    run(folder, "--frame-base", 0, "--mini-scenes", 16, tracks="all.csv", out="clips")
    lines = (folder / "clips" / "labels.csv").read_text().splitlines()[1:]
    assert lines[:2] == [f"a_7_000000.mp4,{label},0.0,2.5,a.mp4" for label in ("run", "jump")]
    # Without subjects equal boxes are one, since two cannot be in one place.
    (folder / "all.csv").write_text(text.replace(",7,", ",,"))
    run(folder, "--frame-base", 0, tracks="all.csv", out="nobody")
    persons = read_person_boxes(str(folder / "nobody" / "ava_val_predicted_boxes.csv"))
    assert len(persons) == 3


def refusal(folder, ending, text, *words):
    (folder / f"a.{ending}").write_text(text)
    with pytest.raises(SlowFastExtError) as caught:
        run(folder, *words, tracks=f"a.{ending}")
    assert not (folder / "out").exists()
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    "ending,text,message",
    [
        ("xml", cvat("a"), "one video cannot be split"),
        ("xml", cvat("q"), 'a.xml:3: no video "q.mp4" in'),
        ("xml", cvat("a").replace('"activity"', '"x"'), "own label or their attributes x?"),
        ("xml", "<annotations/>", "a.xml: holds no boxes"),
        ("xml", "<x/>", "a.xml: is XML, but not CVAT's"),
        ("xml", re.sub(">(run|jump|run;jump)<", "><", cvat("a")), "no box says what happens"),
        ("txt", "", "a.txt: holds no tracks"),
        ("txt", "1,7,1,1,5\n", "a.txt:1: 5 fields where frame,id,x,y,w,h,score and an activity"),
        ("txt", "1,7,1,1,5,5,1,run\nx,7,1,1,5,5,1,run\n", 'a.txt:2: frame "x" is not a number'),
        ("txt", "0,7,1,1,5,5,1,run\n", 'a.txt:1: frame "0" is not a whole number from 1 on'),
        ("txt", "26,7,1,1,5,5,1,run\n", "a.txt:1: frame 25 from 0, of 25 in a.mp4"),
        ("txt", "1,7,1,1,5,5,1,run\n1e999,7,1,1,5,5,1,x\n", 'a.txt:2: frame "1e999" is not'),
        ("txt", "1,7,1,1,5,5,1,a\n1,7,1,2,5,5,1,b\n", 'subject "7" has another box on'),
        ("txt", "1,7,1,1,y,5,1,run\n", "a.txt:1: a box's size is not a number"),
        ("txt", "1,7,1,1,5,5,1,0.5\n", 'a.txt:1: label "0.5" is a number'),
        ("csv", via("a").replace("[2, ", "[9, "), "a.csv:3: a region needs one file, one time and"),
        ("csv", via("q"), 'a.csv:3: no video "q.mp4"'),
        ("csv", mot_with_header("a"), "do frames count from 0 or from 1? Say so by --frame-base"),
        ("csv", "frame,id,activity\n1,1,x\n", "a.csv: tracks without a column x"),
    ],
)  # fmt: skip
def test_wrong_tracks_are_told_by_their_place(folder, ending, text, message):
    assert message in refusal(folder, ending, text)


def test_wrong_arguments(folder):
    assert "--mini-scenes is 31: it must be even" in refusal(
        folder, "xml", cvat("a"), "--mini-scenes", "31"
    )
    assert "no attribute x for --subject; there are activity" in refusal(
        folder, "xml", cvat("a"), "--subject", "x"
    )


@pytest.mark.parametrize("ending", FORMS)
def test_tracks_of_videos_that_are_not_there_are_left_out_and_named(folder, ending, capsys):
    write_tracks(folder, ending, "ab")
    words = ["--mini-scenes", "16", "--json", *FORMS[ending][1]]
    run(folder, *words, out="all")
    clean = json.loads(capsys.readouterr().out)
    (folder / "videos" / "b.mp4").unlink()
    run(folder, *words)
    found, told = capsys.readouterr()
    report = json.loads(found)
    assert (report["videos"], report["clips"]) == (1, 1) and clean["videos_not_found"] == "none"
    assert report["videos_not_found"] in ("1 (b.mp4)", "1 (b)")
    assert "videos that are not in" in told and "b." in told
