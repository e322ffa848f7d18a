"""People's own videos and labels become lists, whatever form the labels have."""

import csv
import json

import pytest

from slowfast_ext.commands import prepare_lists
from slowfast_ext.commands.arguments import parse_arguments
from slowfast_ext.datasets.lists import Segment, read_class_names, read_list
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import LabelFile, LabelRow
from slowfast_ext.prepare.own_media import OwnMedia
from tests.helpers import ROOT
from tests.prepare.own_labels import (
    LABELS,
    SEGMENTS,
    WHOLE,
    binary,
    refused,
    run,
    write_frames,
    write_videos,
    written,
)


@pytest.fixture
def folder(tmp_path, write_moving_square):
    write_videos(tmp_path, write_moving_square)
    return tmp_path


def test_every_form_gives_the_same_lists(folder, capsys):
    write_frames(folder)
    found = {}
    for number, (form, labels) in enumerate(WHOLE.items()):
        videos = "frames" if form.startswith("folder") else "videos"
        run(folder, labels, "--seed", 1, "--json", out=f"out{number}", videos=videos)
        report = json.loads(capsys.readouterr().out)
        assert report["form"] == form
        found[form] = written(folder, f"out{number}")
    reference = found.pop("path,labels[,start,end]")
    assert reference["classes.txt"] == "jump\nrun\nwave\n"
    rows = [line for name in ("train.csv", "test.csv") for line in reference[name].split("\n")[1:]]
    expected = [f"{name},{';'.join(labels)},," for name, labels in LABELS.items()]
    assert sorted(filter(None, rows)) == sorted(expected)
    for form, lists_of_form in found.items():
        assert lists_of_form == reference, form


def test_every_form_gives_the_same_segments(folder, capsys):
    write_frames(folder, "abcd")
    rows = [(name, label, str(start), str(end)) for name, label, start, end in SEGMENTS]
    database = {}
    for name, label, start, end in SEGMENTS:
        video = database.setdefault(name, {"subset": "training", "annotations": []})
        video["annotations"].append({"label": label, "segment": [start, end]})
    with_header = "path,labels,start,end\n" + "\n".join(",".join(row) for row in rows)
    ones = [[n, start, end, *(int(x == y) for y in ("run", "jump"))] for n, x, start, end in rows]
    forms = [
        ("videos", with_header),
        ("videos", "\n".join(",".join(row) for row in rows)),
        ("videos", binary(["path", "start", "end", "run", "jump"], ones)),
        ("videos", json.dumps({"database": database})),
        (
            "videos",
            "label,youtube_id,time_start,time_end\n"
            + "\n".join(f"{label},{name},{start},{end}" for name, label, start, end in rows),
        ),
        ("frames", with_header),
    ]
    found = []
    for number, (videos, labels) in enumerate(forms):
        run(folder, labels, out=f"out{number}", videos=videos)
        found.append(written(folder, f"out{number}"))
        assert ("times are not checked" in capsys.readouterr().out) == (videos == "frames")
    assert all(one == found[0] for one in found)
    out = folder / "out0"
    names = read_class_names(str(out / "classes.txt"))
    videos = {}
    for split in ("train", "test"):
        for video in read_list(str(out / f"{split}.csv"), names, str(out)):
            videos[video.path[-5]] = video.segments
    assert videos["a"] == (Segment((0,), 0.0, 0.5), Segment((1,), 0.25, 0.75))
    assert videos["d"] == (Segment((0,), 0.0, 0.25), Segment((0,), 0.5, 1.0))


def test_kinetics_clips_of_one_source_stay_together(folder):
    for second, name in enumerate(LABELS):
        clip = f"id{second // 2}_{second:06d}_{second + 1:06d}.mp4"
        (folder / "videos" / "jump").mkdir(exist_ok=True)
        (folder / "videos" / f"{name}.mp4").rename(folder / "videos" / "jump" / clip)
    rows = [f"jump,id{s // 2},{s},{s + 1},train" for s in range(8)]
    run(folder, "label,youtube_id,time_start,time_end,split\n" + "\n".join(rows))
    sources = {
        name: {line.split("/")[-1][:3] for line in text.split("\n")[1:] if line}
        for name, text in written(folder).items()
        if name != "classes.txt"
    }
    assert len(sources["train.csv"]) == 3 and len(sources["test.csv"]) == 1
    assert not sources["train.csv"] & sources["test.csv"]


def test_paths_in_folders_and_with_blanks(folder):
    (folder / "videos" / "long jump").mkdir()
    (folder / "videos" / "b.mp4").rename(folder / "videos" / "long jump" / "b.mp4")
    run(folder, f"long jump/b.mp4 3\n{folder}/videos/c.mp4 10 3\n", "--test-share", 0.5)
    found = written(folder)
    assert found["classes.txt"] == "3\n10\n"
    run(folder, "a 1\na 01\nc 001\nc 10\n", out="zeros")
    assert written(folder, "zeros")["classes.txt"] == "001\n01\n1\n10\n"
    assert "long jump/b,3,," in found["train.csv"] + found["test.csv"]
    assert "\nc,10;3,," in found["train.csv"] + found["test.csv"]


def test_a_column_may_say_the_side(folder, capsys):
    rows = ["a,jump,Training", "b,jump,test", "c,jump,val"]
    run(folder, "id,label,subset\n" + "\n".join(rows), "--split-column", "subset")
    assert {name: text.split("\n")[1:-1] for name, text in written(folder).items()} == {
        "classes.txt": [],
        "train.csv": ["a,jump,,"],
        "test.csv": ["b,jump,,"],
        "val.csv": ["c,jump,,"],
    }
    run(folder, "id,label,subset\n" + "\n".join(rows[::2]), "--split-column", "subset", out="two")
    assert sorted(written(folder, "two")) == ["classes.txt", "test.csv", "train.csv"]
    capsys.readouterr()
    run(folder, "id,label,subset\n" + "\n".join(rows), out="three")
    assert "columns_not_used:\n- subset\n" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["json", "csv"])
def test_withheld_labels_are_not_labels_of_nothing(folder, capsys, form):
    """Of a test none of whose videos has a label, all are left out, unless asked for as a side."""
    sides = [("a", "jump", "training"), ("b", "run", "validation"), ("c", "", "testing")]
    sides += [("d", "jump", "training"), ("e", "", "training"), ("f", "", "testing")]
    text = "path,labels,subset\n" + "\n".join(map(",".join, sides))
    if form == "json":
        database = {
            n: {"subset": side, "annotations": [{"label": label}] if label else []}
            for n, label, side in sides
        }
        text = json.dumps({"database": database})
    run(folder, text, "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["videos_withheld"] == 2 and sum(report["videos"].values()) == 4
    lists_of = written(folder)
    assert not any(f"{name}," in text for name in "cf" for text in lists_of.values())
    run(folder, text, "--split-column", "subset", out="sides")
    assert "withheld" in capsys.readouterr().out
    assert written(folder, "sides")["test.csv"] == "path,labels,start,end\nb,run,,\n"


def test_videos_without_labels_are_kept(folder, capsys):
    run(folder, "path,labels\na,jump\nb,jump\nc,\n")
    assert "videos_without_a_row: 5\n" in capsys.readouterr().out
    assert "c,,," in written(folder)["train.csv"] + written(folder)["test.csv"]


def test_wrong_seed(folder):
    assert "--seed is -1" in refused(folder, "path,labels\na,x\nb,x\n", "--seed=-1")


@pytest.mark.parametrize("share", ["0", "1", "-1", "nan"])
def test_wrong_shares(folder, share):
    assert "--test-share" in refused(folder, "path,labels\na,x\nb,x\n", f"--test-share={share}")


def test_nothing_else_is_written_over(folder):
    labels = WHOLE["path,labels[,start,end]"]
    (folder / "own").mkdir()
    run(folder, labels, out="out")
    run(folder, labels, out="out")
    before = written(folder)
    with pytest.raises(SlowFastExtError, match="is not what this command would write"):
        run(folder, labels.replace("jump", "fly"), out="out")
    assert written(folder) == before
    with pytest.raises(SlowFastExtError, match="train.csv is there already"):
        run(folder, labels, out="own", name="own/train.csv")
    assert (folder / "own" / "train.csv").read_text() == labels


def test_columns_without_a_name_are_no_labels(folder, capsys):
    """pandas writes its index so, and spreadsheets the empty columns at the right."""
    header, *rows = WHOLE["a column of 0 and 1 for each label"].split("\n")
    lines = [f",{header},side,,"]
    lines += [f"{n},{row},{'test' if n else 'train'},," for n, row in enumerate(rows)]
    run(folder, "\n".join(lines), "--split-column", "side")
    assert written(folder)["classes.txt"] == "jump\nrun\nwave\n"
    run(folder, "path,labels,,\na,jump,,\nb,run,,\n", out="own")
    assert written(folder, "own")["classes.txt"] == "jump\nrun\n"
    capsys.readouterr()
    clips = ",label,youtube_id,time_start,time_end\n0,jump,a,,\n1,run,b,,\n"
    run(folder, clips, "--json", out="clips")
    assert written(folder, "clips")["classes.txt"] == "jump\nrun\n"
    assert json.loads(capsys.readouterr().out)["columns_not_used"] == []


def test_nothing_is_written_where_a_path_is_no_text(folder):
    (folder / "videos").rename(folder / "\udcff")
    assert "\\udcff" in refused(folder, WHOLE["path label"], videos="\udcff")


def test_empty_options_are_refused(folder):
    labels = WHOLE["path label"]
    assert "--split-column is empty" in refused(folder, labels, "--split-column", "")
    assert "--out is empty" in refused(folder, labels, "--out", "")


def test_wrong_folders(folder):
    labels = WHOLE["path label"]
    (folder / "empty").mkdir()
    assert "nowhere: no such folder" in refused(folder, labels, videos="nowhere")
    assert "empty: holds no video" in refused(folder, labels, videos="empty")
    with pytest.raises(SlowFastExtError, match="labels.txt is a file: name a folder"):
        run(folder, labels, out="labels.txt")
    (folder / "videos" / "again").symlink_to(folder / "videos")
    run(folder, labels)


def test_counts_and_the_command(folder, capsys):
    run(folder, WHOLE["path label"], "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["videos"] == {"train": 6, "test": 2}
    assert {name: sum(of.values()) for name, of in report["labels"].items()} == {
        "jump": 5,
        "run": 2,
        "wave": 4,
    }
    assert all(min(of.values()) > 0 for of in report["labels"].values())
    program, script, *words = report["command"].split()
    assert (program, script) == ("python", "run_net.py")
    args = parse_arguments(words)
    cfg = checked_config(str(ROOT / args.cfg_files[0]), args.opts)
    assert cfg.TRAIN.DATASET == cfg.TEST.DATASET == "MultiLabelVideos"
    assert cfg.MODEL.NUM_CLASSES == 3 and str(folder / "out") == cfg.DATA.PATH_TO_DATA_DIR
    assert cfg.TRAIN.BATCH_SIZE <= 6
    run(folder, WHOLE["path label"])
    shown = capsys.readouterr().out
    assert "form: path label" in shown and report["command"] in shown
    excluding = shown.partition("excluding:\n")[2].splitlines()[:2]
    assert excluding[0].split() == ["labels", "videos", "expected", "correlation"]
    assert excluding[1].split() == ["[run,", "wave]", "0", "1.00", "-0.577"]


def test_lists_are_csv(folder):
    """Names with commas and quotes come back."""
    run(folder, 'path,labels\na,"run, fast;say ""no"""\nb,"run, fast"\n')
    rows = []
    for split in ("train", "test"):
        with open(folder / "out" / f"{split}.csv", newline="") as stream:
            rows += [row["labels"] for row in csv.DictReader(stream)]
    assert sorted(rows) == ["run, fast", 'run, fast;say "no"']


# --- Unknown labels ----------------------------------------------------------------------


def test_rows_of_unknown_labels_stand_in_a_column_of_the_lists(folder, monkeypatch):
    """Any form's reader may give such rows: here the plain one, with a few added to it."""
    read = prepare_lists.read_labels

    def with_unknown(*args):
        file = read(*args)
        for video, labels, times in (
            ("a.mp4", ("wave",), (0.5, 0.75)),
            ("a.mp4", ("run", "jump"), (0.5, 0.75)),
            ("a.mp4", (), (0.8, 1.0)),
            ("c.mp4", (), (None, None)),
        ):
            file.rows.append(LabelRow("here", video, labels, *times, side="train", unknown=True))
        return file

    monkeypatch.setattr(prepare_lists, "read_labels", with_unknown)
    labels = "path,labels,start,end,split\na.mp4,run,0,1,train\nc.mp4,,,,train\nb.mp4,jump,0,1,test"
    run(folder, labels, "--split-column", "split")
    assert written(folder) == {
        "classes.txt": "jump\nrun\nwave\n",
        "train.csv": "path,labels,start,end,unknown\n"
        "a,run,0.0,1.0,\na,,0.5,0.75,jump;run;wave\na,,0.8,1.0,*\nc,,,,*\n",
        "test.csv": "path,labels,start,end\nb,jump,0.0,1.0\n",
    }
    names = read_class_names(str(folder / "out/classes.txt"))
    videos = read_list(str(folder / "out/train.csv"), names, str(folder))
    assert [video.targets(3).tolist() for video in videos] == [[-1, 1, -1], [-1, -1, -1]]


def test_a_label_that_is_nowhere_known_to_happen_is_none_that_a_video_has(folder, monkeypatch):
    def unknown_alone(args, path):
        file = LabelFile(path, OwnMedia(args.videos))
        file.rows.append(LabelRow("here", "a.mp4", ("run",), unknown=True))
        return file

    monkeypatch.setattr(prepare_lists, "read_labels", unknown_alone)
    assert "no video has a label" in refused(folder, "")


def test_a_table_may_have_a_column_of_unknown_labels_as_lists_have(folder, capsys):
    rows = "b.mp4,jump,0,1,,test\na.mp4,run,0,0.5,,train\na.mp4,,0.5,0.75,wave; jump,train\n"
    rows += "c.mp4,wave,,,*,train\n"
    run(folder, "path,labels,start,end,unknown,split\n" + rows, "--split-column", "split", "--json")
    assert written(folder)["train.csv"] == (
        "path,labels,start,end,unknown\na,run,0.0,0.5,\na,,0.5,0.75,jump;wave\nc,wave,,,*\n"
    )
    report = json.loads(capsys.readouterr().out)
    assert report["videos_that_do_not_know"] == {"jump": 2, "run": 1, "wave": 1}
    assert report["labels"]["jump"] == {"train": 0, "test": 1}
    assert report["columns_not_used"] == []


def test_unknown_labels_are_parted_by_what_stands_between_them(folder):
    rows = "a,run,jump|wave,train\nb,jump,run,test\nc,wave,,train\n"
    run(folder, "path,labels,unknown,split\n" + rows, "--split-column", "split")
    assert written(folder)["train.csv"] == (
        "path,labels,start,end,unknown\na,run,,,jump;wave\nc,wave,,,\n"
    )
    assert written(folder)["classes.txt"] == "jump\nrun\nwave\n"


LABELLED = "video,start,end\na,0.2,0.4\na.mp4,0.4,0.7\nb,0,0.95\nc,,\n"


def test_outside_of_the_labelled_spans_all_is_unknown(folder):
    labels = "path,labels,start,end\na.mp4,run,0.3,0.5\na.mp4,run,0.6,0.9\nb.mp4,jump,0,0.2\n"
    (folder / "spans.csv").write_text(LABELLED)
    run(folder, labels + "c.mp4,,,\n", "--labelled-spans", folder / "spans.csv")
    lists = written(folder)
    rows = {row for name in ("train.csv", "test.csv") for row in lists[name].split()[1:]}
    # Of b nothing but what rounding leaves; of c, without times, all was labelled.
    assert {row.rstrip(",") for row in rows} == {
        *("a,run,0.3,0.5", "a,run,0.6,0.9", "a,,0.0,0.2,*", "a,,0.7,1.0,*"),
        *("b,jump,0.0,0.2", "c"),
    }


def test_labelled_spans_leave_out_no_video_and_contradict_no_label(folder):
    labels = "path,labels,start,end\na.mp4,run,0.8,0.9\nd.mp4,jump,0,0.2\n"
    (folder / "spans.csv").write_text(LABELLED)
    assert refused(folder, labels, "--labelled-spans", folder / "spans.csv").split("\n")[1:] == [
        "labels.txt:2: 0.8 to 0.9 s of a.mp4 was not labelled by spans.csv",
        "spans.csv: does not say which time of d.mp4 was labelled: add a row, with start and end "
        "empty where all of it was",
    ]
    # Where nothing is wrong with the labels, it is the spans' file that is named.
    sentence = refused(
        folder, "path,labels\nd.mp4,jump\n", "--labelled-spans", folder / "spans.csv"
    )
    assert sentence.startswith("spans.csv: 1 bad row")
    (folder / "spans.csv").write_text("video,start,end\nz,0,1\na,1,0\nb,x,1\n")
    sentence = refused(folder, labels, "--labelled-spans", folder / "spans.csv")
    assert (
        sentence.startswith("spans.csv: 2 bad rows") and "spans.csv:3: end 0 is before" in sentence
    )
