"""What happens in each of the synthetic videos: its settings, activities and actors."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from slowfast_ext.datasets.synthetic.motion import (
    ACTIVITIES,
    BALLS,
    MOTIONS,
    PERIODS,
    TWIN_ACTIVITIES,
    TWINS,
    Actor,
    period_of,
)
from slowfast_ext.errors import SlowFastExtError

# Where the first of a pair occurs, so does the second in most videos.
TOGETHER = ((0, 5), (4, 9), (8, 1))
TOGETHER_PROBABILITY = 0.85
# At most one of a pair occurs.
APART = ((2, 7), (6, 11), (10, 3))
# The activities from the most to the least frequent of an imbalanced set: head, middle and tail
# have slow, normal and fast ones, and motions of both balls are apart.
BY_FREQUENCY = (0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11)
# The frequency of each activity before videos without any or with too many are redrawn.
FREQUENCY = 0.18
MAX_ACTIVITIES = 4
MAX_DISTRACTORS = 3
# The probability that an activity lasts from the first frame, and that it lasts to the last.
WHOLE_PROBABILITY = 0.6
GRID = 3


@dataclass(frozen=True)
class SyntheticSettings:
    """
    What a synthetic data set holds. Each switch takes one property away.

    Args:
        num_train, num_test (int): videos.
        size (int): height and width of a frame in pixels, even.
        num_frames (int): per video, at 30 frames/s.
        seed (int): of everything that is drawn.
        several_at_once (bool): a video shows several actors; False: one, doing an activity.
        several_places (bool): the actors of a video are at different places; False: all are
            at the centre.
        several_speeds (bool): there are slow, normal and fast activities; False: all
            activities have the normal speed.
        correlated (bool): some activities occur together, others exclude each other; False:
            each occurs independently of the others, as often.
        distractors (bool): there are actors that do what is no activity: a known motion
            with another ball, or to drift or stand.
        parts (bool): a video has one actor, any motion with any ball, and its labels are
            the motion and the ball. Stands in for the data on which a backbone is trained
            before it meets the activities.
        twins (bool): with several speeds: the slow motions and the fast ones are pairs that
            can be told apart at sampling rate 8 or at 2 alone.
        imbalance (float): how many times as often the first of BY_FREQUENCY is kept as the last
            in the training videos, the others by equal ratios between; 1: all are, and so they
            are in the test's videos, that each activity may be measured alike.

    Raises:
        SlowFastExtError: a number is too small, the size is odd, or one-actor videos imbalanced.
    """

    num_train: int = 400
    num_test: int = 160
    size: int = 96
    num_frames: int = 72
    seed: int = 0
    several_at_once: bool = True
    several_places: bool = True
    several_speeds: bool = True
    correlated: bool = True
    distractors: bool = True
    parts: bool = False
    twins: bool = False
    imbalance: float = 1.0

    def __post_init__(self):
        smallest = {"num_train": 1, "num_test": 1, "size": 32, "num_frames": 4, "seed": 0}
        for name, least in smallest.items():
            if getattr(self, name) < least:
                raise SlowFastExtError(f"synthetic videos: {name} must be at least {least}")
        if self.size % 2:
            raise SlowFastExtError(f"synthetic videos: size must be even, not {self.size}")
        if self.imbalance < 1 or (self.imbalance > 1 and not self.draws_several):
            raise SlowFastExtError(
                f"synthetic videos: imbalance must be at least 1, not {self.imbalance}, and 1 "
                "where each video shows one actor"
            )

    @property
    def draws_several(self):
        """Whether a video shows any number of activities."""
        return self.several_at_once and not self.parts

    @property
    def kept_shares(self):
        """[A]: the share of an activity's occurrences that training videos keep."""
        ranks = np.argsort(BY_FREQUENCY)
        return self.imbalance ** (-ranks / (len(ranks) - 1))

    @property
    def motions(self):
        """name -> (speed, path) of what actors do."""
        return TWINS if self.twins and self.several_speeds else MOTIONS

    @property
    def activities(self):
        """(motion, ball) of each activity, in the order of their ids."""
        return ACTIVITIES if self.motions is MOTIONS else TWIN_ACTIVITIES

    @property
    def class_names(self):
        """The labels, in the order of their ids."""
        if self.parts:
            return (*self.motions, *BALLS)
        return tuple(f"{motion} with {ball} ball" for motion, ball in self.activities)


def _draw_pairs(random):
    """Correlated labels, bool [12]; each is true with probability FREQUENCY."""
    labels = np.zeros(len(ACTIVITIES), bool)
    # The second's probability without the first keeps its frequency the same.
    alone = FREQUENCY * (1 - TOGETHER_PROBABILITY) / (1 - FREQUENCY)
    for first, second in TOGETHER:
        labels[first] = random.random() < FREQUENCY
        labels[second] = random.random() < (TOGETHER_PROBABILITY if labels[first] else alone)
    for first, second in APART:
        value = random.random()
        labels[first] = value < FREQUENCY
        labels[second] = FREQUENCY <= value < 2 * FREQUENCY
    return labels


def draw_labels(random, settings):
    """The ids of a video's 1 to 4 activities, ascending; advances `random`, a numpy Generator."""
    while True:
        if settings.correlated:
            labels = _draw_pairs(random)
        else:
            labels = random.random(len(ACTIVITIES)) < FREQUENCY
        if not 1 <= labels.sum() <= MAX_ACTIVITIES:
            continue
        if settings.imbalance > 1:  # Drawn only then: other sets keep their draws.
            labels &= random.random(len(labels)) < settings.kept_shares
        if labels.any():
            return np.flatnonzero(labels).tolist()


def _hue_color(hue, saturation, value):
    """OpenCV's hue (0..179), saturation and value (0..255) -> RGB."""
    color = np.array([[[hue, saturation, value]]], np.uint8)
    return tuple(cv2.cvtColor(color, cv2.COLOR_HSV2RGB)[0, 0].tolist())


def ball_color(ball):
    """RGB of one of BALLS."""
    return _hue_color(BALLS[ball], 255, 255)


def _draw_span(random, num_frames):
    """(start, end): all of the video, or without up to a quarter of it at either side."""
    start = end = 0
    if random.random() > WHOLE_PROBABILITY:
        start = int(random.integers(1, num_frames // 4 + 1))
    if random.random() > WHOLE_PROBABILITY:
        end = int(random.integers(1, num_frames // 4 + 1))
    return start, num_frames - end


def draw_actor(random, settings, labels, motion, ball, cell):
    """An actor in cell 0..8 of the grid; see Actor."""
    start, end, drift = 0, settings.num_frames, (0.0, 0.0)
    if motion is not None:
        start, end = _draw_span(random, settings.num_frames)
    elif random.random() < 0.5:
        drift = tuple(random.uniform(-0.0015, 0.0015, 2).tolist())
    stretch = random.uniform(0.9, 1.1)
    timed = motion is not None and settings.several_speeds
    return Actor(
        labels=labels,
        motion=motion,
        center=((cell % GRID + 0.5) / GRID, (cell // GRID + 0.5) / GRID),
        start=start,
        end=end,
        period=period_of(motion, stretch) if timed else PERIODS["normal"] * stretch,
        phase=random.uniform(0, 2 * math.pi),
        drift=drift,
        corners=int(random.choice([0, 3, 4, 5])),
        turn=random.uniform(0, 2 * math.pi),
        body_color=_hue_color(random.integers(180), 50, random.integers(150, 240)),
        ball_color=ball_color(ball),
    )


def _draw_distractor(random, settings):
    """(labels, motion, ball) of an actor that does what is no activity."""
    motion, ball = random.choice(list(settings.motions)), random.choice(list(BALLS))
    known_motion = random.random() < 0.6 and (motion, ball) not in settings.activities
    return (), str(motion) if known_motion else None, str(ball)


def _draw_cast(random, settings):
    """[(labels, motion, ball)] of all actors of a video, distractors first."""
    if settings.parts:
        parts = str(random.choice(list(settings.motions))), str(random.choice(list(BALLS)))
        return [(parts, *parts)]
    names, activities = settings.class_names, settings.activities
    if not settings.several_at_once:
        activity = int(random.integers(len(activities)))
        return [((names[activity],), *activities[activity])]
    cast = [((names[i],), *activities[i]) for i in draw_labels(random, settings)]
    if settings.distractors:
        number = int(random.integers(MAX_DISTRACTORS + 1))
        cast = [_draw_distractor(random, settings) for _ in range(number)] + cast
    return cast


def draw_actors(random, settings):
    """The Actors of one video, distractors first; advances `random`, a numpy Generator."""
    cast = _draw_cast(random, settings)
    # Drawn in any case, so that the switch changes nothing else.
    cells = random.permutation(GRID * GRID).tolist()
    if not settings.several_places:
        cells = [GRID * GRID // 2] * len(cells)
    places = zip(cast, cells, strict=False)
    return [draw_actor(random, settings, *role, cell) for role, cell in places]
