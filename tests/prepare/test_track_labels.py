"""Labels of subjects from one file, boxes from another: joined by the subjects' names."""

import argparse
import csv
import json

import pytest

from slowfast_ext.commands import prepare_lists, prepare_tracks
from slowfast_ext.commands.data_arguments import prepare_lists_arguments, prepare_tracks_arguments
from slowfast_ext.errors import SlowFastExtError
from tests.prepare.tool_files import elan_document, table

# Videos of 30 frames at 10 a second. In a and b are a cow and a dog from frame 5 to 24; frames
# count from 1 in MOT's files, from 0 here. The cow of a has another box from frame 28 on.
FRAMES = 30
# (video, subject, label, start, end), in seconds.
TRUTH = [
    ("a", "Cow", "eat", 0.2, 1.0),
    ("a", "Cow", "walk", 0.8, 2.0),
    ("a", "dog", "walk", 1.2, 1.2),
    ("b", "Cow", "eat", 0.0, 3.0),
    ("b", "hen", "eat", 0.0, 1.0),
    ("a", "", "call", 0.0, 1.0),
]
# What the clips show: their names, and their labels from their own start.
CLIPS = [
    ("a_cow_000005.mp4", "eat", 0.0, 0.5),
    ("a_cow_000005.mp4", "walk", 0.3, 1.5),
    ("a_cow_000028.mp4", "", "", ""),
    ("a_dog_000005.mp4", "walk", 0.7, 0.8),
    ("b_cow_000005.mp4", "eat", 0.0, 2.0),
]


@pytest.fixture
def folder(tmp_path, write_moving_square):
    (tmp_path / "videos").mkdir()
    write_moving_square(tmp_path / "videos" / "a.mp4", FRAMES, fps=10, width=48, height=32)
    (tmp_path / "videos" / "b.mp4").write_bytes((tmp_path / "videos" / "a.mp4").read_bytes())
    (tmp_path / "tracks").mkdir()
    for video in "ab":
        subjects = ("cow", "dog") if video == "a" else ("cow", "cat")
        rows = [(n + 1, who, 4, 4, 8, 8, 1) for who in subjects for n in range(5, 25)]
        rows += [(29, "cow", 4, 4, 8, 8, 1), (30, "cow", 4, 4, 8, 8, 1)] if video == "a" else []
        text = "".join(",".join(map(str, row)) + "\n" for row in rows)
        (tmp_path / "tracks" / f"{video}.txt").write_text(text)
    return tmp_path


def boris(_):
    """Tabular events; nobody is BORIS' focal subject."""
    header = ["Observation id", "Source", "Time offset (s)", "Media duration (s)", "Subject"]
    header += ["Behavior", "Modifier #1", "Behavior type", "Time", "Media file name"]
    rows = []
    for video, subject, label, start, end in TRUTH:
        kinds = [("POINT", start)] if start == end else [("START", start), ("STOP", end)]
        start_of_row = [video, f"player #1:/old/{video}.mp4", 0, 3.0, subject or "No focal subject"]
        rows += [[*start_of_row, label, "", kind, time, f"{video}.mp4"] for kind, time in kinds]
    return table(header, rows, "\t")


def elan(folder):
    """A folder of .eaf, with a tier for each participant."""
    folder.mkdir()
    for video in "ab":
        slots, tiers = [], []
        for number, (name, subject, label, *times) in enumerate(TRUTH):
            if name == video:
                slots += [
                    f'<TIME_SLOT TIME_SLOT_ID="t{number}{n}" TIME_VALUE="{round(1000 * time)}"/>'
                    for n, time in enumerate(times)
                ]
                tiers.append(
                    f'<TIER TIER_ID="{subject} {label}" PARTICIPANT="{subject}"><ANNOTATION>'
                    f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" '
                    f'TIME_SLOT_REF1="t{number}0" TIME_SLOT_REF2="t{number}1">'
                    f"<ANNOTATION_VALUE>{label}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
                    "</ANNOTATION></TIER>"
                )
        media = f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///x/{video}.mp4" MIME_TYPE="video/mp4"/>'
        (folder / f"{video}.eaf").write_text(elan_document(media, "".join(slots), "".join(tiers)))


def observer(_):
    header = ["Time_Relative_sf", "Duration_sf", "Observation", "Subject", "Behavior", "Event_Type"]
    return table(
        header,
        [
            (s, e - s, video, who, label, "State start" if s < e else "Point")
            for video, who, label, s, e in TRUTH
        ],
    )


def plain(_):
    return table(["video", "subject", "label", "start", "end"], TRUTH)


def run(folder, labels, *words, out="out"):
    parser = argparse.ArgumentParser()
    prepare_tracks_arguments(parser)
    paths = ["--videos", folder / "videos", "--tracks", folder / "tracks", "--labels", labels]
    prepare_tracks.run(parser.parse_args(list(map(str, [*paths, "--out", folder / out, *words]))))


def rows_of(path):
    with open(path) as stream:
        rows = list(csv.reader(stream))[1:]
    return sorted((n, label, *(t and round(float(t), 3) for t in ts)) for n, label, *ts, _ in rows)


@pytest.mark.parametrize("write", [boris, elan, observer, plain])
def test_clips_of_subjects_whose_labels_stand_elsewhere(folder, write, capsys):
    labels = folder / "labels"
    if text := write(labels):
        labels.write_text(text)
    run(folder, labels, "--mini-scenes", "16", "--json")
    assert rows_of(folder / "out" / "labels.csv") == CLIPS
    report = json.loads(capsys.readouterr().out)
    # Nobody has looked at what the cat does, and nobody knows where the hen is.
    assert report["subjects_without_labels"] == "1 (b.mp4: cat)"
    assert report["subjects_without_boxes"] == "1 (b.mp4: hen)"
    assert report["rows_without_a_subject"].startswith("1 (")
    assert (report["subjects"], report["clips"], report["classes"]) == (3, 4, 2)
    if write is plain:
        parser = argparse.ArgumentParser()
        prepare_lists_arguments(parser)
        words = ["--videos", folder / "out/clips", "--labels", folder / "out/labels.csv"]
        prepare_lists.run(parser.parse_args(list(map(str, [*words, "--out", folder / "lists"]))))
        lists = [(folder / "lists" / f"{side}.csv").read_text() for side in ("train", "test")]
        # A clip of each subject, and those of one video on one side.
        assert sorted(text.count("clips/a_") > 0 for text in lists) == [False, True]
        assert sorted(text.count("clips/b_") > 0 for text in lists) == [False, True]


def test_a_set_in_the_form_of_ava(folder):
    """Of seconds 1 and 2, that is frames 10 and 20, and of subjects by an attribute's name."""
    for path in (folder / "tracks").iterdir():
        boxes = "".join(
            f'<box frame="{n}" outside="0" keyframe="1" xtl="4" ytl="4" xbr="12" ybr="12">'
            '<attribute name="who">COW</attribute></box>'
            for n in (5, 24)
        )
        path.with_suffix(".xml").write_text(
            f"<annotations><meta><task><source>{path.stem}.mp4</source><original_size>"
            "<width>48</width><height>32</height></original_size></task></meta>"
            f'<track id="3" label="animal">{boxes}</track></annotations>'
        )
        path.unlink()
    (folder / "labels").write_text(plain(None))
    run(folder, folder / "labels", "--subject", "who", "--test-share", "0.5")
    sides = [(folder / "out" / f"ava_{side}_v2.2.csv").read_text() for side in ("train", "val")]
    found = sorted(line for text in sides for line in text.splitlines())
    box = "0.0833,0.125,0.25,0.375"
    # eat is 1 and walk is 2; at second 1 the cow of a has just stopped eating.
    # At second 2 it has stopped walking.
    wanted = [f"a,0001,{box},2,0", "a,0002", f"b,0001,{box},1,0", f"b,0002,{box},1,0"]
    assert found == wanted


def test_what_is_unknown_of_a_subject(folder):
    """Of the cow in 0.8 to 1.2 s, of all subjects of b from 2 s on."""
    text = "video,subject,label,start,end,unknown\na,cow,eat,0,1,\na,cow,,0.8,1.2,walk\n"
    (folder / "labels").write_text(text + "a,dog,walk,1,2,\nb,cow,eat,0,1,\nb,,,2,3,*\n")
    run(folder, folder / "labels", "--mini-scenes", "16")
    names = ("path", "labels", "unknown", "start", "end")
    with open(folder / "out" / "labels.csv") as stream:
        rows = [tuple(row[name] for name in names) for row in csv.DictReader(stream)]
    assert sorted(rows) == [
        ("a_cow_000005.mp4", "", "walk", "0.3", "0.7"),
        ("a_cow_000005.mp4", "eat", "", "0.0", "0.5"),
        ("a_cow_000028.mp4", "", "", "", ""),
        ("a_dog_000005.mp4", "walk", "", "0.5", "1.5"),
        ("b_cow_000005.mp4", "", "*", "1.5", "2.0"),
        ("b_cow_000005.mp4", "eat", "", "0.0", "0.5"),
    ]
    with pytest.raises(SlowFastExtError, match="labels:3: it is unknown what cow does in a.mp4"):
        run(folder, folder / "labels", out="ava")
    assert not (folder / "ava").exists()


@pytest.mark.parametrize(
    "text,message",
    [
        ("video,subject,label,start,end\na,pig,eat,0,1\n", "the labels are of a.mp4: pig, the box"),
        ("video,label,start,end\na,eat,0,1\n", "the labels are of nobody, the boxes of a.mp4: cow"),
        ("video,subject,label,start,end\na,cow,eat,2,1\n", "labels:2: end 1 is before start 2"),
        ("video,subject,label,start,end\na,cow,eat,1,9\n", "but a.mp4 ends at 3.00 s"),
        ("video,subject,label\na,cow,\n", "labels: no box says what happens"),
        ("", "labels: holds no labels"),
    ],
)
def test_what_cannot_be_joined(folder, text, message):
    (folder / "labels").write_text(text)
    with pytest.raises(SlowFastExtError) as caught:
        run(folder, folder / "labels", "--mini-scenes", "16")
    assert message in str(caught.value)
    assert not (folder / "out").exists()
