"""Splitting multi-label examples in two such that both sides show all labels."""

import numpy as np

from slowfast_ext.errors import SlowFastExtError

# Random orders that are tried until no label is missing from a side.
MAX_TRIES = 50


def check_split(share, seed):
    """Raises SlowFastExtError where --test-share or --seed cannot be `stratified_split`'s."""
    if not 0 < share < 1:
        raise SlowFastExtError(f"--test-share is {share:g}: it must lie between 0 and 1")
    if seed < 0:
        raise SlowFastExtError(f"--seed is {seed}: it must not be negative")


def stratified_split(labels, share, seed):
    """
    Iterative stratification (Sechidis, Tsoumakas, Vlahavas, ECML PKDD 2011, Algorithm 1).

    A label of at least two examples is wanted at least once on either side; where one random
    order of ties does not give that, others are tried and the best of them is taken. Neither
    side is left empty.

    Args:
        labels (bool array): [N, A], N at least 2.
        share (float): of the examples that go to the smaller side, within (0, 1).
        seed (int): of the order in which ties are broken.

    Returns:
        bool array: [N], True for the side that gets `share`.
    """
    random = np.random.default_rng(seed)
    splittable = labels.sum(axis=0) >= 2
    best, fewest = None, None
    for _ in range(MAX_TRIES):
        side = _one_split(labels, share, random)
        sides = (labels[side == value].any(axis=0) for value in (False, True))
        missing = sum(int((splittable & ~present).sum()) for present in sides)
        if best is None or missing < fewest:
            best, fewest = side, missing
        if not fewest:
            break
    if best.all() or not best.any():
        # Labels of one example each all go to the larger side.
        best[random.integers(len(best))] ^= True
    return best


def _one_split(labels, share, random):
    """Deals out the rarest label's examples first, each to the side that lacks it most."""
    number = len(labels)
    wanted = _wanted(np.array(number), share)
    wanted_of = _wanted(labels.sum(axis=0), share)
    left = np.ones(number, bool)
    side = np.zeros(number, bool)
    while left.any():
        counts = labels[left].sum(axis=0)
        candidates = np.flatnonzero(left)
        label = None
        if counts.any():
            rarest = np.flatnonzero(counts == counts[counts > 0].min())
            label = random.choice(rarest)
            candidates = candidates[labels[candidates, label]]
        for example in random.permutation(candidates):
            needs = [(wanted_of[s, label] if label is not None else 0, wanted[s]) for s in (0, 1)]
            chosen = random.integers(2) if needs[0] == needs[1] else int(needs[1] > needs[0])
            side[example], left[example] = chosen, False
            wanted[chosen] -= 1
            wanted_of[chosen, labels[example]] -= 1
    return side


def _wanted(counts, share):
    """How many of `counts` either side should get: [2, ...], at least 1 each where it can be."""
    second = counts * share
    second = np.where(counts >= 2, np.clip(second, 1, np.maximum(counts - 1, 1)), second)
    return np.stack([counts - second, second]).astype(float)
