"""
A stand-in for AVA: rendered movies of moving persons, annotated in the official files' forms.

Each person has two or three labels at once: its motion, its ball and, of some, that it is round;
with interactions also the balls of the others, as AVA's persons watch or listen to somebody.
"""

import os
from dataclasses import replace

import numpy as np

from slowfast_ext.datasets.synthetic.motion import BALLS, MOTIONS, bounding_box
from slowfast_ext.datasets.synthetic.scenes import GRID, SyntheticSettings, draw_actor
from slowfast_ext.datasets.synthetic.videos import FPS, encode, images_of
from slowfast_ext.utils.paths import open_atomically

CLASSES = (*MOTIONS, *(f"{ball} ball" for ball in BALLS), "is round")
INTERACTIONS = tuple(f"watches a {ball} ball" for ball in BALLS)
LABEL_MAP = "ava_action_list_v2.2_for_activitynet_2019.pbtxt"
FIRST_SECOND, SECONDS = 900, (902, 903, 904)
MAX_PERSONS = 4


def write_stand_in(folder, num_train, num_val, seed=0, size=96, interactions=False):
    """
    Writes `videos/` (H.264, from second 900 on) and `annotations/` below `folder`, the same videos
    with and without labels of `interactions`.

    Returns:
        tuple[str, str]: both folders.
    """
    videos, annotations = os.path.join(folder, "videos"), os.path.join(folder, "annotations")
    settings = SyntheticSettings(size=size, num_frames=6 * FPS)
    for split, count in (("train", num_train), ("val", num_val)):
        truth, persons = [], []
        for index in range(count):
            random = np.random.default_rng([seed, split == "val", index])
            name, actors = f"{split}{index:03d}", _draw_persons(random, settings)
            if interactions:
                actors = _watching(actors)
            with open_atomically(os.path.join(videos, f"{name}.mp4"), "wb") as stream:
                stream.write(encode(images_of(random, actors, settings), size))
            rows = [row for second in SECONDS for row in _rows(name, second, actors)]
            truth += [f"{place},{action},{person}" for place, person, action in rows]
            persons += [f"{place},,0.95" for place in dict.fromkeys(place for place, _, _ in rows)]
        _write(annotations, f"ava_{split}_v2.2.csv", truth)
        _write(annotations, f"ava_{split}_excluded_timestamps_v2.2.csv", [])
    _write(annotations, "ava_val_predicted_boxes.csv", persons)
    names = CLASSES + INTERACTIONS * interactions
    items = [f'item {{\n  name: "{n}"\n  id: {i}\n}}' for i, n in enumerate(names, start=1)]
    _write(annotations, LABEL_MAP, items)
    return videos, annotations


def _draw_persons(random, settings):
    """Persons who are there all the time, each in a cell of its own."""
    cells = random.permutation(GRID * GRID)[: random.integers(2, MAX_PERSONS + 1)].tolist()
    persons = []
    for cell in cells:
        role = (), str(random.choice(list(MOTIONS))), str(random.choice(list(BALLS)))
        person = draw_actor(random, settings, *role, cell)
        labels = [role[1], f"{role[2]} ball", *(["is round"] if person.corners == 0 else [])]
        ids = tuple(CLASSES.index(label) + 1 for label in labels)
        persons.append(replace(person, labels=ids, start=0, end=settings.num_frames))
    return persons


def _watching(persons):
    """The persons, labelled with the balls of the others as well."""
    balls = [CLASSES[person.labels[1] - 1].removesuffix(" ball") for person in persons]
    watching = []
    for place, person in enumerate(persons):
        others = sorted({list(BALLS).index(ball) for ball in balls[:place] + balls[place + 1 :]})
        labels = person.labels + tuple(len(CLASSES) + 1 + ball for ball in others)
        watching.append(replace(person, labels=labels))
    return watching


def _rows(name, second, actors):
    """(video,second,x1,y1,x2,y2; the person's id; an action's id), a row for each action."""
    for number, actor in enumerate(actors):
        box = bounding_box(actor, (second - FIRST_SECOND) * FPS)
        for action in actor.labels:
            yield f"{name},{second:04d},{','.join(map(str, box))}", number, action


def _write(folder, name, lines):
    with open_atomically(os.path.join(folder, name)) as stream:
        stream.write("".join(f"{line}\n" for line in lines))
