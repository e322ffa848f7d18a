"""Action Genome's files to objects.csv, on files of the official form made here."""

import argparse
import os
import pickle

import numpy as np
import pytest

from slowfast_ext.datasets.lists import read_class_names
from slowfast_ext.datasets.objects import read_objects
from slowfast_ext.datasets.synthetic_videos import SyntheticSettings, write_video
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare import charades
from slowfast_ext.prepare.action_genome import read_action_genome, write_objects
from tests.prepare.test_charades import annotate

SIZE = 32


def annotated(name, box, visible=True):
    return {
        "class": name,
        "bbox": box,
        "attention_relationship": ["looking_at"],
        "visible": visible,
        "metadata": {"tag": "", "set": "train"},
    }


def persons(*boxes):
    return {
        "bbox": np.array(boxes, dtype=np.float32).reshape(-1, 4),
        "bbox_score": np.full(len(boxes), 0.75, dtype=np.float32),
        "bbox_size": (SIZE, SIZE),
        "bbox_mode": "xyxy",
    }


@pytest.fixture
def folder(tmp_path):
    objects = {
        "AAAAA.mp4/000003.png": [
            annotated("cup/glass/bottle", (8, 0, 16, 40)),
            annotated("dish", None, visible=False),
        ],
        "AAAAA.mp4/009999.png": [annotated("bed", (0, 0, 4, 4))],
        "ZZZZZ.mp4/000001.png": [annotated("bag", (0, 0, 4, 4))],
    }
    people = {
        "AAAAA.mp4/000003.png": persons((0, 0, 16, 32)),
        "AAAAA.mp4/000005.png": persons(),
    }
    (tmp_path / "object_bbox_and_relationship.pkl").write_bytes(pickle.dumps(objects))
    (tmp_path / "person_bbox.pkl").write_bytes(pickle.dumps(people))
    return tmp_path


@pytest.fixture
def path_of(tmp_path):
    settings = SyntheticSettings(size=SIZE, num_train=1, num_test=1)
    name = write_video(str(tmp_path), settings, "train", 0)[0][0]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    return {"AAAAA": str(tmp_path / name), "BBBBB": str(broken)}


def test_pixels_become_fractions_and_frames_keep_their_numbers(folder, path_of):
    counts = write_objects(str(folder), read_action_genome(str(folder)), path_of)
    names = read_class_names(str(folder / "object_classes.txt"))
    assert names == ["person", "bed", "cup/glass/bottle"]
    found = read_objects(str(folder / "objects.csv"), names)
    assert list(found) == ["AAAAA"]
    assert found["AAAAA"].frames.tolist() == [2, 2]
    assert found["AAAAA"].classes.tolist() == [2, 0]
    # The first reaches below the frame and is cut off there.
    np.testing.assert_allclose(found["AAAAA"].boxes, [[0.25, 0, 0.75, 1], [0, 0, 0.5, 1]])
    assert counts == {
        "boxes": 2,
        "videos": 1,
        "classes": 3,
        "outside": 1,
        "videos_without": 1,
        "other_videos": 1,
    }
    assert len(read_objects(str(folder / "objects.csv"), names, 0.8)["AAAAA"].frames) == 1


@pytest.mark.parametrize("name", ["object_classes.txt", "objects.csv"])
def test_objects_of_others_are_not_written_over(folder, path_of, name):
    """Through the command; a second run of its own may write over the first's."""
    annotate(folder / "annotations", {"AAAAA": ("", "2.00")}, {"BBBBB": ("", "2.00")})
    for video, path in path_of.items():
        os.rename(path, folder / f"{video}.mp4")
    words = ["--annotations", folder / "annotations", "--videos", folder, "--out", folder / "out"]
    parser = argparse.ArgumentParser()
    charades.add_arguments(parser)
    args = parser.parse_args([*map(str, words), "--action-genome", str(folder)])
    (folder / "out").mkdir()
    (folder / "out" / name).write_text("mine")
    with pytest.raises(SlowFastExtError, match=f"{name} is a file that this command has not"):
        charades.run(args)
    assert [path.name for path in (folder / "out").iterdir()] == [name]
    (folder / "out" / name).unlink()
    charades.run(args)
    charades.run(args)
    assert read_class_names(str(folder / "out" / "object_classes.txt"))[0] == "person"


class Hostile:
    def __reduce__(self):
        import os

        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    "content,sentence",
    [
        (pickle.dumps(Hostile()), "nothing in it was executed"),
        (b"", "nothing in it was executed"),
        (pickle.dumps([1]), "holds no dict"),
        (pickle.dumps({"AAAAA.mp4/x.png": []}), "entry 'AAAAA.mp4/x.png'"),
        (pickle.dumps({"A.mp4/1.png": [{"class": "cup"}]}), "entry 'A.mp4/1.png': KeyError"),
        (pickle.dumps({"A.mp4/1.png": [annotated("cup", (1, 2))]}), "entry 'A.mp4/1.png'"),
        (pickle.dumps({3: []}), "entry 3"),
    ],
)
def test_other_files_are_refused_by_name(folder, monkeypatch, content, sentence):
    monkeypatch.chdir(folder)
    path = folder / "object_bbox_and_relationship.pkl"
    path.write_bytes(content)
    with pytest.raises(SlowFastExtError) as error:
        read_action_genome(str(folder))
    assert str(path) in str(error.value) and sentence in str(error.value)
    assert not (folder / "executed").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SlowFastExtError, match="object_bbox_and_relationship.pkl: cannot be read"):
        read_action_genome(str(tmp_path))
