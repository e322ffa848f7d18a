"""What people's label files mean: no time, count, list or flag becomes the name of a class."""

import json
import unicodedata

import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_cells import labels_in
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia

# What is wanted of all forms of segments: (video, labels, start, end).
SEGMENTS = [
    ("a.mp4", "walk", 0.5, 2.5),
    ("b.mp4", "head up", 1.0, 2.0),
    ("c.mp4", "call", 3.0, 3.0),
]
NAMES = ("path", "label", "start", "end")
# ... and of whole videos.
LABELS = [("a.mp4", "run;walk"), ("b.mp4", "call;walk"), ("c.mp4", "run")]


@pytest.fixture
def read(tmp_path):
    """`read(text, ...)`: [(video, labels joined by ;, start, end)] of a file of labels."""
    (tmp_path / "videos").mkdir()
    for name in "abc":
        (tmp_path / "videos" / f"{name}.mp4").touch()

    def rows(text, **options):
        path = tmp_path / "labels"
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        file = read_label_file(str(path), OwnMedia(str(tmp_path / "videos")), **options)
        check_problems(file)
        rows.file = file
        return [(r.video, ";".join(sorted(r.labels)), r.start, r.end) for r in file.rows]

    rows.folder = tmp_path / "videos"
    return rows


def refusal(read, text, **options):
    with pytest.raises(SlowFastExtError) as caught:
        read(text, **options)
    return str(caught.value)


def table(header, row, segments=SEGMENTS):
    """A table: `row` formats n (the video's name), l, s and e."""
    lines = [row.format(n=name, s=start, e=end, l=label) for name, label, start, end in segments]
    return "\n".join([*([header] if header else []), *lines]) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        table("path,labels,start,end", "{n},{l},{s},{e}"),
        table(None, "{n},{l},{s},{e}"),
        table(None, "{n},{s},{e},{l}"),
        table("path\tlabels\tstart\tend", "{n}\t{l}\t{s}\t{e}"),
        table(None, "{n}\t{l}\t{s}\t{e}"),
        table("path;labels;start;end", "{n};{l};{s};{e}").replace(".0", ",0").replace(".5", ",5"),
        table("path|labels|start|end", "{n}|{l}|{s}|{e}"),
        table("path,labels,start_time,end_time", "{n},{l},{s},{e}"),
        table("path,labels,startTime,endTime", "{n},{l},{s},{e}"),
        table("video_name,activity,t_start,t_end", "{n},{l},{s},{e}"),
        table("file_name,action,start_sec,end_sec", "{n},{l},{s},{e}"),
        table("Filename,Behaviour,Begin,End", "{n},{l},{s},{e}"),
        table("clip,tag,onset,offset", "{n},{l},{s},{e}"),
        table("media,label,start,stop", "{n},{l},{s},{e}"),
        table("Media file name,Behavior,Start (s),Stop (s)", "{n},{l},{s},{e}"),
        table("path,labels,start_timestamp,stop_timestamp", "{n},{l},00:00:0{s},00:00:0{e}"),
        table("path,labels,start,end", "{n},{l},00:0{s},0:00:0{e}0"),
        table("path,labels,start,end", "{n},{l},{s}s,{e} s"),
        table("path,labels,start_ms,end_ms", "{n},{l},{s}E3,{e}E3"),
        table("file,Begin Time - ss.msec,End Time - ss.msec,Tier,label", "{n},{s},{e},x,{l}"),
        table("sep=;\npath;labels;start;end", "{n};{l};{s};{e}"),
        json.dumps(
            [{"video": n, "label": v, "start": f"00:0{s}", "end": e} for n, v, s, e in SEGMENTS]
        ),
        # pandas' index, without a name.
        table(",labels,start,end", "{n},{l},{s},{e}"),
        # Two kinds of times: seconds are seconds.
        table("path,labels,start_frame,end_frame,start,end", "{n},{l},9,9,{s},{e}"),
        # A path's column of a name that nobody knows.
        table("Kuh,labels,start,end", "{n},{l},{s},{e}"),
        # Which of two columns that are called so has the videos is seen from them.
        table("id,video,labels,start,end", "x1,{n},{l},{s},{e}"),
        table("path,labels,start,end", "D:\\data\\cows\\{n},{l},{s},{e}"),
        table("path,labels,start,end", "/home/me/{n},{l},{s},{e}"),
        table("path,labels,start,end", "file:///D:/my%20data/{n},{l},{s},{e}"),
        json.dumps([dict(zip(NAMES, row, strict=True)) for row in SEGMENTS]),
        "\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in SEGMENTS),
    ],
)
def test_segments(read, text):
    assert read(text) == SEGMENTS


@pytest.mark.parametrize(
    "text",
    [
        "path,labels\na,run;walk\nb,walk; call\nc,run\n",
        "path,labels\na,run|walk\nb,walk|call\nc,run\n",
        'path,labels\na,"run,walk"\nb,"walk,call"\nc,run\n',
        'path,labels\na,"run,walk,"\nb,"walk,call"\nc,"run,"\n',
        "path;labels\na;run,walk\nb;walk,call\nc;run\n",
        "path\tlabels\na\trun,walk\nb\twalk,call\nc\trun\n",
        # Lines of a field, as spreadsheets have them.
        'path,labels\na,"run\nwalk"\nb,"walk;\ncall"\nc,run\n',
        "path,labels\na,\"['run', 'walk']\"\nb,\"['walk', 'call']\"\nc,['run']\n",
        # numpy parts by blanks what Python would join to one word.
        "path,labels\na,['run' 'walk']\nb,['walk' 'call']\nc,['run']\n",
        'path,labels\na,"[""run"", ""walk""]"\nb,"[""walk"",""call""]"\nc,"[""run""]"\n',
        "path,labels\na,\"{'run', 'walk'}\"\nb,\"('walk', 'call')\"\nc,[run]\n",
        "a.mp4,run,walk\nb.mp4,walk,call\nc.mp4,run\n",
        "a.mp4;run;walk\nb.mp4;walk;call\nc.mp4;run\n",
        "a.mp4 run walk\nb.mp4 walk,call\nc.mp4 run\n",
        "path,run,walk,call\na,1.0,1.0,0.0\nb,0.0,1.0,1.0\nc,1.0,0.0,0.0\n",
        "path,run,walk,call\na,True,True,False\nb,False,True,True\nc,True,False,False\n",
        "path,run,walk,call\na,1,1,0\nb,0,1,1\nc,1,0,0\n",
        json.dumps({"a.mp4": ["run", "walk"], "b.mp4": ["walk", "call"], "c.mp4": "run"}),
        json.dumps({n: {"labels": labels.split(";")} for n, labels in LABELS}),
        json.dumps([{"file": n, "tags": labels.split(";")} for n, labels in LABELS]),
        json.dumps([{"video": n, "label": {"choices": labels.split(";")}} for n, labels in LABELS]),
    ],
)
def test_several_labels(read, text):
    assert [(video, labels) for video, labels, *_ in read(text)] == LABELS


def test_class_ids(read):
    """As many as a row likes, of pandas' floats, and of no header."""
    wanted = [("a.mp4", "3;7"), ("b.mp4", "7"), ("c.mp4", "3")]
    ids_of = (("a", [3, 7]), ("b", [7]), ("c", [3]))
    for text in (
        "a.mp4,3,7\nb.mp4,7\nc.mp4,3\n",
        'path,labels\na,"3,7"\nb,7\nc,3\n',
        'path,labels\na,"3, 7"\nb,7\nc,3\n',
        "path,label\na,3.0\na,7.0\nb,7.0\nc,3.0\n",
        "a.mp4 3 7\nb.mp4 7\nc.mp4 3\n",
        json.dumps([{"path": n, "label": i} for n, i in (("a", [3, 7]), ("b", 7), ("c", 3))]),
        json.dumps(
            {"database": {n: {"annotations": [{"label": i} for i in ids]} for n, ids in ids_of}}
        ),
    ):
        found = {}
        for video, labels, *_ in read(text):
            found.setdefault(video, []).append(labels)
        assert [(video, ";".join(labels)) for video, labels in found.items()] == wanted


def test_charades_actions(read):
    text = "id,subject,actions,length\na,X,c092 11.90 21.20;c147 0.00 12.6,21.0\nb,Y,,9\n"
    expected = [
        ("a.mp4", "c092", 11.9, 21.0),
        ("a.mp4", "c147", 0.0, 12.6),
        ("b.mp4", "", None, None),
    ]
    assert read(text) == expected
    # Whatever the file calls them; twins of one video stay together.
    text = "video,labels,charades_video\na,c092 5 4;c001 1 2,A\nb,c001 1.5 2,A\n"
    assert [row[1:] for row in read(text)] == [("c092", 4, 5), ("c001", 1, 2), ("c001", 1.5, 2)]
    assert {row.source for row in read.file.rows} == {"A"}


@pytest.mark.parametrize(
    "text,message",
    [
        # Times and counts beside labels.
        ("a.mp4 walk 0.5 2.5\nb.mp4 head up 1.0 2.0\n", '"2.5" stands beside names'),
        ("a.mp4 walk 3 8\nb.mp4 head up 1 2\n", "is it a time or a number of frames?"),
        ("a.mp4 0.5 2.5 walk\nb.mp4 1.0 2.0 run\n", "path,labels,start,end"),
        ("a.mp4 240 walk\nb.mp4 300 run\n", '"240" stands beside names'),
        ("a.mp4 240 3\nb.mp4 300 1 3\n", "is 240 a class id or a number of frames"),
        ("a.mp4,240,walk\nb.mp4,300,run\n", '"240" stands beside names'),
        ("a.mp4,walk,5\nb.mp4,run,6\n", '"5" stands beside names'),
        ("a.mp4,3,7,9\nb.mp4,4,1,2\n", "a class id and its times, or three class ids?"),
        ("path,labels\na,walk 0.5 2.5;run 1 2\nb,run 1 3\n", "holds a time"),
        ("path,labels\na,0:01:30\nb,run\n", "holds a time"),
        ("path,labels\na,0.5\nb,run\n", "is a number: write a time"),
        # Times under other names.
        ("path,labels,start_frame,end_frame\na,x,1,2\n", "counts frames: --frame-base 0 or"),
        ("path,labels,Image index start,Image index stop\na,x,1,2\n", "frames are not read"),
        ("path,frame,labels\na,1,x\na,2,y\n", "frame: frames are not read as times"),
        ("path,labels,clip_start,clip_end\na,x,1,2\n", "clip_start and clip_end: seems to hold"),
        ("path,labels,time\na,x,1.5\n", "time: seems to hold times"),
        ("path,labels,timestamp\na,x,00:01.5\n", "timestamp: seems to hold times"),
        ("path,labels,segment\na,x,0.5-2.5\n", "segment: seems to hold times"),
        ('path,labels,segment\na,x,"[0.5, 2.5]"\n', "segment: seems to hold times"),
        ("path,labels,t1,t2\na,x,1,2\n", "t1 and t2: seems to hold times"),
        ("path,labels,start\na,x,1\n", "the header has no column end"),
        ("path,labels,end\na,x,1\n", "the header has no column start"),
        # A header is needed where the videos are not in the first column, as in ELAN's export.
        ("x\t\t0.5\t2.5\tcall\ta.mp4\nx\t\t1\t2\trun\tb.mp4\n", "the videos stand in column 6"),
        # Fields that hold something else than labels.
        ('path,labels\na,"{""x"": 1}"\nb,run\n', "is a list or JSON of another form"),
        ('path,labels\na,"[[1, 2]]"\nb,run\n', "is a list or JSON of another form"),
        ("path,labels\na,(no) run (slow)\nb,run\n", 'label "(no) run (slow)" is a list or'),
        ("path,label\na,-1\nb,2\n", 'label "-1" is no class'),
        ("path,label\na,nan\nb,run\n", "is an empty field"),
        ('path,labels\na,"run, walk"\nb,run\n', 'is one label or several: --separator ","'),
        # Times in another language, and the last row of a file that was cut off.
        (
            "path,labels,von,bis\na,run,0,1.5\na,walk,1.5,2\nb,run,0,2\n",
            "von and bis: seems to hold",
        ),
        ("path,labels,von,bis\na,run,00:01,00:02\na,walk,00:01,00:03\n", "von and bis: seems to"),
        ("path,labels,start,end\na,run,0,1\nb,wal", "labels:3: 2 fields where the header has 4"),
        # Labels of which the parts are labels, too.
        ("path,labels\na,walk/run\nb,Run\nc,walk\n", '"walk/run" is one label or several'),
        ("path,labels\na,walk run\nb,run\nc,walk\n", '--separator " " parts labels there'),
        ("path,labels\na,walk and run;run\nb,walk\n", '--separator " and " parts labels'),
        ("path,labels\na,3 7\nb,7\nc,3\n", '"3 7" is one label or several'),
        # Empty fields as pandas and R write them, and scores and times behind labels.
        ("path,labels\na,NA\nb,run\n", "is an empty field"),
        ("path,labels\na,None\nb,run\n", "is an empty field"),
        ("path,labels\na,?\nb,run\n", 'label "?" is no class: remove the row'),
        ("a.mp4 -> walk\nb.mp4 -> run\n", 'label "->" is no class'),
        ("path,labels\na,walk:0.9;run:0.1\nb,run\n", '"walk:0.9" ends in a number'),
        ("path,labels\na,walk 0:01\nb,run\n", "holds a time"),
        ("path,labels\na,walk (0.5-2.5)\nb,run\n", "holds a time"),
        # 0 and 1 that are no labels.
        ("path,classname,label\na,run,1\nb,walk,1\n", 'label is "1" in every row, as a flag'),
        ("path,walk,run\na,x,0\nb,,1\n", "write 0 and 1 where it is a label"),
        ("path,walk,occluded,keyframe\na,1,0,1\nb,0,1,1\n", "--label-columns walk"),
        ("path,walk,run\na,1,-1\nb,0,1\n", 'run is "-1": it must be 0 or 1'),
        ("path,walk,run\na,0.7,1\nb,0,1\n", 'walk is "0.7": it must be 0 or 1'),
        ("path,verb,noun\na,open,door\nb,close,door\n", "name those of labels by --label-columns"),
        # Paths that could be either video.
        ("path,labels\nx/a.mp4,run\ny/a.mp4,walk\n", '"y/a.mp4" would be a.mp4, as "x/a" at'),
        # A label whose name is missing.
        ("path,run,,jump\na,1,0,0\nb,0,1,1\n", "labels:2: a field in column 3, which has no name"),
        (",background,run\n0,1,0\n1,0,1\n", 'labels:1: no video "labels" in'),
        (
            "Observation id,Subject,Behavior,Total number of occurences,Total duration (s)\n"
            "a,cow,run,0,0\n",
            "counts what happens in each video, 0 times too, and says of nothing when: give the",
        ),
        ("video,subject,activity,bouts,duration,share\na,,run,0,0,0\n", "0 times too"),
        # An end that is the video's.
        (
            "a.mp4,run,0.0,5.0\nb.mp4,jump,1,inf\n",
            'labels:2: label "inf" is a number: write a time',
        ),
        # A row for each video and label.
        (
            "path,behavior,value\na,run,1\na,jump,0\nb,run,0\n",
            'value is "0" in 2 rows, as of labels that do not happen: leave these rows out',
        ),
        ("path,behavior,Occurs\na,run,yes\na,jump,No\n", 'Occurs is "No" in 1 rows'),
        # Thousands with a separator; numbers of frames, too.
        (
            'path,labels,start_ms,end_ms\na,run,500,"1,000"\n',
            'start_ms: is "1,000" 1000, or a number with decimals? Write thousands without',
        ),
        ("path;labels;start_ms;end_ms\na;run;1.000;2.500\n", '"1.000" 1000, or a number'),
        ('path,labels,start,end\na,run,900,"1,020"\n', '"1,020" 1020, or a number'),
        (
            '[{"path": "a.mp4", "label": "run", "timestamp": [1, 2]}]',
            "timestamp: seems to hold times, and the labels would be put on whole videos",
        ),
        # Other programs' forms.
        ('{"images": [], "annotations": [], "categories": []}', "is COCO's JSON"),
        ('{"a": {"subset": "x", "duration": 0, "actions": [[0, 1, 2]]}}', "no duration above 0"),
        ('{"a.mp4": [1, 0], "b.mp4": [0, 1]}', "class ids, or a 0 or 1 for each class?"),
        ('[{"path": "a.mp4", "labels": [{"x": 1}]}]', "[0].labels holds"),
        (
            '{"database": {"a": {"annotations": [{"label": "x", "start": 0.5, "end": 2}]}}}',
            'annotations[0]: start, end: seems to hold times: write "segment": [START, END]',
        ),
        (
            '{"database": {"a": {"annotations": [{"label": "x", "segment(frames)": [5, 9]}]}}}',
            "annotations[0]: segment(frames): seems to hold times",
        ),
        ('{"path": "a"}\n{"path": }', "labels:2: not JSON"),
        ("<?xml version='1.0'?>\n<annotations><version>1.1</version><track>", "labels:2: not XML"),
        ("<x/>", "is XML"),
        ("Bento annotation file\n\nList of channels:\nch1\n", 'labels:1: no video "labels" in'),
        (b"PK\x03\x04\xff\xfe", "is a spreadsheet or a zip archive"),
        ("original_vido_id,video_id,frame_id,path,labels\n", "is a frame list, which"),
        ("original_video_id video_id frame_id path labels\n", "no rows after the header"),
        ("original_vido_id video_id frame_id path labels type\n", "no rows after the header"),
    ],
)
def test_what_is_not_read_is_named_with_what_to_do(read, text, message):
    assert message in refusal(read, text)


def test_numbers_that_are_no_times(read):
    """A size of each video, one that falls, flags; a row that leaves out its times."""
    for columns in ("0,7\na,walk,0,7\nb,run,3,9", "1,2\na,walk,2,1\nb,run,0,9", "0,1\na,walk,1,1"):
        assert len(read(f"path,labels,x,y\na,run,{columns}\n")) >= 2
        assert read.file.unused == ["x", "y"]
    whole = [("a.mp4", "run", 0, 1), ("b.mp4", "walk", None, None)]
    assert read("path,labels,start,end\na,run,0,1\nb,walk\n") == whole


def test_moments(read):
    assert read("path,labels,start,end\na,x,1.5,1.5\nb,y,0,0\n") == [
        ("a.mp4", "x", 1.5, 1.5),
        ("b.mp4", "y", 0, 0),
    ]


def test_columns_and_separators_that_are_named(read):
    text = "path,verb,noun,outside\na,open,door,1\nb,close,door,0\n"
    assert [row[1] for row in read(text, label_columns=["verb", "Noun"])] == [
        "door;open",
        "close;door",
    ]
    assert read.file.unused == ["outside"]
    flags = "path,walk,occluded,outside\na,1,0,1\nb,0,1,1\n"
    assert [row[1] for row in read(flags, label_columns=["walk", "outside"])] == [
        "outside;walk",
        "outside",
    ]
    assert "no column x for --label-columns" in refusal(read, flags, label_columns=["x"])
    prose = 'path,labels\na,"run, walk"\nb,run+call\n'
    assert [row[1] for row in read(prose, separator=";")] == ["run, walk", "run+call"]
    assert [row[1] for row in read(prose, separator=",")] == ["run;walk", "run+call"]
    assert [row[1] for row in read(prose, separator="+")] == ["run, walk", "call;run"]
    several = "path,labels\na,walk run\nb,run\nc,walk\n"
    assert [row[1] for row in read(several, separator=" ")] == ["run;walk", "run", "walk"]
    assert [row[1] for row in read(several, separator=";")] == ["walk run", "run", "walk"]
    # A part that is no label by itself parts nothing.
    assert [row[1] for row in read("path,labels\na,sit/lie\nb,sit\n")] == ["sit/lie", "sit"]


def test_one_label_of_several_spellings(read):
    """Capitals and accents in two forms of Unicode; the most frequent spelling stays."""
    cafe = unicodedata.normalize("NFD", "Café")
    text = f"path,labels\na,RUN;{cafe}\nb,run;café\nc,run;Café\n"
    assert [row[1] for row in read(text)] == ["Café;run"] * 3
    assert read.file.spellings == {"run": ["RUN"], "Café": ["café"]}
    assert [row[1] for row in read("path,Run,walk\na,1,1\nb,1,0\nc,0,1\n")] == [
        "Run;walk",
        "Run",
        "walk",
    ]


@pytest.mark.parametrize("times", ['"1,234","2,500"', '"1,234","2,5"', "1.234,2", '"1,234",2.5'])
def test_decimals_that_are_no_thousands(read, times):
    assert read(f"path,labels,start,end\na,run,{times}\n")[0][2] == 1.234


def test_letters_that_nobody_sees_and_typeset_ones_make_no_other_label(read):
    text = "path,labels\na,run-fast;\ufeffeat\nb,run\u2013fast;eat\u200b\nc,run-fast;\uff45at\n"
    assert [row[1] for row in read(text)] == ["eat;run-fast"] * 3
    assert read.file.spellings == {"run-fast": ["run\u2013fast"], "eat": ["\uff45at"]}


def test_paths(read):
    """By as many last parts as are the video's alone, in either form of Unicode."""
    (read.folder / "run").mkdir()
    (read.folder / "jump").mkdir()
    for name in ("run/x.mp4", "jump/x.mp4", unicodedata.normalize("NFD", "kühe.mp4")):
        (read.folder / name).touch()
    text = "path,labels\n/old/run/x.mp4,1\nD:\\old\\jump\\x.avi.mp4,2\nkühe,3\n"
    text = text.replace("x.avi", "x")
    assert [row[0] for row in read(text)][:2] == ["run/x.mp4", "jump/x.mp4"]
    assert "may be jump/x.mp4 or run/x.mp4: write the path" in refusal(
        read, "path,labels\n/old/x.mp4,1\n"
    )
    # Cameras call their files alike every day: a folder that is here, too, says which is meant.
    (read.folder / "run" / "y.mp4").touch()
    assert [row[0] for row in read("path,labels\n/old/y.mp4,1\n")] == ["run/y.mp4"]
    assert 'no video "/old/jump/y.mp4" in ' in refusal(read, "path,labels\n/old/jump/y.mp4,1\n")


def test_the_video_that_was_meant_is_named(read):
    """In other letters or marks, or with the ending that it had before it was converted."""
    (read.folder / "cow_1.mp4").touch()
    names = {"a.mp4": ("A.MP4", "a.avi", "D:\\cows\\A.avi"), "cow_1.mp4": ("cow-1", "Cow 1.avi")}
    for meant, others in names.items():
        for name in others:
            told = refusal(read, f"path,labels\n{name},1\nb,2\n")
            assert f'no video "{name}" in' in told and f", did you mean {meant}?" in told


def test_lines_of_paths_with_blanks(read):
    """A longer name begins with a shorter one's."""
    (read.folder / "a (2).mp4").touch()
    text = "old/a (2).mp4 run\na.mp4 walk\n"
    assert [row[:2] for row in read(text)] == [("a (2).mp4", "run"), ("a.mp4", "walk")]
    assert 'is it about "a" or "a (2)"?' in refusal(read, "a (2) run\nb walk\n")


def test_a_frame_count_before_a_video(read, write_moving_square):
    for name, frames in (("a", 10), ("b", 12)):
        write_moving_square(read.folder / f"{name}.mp4", frames, fps=10, width=48, height=32)
    assert [row[1] for row in read("a.mp4 10 3\nb.mp4 12 1 3\n")] == ["3", "1;3"]
    assert [row[1] for row in read("a.mp4 10 run\nb.mp4 12 walk\n")] == ["run", "walk"]
    assert read.file.form == "path number_of_frames label"
    # Numbers that stand on other places too are class ids.
    assert [row[1] for row in read("a.mp4 1 3\nb.mp4 3 1\n")] == ["1;3", "1;3"]


def test_backslashes_of_printed_lists_are_no_part_of_names():
    """json.dumps writes what is not ASCII by numbers, also beyond 16 bits; Python a quote."""
    names = ["走る", "a 😀", 'say "hi"', "it's"]
    assert labels_in(json.dumps(names), ";") == names
    assert labels_in(repr([*names, 'it\'s "so"']), ";") == [*names, 'it\'s "so"']
