"""
How well twins can be told apart at rate 4 by what else happens in a video.

    python benchmarks/twins_ceiling.py

prints the mAP of a perfect observer of the miniature study's test videos at rate 4. It sees
every actor's ball and motion, but of slow and of fast twins not which of the two. Each
activity's probability is its frequency among the videos that look the same: to an observer that
heeds only what looks like the activity itself, and to one that heeds the whole video. No video
is written: labels are drawn as the generator draws them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from slowfast_ext.datasets.synthetic_scenes import SyntheticSettings, draw_labels
from slowfast_ext.evaluation.multilabel import multilabel_metrics
from slowfast_ext.study.results import SPEED_OF, SPEEDS

NUM_VIDEOS = 60_000
# The observers learn frequencies from one half and are tested on sets as large as the study's.
NUM_TESTED = 240


def draw(settings, num_videos, seed=0):
    """Labels, V x A, bool."""
    random = np.random.default_rng(seed)
    labels = np.zeros((num_videos, len(settings.activities)), bool)
    for of_video in labels:
        of_video[draw_labels(random, settings)] = True
    return labels


def looks(settings):
    """The number, by activity, of what it looks like at rate 4: twins of one ball look alike."""
    seen = [
        (motion if speed == "normal" else speed, ball)
        for speed, (motion, ball) in zip(SPEED_OF, settings.activities, strict=True)
    ]
    return [sorted(set(seen)).index(look) for look in seen]


def probabilities(labels, seen, known):
    """
    Each activity's frequency in the `known` videos that look the same.

    Args:
        labels (Series): V, bool: of one activity.
        seen (DataFrame): V x looks: how many activities look so.
        known (ndarray): V, bool: videos whose labels are known.

    Returns:
        ndarray: of the other videos.
    """
    looking_so = seen.groupby(list(seen), sort=False).ngroup()
    frequency = labels[known].groupby(looking_so[known]).mean()
    return looking_so[~known].map(frequency).fillna(labels[known].mean()).to_numpy()


def observe(settings, whole_video):
    """Average precision of each activity, mean over sets of NUM_TESTED videos."""
    labels = pd.DataFrame(draw(settings, NUM_VIDEOS))
    look_of = looks(settings)
    seen = labels.T.groupby(np.array(look_of)).sum().T
    known = np.arange(NUM_VIDEOS) < NUM_VIDEOS // 2
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
        for whole_video in (False, True):
            precision = observe(settings, whole_video)
            means = [precision.mean(), *(precision[speed == SPEED_OF].mean() for speed in SPEEDS)]
            name = f"{'' if correlated else 'un'}correlated activities, seen "
            name += "with the whole video" if whole_video else "alone"
            print(name.ljust(52), *(f"{100 * mean:7.1f}" for mean in means))


if __name__ == "__main__":
    main()
