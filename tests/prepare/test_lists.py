"""People's own videos and labels become lists, whatever form the labels have."""

import argparse
import csv
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from slowfast_ext.config import load_config
from slowfast_ext.datasets.lists import Segment, read_class_names, read_list
from slowfast_ext.engine.main import parse_arguments
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare import lists
from slowfast_ext.prepare.label_pairs import strongest_pairs
from slowfast_ext.prepare.stratify import stratified_split

ROOT = Path(__file__).parents[2]
# Every video is 1 s long. `run` occurs twice, `jump` five times, `wave` four.
LABELS = {
    "a": ["jump", "run"],
    "b": ["jump"],
    "c": ["wave"],
    "d": ["jump", "wave"],
    "e": ["run"],
    "f": ["jump", "wave"],
    "g": ["wave"],
    "h": ["jump"],
}
SEGMENTS = [("a", "jump", 0.0, 0.5), ("a", "run", 0.25, 0.75), ("b", "jump", 0.1, 1.0)]
SEGMENTS += [("c", "run", 0.0, 1.0), ("d", "jump", 0.0, 0.25), ("d", "jump", 0.5, 1.0)]


@pytest.fixture
def folder(tmp_path, write_moving_square):
    """videos/*.mp4 of 10 frames."""
    (tmp_path / "videos").mkdir()
    write_moving_square(tmp_path / "videos" / "a.mp4", 10, fps=10, width=48, height=32)
    for name in "bcdefgh":
        (tmp_path / "videos" / f"{name}.mp4").write_bytes(
            (tmp_path / "videos" / "a.mp4").read_bytes()
        )
    return tmp_path


def write_frames(folder, names="abcdefgh"):
    for name, number in itertools.product(names, range(10)):
        (folder / "frames" / name).mkdir(parents=True, exist_ok=True)
        path = folder / "frames" / name / f"{number:03d}.jpg"
        cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


def run(folder, labels, *words, out="out", videos="videos", name="labels.txt"):
    (folder / name).write_text(labels)
    parser = argparse.ArgumentParser()
    lists.add_arguments(parser)
    paths = ["--videos", folder / videos, "--labels", folder / name, "--out", folder / out]
    lists.run(parser.parse_args([str(word) for word in (*paths, *words)]))


def refused(folder, *args, **options):
    with pytest.raises(SlowFastExtError) as caught:
        run(folder, *args, **options)
    assert not (folder / "out").exists()
    return str(caught.value).replace(f"{folder}/", "")


def written(folder, out="out"):
    """The lists without where the videos lie and how they end."""
    return {
        path.name: path.read_text()
        .replace(".mp4", "")
        .replace(f"{folder}/videos/", "")
        .replace(f"{folder}/frames/", "")
        for path in (folder / out).iterdir()
    }


def binary(header, rows):
    return "\n".join([",".join(header), *(",".join(map(str, row)) for row in rows)])


WHOLE = {
    "path,labels[,start,end]": "path,labels\n"
    + "".join(f"{name}.mp4,{';'.join(labels)}\n" for name, labels in LABELS.items()),
    "a column of 0 and 1 for each label": binary(
        ["video", "wave", "jump", "run"],
        [
            [name, *(int(label in labels) for label in ("wave", "jump", "run"))]
            for name, labels in reversed(LABELS.items())
        ],
    ),
    "ActivityNet's JSON": json.dumps(
        {
            "version": "1",
            "database": {
                name: {"annotations": [{"label": label} for label in labels]}
                for name, labels in LABELS.items()
            },
        }
    ),
    "Kinetics' CSV": "label,youtube_id,time_start,time_end,split\n"
    + "".join(f"{label},{n},,,train\n" for n, labels in LABELS.items() for label in labels),
    "path label": "".join(f"{n}.mp4 {' '.join(labels)}\n" for n, labels in LABELS.items()),
    "folder number_of_frames label": "".join(
        f"{name} 10 {' '.join(labels)}\n" for name, labels in LABELS.items()
    ),
}


def test_every_form_gives_the_same_lists(folder, capsys):
    write_frames(folder)
    found = {}
    for number, (form, labels) in enumerate(WHOLE.items()):
        videos = "frames" if form.startswith("folder") else "videos"
        run(folder, labels, "--test-share", 0.3, "--json", out=f"out{number}", videos=videos)
        report = json.loads(capsys.readouterr().out)
        assert report["form"] == form
        found[form] = written(folder, f"out{number}")
    reference = found.pop("path,labels[,start,end]")
    assert reference["classes.txt"] == "jump\nrun\nwave\n"
    rows = [line for name in ("train.csv", "test.csv") for line in reference[name].split("\n")[1:]]
    assert sorted(filter(None, rows)) == [f"{n},{';'.join(v)},," for n, v in LABELS.items()]
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
    for second, name in enumerate("abcdefgh"):
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
    assert "columns not used: subset" in capsys.readouterr().out


def test_videos_without_labels_are_kept(folder, capsys):
    run(folder, "path,labels\na,jump\nb,jump\nc,\n")
    assert "5 more videos, which the labels do not name" in capsys.readouterr().out
    assert "c,,," in written(folder)["train.csv"] + written(folder)["test.csv"]


# --- Wrong input ----------------------------------------------------------------------

HEADER = "path,labels,start,end\n"


@pytest.mark.parametrize(
    "labels,messages",
    [
        (
            HEADER + "a,jump,0,x\nx.mp4,jump,,\nb,jump,2.0,3.0\nb,jump,0.5,0.1\nc,jump\nd\n,run,,",
            [
                'labels.txt:2: end "x" is not a number of seconds from 0 on',
                'labels.txt:3: no video "x.mp4" in videos, did you mean',
                "labels.txt:4: 2 to 3 s, but b.mp4 ends at 1.00 s",
                "labels.txt:5: end 0.1 is before start 0.5",
                "labels.txt:7: 1 fields where the header has 4",
                "labels.txt:8: the path is empty",
            ],
        ),
        ("path,labels,start\na,jump,0\n", ["labels.txt: the header has no column end"]),
        ("path,labels,labels\na,jump,0\n", ["the column labels stands twice in the header"]),
        (
            "path,jump,mood,run\na,1,good,0\nb,2,bad,1\nc,1,bad,\nq,1,bad,0",
            [
                'labels.txt:1: unknown column "mood": it holds no 0 or 1 but "good"',
                'labels.txt:3: jump is "2": it must be 0 or 1',
                'labels.txt:4: run is "": it must be 0 or 1',
                'labels.txt:5: no video "q"',
            ],
        ),
        (
            json.dumps(
                {
                    "database": {
                        "a": {"annotations": [{"label": "x", "segment": [0]}, {"segment": [0, 1]}]},
                        "b": {},
                        "v": {"annotations": []},
                        "c": {"annotations": [{"label": "x", "segment": [0, 9]}]},
                        "d": {"annotations": [{"label": "x;y", "segment": [1, None]}]},
                    }
                }
            ),
            [
                "database.a.annotations[0].segment: must be [START, END] in seconds, not [0]",
                "database.a.annotations[1]: has no label",
                "database.b: has no list of annotations",
                'database.v: no video "v"',
                "database.c.annotations[0]: 0 to 9 s, but c.mp4 ends at 1.00 s",
                'database.d.annotations[0]: label "x;y" holds a ";"; rename it; end "None" is not',
            ],
        ),
        (
            "path,jump,run\na,1\nb,0\n",
            ['labels.txt:1: unknown column "run"', ":2: 2 fields", ":3:"],
        ),
        ("[1, 2]", ["labels.txt:1: no form that is known"]),
        ('{"database":\n {"a": [}}', ["labels.txt:2: not JSON"]),
        ('{"videos": {}}', ["JSON, but not of a known form"]),
        (
            "label,youtube_id,time_start,time_end\njump,a,0,x\njump,q,0,1\njump,b,0,7\nrun,c,4,1",
            [
                'labels.txt:2: end "x" is not a number',
                'labels.txt:3: no video "q"',
                "labels.txt:4: 0 to 7 s, but b.mp4 ends at 1.00 s",
                "labels.txt:5: end 1 is before start 4",
            ],
        ),
        ("youtube_id,time_start,time_end\na,0,1\n", ["the header has no column label"]),
        ("a.mp4 jump\nx/q.mp4 run\n", ['labels.txt:2: no video "x/q.mp4"']),
        ("what is this,anyway\n1,2\n", ["labels.txt:1: no form that is known; expected is"]),
        ("path,size\na,12\n", ["labels.txt:1: no form that is known"]),
        ("", ["labels.txt: holds no labels"]),
        ("path,labels\n", ["labels.txt: holds no labels"]),
        ("path,labels\na,\nb,\n", ["labels.txt: no video has a label"]),
        ("path,labels\na,jump\n", ["one video cannot be split"]),
        ("original_vido_id video_id frame_id path labels\n", ["TRAIN.DATASET Charades reads it"]),
    ],
)
def test_wrong_labels_are_named_by_their_place(folder, labels, messages):
    found = refused(folder, labels)
    for message in messages:
        assert message in found
    if "bad row" in found:
        assert len(found.split("\n")) == len(messages) + 1, found


def test_wrong_folders_of_frames(folder):
    write_frames(folder, "ab")
    (folder / "frames" / "b" / "000.jpg").write_bytes(b"no image")
    found = refused(folder, "a 9 jump\nb 10 run\nq 10 run\n", videos="frames")
    assert "labels.txt:1: a holds 10 frames, the line says 9" in found
    assert "labels.txt:2: frames/b/000.jpg: not a readable image" in found
    assert 'labels.txt:3: no video "q" in frames' in found


def test_wrong_videos(folder):
    (folder / "videos" / "b.mp4").write_bytes(b"")
    (folder / "videos" / "deep").mkdir()
    (folder / "videos" / "deep" / "a.mp4").write_bytes(b"")
    (folder / "videos" / "deep" / "c.mp4").write_bytes(b"")
    found = refused(folder, "path,labels\nb,jump\nc.mp4,run\nc,run\ndeep/a.mp4,run\n")
    assert "labels.txt:2: videos/b.mp4: the file is empty" in found
    assert 'labels.txt:4: "c" may be c.mp4 or deep/c.mp4: write the path' in found
    assert "labels.txt:5: videos/deep/a.mp4: the file is empty" in found


@pytest.mark.parametrize(
    "labels,message",
    [
        ("path,labels\na,jump\n", "no column side for --split-column; the columns are path, lab"),
        ("path,labels,side\na,jump,left\n", 'labels.txt:2: side is "left": it must be train,'),
        ("path,labels,side\na,x,test\na,y,train\n", 'is in "train", and in "test" at labels.txt:2'),
        ("path,labels,side\na,x,train\nb,,test\n", "no video of test has a label by side"),
        ("a jump\nb run\n", "lines have no columns"),
        ('{"database": {"a": {"annotations": []}}}', "no video has the key side for --split"),
    ],
)
def test_wrong_split_columns(folder, labels, message):
    assert message in refused(folder, labels, "--split-column", "side")


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


def test_wrong_folders(folder):
    labels = WHOLE["path label"]
    (folder / "empty").mkdir()
    assert "nowhere: no such folder" in refused(folder, labels, videos="nowhere")
    assert "empty: holds no video" in refused(folder, labels, videos="empty")
    with pytest.raises(SlowFastExtError, match="labels.txt is a file: name a folder"):
        run(folder, labels, out="labels.txt")
    (folder / "videos" / "again").symlink_to(folder / "videos")
    run(folder, labels)


# --- What is printed ------------------------------------------------------------------


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
    cfg = load_config(str(ROOT / args.cfg_files[0]), args.opts)
    assert cfg.TRAIN.DATASET == cfg.TEST.DATASET == "MultiLabelVideos"
    assert cfg.MODEL.NUM_CLASSES == 3 and str(folder / "out") == cfg.DATA.PATH_TO_DATA_DIR
    assert cfg.TRAIN.BATCH_SIZE <= 6
    run(folder, WHOLE["path label"])
    shown = capsys.readouterr().out
    assert "labels read as: path label" in shown and report["command"] in shown
    assert "  run + wave: in 0 videos, 1 by chance (correlation -0.58)" in shown


def test_pairs():
    """Against the phi coefficient by its definition."""
    random = np.random.default_rng(3)
    labels = random.random((40, 4)) < 0.4
    labels[:, 1] |= labels[:, 0]
    labels[:, 2] &= ~labels[:, 0]
    together, apart = strongest_pairs(np.c_[labels, np.ones(40, bool)], list("abcde"), 3)
    expected = {}
    for i, j in itertools.combinations(range(4), 2):
        both = (labels[:, i] & labels[:, j]).sum()
        ni, nj, n = labels[:, i].sum(), labels[:, j].sum(), 40
        root = np.sqrt(float(ni) * nj * (n - ni) * (n - nj))
        expected["abcd"[i] + "abcd"[j]] = (n * both - ni * nj) / root
    for pair in together + apart:
        assert pair["correlation"] == pytest.approx(expected["".join(pair["labels"])], abs=1e-3)
    assert together[0]["labels"] == ["a", "b"] and apart[0]["labels"] == ["a", "c"]
    assert apart[0]["videos"] == 0
    positive = sorted((value for value in expected.values() if value > 0), reverse=True)
    negative = sorted(value for value in expected.values() if value < 0)
    assert [pair["correlation"] for pair in together] == pytest.approx(positive[:3], abs=1e-3)
    assert [pair["correlation"] for pair in apart] == pytest.approx(negative[:3], abs=1e-3)
    assert strongest_pairs(np.ones((3, 2), bool), ["a", "b"], 3) == ([], [])


# --- The split ------------------------------------------------------------------------


def missing(labels, side):
    wanted = labels.sum(axis=0) >= 2
    return sum(int((wanted & ~labels[side == value].any(axis=0)).sum()) for value in (0, 1))


def test_no_label_is_missing_where_it_can_be_helped():
    """Against all splits there are."""
    random = np.random.default_rng(0)
    for seed in range(40):
        number, classes = random.integers(3, 9), random.integers(1, 8)
        labels = random.random((number, classes)) < random.uniform(0.1, 0.6)
        every = itertools.product((False, True), repeat=int(number))
        fewest = min(missing(labels, np.array(s)) for s in every if 0 < sum(s) < number)
        side = stratified_split(labels, 0.3, seed)
        assert 0 < side.sum() < number
        assert missing(labels, side) == fewest


def test_split_is_stratified_and_seeded():
    random = np.random.default_rng(1)
    labels = random.random((600, 8)) < np.linspace(0.01, 0.3, 8)
    side = stratified_split(labels, 0.25, 5)
    assert abs(side.mean() - 0.25) < 0.01
    shares = labels[side].sum(axis=0) / labels.sum(axis=0)
    by_chance = random.random(600) < 0.25
    assert abs(shares - 0.25).max() < 0.1
    assert (
        abs(shares - 0.25).mean()
        < abs(labels[by_chance].sum(axis=0) / labels.sum(axis=0) - 0.25).mean()
    )
    assert (side == stratified_split(labels, 0.25, 5)).all()
    assert (side != stratified_split(labels, 0.25, 6)).any()


def test_lists_are_csv(folder):
    """Names with commas and quotes come back."""
    run(folder, 'path,labels\na,"run, fast;say ""no"""\nb,"run, fast"\n')
    rows = []
    for split in ("train", "test"):
        with open(folder / "out" / f"{split}.csv", newline="") as stream:
            rows += [row["labels"] for row in csv.DictReader(stream)]
    assert sorted(rows) == ["run, fast", 'run, fast;say "no"']
