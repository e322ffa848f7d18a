"""Tables of a row a frame, and of a row a step of time."""

import pytest

from slowfast_ext.prepare.bouts import read_spans
from tests.prepare.forms.reading import read, refusal, spans, write_videos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    write_videos(folder)
    return folder


def frames(header, cells, first=0, separator=","):
    """40 rows, of which `cells(frame)` gives the fields."""
    rows = [separator.join([str(n + first), *map(str, cells(n))]) for n in range(40)]
    return "\n".join([separator.join(header), *rows]) + "\n"


WANTED = [
    ("a.mp4", "jump", 1.0, 2.0),
    ("a.mp4", "run", 0.5, 1.5),
    ("a.mp4", "run", 3.5, 4.0),
]


def is_run(n):
    return int(5 <= n < 15 or n >= 35)


def is_jump(n):
    return int(10 <= n < 20)


def test_deep_ethogram(folder):
    text = frames(
        ["", "background", "run", "jump", "never"],
        lambda n: [int(not (is_run(n) or is_jump(n))), is_run(n), is_jump(n), 0],
    )
    file = read(folder, "a_labels.csv", text)
    assert spans(file) == WANTED
    assert file.declared == ["run", "jump", "never"] and file.unused == ["background"]
    assert file.form == "a row a frame"


def test_simba(folder):
    text = frames(
        ["", "Nose_x", "Nose_y", "Nose_p", "run", "jump"],
        lambda n: [12.5, 3.25 * n, 1, float(is_run(n)), is_jump(n)],
    )
    file = read(folder, "a.csv", text)
    assert spans(file) == WANTED
    assert file.unused == ["Nose_x", "Nose_y", "Nose_p"]
    assert spans(read(folder, "a.csv", text, label_columns=["jump"])) == WANTED[:1]


def test_simba_results_have_a_probability_beside_each_behaviour(folder):
    text = frames(
        ["", "Nose_x", "Nose_p", "Probability_run", "run", "Probability_jump", "jump"],
        lambda n: [12.5, 1, 0.25, is_run(n), 0.75, is_jump(n)],
    )
    assert spans(read(folder, "a.csv", text)) == WANTED


def test_frames_that_count_from_one(folder):
    text = frames(["frame", "run", "jump"], lambda n: [is_run(n), is_jump(n)], first=1)
    assert spans(read(folder, "a.csv", text)) == WANTED


def steps(header, cells, step=0.1, last=4.0, separator="\t"):
    times = [n * step for n in range(round(last / step) + 1)]
    rows = [separator.join([f"{t:.2f}", *map(str, cells(round(t * 10)))]) for t in times]
    return "\n".join([separator.join(header), *rows]) + "\n"


@pytest.mark.parametrize("step", [0.1, 0.5])
def test_boris_binary_table(folder, step):
    """Its last row is at the end of the video; it counts moments in a step."""
    text = steps(["time", "run", "jump"], lambda n: [is_run(n), 2 * is_jump(n)], step)
    file = read(folder, "a_No focal subject.tsv", text)
    assert spans(file) == WANTED
    assert file.form == "a row a step of time"


def test_solomon_coder(folder):
    text = steps(
        ["Time", "gait", "air"],
        lambda n: ["run" if is_run(n) else "", "jump" if is_jump(n) else ""],
        0.1,
        3.9,
        ";",
    ).replace(".", ",")
    assert spans(read(folder, "a.csv", text)) == WANTED


def test_a_row_a_frame_with_names(folder):
    text = frames(["frame", "behavior"], lambda n: ["run" if is_run(n) else ""])
    assert spans(read(folder, "a.csv", text)) == WANTED[1:]


def test_labels_at_another_rate_are_asked_for(folder):
    text = "\n".join([",run", *(f"{n},{int(n < 5)}" for n in range(20))])
    assert "a.csv: 20 rows of frames, and a.mp4 has 40 frames: --frame-rate" in refusal(
        folder, "a.csv", text
    )
    assert spans(read(folder, "a.csv", text, frame_rate=5)) == [("a.mp4", "run", 0.0, 1.0)]


def test_few_steps_may_be_printed_in_full(folder):
    text = "\n".join(["time,run", *(f"{n * 0.4},{int(n < 3)}" for n in range(10))])
    assert "1.2000000000000002" in text
    assert spans(read(folder, "a.csv", text)) == [("a.mp4", "run", 0.0, 1.2)]


def test_numbers_of_classes_need_their_names(folder, tmp_path):
    text = frames(["frame", "behavior"], lambda n: [is_run(n)])
    assert "a.csv: behavior holds numbers: of classes, which --class-names" in refusal(
        folder, "a.csv", text
    )
    (tmp_path / "names").write_text("0 rest\n1 run\n")
    found = spans(read(folder, "a.csv", text, class_names=str(tmp_path / "names")))
    assert [row for row in found if row[1] == "run"] == WANTED[1:]
    assert {row[1] for row in found} == {"rest", "run"}


def test_a_table_says_which_time_was_labelled(folder):
    rows = steps(["time", "run"], lambda n: [is_run(n)]).split("\n")
    text = "\n".join([rows[0], *rows[6:31]])
    ((start, end),) = read(folder, "a.tsv", text).labelled["a.mp4"]
    assert (start, round(end, 6)) == (0.5, 3.0)
    text = "\n".join([",run", *(f"{n},{int(n < 5)}" for n in range(12))])
    assert read(folder, "a.csv", text, frame_rate=5).labelled == {"a.mp4": [(0, 2.4)]}


def test_what_nobody_knows_is_not_absent(folder):
    """DeepEthogram's -1: of one behaviour, and of all."""
    text = frames(
        ["", "background", "run", "jump"],
        lambda n: [-1 if n >= 30 else 0, is_run(n), -1 if n >= 25 else is_jump(n)],
    )
    file = read(folder, "a_labels.csv", text)
    known = [row for row in file.rows if not row.unknown]
    assert [(r.labels, r.start, r.end) for r in file.rows if r.unknown] == [(("jump",), 2.5, 4.0)]
    assert [(r.labels, r.start, r.end) for r in known if r.labels] == [
        (("run",), 0.5, 1.5),
        (("jump",), 1.0, 2.0),
        (("run",), 3.5, 4.0),
    ]
    # Bouts are counted of what is known.
    assert read_spans(file)[0]["start"].tolist() == [0.5, 1.0, 3.5]
    text = steps(["time", "run"], lambda n: ["-1" if n < 10 else is_run(n)])
    unknown = [row for row in read(folder, "a.tsv", text).rows if row.unknown]
    assert [(r.labels, r.start, r.end) for r in unknown] == [(("run",), 0.0, 1.0)]


GOOD = frames(["", "run"], lambda n: [0])


@pytest.mark.parametrize(
    "text,message",
    [
        (GOOD.replace("\n7,0", "\n7,2"), "its last column, run, does not hold 0 and 1 alone"),
        (
            frames(["", "run", "speed", "jump"], lambda n: [is_run(n), n, is_jump(n)]),
            "a.csv: run holds 0 and 1, and a column behind it does not: name the columns",
        ),
        (
            frames(["", "run", "reviewed"], lambda n: [is_run(n), 1]),
            "a.csv: reviewed: seem to be flags of a program, not what happens",
        ),
        (GOOD.replace("\n7,0", "\n8,0"), "a.csv:9: frame 8 where 7 is expected"),
        (frames(["", "run"], lambda n: [0], first=4), "a.csv:2: frame 4 where 0 or 1 is expected"),
        (GOOD.replace("\n7,0", "\n7"), "a.csv:9: 1 fields where the header has 2"),
        (GOOD.replace("\n7,0", "\nx,0"), 'a.csv:9: "x" is no number of a frame or of seconds'),
        (steps(["time", "run"], lambda n: [-3]), 'a.csv:2: run is "-3": it must be 0 or 1'),
        (
            steps(["time", "run"], lambda n: [0]).replace("\n0.70\t0", ""),
            "a.csv:9: time 0.80, 0.2 s behind the row before, where others are 0.1",
        ),
        ("time\trun\n0\t1\n2\t0\n", "a.csv:3: two rows do not say whether they are steps or"),
        (
            "time,behavior\n1.0,run\n2.0,sit\n3.3,run\n",
            "a.csv:3: time 2.0, 1 s behind the row before, where others are 1.15; events, which",
        ),
        ("time\trun\n0\t1\n", "a.csv:2: one row does not say how long it is"),
        ("time\trun\n0\t1\n0\t1\n", "a.csv:3: time 0, 0 s behind the row before"),
    ],
)
def test_wrong_tables_are_told_by_their_lines(folder, text, message):
    assert message in refusal(folder, "a.csv", text)


def test_a_table_of_no_video(folder):
    assert 'q_labels.csv:1: no video "q" in' in refusal(folder, "q_labels.csv", GOOD)
    assert "no column x for --label-columns; the columns are run" in refusal(
        folder, "a.csv", GOOD, label_columns=["x"]
    )
