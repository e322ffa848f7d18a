import math
import os

import numpy as np
import pytest

from slowfast_ext.datasets.lists import (
    Segment,
    Video,
    label_matrix,
    read_class_names,
    read_list,
)
from slowfast_ext.errors import SlowFastExtError

CLASSES = ["run", "jump high", "throw", "3"]


@pytest.fixture
def root(tmp_path):
    for name in ("a.mp4", "b.mp4", "with, comma.mp4"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "frames").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    return tmp_path


def write(root, content, name="list.csv"):
    path = root / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def read(root, content, **options):
    return read_list(write(root, content), CLASSES, str(root), **options)


def problems(root, content):
    with pytest.raises(SlowFastExtError) as caught:
        read(root, content)
    return str(caught.value).replace(f"{root}/", "").split("\n")


def test_lines_of_one_path_are_one_video(root):
    videos = read(
        root,
        "path,labels,start,end\nb.mp4,throw;run,1.5,2\na.mp4,,,\n./b.mp4, jump high ; 0 ;run,0,1\n",
    )
    assert videos == [
        Video(f"{root}/b.mp4", (Segment((2, 0), 1.5, 2.0), Segment((1, 0), 0.0, 1.0))),
        Video(f"{root}/a.mp4", (Segment((), None, None),)),
    ]
    assert videos[0].labels == (0, 1, 2)
    assert videos[1].labels == ()


def test_byte_order_mark_windows_lines_quotes_and_column_order(root):
    content = '\ufefflabels,note,path\r\nrun,"x\r\ny","with, comma.mp4"\r\n\r\n1,,frames\r\n'
    assert read(root, content) == [
        Video(f"{root}/with, comma.mp4", (Segment((0,)),)),
        Video(f"{root}/frames", (Segment((1,)),)),
    ]


def test_a_class_name_wins_over_an_id(root):
    assert read(root, "path,labels\na.mp4,3;2\n")[0].labels == (2, 3)
    content = "path,labels\na.mp4,3\n"
    assert read_list(write(root, content), ["x", "3", "y", "z"], str(root))[0].labels == (1,)


def test_ids_are_no_numbers_of_names(root):
    """UCF101's classInd.txt counts from 1, and ids from 0."""
    names = ["1 run", "2 throw", "3 jump"]
    path = write(root, "path,labels\na.mp4,1\n")
    with pytest.raises(SlowFastExtError, match='class id 1 is "2 throw": write the name'):
        read_list(path, names, str(root))
    # Nor are they of names that are numbers and not all there.
    path = write(root, "path,labels\na.mp4,0\n")
    with pytest.raises(SlowFastExtError, match='class id 0 is "1": write the name'):
        read_list(path, ["1", "2", "3"], str(root))
    path = write(root, "path,labels\na.mp4,2 throw\n")
    assert read_list(path, names, str(root))[0].labels == (1,)
    path = write(root, "path,labels\na.mp4,1\n")
    assert read_list(path, ["0 run", "1 throw"], str(root))[0].labels == (1,)


def test_an_accent_in_either_form_of_unicode(root):
    path = write(root, "path,labels\na.mp4,caf\u00e9\n")
    assert read_list(path, ["run", "cafe\u0301"], str(root))[0].labels == (1,)


def test_absolute_paths_are_kept(root, tmp_path_factory):
    elsewhere = str(tmp_path_factory.mktemp("elsewhere"))
    path = write(root, f"path,labels\n{root}/a.mp4,run\n")
    assert read_list(path, CLASSES, elsewhere)[0].path == f"{root}/a.mp4"


def test_labels_between_a_clips_first_frame_and_its_last():
    video = Video("v", (Segment((0, 1), 1.0, 2.0), Segment((2,), 3.0, 4.0), Segment((3,))))
    assert video.labels_between(np.array([0.0, 0.9])) == (3,)
    assert video.labels_between(np.array([0.0, 2.0])) == (0, 1, 3)
    # Both sides of the segment, but no frame within it.
    assert video.labels_between(np.array([2.9, 4.1])) == (2, 3)
    assert video.labels_between(np.array([1.5, 3.0, 9.0])) == (0, 1, 2, 3)


def test_a_moment_is_in_the_clips_that_are_going_on_then():
    """Also between two neighbouring frames, and after the video's last one."""
    video = Video("v", (Segment((0,), 1.02, 1.02), Segment((1,), 1.98, 1.99)))
    frames = np.arange(20) / 10
    taught = {0: set(), 1: set()}
    for first in range(20):
        until = frames[first + 1] if first < 19 else math.inf
        for label in video.labels_between(frames[[first]], until):
            taught[label].add(first)
    assert taught == {0: {10}, 1: {19}}
    for first in range(8):
        clip = frames[[first, first + 6, first + 12]]
        wanted = ((0,) if first + 12 >= 10 else ()) + ((1,) if first + 12 == 19 else ())
        assert video.labels_between(clip, np.append(frames, math.inf)[first + 13]) == wanted
    # What goes on in the next frame is not the last frame's.
    assert Video("v", (Segment((0,), 1.02, 1.3),)).labels_between([0.9, 1.0], 1.1) == ()


def test_label_matrix():
    videos = [Video("a", (Segment((2,)), Segment((0, 2)))), Video("b", (Segment(()),))]
    matrix = label_matrix(videos, 4)
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]
    assert label_matrix([], 4).shape == (0, 4)


def test_a_column_of_unknown_labels(root):
    videos = read(
        root,
        "path,labels,start,end,unknown\n"
        "a.mp4,run,2,5,\na.mp4,,8,12,jump high;0\na.mp4,throw,9,10,*\nb.mp4,run,,,*\nframes,,,,\n",
    )
    assert [video.labels for video in videos] == [(0, 2), (0,), ()]
    unknown = (Segment((1, 0), 8.0, 12.0), Segment((0, 1, 2, 3), 9.0, 10.0))
    assert [video.unknown for video in videos] == [unknown, (Segment((0, 1, 2, 3)),), ()]
    # What is shown at one time is present, whatever is not known at another.
    assert label_matrix(videos, 4).tolist() == [[1, -1, 1, -1], [1, -1, -1, -1], [0, 0, 0, 0]]
    clips = {(0, 1.9): [0, 0, 0, 0], (4, 7): [1, 0, 0, 0], (7, 8.5): [-1, -1, 0, 0]}
    clips |= {(5, 8): [1, -1, 0, 0], (9.5, 9.6): [-1, -1, 1, -1], (12.1, 20): [0, 0, 0, 0]}
    for clip, targets in clips.items():
        assert videos[0].between(clip).targets(4).tolist() == targets, clip
    moved = videos[0].renumbered([3, 2, 1, 0])
    assert moved.targets(4).tolist() == [-1, 1, -1, 1]


def test_a_label_is_not_both_present_and_unknown(root):
    content = "path,labels,unknown\na.mp4,run;throw,jump high;throw\na.mp4,run,jmp high\n"
    assert problems(root, content) == [
        "list.csv: 2 bad rows; correct or remove:",
        'list.csv:2: "throw" stands in labels and in unknown: keep one',
        'list.csv:3: unknown label "jmp high", did you mean "jump high"?',
    ]


def test_all_bad_rows_are_named_at_once(root):
    content = (
        "path,labels,start,end\n"
        "a.mp4,run,0,1\n"
        "a.mp4,jump hihg,0,1\n"
        "a.mp4,4;-1,0,1\n"
        "a.mp4,run,x,nan\n"
        "a.mp4,run,-1,1\n"
        "a.mp4,run,2,1\n"
        "a.mp4,run,2,\n"
        ",run,,\n"
        "\n"
        "none.mp4,zzzz,,\n"
        "empty.mp4,run,,\n"
        "a.mp4,run\n"
        "a.mp4,run,1,2,3\n"
        "a.mp4,run,,1\n"
        "a.mp4,run,0,inf\n"
        "a.mp4,run,0,1_0\n"
        "pipe.mp4,run,,\n"
        "/dev/zero,run,,\n"
    )
    assert problems(root, content) == [
        "list.csv: 16 bad rows; correct or remove:",
        'list.csv:3: unknown label "jump hihg", did you mean "jump high"?',
        "list.csv:4: class id 4 is not in 0..3; class id -1 is not in 0..3",
        'list.csv:5: start "x" is not a number of seconds from 0 on; '
        'end "nan" is not a number of seconds from 0 on',
        'list.csv:6: start "-1" is not a number of seconds from 0 on',
        "list.csv:7: end 1 is before start 2",
        "list.csv:8: end is missing: give both or neither",
        "list.csv:9: the path is empty",
        'list.csv:11: no such file none.mp4; unknown label "zzzz"',
        "list.csv:12: the file empty.mp4 is empty (0 bytes)",
        "list.csv:13: 2 fields where the header has 4",
        'list.csv:14: 5 fields where the header has 4: put a field with a comma in ""',
        "list.csv:15: start is missing: give both or neither",
        'list.csv:16: end "inf" is not a number of seconds from 0 on',
        'list.csv:17: end "1_0" is not a number of seconds from 0 on',
        "list.csv:18: pipe.mp4 is neither a regular file nor a folder",
        "list.csv:19: /dev/zero is neither a regular file nor a folder",
    ]


def test_at_most_twenty_bad_rows_are_shown(root):
    lines = problems(root, "path,labels\n" + "a.mp4,zzzz\n" * 23)
    assert lines[0] == "list.csv: 23 bad rows; correct or remove:"
    assert len(lines) == 22
    assert lines[-2] == 'list.csv:21: unknown label "zzzz"'
    assert lines[-1] == "... and 3 more"
    assert len(problems(root, "path,labels\n" + "a.mp4,zzzz\n" * 20)) == 21


def test_rows_after_a_field_of_several_lines_keep_their_numbers(root):
    content = 'path,note,labels\na.mp4,"x\ny",run\na.mp4,,zzzz\n'
    assert problems(root, content)[1].startswith("list.csv:4: ")


def test_files_need_not_exist_where_only_labels_matter(root):
    videos = read(root, "path,labels\nnone.mp4,run\n", check_files=False)
    assert videos[0].path == f"{root}/none.mp4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty.*path,labels"),
        ("\n\n", "empty.*path,labels"),
        ("path,labels\n", r"no rows.*path,labels\[,start,end\]"),
        ("a.mp4,run\n", r"list.csv:1:.*no column path and no column labels.*path,labels\["),
        ("path,label\na.mp4,run\n", "no column labels"),
        ("path,labels,start_time,end_time\na.mp4,run,1,2\n", "start_time and end_time: seems to"),
        ("path,labels,t-start,Stop (s)\na.mp4,run,1,2\n", r"t-start and Stop \(s\): seems to"),
        ("path,labels,t0,t1\na.mp4,run,1,2\n", "t0 and t1: seems to hold times"),
        ("path,labels,onset\na.mp4,run,1\n", "onset: seems to hold times, .* on whole videos"),
        ("path,labels,start\na.mp4,run,1\n", "no column end"),
        ("path,labels,labels\na.mp4,run,throw\n", "list.csv:1: .*column labels twice"),
        (f"path,{'x' * 999}\n", r"no column labels; .*and is path,x{72}\.\.\.$"),
        (b"path,labels\na.mp4,caf\xe9\n", "list.csv:2: not UTF-8"),
    ],
)
def test_lists_without_header_or_rows_are_refused(root, content, message):
    with pytest.raises(SlowFastExtError, match=message):
        read(root, content)


def test_where_a_video_is_from_is_no_time(root):
    assert len(read(root, "path,labels,from\na.mp4,run,youtube\n")) == 1
    with pytest.raises(SlowFastExtError, match="from and to: seems to hold times"):
        read(root, "path,labels,from,to\na.mp4,run,0:01,2.5 s\n")


def test_a_missing_list_is_named(root):
    with pytest.raises(SlowFastExtError, match="none.csv: cannot be read.*No such file"):
        read_list(f"{root}/none.csv", CLASSES, str(root))


def test_class_names(tmp_path):
    path = write(tmp_path, "\ufeffrun\r\njump, high \r\nréparer\r\n\r\n \r\n")
    assert read_class_names(path) == ["run", "jump, high", "réparer"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "list.csv: no class names"),
        ("\n \n", "list.csv: no class names"),
        ("run\n\njump\n", "list.csv:2: a blank line"),
        ("\nrun\n", "list.csv:1: a blank line"),
        ("run\njump\n run\n", 'list.csv:3: .*"run" stands on line 1'),
        ("caf\u00e9\ncafe\u0301\n", "list.csv:2: .* stands on line 1"),
        (b"run\n\xff\n", "list.csv:2: not UTF-8"),
    ],
)
def test_wrong_class_names_are_refused(tmp_path, content, message):
    with pytest.raises(SlowFastExtError, match=message):
        read_class_names(write(tmp_path, content))


def test_missing_class_names_are_refused(tmp_path):
    with pytest.raises(SlowFastExtError, match="classes.txt: cannot be read"):
        read_class_names(str(tmp_path / "classes.txt"))


# --- Paths that lead out of the folder ----------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    """root/a.mp4, a link root/link to the folder beside it, and secret/b.mp4 there."""
    for name in ("root", "secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "root" / "a.mp4").write_bytes(b"x")
    (tmp_path / "secret" / "b.mp4").write_bytes(b"x")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "root" / "inner").symlink_to(tmp_path / "root")
    return tmp_path


# Which settings of DATA.PATHS_OUTSIDE allow what a list names.
OUTSIDE = {
    "a.mp4": ("none", "absolute", "any"),
    "inner/a.mp4": ("none", "absolute", "any"),
    "../root/a.mp4": ("none", "absolute", "any"),
    "{}/root/a.mp4": ("none", "absolute", "any"),
    "{}/secret/b.mp4": ("absolute", "any"),
    "{}/root/../secret/b.mp4": ("absolute", "any"),
    "../secret/b.mp4": ("any",),
    "inner/../../secret/b.mp4": ("any",),
    "link/b.mp4": ("any",),
}


@pytest.mark.parametrize("outside", ["none", "absolute", "any"])
@pytest.mark.parametrize("name", OUTSIDE)
def test_paths_that_lead_out_of_the_folder(tree, name, outside):
    text = name.format(tree)
    path = write(tree, f"path,labels\n{text},run\n")
    if outside in OUTSIDE[name]:
        assert len(read_list(path, CLASSES, str(tree / "root"), outside=outside)) == 1
        return
    # A long path is shortened.
    message = r"list.csv:2: .* leads out of .*root.*DATA.PATHS_OUTSIDE any allows it"
    with pytest.raises(SlowFastExtError, match=message):
        read_list(path, CLASSES, str(tree / "root"), outside=outside)


def test_stores_paths_are_absolute(root):
    content = "path,labels\nstore://x/a.mp4,run\n"
    assert read(root, content, check_files=False, outside="absolute")
    with pytest.raises(SlowFastExtError, match="leads out"):
        read(root, content, check_files=False, outside="none")


def test_a_nul_character_in_a_path(root):
    assert problems(root, "path,labels\na\0.mp4,run\n")[1] == (
        "list.csv:2: the path holds a NUL character"
    )


def test_empty_files_are_left_to_the_loader_where_broken_ones_are_skipped(root):
    content = "path,labels\nempty.mp4,run\nnone.mp4,run\n"
    with pytest.raises(SlowFastExtError) as caught:
        read(root, content, allow_empty=True)
    assert "none.mp4" in str(caught.value) and "empty.mp4" not in str(caught.value)
