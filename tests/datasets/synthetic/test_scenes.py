"""What happens in the synthetic videos, as it is drawn before any is written."""

from dataclasses import replace

import numpy as np
import pytest

from slowfast_ext.datasets.synthetic import scenes
from slowfast_ext.datasets.synthetic.motion import (
    ACTIVITIES,
    BALLS,
    MOTIONS,
    PERIODS,
    TWINS,
    bounding_box,
    draw_frame,
)
from slowfast_ext.datasets.synthetic.scenes import (
    APART,
    BY_FREQUENCY,
    MAX_ACTIVITIES,
    MAX_DISTRACTORS,
    TOGETHER,
    SyntheticSettings,
    draw_actors,
    draw_labels,
)
from slowfast_ext.errors import SlowFastExtError


def draw_many(count=300, **switches):
    """The actors of many videos that are not written."""
    settings = SyntheticSettings(**switches)
    return [draw_actors(np.random.default_rng(seed), settings) for seed in range(count)]


def label_statistics(correlated, count=6000):
    """Frequency of each activity, [12], and of each pair, [12, 12]."""
    random, settings = np.random.default_rng(1), SyntheticSettings(correlated=correlated)
    labels = np.zeros((count, len(ACTIVITIES)))
    for row in labels:
        row[draw_labels(random, settings)] = 1
    return labels.mean(axis=0), labels.T @ labels / count, labels.sum(axis=1)


def test_every_video_has_one_to_four_activities_each_at_least_half_of_the_time():
    for actors in draw_many():
        acting = [actor for actor in actors if actor.labels]
        assert 1 <= len({actor.labels for actor in acting}) == len(acting) <= MAX_ACTIVITIES
        for actor in acting:
            assert 0 <= actor.start < actor.end <= 72
            assert actor.end - actor.start >= 36


def test_some_pairs_occur_together_and_some_never():
    frequency, pairs, _ = label_statistics(correlated=True)
    for first, second in TOGETHER:
        assert 0.75 < pairs[first, second] / frequency[first] < 0.9
    for first, second in APART:
        assert pairs[first, second] == 0


def test_uncorrelated_labels_are_independent_and_as_frequent():
    frequency, pairs, counts = label_statistics(correlated=False)
    assert counts.min() >= 1
    expected = np.outer(frequency, frequency)
    off_diagonal = ~np.eye(len(frequency), dtype=bool)
    assert np.abs(pairs - expected)[off_diagonal].max() < 0.025
    correlated, _, _ = label_statistics(correlated=True)
    np.testing.assert_allclose(frequency, correlated, atol=0.03)


def test_one_actor_does_an_activity_where_not_several_act_at_once():
    casts = draw_many(several_at_once=False)
    assert all(len(actors) == 1 for actors in casts)
    labels = [actor.labels for (actor,) in casts]
    # All activities, evenly: none has half of its share or twice it.
    counts = np.array([labels.count((name,)) for name in SyntheticSettings().class_names])
    assert counts.sum() == len(casts)
    share = len(casts) / len(counts)
    assert share / 2 < counts.min() and counts.max() < 2 * share


def test_actors_share_a_place_only_without_several_places():
    for actors in draw_many():
        assert len({actor.center for actor in actors}) == len(actors)
    centers = {actor.center for actors in draw_many(several_places=False) for actor in actors}
    assert centers == {(0.5, 0.5)}


def test_boxes_without_several_places_surround_the_centre():
    for actors in draw_many(count=20, several_places=False, distractors=False):
        for actor in actors:
            boxes = np.array([bounding_box(actor, frame) for frame in range(actor.start, 72)])
            middle = (boxes[:, :2].min(axis=0) + boxes[:, 2:].max(axis=0)) / 2
            np.testing.assert_allclose(middle, 0.5, atol=0.08)


def test_activities_have_their_speed_unless_switched_off():
    for several, wanted in ((True, set(PERIODS.values())), (False, {PERIODS["normal"]})):
        found = set()
        for actor in sum(draw_many(several_speeds=several), []):
            if actor.motion is not None:
                speed = MOTIONS[actor.motion][0] if several else "normal"
                assert actor.period == pytest.approx(PERIODS[speed], rel=0.1)
                found.add(PERIODS[speed])
        assert found == wanted


def test_a_slow_activity_hardly_moves_in_a_clip_at_rate_2():
    travel = {}
    for actor in sum(draw_many(distractors=False), []):
        if actor.motion in ("walks", "trembles"):
            boxes = np.array([bounding_box(actor, frame) for frame in range(20, 36)])
            speed = np.abs(np.diff(boxes[:, 0] + boxes[:, 2])).mean() / 2
            travel.setdefault(MOTIONS[actor.motion][0], []).append(speed)
    assert np.mean(travel["fast"]) > 3 * np.mean(travel["slow"])


def test_distractors_do_what_is_no_activity_and_can_be_switched_off():
    counts = [sum(not actor.labels for actor in actors) for actors in draw_many()]
    assert set(counts) == set(range(MAX_DISTRACTORS + 1))
    for actors in draw_many(distractors=False):
        assert all(actor.labels for actor in actors)


def test_neither_the_motion_nor_the_ball_alone_tells_the_activity():
    by_motion, by_ball = {}, {}
    for actor in sum(draw_many(), []):
        by_motion.setdefault(actor.motion, set()).add(actor.labels)
        by_ball.setdefault(actor.ball_color, set()).add(actor.labels)
    for motion in MOTIONS:
        # Two activities, and actors that do the motion with another ball.
        assert len(by_motion[motion]) == 3 and () in by_motion[motion]
    assert len(by_ball) == len(BALLS)
    assert all(len(labels) >= 3 and () in labels for labels in by_ball.values())


def test_parts_are_one_actor_with_its_motion_and_its_ball():
    seen = set()
    for actors in draw_many(parts=True, count=400):
        (actor,) = actors
        assert actor.labels[0] == actor.motion
        seen.add(actor.labels)
    assert seen == {(motion, ball) for motion in MOTIONS for ball in BALLS}
    assert SyntheticSettings(parts=True).class_names == (*MOTIONS, *BALLS)


# --- Twins ------------------------------------------------------------------------------


def _twins(motion):
    """Actors of one motion of TWINS, of many videos."""
    return [
        actor
        for actor in sum(draw_many(twins=True, distractors=False), [])
        if actor.motion == motion
    ]


def test_twins_have_activities_of_their_own():
    settings = SyntheticSettings(twins=True)
    labels = {label for actors in draw_many(twins=True) for a in actors for label in a.labels}
    assert labels == set(settings.class_names) and len(labels) == 12
    assert {label.split()[0] for label in labels} == set(TWINS)
    balls_of = {motion: set() for motion in TWINS}
    for motion, ball in settings.activities:
        balls_of[motion].add(ball)
    for one, other in (("crosses", "climbs"), ("hops", "circles"), ("shakes", "nods")):
        assert balls_of[one] == balls_of[other] and len(balls_of[one]) == 2
    assert SyntheticSettings(twins=True, several_speeds=False).motions == MOTIONS
    assert SyntheticSettings(twins=True, parts=True).class_names == (*TWINS, *BALLS)


def _clips(actor, motion, rate):
    """All clips of 8 frames that an actor gives with a motion, as bytes of their frames."""
    background, clips = np.zeros((24, 24, 3), np.uint8), set()
    for corner in range(4):
        moved = replace(actor, motion=motion, phase=np.pi * (corner + 0.5) / 2)
        frames = [draw_frame(background, [moved], frame).tobytes() for frame in range(72)]
        length = 7 * rate + 1
        clips |= {tuple(frames[start:][:length:rate]) for start in range(72 - length + 1)}
    return clips


@pytest.mark.parametrize("twins, telling", [(("shakes", "nods"), 2), (("crosses", "climbs"), 8)])
def test_one_rate_alone_tells_twins_apart(twins, telling):
    """At the other rates both give the very same clips."""
    actor = replace(_twins(twins[0])[0], start=0, end=72, drift=(0.0, 0.0))
    for rate in (2, 4, 8):
        one, other = (_clips(actor, motion, rate) for motion in twins)
        assert len(one) >= 4
        assert not one & other if rate == telling else one == other


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_box_holds_all_that_its_actor_covers(motion):
    settings = SyntheticSettings(distractors=False, several_places=False)
    random = np.random.default_rng(list(MOTIONS).index(motion))
    actor = scenes.draw_actor(random, settings, (motion,), motion, "red", 4)
    background, moved = np.zeros((96, 96, 3), np.uint8), []
    for frame in range(actor.start, actor.end):
        image = draw_frame(background, [actor], frame).max(axis=2)
        moved.append(image)
        rows, columns = np.nonzero(image > 40)
        if len(rows):
            x1, y1, x2, y2 = np.array(bounding_box(actor, frame)) * 96
            # Smooth edges add about a pixel at each side.
            assert x1 - 2 < columns.min() and columns.max() + 1 < x2 + 2
            assert y1 - 2 < rows.min() and rows.max() + 1 < y2 + 2
            assert (x2 - x1) * (y2 - y1) < 2.2 * (np.ptp(columns) + 1) * (np.ptp(rows) + 1)
    assert np.std(moved, axis=0).max() > 20
    outside = draw_frame(background, [actor], actor.end)
    assert outside.max() == 0


def test_an_imbalanced_set_keeps_each_activity_by_its_rank():
    """Kept shares fall by equal ratios; the counts follow them, and the least pair is the tail."""
    plain, long_tailed = SyntheticSettings(), SyntheticSettings(imbalance=30.0)
    shares = long_tailed.kept_shares[list(BY_FREQUENCY)]
    assert (shares[0], shares[-1]) == (1, pytest.approx(1 / 30))
    np.testing.assert_allclose(shares[1:] / shares[:-1], 30 ** (-1 / 11))
    counts = {}
    for settings in (plain, long_tailed):
        counts[settings] = np.zeros(len(ACTIVITIES))
        for seed in range(2000):
            labels = draw_labels(np.random.default_rng(seed), settings)
            assert 1 <= len(labels) <= MAX_ACTIVITIES
            counts[settings][labels] += 1
    ratio = counts[long_tailed] / counts[plain]
    thirds = np.split(ratio[list(BY_FREQUENCY)], 3)
    assert thirds[0].mean() > 3 * thirds[1].mean() > 9 * thirds[2].mean() > 0


def test_head_middle_and_tail_have_all_speeds():
    speeds = [MOTIONS[motion][0] for motion, _ in ACTIVITIES]
    for third in np.split(np.array(BY_FREQUENCY), 3):
        assert {speeds[place] for place in third} == {"slow", "normal", "fast"}


@pytest.mark.parametrize("wrong", [{"imbalance": 0.5}, {"imbalance": 2.0, "parts": True}])
def test_an_imbalance_needs_several_activities_and_a_ratio_from_1(wrong):
    with pytest.raises(SlowFastExtError, match="imbalance must be at least 1"):
        SyntheticSettings(**wrong)
