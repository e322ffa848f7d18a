"""Label files that can be read in two ways, of which one is wrong: refused, with what to do."""

import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia


@pytest.fixture
def read(tmp_path):
    """`read(text, ...)`: [(video, labels)] of a file of labels of a.mp4, b.mp4 and c.mp4."""
    (tmp_path / "videos").mkdir()
    for name in "abc":
        (tmp_path / "videos" / f"{name}.mp4").touch()

    def rows(text, name="labels.csv", **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        place = path.parent if "/" in name else path
        file = read_label_file(str(place), OwnMedia(str(tmp_path / "videos")), **options)
        check_problems(file)
        return [(row.video, ";".join(row.labels)) for row in file.rows]

    return rows


def refusal(read, *args, **options):
    with pytest.raises(SlowFastExtError) as caught:
        read(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ["split", "Subset", "animal_id", "is_training", "id"])
def test_what_is_numbered_0_and_1_is_no_activity(read, name):
    text = f"path,{name},run,jump\na.mp4,0,1,0\nb.mp4,1,0,1\nc.mp4,1,1,1\n"
    assert f"{name}: seem to be flags" in refusal(read, text)
    assert read(text, label_columns=["run", "jump"])[2] == ("c.mp4", "run;jump")


def test_rows_of_labels_that_do_not_happen(read):
    # Open Images' confidence, and HACS' clips of a class and of another one.
    text = "video_id,label_name,confidence\na,run,1\na,jump,0\nb,jump,1\n"
    assert 'confidence is "0" in 1 rows' in refusal(read, text)
    assert read(text.replace("1\n", "0.9\n").replace("0\n", "0.1\n"))[0] == ("a.mp4", "run")
    text = "classname,video_id,label\nrun,a,1\nrun,b,-1\n"
    assert 'label is "-1" in 1 rows' in refusal(read, text, label_columns=["classname"])
    ids = text.replace("label", "class_id").replace("-1", "0")
    assert read(ids, label_columns=["classname"])[1] == ("b.mp4", "run")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("path,label\na,phase:0\nb,phase:1\nc,phase:2\n", "phase:0"),
        ("path,label\na,tie 0:0\nb,run\n", "tie 0:0"),
    ],
)
def test_names_that_end_in_0(read, text, labels):
    assert read(text)[0] == ("a.mp4", labels)


def test_levels_of_confidence(read):
    text = "video_id,label_name,confidence\na,run,0\na,jump,3\nb,jump,1\n"
    assert read(text) == [("a.mp4", "run"), ("a.mp4", "jump"), ("b.mp4", "jump")]


def test_a_blank_before_a_quote(read):
    text = 'path, labels, start, end\na.mp4, "run;jump", 0.5, 2\nb.mp4, "run, fast", 1, 2\n'
    assert read(text) == [("a.mp4", "run;jump"), ("b.mp4", "run, fast")]


@pytest.mark.parametrize(
    "text",
    [
        'path,labels\na,"[0, 1, 0]"\nb,"[1, 1, 0]"\n',
        "path,labels\na,0;1;0\nb,1;1;0\n",
        "a.mp4,0,1,0,0\nb.mp4,1,1,0,1\n",
        "a.mp4 0 1 0\nb.mp4 1 1 0\n",
        '{"a": ["0", "1", "0"], "b": ["1", "1", "0"]}',
    ],
)
def test_a_number_for_each_class_is_no_list_of_class_ids(read, text):
    assert ": a 0 or 1 for each class?" in refusal(read, text)


def test_class_ids_that_stand_twice_are_class_ids(read):
    text = 'path,labels\na,"[3, 7, 7]"\nb,"[0, 0]"\nc,"[1]"\n'
    assert read(text) == [("a.mp4", "3;7"), ("b.mp4", "0"), ("c.mp4", "1")]
    assert read("a.mp4 0 0\nb.mp4 4 2\nc.mp4 1\n")[0] == ("a.mp4", "0")
    # Of one length: how often each class happens.
    assert ": a 0 or 1 for each class?" in refusal(read, "path,labels\na,0;2;1\nb,1;0;0\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na,run\nb,#NAME?\n", '"#NAME?" is a spreadsheet\'s error'),
        ("path,label\na,run\nb,#DIV/0!\n", '"#DIV/0!" is a spreadsheet\'s error'),
        ("path,labels\na,run:1;jump:0\n", "run:1, jump:0: write what happens alone"),
        ("path,labels\na,run=1;jump=0\n", "run=1, jump=0: write what happens alone"),
        # A row's number is the name of a video, too.
        ("a,b.mp4,run\nb,b.mp4,jump\n", '"b.mp4" is a video\'s name'),
        ("path,labels\na,run\uff1bjump\nb,run\nc,jump\n", '--separator "\uff1b" parts'),
        ("path,labels\na,run\u3001jump\nb,run\nc,jump\n", '--separator "\u3001" parts'),
    ],
)
def test_texts_that_are_no_labels(read, text, message):
    assert message in refusal(read, text)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("seconds", "1", "2.5"),
        ("t", "0.5", "1"),
        ("ms", "500", "1000"),
        ("Zeit", "0:01", "0:02.5"),
        ("when", "0:00-0:01", "0:01-0:02"),
        ("period", "0.5-1.5", "1.5 - 2"),
        ("frames", "0-10", "10-20"),
    ],
)
def test_times_in_one_column_under_another_name(read, name, one, other):
    text = f"path,label,{name}\na,run,{one}\na,jump,{other}\nb,run,{one}\n"
    assert f"{name}: seems to hold times" in refusal(read, text)
    # As long as the video is, or when it was taken.
    same = text.replace(other, one)
    assert read(same) == [("a.mp4", "run"), ("a.mp4", "jump"), ("b.mp4", "run")]


def test_codes_of_behaviours_and_how_a_game_stands_are_no_times(read):
    text = "path,label,result\na,goal,1:0\na,save,2:0\nb,goal,0:1\n"
    assert read(text)[1] == ("a.mp4", "save")
    text = "path,S,T,R\na,1,0,1\na,0,1,0\nb,0,0,1\n"
    assert read(text) == [("a.mp4", "S;R"), ("a.mp4", "T"), ("b.mp4", "R")]


def test_numbers_that_are_no_times_stand_beside_labels(read):
    text = "path,label,score,index,grade\na,run,0.5,0,1-2\na,jump,0.7,1,1-2\nb,run,1,2,3\n"
    assert read(text)[1] == ("a.mp4", "jump")


@pytest.mark.parametrize("mark", "|\u3001/+&")
def test_marks_between_labels_in_forms_that_have_one_a_field(read, mark):
    parts = '"a": {"annotations": [{"label": "run"}, {"label": "jump"}]}'
    text = f'{{"database": {{{parts}, "b": {{"annotations": [{{"label": "run{mark}jump"}}]}}}}}}'
    assert f'--separator "{mark}" parts' in refusal(read, text)
    assert read(text, separator=mark)[-1] == ("b.mp4", "run;jump")


def test_whole_seconds_of_a_file_of_a_class(read):
    read("a 0.5 1.5\n", "classes/Run.txt")
    message = "Jump.txt: 1 2: two class ids, or start and end"
    assert message in refusal(read, "a 1 2\nb 2 3\n", "classes/Jump.txt")
    assert read("a 1.0 2\nb 2 3\n", "classes/Jump.txt")[0] == ("a.mp4", "Jump")


def test_numbers_of_frames_are_no_times(read, tmp_path):
    for frame in "12":
        (tmp_path / "videos" / "d").mkdir(exist_ok=True)
        (tmp_path / "videos" / "d" / f"{frame}.jpg").touch()
    assert read("d 2 12\n", "lists/train.txt") == [("d", "12")]


def test_sides_of_hmdb51_are_no_classes(read):
    text = "a.mp4 1 \nb.mp4 2 \nc.mp4 0 \n"
    assert "run_test_split1.txt: is HMDB51's" in refusal(read, text, "run_test_split1.txt")
    assert read(text)[0] == ("a.mp4", "1")
    more = text + "a.mp4 17\n"
    assert read(more, "ucf101_test_split1.txt")[-1] == ("a.mp4", "17")


def test_spans_of_a_network_are_its_classes_whatever_their_names_hold(read):
    names = ["run, jump", "run/jump", "jump", "run"]
    rows = [f'a.mp4,"{name}",0.0,1.0,0.9\n' for name in names]
    text = "".join(["video,activity,start,end,score\n", *rows])
    assert [label for _, label in read(text)] == names
    assert [label for _, label in read(text, "found/a.csv")] == names
    # Nobody knows it of labels of one's own beside them.
    more = "path,label\na.mp4,run\n"
    read(more, "both/b.csv")
    assert "is one label or several" in refusal(read, text, "both/a.csv")


def test_further_columns_of_labels(read):
    text = "path,label,label2,labeller\na,run,jump,1\nb,run,,2\n"
    assert "label2: labels, too? --label-columns" in refusal(read, text)
    assert read(text, label_columns=["label", "label2"])[0] == ("a.mp4", "run;jump")
    assert read(text, label_columns=["label"])[0] == ("a.mp4", "run")


def test_numbers_of_rows_are_not_the_videos_that_are_called_so(read, tmp_path):
    for number in "12":
        (tmp_path / "videos" / f"{number}.mp4").touch()
    text = "id,recording,label\n1,1.mp4,run\n2,1.mp4,jump\n"
    assert "id and recording name other videos" in refusal(read, text)
    assert "row and recording name other videos" in refusal(read, text.replace("id,", "row,"))
    assert read("recording,label\n1.mp4,run\n1.mp4,jump\n")[1] == ("1.mp4", "jump")
    assert read(text.replace("2,1", "2,2"))[1] == ("2.mp4", "jump")
    cut = text.replace("recording", "source_video")
    assert read(cut)[1] == ("2.mp4", "jump")


def test_records_of_no_video(read):
    message = "nothing in it is called path or names videos; there are number, label"
    assert message in refusal(read, '[{"number": 1, "label": "run"}]')
