"""
How well twins can be told apart at rate 4 by what else happens in a video.

    python -m projects.study.twins_ceiling

prints the mAP of a perfect observer of the miniature study's test videos at rate 4. It sees
every actor's ball and motion, but of slow and of fast twins not which of the two, nor fast ones
from distractors that stand or drift. Each activity's probability is its frequency among the
videos that look the same: to an observer that heeds only what looks like the activity itself,
and to one that heeds all that looks like an activity. No video is written: actors are drawn as
the generator draws them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from projects.study.results import SPEED_OF, SPEEDS
from slowfast_ext.datasets.synthetic.motion import BALLS, TWINS
from slowfast_ext.datasets.synthetic.scenes import SyntheticSettings, ball_color, draw_actors
from slowfast_ext.evaluation.multilabel import multilabel_metrics

sys.path.insert(0, str(Path(__file__).parents[2]))

NUM_VIDEOS = 60_000
BALL_OF = {ball_color(ball): ball for ball in BALLS}
# Frequencies are learned from one half; the tested sets are as large as the study's.
NUM_TESTED = 240


def look(motion, ball):
    """What a motion with a ball looks like at rate 4."""
    speed = TWINS[motion][0] if motion else "fast"
    return (motion if speed == "normal" else speed), ball


def draw(settings, num_videos, seed=0):
    """
    Returns:
        tuple[DataFrame, DataFrame]: labels, V x activities, bool; V x looks of activities: how
            many actors look so.
    """
    random = np.random.default_rng(seed)
    looks = sorted({look(*activity) for activity in settings.activities})
    labels = np.zeros((num_videos, len(settings.activities)), bool)
    seen = np.zeros((num_videos, len(looks)), int)
    for video_labels, counts in zip(labels, seen, strict=True):
        for actor in draw_actors(random, settings):
            if actor.labels:
                video_labels[settings.class_names.index(*actor.labels)] = True
            if (appearance := look(actor.motion, BALL_OF[actor.ball_color])) in looks:
                counts[looks.index(appearance)] += 1
    return pd.DataFrame(labels), pd.DataFrame(seen, columns=pd.Index(looks, tupleize_cols=False))


def probabilities(labels, seen, known):
    """
    Each activity's frequency in the `known` videos that look the same.

    Args:
        labels (Series): V, bool: of one activity.
        seen (DataFrame): V x looks: how many actors look so.
        known (ndarray): V, bool: videos whose labels are known.

    Returns:
        ndarray: of the other videos.
    """
    looking_so = seen.groupby(list(seen), sort=False).ngroup()
    frequency = labels[known].groupby(looking_so[known]).mean()
    return looking_so[~known].map(frequency).fillna(labels[known].mean()).to_numpy()


def observe(settings, labels, seen, whole_video):
    """Average precision of each activity, mean over sets of NUM_TESTED of the drawn videos."""
    look_of = [look(*activity) for activity in settings.activities]
    known = np.arange(len(labels)) < len(labels) // 2
    scores = [
        probabilities(labels[k], seen if whole_video else seen[[look_of[k]]], known) for k in labels
    ]
    # Videos that look the same come in any order.
    scores = np.stack(scores, 1) + np.random.default_rng(1).uniform(0, 1e-9, (sum(~known), 1))
    sets = len(scores) // NUM_TESTED
    parts = zip(
        np.array_split(scores, sets), np.array_split(labels[~known].to_numpy(), sets), strict=True
    )
    return np.mean([multilabel_metrics(*part).average_precision for part in parts], 0)


def main():
    argparse.ArgumentParser(description=__doc__.splitlines()[1]).parse_args()
    print("mAP in percent".ljust(52), *(f"{name:>7}" for name in ("all", *SPEEDS)))
    for correlated in (True, False):
        settings = SyntheticSettings(twins=True, correlated=correlated)
        drawn = draw(settings, NUM_VIDEOS)
        for whole_video in (False, True):
            precision = observe(settings, *drawn, whole_video)
            means = [precision.mean(), *(precision[speed == SPEED_OF].mean() for speed in SPEEDS)]
            name = f"{'' if correlated else 'un'}correlated activities, seen "
            name += "with the whole video" if whole_video else "alone"
            print(name.ljust(52), *(f"{100 * mean:7.1f}" for mean in means))


if __name__ == "__main__":
    main()
