"""The labels of AVA's stand-in that depend on the other persons."""

import csv
from collections import defaultdict

import pytest

from projects.study import ava_stand_in
from projects.study.ava_stand_in import CLASSES, INTERACTIONS, write_stand_in


@pytest.fixture
def no_videos(monkeypatch):
    monkeypatch.setattr(ava_stand_in, "images_of", lambda *args: None)
    monkeypatch.setattr(ava_stand_in, "encode", lambda *args: b"")


def labels_of_persons(folder):
    """{(video, second): {the person's id: names of its labels}}."""
    names, found = CLASSES + INTERACTIONS, defaultdict(lambda: defaultdict(set))
    for split in ("train", "val"):
        with open(f"{folder}/ava_{split}_v2.2.csv", newline="") as stream:
            for row in csv.reader(stream):
                found[row[0], row[1]][row[7]].add(names[int(row[6]) - 1])
    return found


def test_a_person_watches_the_balls_of_the_others(tmp_path, no_videos):
    _, annotations = write_stand_in(str(tmp_path), 20, 4, interactions=True)
    keyframes = labels_of_persons(annotations)
    assert len(keyframes) == 24 * 3
    for persons in keyframes.values():
        balls = {person: labels & set(CLASSES[6:10]) for person, labels in persons.items()}
        for person, labels in persons.items():
            others = set().union(*(ball for other, ball in balls.items() if other != person))
            assert {f"watches a {ball}" for ball in others} == labels & set(INTERACTIONS)
    with open(f"{annotations}/{ava_stand_in.LABEL_MAP}") as stream:
        assert stream.read().count("item {") == len(CLASSES) + len(INTERACTIONS)


def test_without_them_the_other_labels_are_the_same(tmp_path, no_videos):
    found = []
    for interactions in (False, True):
        folder = str(tmp_path / str(interactions))
        _, annotations = write_stand_in(folder, 3, 1, interactions=interactions)
        found.append(labels_of_persons(annotations))
    for key, persons in found[1].items():
        own = {person: labels - set(INTERACTIONS) for person, labels in persons.items()}
        assert own == found[0][key]
