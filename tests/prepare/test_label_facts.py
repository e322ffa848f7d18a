"""What a label file does not say itself: frames' numbers and rates, whose labels count, a video."""

import argparse
import json

import cv2
import numpy as np
import pytest

from slowfast_ext.commands import prepare_lists
from slowfast_ext.commands.data_arguments import prepare_lists_arguments
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia


@pytest.fixture
def media(tmp_path, write_moving_square):
    (tmp_path / "videos").mkdir()
    for name in "abc":
        write_moving_square(tmp_path / "videos" / f"{name}.mp4", 10, fps=10, width=48, height=32)
    return OwnMedia(str(tmp_path / "videos"))


def read(tmp_path, media, text, name="labels.csv", **options):
    (tmp_path / name).write_text(text)
    file = read_label_file(str(tmp_path / name), media, **options)
    check_problems(file)
    return [(row.video, *row.labels, row.start, row.end) for row in file.rows]


def refusal(*args, **options):
    with pytest.raises(SlowFastExtError) as caught:
        read(*args, **options)
    return str(caught.value)


FRAMES = "path,labels,start_frame,end_frame\na,run,1,4\nb,jump,3,3\nc,wave,,\n"


def test_frames(tmp_path, media):
    """The last one is included; the video's own times count where no rate is given."""
    rest = ("c.mp4", "wave", None, None)
    own = read(tmp_path, media, FRAMES, frame_base=1)
    assert own == [("a.mp4", "run", 0, 0.4), ("b.mp4", "jump", 0.2, 0.3), rest]
    given = read(tmp_path, media, FRAMES.replace("end_", "stop_"), frame_base=0, frame_rate=20.0)
    assert given == [("a.mp4", "run", 0.05, 0.25), ("b.mp4", "jump", 0.15, 0.2), rest]


@pytest.mark.parametrize(
    "row,message",
    [
        ("a,run,0,3", 'labels.csv:2: frame "0" is no whole number from 1 on'),
        ("a,run,1,x", 'labels.csv:2: frame "x" is no whole number from 1 on'),
        ("a,run,1.5,2", 'frame "1.5" is no whole number'),
        ("a,run,3,2", "labels.csv:2: last frame 2 is before first 3"),
        ("q,run,3,2", 'labels.csv:2: no video "q"'),
    ],
)
def test_wrong_frames(tmp_path, media, row, message):
    text = "path,labels,start_frame,end_frame\n" + row
    assert message in refusal(tmp_path, media, text, frame_base=1)


def test_facts_are_asked_for_and_never_guessed(tmp_path, media):
    assert "counts frames: --frame-base 0 or --frame-base 1 says" in refusal(
        tmp_path, media, FRAMES
    )
    (tmp_path / "videos" / "f").mkdir()
    cv2.imwrite(str(tmp_path / "videos" / "f" / "1.jpg"), np.zeros((8, 8, 3), np.uint8))
    media = OwnMedia(media.folder)
    text = "path,labels,start_frame,end_frame\nf,run,0,3\n"
    assert "labels.csv:2: f has frames without times: --frame-rate R" in refusal(
        tmp_path, media, text, frame_base=0
    )
    assert read(tmp_path, media, text, frame_base=0, frame_rate=8.0) == [("f", "run", 0, 0.5)]
    seconds = "path,labels,start,end\na,run,0,1\n"
    for options in ({"frame_rate": 8.0}, {"frame_base": 0}):
        assert "is given, but no times here count frames" in refusal(
            tmp_path, media, seconds, **options
        )


def test_a_file_that_names_no_video_is_about_the_one_of_its_name(tmp_path, media):
    text = "label;start;stop\nrun;0;0,5\njump;0:00:00.25;1\n"
    rows = [("a.mp4", "run", 0, 0.5), ("a.mp4", "jump", 0.25, 1)]
    assert read(tmp_path, media, text, "a.csv") == rows
    indexed = ";label;start;stop\n0;run;0;0,5\n1;jump;0:00:00.25;1\n"
    assert read(tmp_path, media, indexed, "a.csv") == rows
    assert "no form that is known" in refusal(tmp_path, media, text, "q.csv")


def test_a_folder_of_label_files(tmp_path, media):
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "a.csv").write_text("label,start,end\nrun,0,0.5\n")
    (folder / "b.tsv").write_text("label\tstart\tend\njump\t0\t1\n")
    (folder / "rest.csv").write_text("path,labels,size\nc,wave,3\n")
    (folder / "notes.doc").write_text("buy milk")
    (folder / "old").mkdir()
    file = read_label_file(str(folder), media)
    assert [(r.video, *r.labels) for r in file.rows] == [
        ("a.mp4", "run"),
        ("b.mp4", "jump"),
        ("c.mp4", "wave"),
    ]
    assert [(why, len(places)) for why, places in file.unused_rows.items()] == [
        ("no file of labels by its ending", 1),
        ("a folder below, whose files are not read", 1),
    ]
    assert file.unused == ["size"]
    (folder / "b.tsv").write_text("label\tstart\tend\njump\t1\t0\n")
    with pytest.raises(SlowFastExtError, match=r"b.tsv:2: end 0 is before start 1"):
        check_problems(read_label_file(str(folder), media))
    (folder / "old").rmdir()
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(SlowFastExtError, match="labels: holds no label file"):
        read_label_file(str(folder), media)


def test_subjects(tmp_path, media, capsys):
    text = "path,subject,labels\na,cow,eat;walk\nb,dog,run\nc,cow,walk\na,,eat\nb,cow,eat\n"
    assert [row[1] for row in read(tmp_path, media, text)] == ["eat", "run", "walk", "eat", "eat"]
    assert 'no subject "cat" for --subjects; they are cow, dog' in refusal(
        tmp_path, media, text, subjects=["cat"]
    )
    parser = argparse.ArgumentParser()
    prepare_lists_arguments(parser)
    words = ["--videos", media.folder, "--labels", tmp_path / "labels.csv"]
    words += ["--out", tmp_path / "out", "--json", "--subjects", "cow"]
    prepare_lists.run(parser.parse_args(list(map(str, words))))
    report = json.loads(capsys.readouterr().out)
    assert set(report["labels"]) == {"eat", "walk"}
    assert report["rows_not_used"] == {
        "subject dog": f"1 ({tmp_path}/labels.csv:3)",
        "subject not said": f"1 ({tmp_path}/labels.csv:5)",
    }


EPIC = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,"
    "start_frame,stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
    "P01_1,P01,a,00:00:00.56,00:00:00.14,00:00:00.37,8,202,open,open,3,door,3,['door'],[3]\n"
    "P01_2,P01,a,00:00:01.00,00:00:00.30,00:00:00.90,8,202,take out,take-out,1,cup:big,1,"
    "\"['cup:big', 'door']\",\"[1, 3]\"\n"
)


def test_epic_kitchens(tmp_path, media):
    assert read(tmp_path, media, EPIC, label_columns=["verb"]) == [
        ("a.mp4", "open", 0.14, 0.37),
        ("a.mp4", "take-out", 0.3, 0.9),
    ]
    assert [
        row[1:-2] for row in read(tmp_path, media, EPIC, label_columns=["verb", "all_nouns"])
    ] == [
        ("open", "door"),
        ("take-out", "cup:big", "door"),
    ]
    assert "--label-columns verb, noun, or verb,all_nouns" in refusal(tmp_path, media, EPIC)
    wrong = EPIC.replace("00:00:00.90", "later")
    assert 'labels.csv:3: end "later" is not a number' in refusal(
        tmp_path, media, wrong, label_columns=["noun"]
    )
