"""Which labels occur together, and which exclude each other."""

import numpy as np


def strongest_pairs(labels, names, number):
    """
    The pairs of labels with the highest and the lowest correlation (phi coefficient).

    Args:
        labels (bool array): [N, A], of N videos.
        names (list[str]): A names.
        number (int): how many pairs of either kind at most.

    Returns:
        (list[dict], list[dict]): co-occurring and excluding pairs, the strongest first: `labels`,
            `videos` with both, `expected` number of these by chance, `correlation`. Labels that
            all videos or none have are in no pair.
    """
    counts = labels.sum(axis=0)
    varied = np.flatnonzero((counts > 0) & (counts < len(labels)))
    if len(varied) < 2:
        return [], []
    correlation = np.corrcoef(labels[:, varied].T.astype(float))
    first, second = np.triu_indices(len(varied), 1)
    values = correlation[first, second]

    def described(place):
        one, two = varied[first[place]], varied[second[place]]
        return {
            "labels": [names[one], names[two]],
            "videos": int((labels[:, one] & labels[:, two]).sum()),
            "expected": round(float(counts[one] * counts[two] / len(labels)), 2),
            "correlation": round(float(values[place]), 3),
        }

    order = np.argsort(-values, kind="stable")
    together = [described(place) for place in order[:number] if values[place] > 0]
    apart = [described(place) for place in order[::-1][:number] if values[place] < 0]
    return together, apart
