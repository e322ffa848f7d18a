"""What the actors of the synthetic videos do, and how they look."""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np

# Frames of one repetition. At rate 8 a clip of 8 frames spans 57 frames, at rate 2 it spans
# 15: the slow activities need the first, the fast ones (aliased at rate 8) the second.
PERIODS = {"slow": 56, "normal": 24, "fast": 7}
# name: (speed, path).
MOTIONS = {
    "walks": ("slow", "sideways"),
    "grows": ("slow", "size"),
    "hops": ("normal", "hop"),
    "circles": ("normal", "circle"),
    "trembles": ("fast", "diagonal"),
    "blinks": ("fast", "blink"),
}
# The same numbers of slow, normal and fast ones, in pairs that a sampling rate cannot tell apart.
# Each goes from one of the four corners of its place to the next one, sideways or up and down.
# Fast: there and back all the time, so that at the rates 4 and 8 they stand still.
# Slow: once, unseen. From the last frame in the one to the first in the other it is 29 frames: a
# clip of 8 frames at rate 4 shows one of them at most, at rate 8 it shows both, unless the actor
# comes late or leaves early.
TWINS = {
    "crosses": ("slow", "unseen sideways"),
    "climbs": ("slow", "unseen upright"),
    "hops": ("normal", "hop"),
    "circles": ("normal", "circle"),
    "shakes": ("fast", "flip sideways"),
    "nods": ("fast", "flip upright"),
}
# Frames that a fast twin stays in a corner.
FLIP_FRAMES = 2
# The frames in which a slow twin leaves its first corner and comes to the other one.
LEAVE_FRAME, ARRIVE_FRAME = 22, 50
_PATHS = {name: path for name, (_, path) in (MOTIONS | TWINS).items()}
_CORNERED = TWINS.keys() - MOTIONS.keys()
# The balls that actors carry, by their hue (0..179, as OpenCV counts).
BALLS = {"red": 0, "green": 45, "blue": 90, "violet": 135}


def _with_balls(motions, first_balls):
    """(motion, ball): each motion with two neighbouring balls, from the given one on."""
    balls = tuple(BALLS)
    return tuple(
        (motion, balls[(first + offset) % len(balls)])
        for motion, first in zip(motions, first_balls, strict=True)
        for offset in (0, 1)
    )


# An activity is a motion with a ball, as most activities of daily life are a verb with an
# object. Each motion makes an activity with two balls and none with the other two, so that
# what moves how must be seen at one place: that both occur in a video says little. In the order
# of their ids; twins have the same balls, which would tell them apart.
ACTIVITIES = _with_balls(MOTIONS, range(6))
TWIN_ACTIVITIES = _with_balls(TWINS, (0, 0, 1, 1, 2, 2))

# All lengths are in units of the frame's side; a place is a cell of a 3 x 3 grid.
REACH = 0.1
RADIUS = 0.075
BALL_RADIUS = 0.05
BALL_DISTANCE = 0.09
BALL_ANGLE = -math.pi / 4
# The shutter is open for this part of a frame's time: fast motion is blurred.
SHUTTER = 0.8
EXPOSURES = 3
# cv2 draws at fractions of a pixel: coordinates carry this many bits after the point.
_FRACTION_BITS = 4
# cv2's coordinates are 0 at the middle of the first pixel.
_HALF_PIXEL = 1 << (_FRACTION_BITS - 1)


@dataclass(frozen=True)
class Actor:
    """
    One moving body with a ball at its side.

    Args:
        labels (tuple[str]): what it is listed as; empty: a distractor.
        motion (str | None): one of MOTIONS or TWINS; None: it drifts or stands.
        center (tuple[float, float]): x and y of its place, in units of the frame's side.
        start, end (int): it is there in the frames start, ..., end - 1.
        period (float): frames of one repetition; the frames of twins in corners are fixed.
        phase (float): angle in radians of the repetition at frame 0, which also chooses the
            first corner.
        drift (tuple[float, float]): movement per frame, in units of the frame's side.
        corners (int): of its body; 0 is a disc.
        turn (float): angle of its body in radians.
        body_color, ball_color (tuple[int, int, int]): RGB.
    """

    labels: tuple
    motion: str | None
    center: tuple
    start: int
    end: int
    period: float
    phase: float
    drift: tuple
    corners: int
    turn: float
    body_color: tuple
    ball_color: tuple


@dataclass
class Pose:
    """Where an actor is at one moment; lengths in units of the frame's side."""

    x: float
    y: float
    width: float = 1.0
    height: float = 1.0
    ball_angle: float = BALL_ANGLE
    visible: bool = True


def period_of(motion, stretch):
    """Frames of one repetition of a motion, `stretch` times its usual ones."""
    speed, _ = (MOTIONS | TWINS)[motion]
    return PERIODS[speed] * stretch


def _twin_pose(actor, path, x, y, time):
    if path.startswith("flip"):
        visible, moved = True, math.floor(time / FLIP_FRAMES) % 2 == 1
    else:
        visible, moved = not LEAVE_FRAME <= time < ARRIVE_FRAME, time >= ARRIVE_FRAME
    # Its first corner or, when it has moved, the other one.
    parts = math.cos(actor.phase), math.sin(actor.phase)
    across, down = (math.copysign(0.7, part) for part in parts)
    if moved:
        across, down = (-across, down) if path.endswith("sideways") else (across, -down)
    return Pose(x + REACH * across, y + REACH * down, visible=visible)


def _offset(path, angle):
    """(x, y) from the centre of an actor's place, in units of REACH; y points down."""
    sine, cosine = math.sin(angle), math.cos(angle)
    paths = {
        "sideways": (sine, 0.0),
        "circle": (cosine, sine),
        "diagonal": (0.8 * sine, -0.8 * sine),
        "hop": (0.0, 0.7 - 1.7 * abs(math.sin(angle / 2))),
    }
    return paths.get(path, (0.0, 0.0))


def pose_at(actor, time):
    """The Pose of an actor's body and ball at a time, in frames from the video's start."""
    x = actor.center[0] + actor.drift[0] * time
    y = actor.center[1] + actor.drift[1] * time
    if actor.motion is None:
        return Pose(x, y)
    path = _PATHS[actor.motion]
    if actor.motion in _CORNERED:
        return _twin_pose(actor, path, x, y, time)
    angle = 2 * math.pi * time / actor.period + actor.phase
    across, down = _offset(path, angle)
    pose = Pose(x + REACH * across, y + REACH * down)
    if path == "size":
        pose.width = pose.height = 1.1 + 0.5 * math.sin(angle)
    elif path == "blink":
        pose.visible = math.sin(angle) >= 0
    return pose


def _ball_center(pose):
    distance = BALL_DISTANCE * (pose.width + pose.height) / 2
    return (
        pose.x + distance * math.cos(pose.ball_angle),
        pose.y + distance * math.sin(pose.ball_angle),
    )


@functools.lru_cache(maxsize=256)
def _unit_outline(corners, turn):
    angles = turn + 2 * math.pi * np.arange(corners) / corners
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _body_outline(actor, pose):
    """Corners x 2 in units of the frame's side."""
    outline = _unit_outline(actor.corners or 24, actor.turn) * (pose.width, pose.height)
    return outline * RADIUS + (pose.x, pose.y)


def _draw_actor(image, actor, time):
    """Draws an actor into a square RGB image as it is at `time`."""
    pose = pose_at(actor, time)
    if not pose.visible:
        return
    scale = image.shape[0] << _FRACTION_BITS
    outline = np.rint(_body_outline(actor, pose) * scale - _HALF_PIXEL).astype(np.int32)
    cv2.fillPoly(image, [outline], actor.body_color, cv2.LINE_AA, _FRACTION_BITS)
    x, y = (round(value * scale - _HALF_PIXEL) for value in _ball_center(pose))
    radius = round(BALL_RADIUS * scale)
    cv2.circle(image, (x, y), radius, actor.ball_color, -1, cv2.LINE_AA, _FRACTION_BITS)


def exposure_times(frame):
    """The moments, in frames, of which the image of `frame` is the mean."""
    return [frame + SHUTTER * step / EXPOSURES for step in range(EXPOSURES)]


def draw_frame(background, actors, frame):
    """
    The mean over the time that the shutter is open, S x S x 3, float32, of the actors in a frame,
    later ones covering earlier ones, over the background, uint8.
    """
    present = [actor for actor in actors if actor.start <= frame < actor.end]
    # The mean of whole exposures: cv2 itself knows no motion blur.
    total = np.zeros(background.shape, np.float32)
    for time in exposure_times(frame):
        image = background.copy()
        for actor in present:
            _draw_actor(image, actor, time)
        total += image
    return total / EXPOSURES


def bounding_box(actor, frame):
    """[x1, y1, x2, y2] in 0..1 around all that an actor covers in one frame."""
    points = []
    for time in exposure_times(frame):
        pose = pose_at(actor, time)
        ball = np.array(_ball_center(pose))
        points.extend([_body_outline(actor, pose), [ball - BALL_RADIUS, ball + BALL_RADIUS]])
    points = np.clip(np.concatenate(points), 0, 1)
    return [round(float(value), 4) for value in (*points.min(axis=0), *points.max(axis=0))]
