"""Bento's .annot: frames from 1 at the file's rate, or seconds; channels overlap."""

import pytest

from tests.prepare.forms.reading import read, refusal, spans, write_videos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bento")
    write_videos(folder)
    return folder


def annot(bouts, movie="C:\\x\\a.mp4", rate="Annotation framerate: 20.000000\n", first=1):
    channels = "".join(
        f"{channel}----------\n"
        + "".join(
            f">{name}\nStart\t Stop\t Duration\n"
            + "".join(f"{start}\t{end}\t9\n" for start, end in spans)
            + "\n"
            for name, spans in behaviours.items()
        )
        for channel, behaviours in bouts.items()
    )
    return (
        f"Bento annotation file\nMovie file(s):  {movie}\n\nStimulus name: \n"
        f"Annotation start frame: {first}\nAnnotation stop frame: 80\n{rate}\n"
        "List of channels:\nCh1\nch2\n\nList of annotations:\nrun\njump\nrest\n\n" + channels
    )


BOUTS = {"Ch1": {"run": [(11, 30), (71, 80)], "jump": []}, "ch2": {"jump": [(21, 40)]}}
WANTED = [("a.mp4", "jump", 1.0, 2.0), ("a.mp4", "run", 0.5, 1.5), ("a.mp4", "run", 3.5, 4.0)]


def test_frames(folder):
    file = read(folder, "x.annot", annot(BOUTS))
    assert spans(file) == WANTED
    assert file.declared == ["run", "jump", "rest"] and file.form == "Bento's .annot"


@pytest.mark.parametrize(
    "stop,wanted",
    [
        ("stop frame: 80", 4.0),
        ("stop frame: 30", 1.5),
        ("stop time: 2.500000e+00", 2.5),
    ],
)
def test_a_head_says_up_to_where_a_trial_was_labelled(folder, stop, wanted):
    text = annot(BOUTS).replace("stop frame: 80", stop)
    assert read(folder, "x.annot", text).labelled == {"a.mp4": [(0, wanted)]}


def test_seconds(folder):
    seconds = {
        channel: {name: [((a - 1) / 20, b / 20) for a, b in found] for name, found in named.items()}
        for channel, named in BOUTS.items()
    }
    # Python's writer has the movie on the next line, and channels with a capital.
    text = annot(seconds, "\na.mp4", "").replace("List of channels", "List of Channels")
    assert spans(read(folder, "x.annot", text)) == WANTED


def test_a_file_that_names_no_movie_is_called_as_it(folder):
    assert [row[0] for row in spans(read(folder, "b.annot", annot(BOUTS, "")))] == ["b.mp4"] * 3
    assert 'x.annot:1: no video "x"' in refusal(folder, "x.annot", annot(BOUTS, "q.mp4"))


@pytest.mark.parametrize(
    "text,message",
    [
        (annot(BOUTS).partition("List of ann")[0], "ends before the bouts of a channel"),
        (annot(BOUTS, rate=""), "x.annot: bouts in frames, and no Annotation framerate"),
        (annot(BOUTS, first=101), "Annotation start frame is 101"),
        (annot({"c": {"run": [(0, 5)]}}), "x.annot:21: frames 0 to 5: they count from 1"),
        (annot({"c": {"run": [(9, 5)]}}), "x.annot:21: frames 9 to 5"),
        (annot({"c": {"run": [("x", 5)]}}), 'x.annot:21: "x\t5\t9" is no Start, Stop and Duration'),
        (annot({"c": {"run": [(2.5, 1)]}}), "x.annot:21: end 1 is before start 2.5"),
        (annot(BOUTS).replace(">run\n", ""), 'x.annot:20: "11\t30\t9" is no Start, Stop'),
    ],
)
def test_wrong_bouts_are_told_by_their_lines(folder, text, message):
    assert message in refusal(folder, "x.annot", text)
