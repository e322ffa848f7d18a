"""`predictions.csv`."""

import numpy as np
import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.predictions import read_predictions, write_predictions

NAMES = ["run", "sit, slowly", "jump"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip(dtype, tmp_path):
    scores = np.random.default_rng(0).random((5, 3)).astype(dtype)
    scores[0] = [-np.inf, 0.0, 1e-30]
    ids = ["a", "b,c", 'quo"te', "ü", "with space"]
    path = str(tmp_path / "predictions.csv")
    write_predictions(path, ids, NAMES, scores)
    read_ids, read_names, read_scores = read_predictions(path)
    assert read_ids == ids
    assert read_names == NAMES
    assert read_scores.dtype == np.float64
    np.testing.assert_array_equal(read_scores, scores)
    np.testing.assert_array_equal(read_scores.astype(dtype), scores)


def test_text(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(str(path), ["v1"], NAMES, np.array([[0.1, 0.25, 1 / 3]]))
    assert path.read_bytes() == (b'id,run,"sit, slowly",jump\nv1,0.1,0.25,0.3333333333333333\n')


def test_no_videos(tmp_path):
    path = str(tmp_path / "predictions.csv")
    write_predictions(path, [], NAMES, np.zeros((0, 3)))
    ids, names, scores = read_predictions(path)
    assert (ids, names, scores.shape) == ([], NAMES, (0, 3))


def test_files_from_a_spreadsheet(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"\xef\xbb\xbfid,run,sit\r\n\r\nv1,0.5,1\r\n\r\n")
    ids, names, scores = read_predictions(str(path))
    assert (ids, names, scores.tolist()) == (["v1"], ["run", "sit"], [[0.5, 1.0]])


def test_shape_is_checked_before_writing(tmp_path):
    path = tmp_path / "predictions.csv"
    with pytest.raises(SlowFastExtError, match="1 videos and 3 classes"):
        write_predictions(str(path), ["v1"], NAMES, np.zeros((2, 3)))
    assert not path.exists()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", ":1: the header must be"),
        (b"video,run,sit\n", ":1: the header must be"),
        (b"id\n", ":1: the header must be"),
        (b"id,run,run\n", ":1: class 'run' has more than one column"),
        (b"id,run,sit\nv1,0.5,0.5\nv2,0.5\n", ":3: 1 scores, but the header names 2"),
        (b"id,run,sit\nv1,0.5,0.5,0.5\n", ":2: 3 scores, but the header names 2"),
        (b"id,run,sit\nv1,0.5,high\n", ":2: the score 'high' for class 'sit' is no number"),
        (b"id,run,sit\nv1,nan,0.5\n", ":2: the score 'nan' for class 'run' is no number"),
        (b"id,run\nv1,1_0\n", ":2: the score '1_0' for class 'run' is no number"),
        (b"ID,run\n", ":1: the header must be 'id'.*begins with 'ID'"),
        (b"v" * 999 + b",0\n", ":1: .*begins with 'v{77}\\.\\.\\.'$"),
        (b"id,run,sit\n,0.5,0.5\n", ":2: the video's id is empty"),
        (b"id,run\nv1,0.5\nv2,0.5\nv1,0.5\n", ":4: video 'v1' stands in line 2 already"),
        (b"id,run\n\xff,0.5\n", ":2: not UTF-8 text"),
    ],
)
def test_bad_files_are_named_with_their_line(content, message, tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_bytes(content)
    with pytest.raises(SlowFastExtError, match=rf"predictions\.csv{message}"):
        read_predictions(str(path))


def test_missing_file(tmp_path):
    with pytest.raises(SlowFastExtError, match="cannot be read"):
        read_predictions(str(tmp_path / "absent.csv"))
