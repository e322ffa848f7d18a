"""
A stand-in for Volleyball: rendered players in its own folders and its own form of annotations.

An action is a motion with a ball, drawn as the synthetic videos draw them; a group activity is
what one player does, and on which side. The others do what decides nothing.
"""

import os
from dataclasses import replace

import cv2
import numpy as np

from slowfast_ext.datasets.synthetic.motion import RADIUS, REACH, draw_frame
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings, draw_actor
from slowfast_ext.datasets.volleyball_annotations import GROUPS
from slowfast_ext.datasets.volleyball_annotations import REACH as FRAMES_ASIDE
from slowfast_ext.prepare.volleyball_tree import SPLITS
from slowfast_ext.utils.paths import open_atomically

# Action -> its motion (None: stands or drifts) and the colour of its ball.
LOOKS = {
    "waiting": (None, "green"),
    "setting": ("circles", "red"),
    "digging": ("grows", "green"),
    "falling": ("blinks", "violet"),
    "spiking": ("trembles", "red"),
    "blocking": ("circles", "violet"),
    "jumping": ("hops", "green"),
    "moving": ("walks", "blue"),
    "standing": (None, "blue"),
}
DECIDING = {"set": "setting", "spike": "spiking", "pass": "digging", "winpoint": "jumping"}
OTHERS = tuple(action for action in LOOKS if action not in DECIDING.values())
HEIGHT, WIDTH = 96, 160
# Places of a side in columns and rows of a third of the height; the middle column is the net's.
CELLS = {
    "l": [(column, row) for column in (0, 1) for row in range(3)],
    "r": [(column, row) for column in (3, 4) for row in range(3)],
}
PLAYERS_A_SIDE = 4
# Half the side of a player's box: as far as a body reaches, and a ball mostly.
_HALF = REACH + RADIUS


def write_stand_in(root, num_train, num_test, seed=0):
    """
    Writes `videos/V/annotations.txt` and `videos/V/FRAME/NUMBER.jpg` below `root`, the moments
    shared out over two videos of the official split's train and test each.
    """
    for split, count in (("train", num_train), ("test", num_test)):
        for place, video in enumerate(SPLITS[split][:2]):
            random = np.random.default_rng([seed, video])
            folder = os.path.join(root, "videos", str(video))
            lines = [
                _write_moment(folder, random, 100 * number)
                for number in range(1, 1 + (count + 1 - place) // 2)
            ]
            with open_atomically(os.path.join(folder, "annotations.txt")) as stream:
                stream.write("\n".join(lines) + "\n")


def _write_moment(folder, random, target):
    """Writes a moment's frames; returns its line of the annotations."""
    group = str(random.choice(GROUPS))
    players = _draw_players(random, group)
    background = _draw_background(random)
    for number in range(target - FRAMES_ASIDE, target + FRAMES_ASIDE + 1):
        image = draw_frame(background, [actor for actor, _ in players], number)
        _write_image(os.path.join(folder, str(target), f"{number}.jpg"), image)
    boxes = [f"{' '.join(map(str, _box(actor)))} {action}" for actor, action in players]
    return f"{target}.jpg {group.replace('_', '-')} {' '.join(boxes)}"


def _draw_players(random, group):
    """(Actor, action) of the players of both sides; the first decides the group activity."""
    side, what = group.split("_")
    players = []
    for own_side, cells in CELLS.items():
        actions = random.choice(OTHERS, PLAYERS_A_SIDE).tolist()
        if own_side == side:
            actions[0] = DECIDING[what]
        places = random.permutation(len(cells))[:PLAYERS_A_SIDE]
        for action, place in zip(actions, places, strict=True):
            players.append((_draw_player(random, action, *cells[place]), action))
    return players


def _draw_player(random, action, column, row):
    actor = draw_actor(random, SyntheticSettings(), (action,), *LOOKS[action], 0)
    center = ((column + 0.5) / 3, (row + 0.5) / 3)
    # All the time there, and in its place: frames are numbered from anywhere.
    return replace(actor, center=center, start=0, end=10**9, drift=(0.0, 0.0))


def _box(actor):
    """X Y W H in pixels around the player's place."""
    x, y = (round((place - _HALF) * HEIGHT) for place in actor.center)
    return x, y, round(2 * _HALF * HEIGHT), round(2 * _HALF * HEIGHT)


def _draw_background(random):
    coarse = random.uniform(30, 100, (4, 6, 3)).astype(np.float32)
    image = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return image.clip(0, 255).astype(np.uint8)


def _write_image(path, image):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    image = np.ascontiguousarray(image.clip(0, 255).astype(np.uint8)[..., ::-1])
    cv2.imwrite(path, image, [cv2.IMWRITE_JPEG_QUALITY, 90])
